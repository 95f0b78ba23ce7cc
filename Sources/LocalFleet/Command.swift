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
    words = ["/usr/bin/env", "--chdir=\(directory)"] + words
    var environment = ["LC_ALL": "C", "LANG": "C", "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "TZ": "UTC"]
    environment["LD_LIBRARY_PATH"] = ProcessInfo.processInfo.environment["LD_LIBRARY_PATH"]
    // A file and not a pipe: a daemon that inherits it must not keep us waiting for its end.
    let output = NSTemporaryDirectory() + "/rrcm-output-\(UUID().uuidString)"
    defer { unlink(output) }
    let pid = try Spawn.start(words[0], Array(words.dropFirst()), environment, log: output)
    return Command(status: Spawn.wait(for: pid), output: Files.text(output) ?? "")
  }
}
