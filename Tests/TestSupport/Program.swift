package import Foundation

/// The built program as a real process.
package enum Program {
  /// The binary beside the test bundle.
  package static let path = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appendingPathComponent("rrcm").path

  package struct Outcome: Sendable {
    package let status: Int32
    package let output: String
    package let errors: String
  }

  /// A process of it; not started yet.
  package static func process(_ arguments: [String], environment: [String: String]) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.environment = environment
    return process
  }

  /// Runs a verb to its end.
  ///
  /// - Parameters:
  ///   - environment: laid over a plain one without any RRCM variable.
  /// - Throws: when it does not end within a minute.
  ///   - shell: a line for bash in which the command stands as `"$@"`; for limits and redirections.
  package static func run(
    _ arguments: [String], environment: [String: String] = [:], shell: String? = nil
  ) async throws -> Outcome {
    let folder = TemporaryFolder()
    var plain = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("RRCM_") }
    plain["RRCM_HOME"] = folder.path + "/home"
    let process = process(arguments, environment: plain.merging(environment) { $1 })
    if let shell {
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      process.arguments = ["-c", shell, "rrcm", path] + arguments
    }
    let (output, errors) = (folder.write([], "out"), folder.write([], "err"))
    try process.start(output: output, errors: errors)
    let deadline = ContinuousClock.now + .seconds(60)
    while process.isRunning {
      guard ContinuousClock.now < deadline else {
        kill(process.processIdentifier, SIGKILL)
        throw ProgramTimeout(arguments: arguments)
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    return Outcome(
      status: process.terminationStatus, output: try String(contentsOfFile: output, encoding: .utf8),
      errors: try String(contentsOfFile: errors, encoding: .utf8))
  }
}

package struct ProgramTimeout: Error {
  package let arguments: [String]
}
