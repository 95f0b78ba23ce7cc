internal import CLibPQ

/// Which of a session's statements the server keeps ready, so that it parses and plans them once and not at every call.
///
/// Only the fleet's own statements (first line `-- name: x`) that come again, and only where the session is the server's
/// own: behind PgBouncer in transaction mode the next transaction may meet another server process, which knows no names.
struct PreparedStatements {
  /// Names by text; nil for a text seen once.
  private var names: [String: String?] = [:]
  private var preparations = 0
  private var uses = 0
  private var replanAt = 16
  /// Names are of no use here, or were lost once.
  var isOff = false

  /// What to do before a statement runs.
  enum Step: Equatable {
    case sendText
    case prepare(name: String)
    case useName(String)
  }

  mutating func step(for sql: String) -> Step {
    guard !isOff, sql.hasPrefix("-- name:") else { return .sendText }
    guard let known = names[sql] else {
      names[sql] = .some(nil)
      return .sendText
    }
    return known.map { .useName($0) } ?? .prepare(name: "rrcm_\(preparations)")
  }

  mutating func didPrepare(_ sql: String, as name: String) {
    names[sql] = name
    preparations += 1
  }

  /// True when plans are due to be made anew: a table that was empty when a plan was made may have grown. At first often,
  /// then every 1,024 uses.
  mutating func isReplanDue() -> Bool {
    uses += 1
    guard uses >= replanAt else { return false }
    replanAt = replanAt < 1024 ? replanAt * 4 : uses + 1024
    return true
  }

  /// After an error that says that a name or its plan is no good any more.
  mutating func forget() { names = [:] }
}

extension Session {
  /// The name under which the server knows a statement, preparing it if that pays; nil to send its text.
  func preparedName(_ sql: String) throws -> String? {
    switch prepared.step(for: sql) {
    case .sendText: return nil
    case .useName(let name):
      if prepared.isReplanDue() { _ = try executeSimple("DISCARD PLANS") }
      return name
    case .prepare(let name):
      guard try hasServerOfItsOwn() else {
        prepared.isOff = true
        return nil
      }
      _ = try check(PQprepare(pointer, name, sql, 0, nil), sql)
      prepared.didPrepare(sql, as: name)
      return name
    }
  }

  /// Sees to it that the next call does without names that the server has lost or whose plans no longer fit the schema.
  func noteFailure(_ error: any Error) {
    guard let error = error as? DatabaseError, ["26000", "42P05", "0A000"].contains(error.code) else { return }
    prepared.forget()
    if error.code == "0A000" { _ = try? executeSimple("DEALLOCATE ALL") } else { prepared.isOff = true }
  }
}
