import Foundation

/// One run of a program of this machine, to its end.
package struct Tool {
  package let status: Int32
  /// Standard output and error.
  package let output: String

  package static func run(
    _ arguments: [String],
    environment: [String: String] = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"],
    input: String? = nil, folder: String? = nil
  ) throws -> Tool {
    // Files, because a server that is started would keep a pipe open.
    let files = TemporaryFolder()
    let path = files.write([], "output")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: arguments[0])
    process.arguments = Array(arguments.dropFirst())
    process.environment = environment
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    try process.start(input: input.map { files.write(Array($0.utf8), "input") }, output: path, errors: path)
    process.waitUntilExit()
    return Tool(status: process.terminationStatus, output: try String(contentsOfFile: path, encoding: .utf8))
  }

  /// Runs a program that must end well.
  package static func mustRun(_ arguments: [String], folder: String? = nil) throws {
    let done = try run(arguments, folder: folder)
    guard done.status == 0 else {
      throw Failure(
        description: "\(arguments.joined(separator: " ")) ended with status \(done.status):\n\(done.output)")
    }
  }

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
    package init(description: String) { self.description = description }
  }

  /// Where Debian puts a program; nil when it is not installed.
  package static func find(_ name: String) -> String? {
    ["/usr/sbin/\(name)", "/usr/bin/\(name)"].first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// The words that make a program run as the owner of `path`, when this is root: servers refuse to be that.
  package static func asOwner(of path: String) throws -> [String] {
    guard geteuid() == 0 else { return [] }
    let owner = try FileManager.default.attributesOfItem(atPath: path)[.ownerAccountID]!
    return ["/usr/bin/setpriv", "--reuid=\(owner)", "--regid=\(owner)", "--clear-groups", "--"]
  }
}
