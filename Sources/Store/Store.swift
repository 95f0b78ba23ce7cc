package import Database
internal import Foundation

/// Every statement the fleet sends, one method per verb. Texts are in `SQL/`, one file per statement.
///
/// A value around one connection: cheap to make, safe to copy. Methods throw `DatabaseError`; its disposition says whether
/// trying again makes sense.
package struct Store: Sendable {
  package let connection: Connection
  /// The term under which a leader writes; nil for everybody else.
  var term: Term?

  package init(_ connection: Connection) { self.connection = connection }

  /// Channel on which new work is announced. A notification only shortens a wait; nothing depends on it.
  package static let workChannel = "rrcm_work"

  /// Wakes waiting workers and services.
  package func announceWork() async throws { try await connection.execute("NOTIFY \(Self.workChannel)") }
}

/// Statement texts, embedded at build time.
enum SQL {
  static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// Shorthand for a statement and its parameters.
func statement(_ sql: [UInt8], _ parameters: [Parameter]) -> (sql: String, parameters: [Parameter]) {
  (SQL.text(sql), parameters)
}

extension Connection {
  func rows(_ sql: [UInt8], _ parameters: [Parameter] = []) throws -> [Row] { try query(SQL.text(sql), parameters) }
}

extension Store {
  /// Waits until work is announced, at most for `timeout`; behind a pooler, where announcements do not arrive, for that long.
  package func waitForWork(timeout: Duration) async throws {
    guard try await connection.canListen() else { return try await Task.sleep(for: timeout) }
    try await connection.listen(Self.workChannel)
    _ = try await connection.waitForNotification(timeout: timeout)
  }
}
