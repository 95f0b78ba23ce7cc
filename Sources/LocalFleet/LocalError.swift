/// Why something on this machine (a private server, a child process, a folder) could not be set up.
package struct LocalError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One of: `postgres_missing`, `account_missing`, `other_major`, `data_unusable`, `disk_full`, `folder_unusable`,
  /// `pid_taken`, `start_failed`, `stop_failed`, `bad_name`, `spawn_failed`, `already_running`.
  package let code: String
  /// What happened, with paths and numbers, then what to do.
  package let message: String

  package init(code: String, message: String) {
    self.code = code
    self.message = message
  }

  package var description: String { "\(code): \(message)" }
}
