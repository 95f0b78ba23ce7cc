import Foundation
import TestSupport

/// One run of a program of this machine, to its end.
struct Tool {
  let status: Int32
  /// Standard output and error.
  let output: String

  static func run(
    _ arguments: [String],
    environment: [String: String] = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"]
  ) throws -> Tool {
    let folder = TemporaryFolder()
    let path = folder.write([], "output")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: arguments[0])
    process.arguments = Array(arguments.dropFirst())
    process.environment = environment
    let output = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    try process.run()
    process.waitUntilExit()
    return Tool(status: process.terminationStatus, output: try String(contentsOfFile: path, encoding: .utf8))
  }
}
