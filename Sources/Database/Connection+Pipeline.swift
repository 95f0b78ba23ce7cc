internal import CLibPQ

#if canImport(Glibc)
  internal import Glibc
#endif

extension Connection {
  /// Sends all statements in one go and returns each one's rows, in order: one round trip.
  ///
  /// Outside a transaction the statements form one: when any fails, none has taken effect. The error is that of the first
  /// statement to fail and names its place.
  package func pipeline(_ statements: [(sql: String, parameters: [Parameter])]) throws -> [[Row]] {
    if statements.isEmpty { return [] }
    return try call { session in
      do { return try session.pipeline(statements) } catch {
        session.noteFailure(error)
        throw error
      }
    }
  }
}

extension Session {
  fileprivate func pipeline(_ statements: [(sql: String, parameters: [Parameter])]) throws -> [[Row]] {
    let names = try statements.map { try preparedName($0.sql) }
    guard PQenterPipelineMode(pointer) == 1, PQsetnonblocking(pointer, 1) == 0 else { throw lost(statements[0].sql) }
    defer {
      PQsetnonblocking(pointer, 0)
      PQexitPipelineMode(pointer)
    }
    var failure: (any Error)?
    var sent = 0
    for (statement, name) in zip(statements, names) {
      do {
        let accepted = try withWireParameters(statement.parameters) { values, count in
          name.map { PQsendQueryPrepared(pointer, $0, count, values, nil, nil, 0) }
            ?? PQsendQueryParams(pointer, statement.sql, count, nil, values, nil, nil, 0)
        }
        if accepted == 0 { throw lost(statement.sql) }
        sent += 1
      } catch {
        failure = error
        break
      }
    }
    // A statement that could not be built must not leave its predecessors' work behind.
    if failure != nil, sent > 0, !isBroken {
      _ = PQsendQueryParams(pointer, "SELECT rrcm_pipeline_given_up", 0, nil, nil, nil, nil, 0)
    }
    guard PQpipelineSync(pointer) == 1 else { throw failure ?? lost(statements[0].sql) }
    try flush(statements[0].sql)

    var results: [[Row]] = []
    for (index, statement) in statements.prefix(sent).enumerated() {
      do {
        // Each statement's results end with a nil.
        var rows: [Row] = []
        while let raw = PQgetResult(pointer) { rows = try check(raw, statement.sql).rows() }
        if isBroken { throw lost(statement.sql) }
        results.append(rows)
      } catch {
        if isBroken { throw error }
        if var first = error as? DatabaseError, failure == nil {
          first.message = "in a pipeline, statement \(index + 1) of \(statements.count): \(first.message)"
          failure = first
        }
        _ = PQgetResult(pointer).map { PQclear($0) }
      }
    }
    // What is left: the giving-up statement, and the answer to the sync.
    while let raw = PQgetResult(pointer) ?? PQgetResult(pointer) {
      if Result(pointer: raw).status == PGRES_PIPELINE_SYNC { break }
      if isBroken { break }
    }
    if let failure { throw failure }
    return results
  }

  /// Sends what libpq has buffered, reading whenever the server wants to speak, so that neither waits for the other.
  private func flush(_ sql: String) throws {
    while true {
      let state = PQflush(pointer)
      if state == 0 { return }
      var watched = pollfd(fd: PQsocket(pointer), events: Int16(POLLIN | POLLOUT), revents: 0)
      if state < 0 || (poll(&watched, 1, -1) < 0 && errno != EINTR) { throw lost(sql) }
      if watched.revents & Int16(POLLIN) != 0, PQconsumeInput(pointer) == 0 { throw lost(sql) }
    }
  }
}
