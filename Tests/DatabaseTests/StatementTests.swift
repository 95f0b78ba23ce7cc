import Database
import TestSupport
import Testing

private struct Refusal: Error, Equatable {}

/// Runs `body` with a connection to an empty database that holds a table `note(id int primary key, text text)`.
private func withNotes(_ body: (Connection, TestDatabase) async throws -> Void) async throws {
  try await withTestDatabase(migrated: false) { database async throws in
    let connection = database.connection()
    try await connection.script("CREATE TABLE note (id int PRIMARY KEY, text text); INSERT INTO note VALUES (1, 'one')")
    try await body(connection, database)
  }
}

private func count(_ connection: Connection) async throws -> Int64 {
  try await connection.query("SELECT count(*) AS n FROM note")[0].int("n")
}

@Suite("Statements, transactions, pipelines and COPY")
struct StatementTests {
  @Test("execute counts affected rows")
  func affectedRows() async throws {
    try await withNotes { connection, _ async throws in
      #expect(try await connection.execute("INSERT INTO note SELECT n, '' FROM generate_series(2, 5) AS n") == 4)
      #expect(try await connection.execute("UPDATE note SET text = $1 WHERE id > $2", [.text("x"), .int(3)]) == 2)
      #expect(try await connection.execute("DELETE FROM note WHERE id = $1", [.int(99)]) == 0)
    }
  }

