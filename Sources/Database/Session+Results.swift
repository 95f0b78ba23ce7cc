internal import CLibPQ

extension Session {
  /// Sends one statement with bound parameters and waits for its result.
  func execute(_ sql: String, _ parameters: [Parameter]) throws -> Result {
    do {
      let name = try preparedName(sql)
      let raw = try withWireParameters(parameters) { values, count in
        name.map { PQexecPrepared(pointer, $0, count, values, nil, nil, 0) }
          ?? PQexecParams(pointer, sql, count, nil, values, nil, nil, 0)
      }
      return try check(raw, sql)
    } catch {
      noteFailure(error)
      throw error
    }
  }

  /// Sends one or more statements without parameters; the result is the last one's.
  func executeSimple(_ sql: String) throws -> Result { try check(PQexec(pointer, sql), sql) }

  /// Takes over a result, or throws what it says went wrong.
  func check(_ raw: OpaquePointer?, _ sql: String) throws -> Result {
    guard let raw else { throw lost(sql) }
    let result = Result(pointer: raw)
    switch result.status {
    case PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR, PGRES_FATAL_ERROR, PGRES_PIPELINE_ABORTED:
      throw failure(result, sql)
    default: return result
    }
  }

  /// The connection broke while `sql` was under way.
  func lost(_ sql: String) -> DatabaseError {
    let reason = Session.firstLine(String(cString: PQerrorMessage(pointer)))
    return DatabaseError(
      code: "connection_lost",
      message: "the connection broke during \(Session.label(sql)), which may or may not have taken effect: "
        + (reason.isEmpty ? "no answer" : reason) + ". Run the whole transaction again",
      disposition: .retry)
  }

  private func failure(_ result: Result, _ sql: String) -> DatabaseError {
    // Without a SQLSTATE the text comes from libpq itself: the connection is gone, or it was misused.
    guard let state = result.field("C") else {
      if isBroken { return lost(sql) }
      return DatabaseError(
        code: "client", message: "\(Session.label(sql)) failed: \(Session.firstLine(result.message))",
        disposition: .permanent)
    }
    let sentence = "\(Session.label(sql)) failed: \(result.field("M") ?? "no message")"
    return DatabaseError(
      code: state, message: DatabaseError.compose(sentence, remedyFor: state),
      disposition: DatabaseError.disposition(ofState: state), constraint: result.field("n"),
      table: result.field("t"), column: result.field("c"), detail: result.field("D"))
  }

  /// How messages call a statement: the name from a first line `-- name: claim_range`, else its first word.
  static func label(_ sql: String) -> String {
    let line = firstLine(sql)
    if line.hasPrefix("-- name:") {
      let name = line.dropFirst(8).filter { !$0.isWhitespace }
      if !name.isEmpty { return "statement \(name)" }
    }
    let words = sql.split(separator: "\n").first { !$0.hasPrefix("--") }?.split { !$0.isLetter }
    return words?.first.map { "a statement \($0.uppercased().prefix(20))" } ?? "a statement"
  }
}

/// A libpq result, freed when released.
final class Result {
  let pointer: OpaquePointer

  init(pointer: OpaquePointer) { self.pointer = pointer }
  deinit { PQclear(pointer) }

  var status: ExecStatusType { PQresultStatus(pointer) }
  var message: String { String(cString: PQresultErrorMessage(pointer)) }

  /// Rows inserted, updated, deleted or selected; 0 for statements that count none.
  var affectedRows: Int { Int(String(cString: PQcmdTuples(pointer))) ?? 0 }

  /// The command tag, for example `COMMIT`.
  var tag: String { String(cString: PQcmdStatus(pointer)) }

  /// An error field by its protocol letter (PostgreSQL documentation, "Error and Notice Message Fields").
  func field(_ letter: Unicode.Scalar) -> String? {
    PQresultErrorField(pointer, Int32(letter.value)).map { String(cString: $0) }
  }

  /// Copies the rows out.
  func rows() -> [Row] {
    let width = PQnfields(pointer)
    let layout = Row.Layout(
      names: (0..<width).map { String(cString: PQfname(pointer, $0)) }, types: (0..<width).map { PQftype(pointer, $0) })
    return (0..<PQntuples(pointer)).map { row in
      Row(
        layout: layout,
        values: (0..<width).map { column in
          if PQgetisnull(pointer, row, column) != 0 { return nil }
          let length = Int(PQgetlength(pointer, row, column))
          return PQgetvalue(pointer, row, column).withMemoryRebound(to: UInt8.self, capacity: length) {
            String(decoding: UnsafeBufferPointer(start: $0, count: length), as: UTF8.self)
          }
        })
    }
  }
}
