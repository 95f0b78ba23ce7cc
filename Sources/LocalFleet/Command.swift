internal import Foundation

/// One run of a helper program, to its end. Blocks.
struct Command {
  let status: Int32
  /// Standard output and error, interleaved.
  let output: String

  /// Runs `arguments[0]` (an absolute path) with a plain environment and English messages.
  ///
  /// - Parameters:
  ///   - account: when this process is root, the user to run as (through `setpriv`).
  ///   - directory: working folder, which `account` must be able to enter.
  static func run(_ arguments: [String], as account: Account?, in directory: String = "/") throws -> Command {
    var words = arguments
    if let account, geteuid() == 0, account.uid != 0 {
      let drop = ["--reuid=\(account.uid)", "--regid=\(account.gid)", "--init-groups", "--"]
      words = ["/usr/bin/setpriv"] + drop + words
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: words[0])
    process.arguments = Array(words.dropFirst())
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    var environment = ["LC_ALL": "C", "LANG": "C", "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "TZ": "UTC"]
    environment["LD_LIBRARY_PATH"] = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"]
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    // A file and not a pipe: a daemon that inherits it must not keep us waiting for its end.
    let path = NSTemporaryDirectory() + "/rrcm-output-\(UUID().uuidString)"
    _ = FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
    defer { try? FileManager.default.removeItem(atPath: path) }
    guard let sink = FileHandle(forWritingAtPath: path) else {
      throw LocalError(
        code: "folder_unusable", message: "no file can be made in \(NSTemporaryDirectory()). Check its rights and space"
      )
    }
    process.standardOutput = sink
    process.standardError = sink
    do { try process.run() } catch {
      throw LocalError(code: "spawn_failed", message: "\(words[0]) cannot be run: \(error.localizedDescription)")
    }
    process.waitUntilExit()
    try? sink.close()
    return Command(status: process.terminationStatus, output: Files.text(path) ?? "")
  }
}