  @Test("errors carry the server's code, constraint and table, and name the statement but do not quote it")
  func errorsCarryFacts() async throws {
    try await withNotes { connection, _ async throws in
      let error = await #expect(throws: DatabaseError.self) {
        try await connection.execute("-- name: add_note\nINSERT INTO note VALUES ($1, 'secret words')", [.int(1)])
      }
      #expect(error?.code == "23505")
      #expect(error?.isUniqueViolation == true)
      #expect(error?.constraint == "note_pkey")
      #expect(error?.table == "note")
      #expect(error?.disposition == .permanent)
      #expect(error?.description.contains("statement add_note") == true)
      #expect(error?.description.contains("secret words") == false)
      #expect(error?.description.contains("INSERT") == false)
    }
  }

  @Test("a transaction commits its value, and leaves nothing behind when its body throws")
  func transactions() async throws {
    try await withNotes { connection, _ async throws in
      let seen = try await connection.transaction { connection in
        try connection.execute("INSERT INTO note VALUES (2, 'two')")
        return try connection.query("SELECT count(*) AS n FROM note")[0].int("n")
      }
      #expect(seen == 2)
      await #expect(throws: Refusal.self) {
        try await connection.transaction { connection in
          try connection.execute("INSERT INTO note VALUES (3, 'three')")
          throw Refusal()
        }
      }
      #expect(try await count(connection) == 2)
      await #expect(throws: DatabaseError.self) {
        try await connection.transaction { connection in
          try connection.execute("INSERT INTO note VALUES (4, 'four')")
          try connection.execute("INSERT INTO note VALUES (4, 'again')")
        }
      }
      #expect(try await count(connection) == 2)
    }
  }

  @Test("a transaction whose body hides a failed statement is reported as rolled back, not as committed")
  func hiddenFailure() async throws {
    try await withNotes { connection, _ async throws in
      let error = await #expect(throws: DatabaseError.self) {
        try await connection.transaction { connection in
          try connection.execute("INSERT INTO note VALUES (2, 'two')")
          _ = try? connection.execute("INSERT INTO note VALUES (2, 'again')")
        }
      }
      #expect(error?.code == "transaction_aborted")
      #expect(try await count(connection) == 1)
    }
  }

  @Test("serialization failures and deadlocks ask to be retried")
  func serializationFailure() async throws {
    try await withNotes { first, database async throws in
      let second = database.connection()
      let error = await #expect(throws: DatabaseError.self) {
        try await first.transaction(.serializable) { connection in
          _ = try connection.query("SELECT * FROM note")
          let done = Signal()
          Task {
            _ = try? await second.transaction(.serializable) { other in
              _ = try other.query("SELECT * FROM note")
              try other.execute("UPDATE note SET text = 'second' WHERE id = 1")
            }
            done.send()
          }
          done.wait()
          try connection.execute("UPDATE note SET text = 'first' WHERE id = 1")
        }
      }
      #expect(error?.code == "40001")
      #expect(error?.disposition == .retry)
    }
    #expect(DatabaseError.disposition(ofState: "40P01") == .retry)
    #expect(DatabaseError.disposition(ofState: "57P03") == .retry)
    #expect(DatabaseError.disposition(ofState: "08006") == .retry)
    #expect(DatabaseError.disposition(ofState: "53300") == .retry)
    #expect(DatabaseError.disposition(ofState: "42601") == .permanent)
    #expect(DatabaseError.disposition(ofState: "23514") == .permanent)
  }

  @Test("a pipeline returns each statement's rows in order, larger than every buffer between")
  func pipeline() async throws {
    try await withNotes { connection, _ async throws in
      #expect(try await connection.pipeline([]).isEmpty)
      let long = String(repeating: "x", count: 100_000)
      let results = try await connection.pipeline(
        (0..<200).map { (sql: "SELECT $1::int AS n, $2::text AS t", parameters: [.int($0), .text(long)]) })
      #expect(results.count == 200)
      for (index, rows) in results.enumerated() {
        #expect(try rows[0].int("n") == Int64(index))
        #expect(try rows[0].text("t").utf8.count == long.utf8.count)
      }
    }
  }

  @Test("our own statements are prepared once they come again, alone and in pipelines, and planned anew as tables grow")
  func prepared() async throws {
    try await withTestDatabase { database async throws in
      let connection = database.connection()
      try await connection.script("CREATE TABLE note (id int PRIMARY KEY); INSERT INTO note VALUES (1)")
      let own = "-- name: read_note\nSELECT id FROM note WHERE id = $1"
      let other = "SELECT count(*) AS n FROM note"
      for _ in 0..<40 {
        #expect(try await connection.query(own, [.int(1)])[0].int("id") == 1)
        #expect(try await connection.query(other)[0].int("n") == 1)
      }
      for _ in 0..<3 {
        let results = try await connection.pipeline([(own, [.int(1)]), (own, [.int(2)]), (other, [])])
        #expect(results.map(\.count) == [1, 0, 1])
      }
      let known = try await connection.query(
        "SELECT statement, generic_plans + custom_plans AS uses FROM pg_prepared_statements")
      #expect(try known.map { try $0.text("statement") } == [own])
      #expect(try known[0].int("uses") == 45)
    }
  }

  @Test("a prepared statement whose columns changed fails once and is then prepared anew")
  func preparedOverMigration() async throws {
    try await withTestDatabase { database async throws in
      let connection = database.connection()
      try await connection.script("CREATE TABLE note (id int); INSERT INTO note VALUES (1)")
      let own = "-- name: read_note\nSELECT id FROM note"
      for _ in 0..<3 { _ = try await connection.query(own) }
      try await connection.script("ALTER TABLE note ALTER id TYPE text")
      let error = await #expect(throws: DatabaseError.self) { try await connection.query(own) }
      #expect(error?.code == "0A000")
      for _ in 0..<3 { #expect(try await connection.query(own)[0].text("id") == "1") }
    }
  }

  @Test("an error in the middle of a pipeline undoes all of it, is named, and leaves the connection usable")
  func pipelineError() async throws {
    try await withNotes { connection, _ async throws in
      let insert = "INSERT INTO note VALUES ($1, 'x')"
      var error = await #expect(throws: DatabaseError.self) {
        try await connection.pipeline([(insert, [.int(2)]), (insert, [.int(1)]), (insert, [.int(3)])])
      }
      #expect(error?.code == "23505")
      #expect(error?.message.contains("statement 2 of 3") == true)
      #expect(try await count(connection) == 1)
      error = await #expect(throws: DatabaseError.self) {
        try await connection.pipeline([(insert, [.int(2)]), ("SELECT $1::text", [.text("\0")])])
      }
      #expect(error?.code == "bad_parameter")
      #expect(try await count(connection) == 1)
      let rows = try await connection.transaction { connection in
        _ = try connection.pipeline([(insert, [.int(2)]), (insert, [.int(3)])])
        return try connection.query("SELECT id FROM note")
      }
      #expect(rows.count == 3)
    }
  }

  @Test("COPY stores tabs, newlines, backslashes, NULLs, bytes and arrays as they are")
  func copyIn() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = database.connection()
      try await connection.script(
        """
        CREATE SCHEMA odd;
        CREATE TABLE odd."Strange ""table" (n bigint, "a column" text, b bytea, v int[], d float8)
        """)
      let texts = ["plain", "tab\tnew\nreturn\rback\\slash", "\\N", "\\.", "", "日本"]
      let columns = ["n", "a column", "b", "v", "d"]
      let stored = try await connection.copyIn(
        "odd.Strange \"table", columns: columns,
        rows: texts.enumerated().map { index, text in
          [.int(index), .text(text), .bytes([0, 92, 9, 10]), .ints([1, 2]), .double(0.1)]
        } + [[.int(99), .null, .null, .null, .null]])
      #expect(stored == texts.count + 1)
      let rows = try await connection.query("SELECT * FROM odd.\"Strange \"\"table\" ORDER BY n")
      #expect(try rows.dropLast().map { try $0.text("a column") } == texts)
      #expect(try rows.last?.isNull("a column") == true)
      #expect(try rows[0].bytes("b") == [0, 92, 9, 10])
      #expect(try rows[0].ints("v") == [1, 2])
      #expect(try rows[0].double("d") == 0.1)

      let error = await #expect(throws: DatabaseError.self) {
        try await connection.copyIn("odd.Strange \"table", columns: ["n", "b"], rows: [[.int(1), .null], [.int(2)]])
      }
      #expect(error?.message == "row 2 has 1 values for 2 columns")
    }
  }

  @Test("a COPY with one bad row stores none and leaves the connection usable")
  func copyInRefused() async throws {
    try await withNotes { connection, _ async throws in
      let error = await #expect(throws: DatabaseError.self) {
        try await connection.copyIn(
          "note", columns: ["id", "text"], rows: (2..<5000).map { [.int($0), "x"] } + [[.int(1), "again"]])
      }
      #expect(error?.code == "23505")
      #expect(try await count(connection) == 1)
      #expect(try await connection.copyIn("note", columns: ["id", "text"], rows: []) == 0)
    }
  }

  @Test("COPY OUT streams rows, and a sink that throws ends it at once")
  func copyOut() async throws {
    try await withNotes { connection, _ async throws in
      let collected = Collector()
      try await connection.copyOut("COPY (SELECT n FROM generate_series(1, 1000) AS n) TO STDOUT") { collected.add($0) }
      #expect(collected.text == (1...1000).map { "\($0)\n" }.joined())
      let clock = ContinuousClock()
      let elapsed = await clock.measure {
        await #expect(throws: Refusal.self) {
          try await connection.copyOut("COPY (SELECT generate_series(1, 1000000000)) TO STDOUT") { _ in
            throw Refusal()
          }
        }
      }
      #expect(elapsed < .seconds(20))
      #expect(try await count(connection) == 1)
      let error = await #expect(throws: DatabaseError.self) { try await connection.copyOut("SELECT 1") { _ in } }
      #expect(error?.code == "bad_parameter")
      #expect(try await count(connection) == 1)
    }
  }
}
