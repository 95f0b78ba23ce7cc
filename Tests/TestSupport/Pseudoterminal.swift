import Foundation

/// The built program on a terminal of its own: a real pseudoterminal, as `script` makes one.
package enum Pseudoterminal {
  package struct Outcome: Sendable {
    package let status: Int32
    /// Everything that was written to the terminal, in order, control codes included.
    package let screen: String
  }

  /// Runs a verb to its end with standard input, output and error on the terminal.
  ///
  /// - Parameters:
  ///   - environment: laid over a plain one without any RRCM variable; `TERM` is xterm unless given.
  ///   - columns: width of the terminal.
  ///   - typing: what a person types, at once.
  /// - Throws: when it does not end within a minute.
  package static func run(
    _ arguments: [String], environment: [String: String] = [:], columns: UInt16 = 80, typing: String = ""
  ) async throws -> Outcome {
    var (leader, follower): (Int32, Int32) = (-1, -1)
    var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    guard openpty(&leader, &follower, nil, nil, &size) == 0 else { throw ProgramTimeout(arguments: ["openpty"]) }
    let terminal = FileHandle(fileDescriptor: follower, closeOnDealloc: true)
    let person = FileHandle(fileDescriptor: leader, closeOnDealloc: true)
    var plain = ProcessInfo.processInfo.environment.filter {
      !$0.key.hasPrefix("RRCM_") && !["NO_COLOR", "COLUMNS"].contains($0.key)
    }
    plain["TERM"] = "xterm"
    let process = Program.process(arguments, environment: plain.merging(environment) { $1 })
    process.standardInput = terminal
    process.standardOutput = terminal
    process.standardError = terminal
    try process.run()
    try terminal.close()
    if !typing.isEmpty { try person.write(contentsOf: Data(typing.utf8)) }
    _ = fcntl(leader, F_SETFL, fcntl(leader, F_GETFL) | O_NONBLOCK)
    var screen: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      let hasEnded = !process.isRunning
      var count = read(leader, &buffer, buffer.count)
      while count > 0 {
        screen += buffer[..<count]
        count = read(leader, &buffer, buffer.count)
      }
      if hasEnded { break }
      guard ContinuousClock.now < deadline else {
        kill(process.processIdentifier, SIGKILL)
        throw ProgramTimeout(arguments: arguments)
      }
      try await Task.sleep(for: .milliseconds(10))
    }
    return Outcome(status: process.terminationStatus, screen: String(decoding: screen, as: UTF8.self))
  }
}
