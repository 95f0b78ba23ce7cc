/// Why the database, or the way to it, did not do what was asked.
///
/// The caller acts on ``disposition``; people read ``message``. The description names codes, constraints and remedies and
/// never a password, a connection string or a whole statement. `String(reflecting:)` adds the server's detail, which may
/// quote stored values.
package struct DatabaseError: Error, Sendable, Equatable {
  /// What a caller should do next.
  package enum Disposition: String, Sendable {
    /// Nothing is wrong with the request: send the whole unit of work (transaction, pipeline, call) again.
    case retry
    /// The same request will fail again: fix the cause first.
    case permanent
    /// Somebody else holds what this request wanted to write; drop the work and claim anew.
    case superseded
  }

  /// The server's five-character SQLSTATE, or one of our own words: `bad_url`, `bad_parameter`, `bad_row`,
  /// `connection_closed`, `connection_failed`, `connection_lost`, `cancelled`, `server_not_trusted`, `server_too_old`, `nested_transaction`,
  /// `transaction_aborted`, `statement_in_progress`, and those that the layers above add.
  package var code: String
  /// One sentence of what happened, with numbers and names, then what to do about it.
  package var message: String
  package var disposition: Disposition
  /// Name of the violated constraint, when the server gave one.
  package var constraint: String?
  /// Table the error is about, when the server gave one.
  package var table: String?
  /// Column the error is about, when the server gave one.
  package var column: String?
  /// The server's DETAIL line. May quote stored values, so it is kept out of ``description``.
  package var detail: String?

  package init(
    code: String, message: String, disposition: Disposition, constraint: String? = nil, table: String? = nil,
    column: String? = nil, detail: String? = nil
  ) {
    self.code = code
    self.message = message
    self.disposition = disposition
    self.constraint = constraint
    self.table = table
    self.column = column
    self.detail = detail
  }

  /// SQLSTATE 23505: a row with this key is already there.
  package var isUniqueViolation: Bool { code == "23505" }
  /// The request was stopped by ``Connection/cancel()``.
  package var isCancellation: Bool { code == "cancelled" }
}

extension DatabaseError: CustomStringConvertible, CustomDebugStringConvertible {
  package var description: String {
    let places = [("constraint", constraint), ("table", table), ("column", column)]
      .compactMap { name, value in value.map { "\(name) \($0)" } }
    return "\(code): \(message)" + (places.isEmpty ? "" : " (\(places.joined(separator: ", ")))")
  }

  package var debugDescription: String {
    description + " [\(disposition.rawValue)]" + (detail.map { " detail: \($0)" } ?? "")
  }
}

extension DatabaseError {
  /// Sorts a SQLSTATE by what a caller can do about it (PostgreSQL documentation, appendix A).
  package static func disposition(ofState state: String) -> Disposition {
    switch state {
    case "40000", "40001", "40003", "40P01":  // rolled back, serialization failure, completion unknown, deadlock
      return .retry
    case "55P03", "55006":  // lock not available, object in use
      return .retry
    case "57P01", "57P02", "57P03", "57P05":  // shutdowns, starting up, idle session timeout
      return .retry
    case "26000", "42P05":  // a prepared statement that a pooler lost, or knew already: the next call sends the text
      return .retry
    case "57014", "25P03":  // statement timeout under load, idle-in-transaction timeout
      return .retry
    default:
      // 08: connection; 53: out of connections, memory or disk, which an operator repairs while we wait.
      return state.hasPrefix("08") || state.hasPrefix("53") ? .retry : .permanent
    }
  }

  /// What a person can do about a SQLSTATE; empty where the server's own sentence says it all.
  static func remedy(ofState state: String) -> String {
    switch state {
    case "28P01", "28000": "Check the user and the password (PGPASSWORD or a pgpass file) and pg_hba.conf."
    case "3D000": "Create the database or correct its name in the URL."
    case "3F000", "42P01", "42703", "42883": "The schema may be older than this program: run 'rrcm migrate up'."
    case "42501": "The role lacks this right; grant it or connect as another role."
    case "53100": "Free disk space on the database server."
    case "53300": "Close idle sessions, raise max_connections or put PgBouncer in between."
    case "57014": "A statement timeout ended it, or an operator did."
    case "25006":
      "This server is a standby (add target_session_attrs=read-write to the URL), or default_transaction_read_only is on."
    default: ""
    }
  }

  /// `sentence`, ended by a full stop, then the remedy for `state`.
  static func compose(_ sentence: String, remedyFor state: String) -> String {
    let remedy = remedy(ofState: state)
    return remedy.isEmpty ? sentence : "\(sentence). \(remedy)"
  }
}
