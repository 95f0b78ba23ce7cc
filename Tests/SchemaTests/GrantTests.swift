import Database
import Migrations
import TestSupport
import Testing

/// A dry run states every grant and undoes it, roles included: the server of the tests stays as it was.
@Suite("Grants") struct GrantTests {
  @Test("every table, view, sequence and function of the schema has its grants stated in migrations/sql/roles.sql")
  func stated() async throws {
    try await withTestDatabase { database async throws in
      let connection = database.connection()
      try await Roles(connection).apply(isDryRun: true)
      #expect(try await !Roles(connection).areInUse())
      for (statement, name) in [
        ("CREATE TABLE rrcm.forgotten (n int)", "forgotten"), ("CREATE VIEW rrcm.unseen AS SELECT 1 AS n", "unseen"),
        ("CREATE SEQUENCE rrcm.loose", "sequence loose"),
        (
          "CREATE FUNCTION rrcm.anybody(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
          "function anybody(integer, text)"
        ),
      ] {
        try await connection.script(statement)
        let error = await #expect(throws: DatabaseError.self) { try await Roles(connection).apply(isDryRun: true) }
        #expect(error?.message.contains("nobody has stated who may use") == true)
        #expect(error?.message.contains(name) == true, "\(error?.message ?? "")")
      }
    }
  }

  @Test("every function that runs with its owner's rights has a fixed search_path")
  func searchPaths() async throws {
    try await withTestDatabase { database async throws in
      let open = try await database.connection().query(
        """
        SELECT p.oid::regprocedure::text AS name
          FROM pg_proc p
         WHERE p.pronamespace = 'rrcm'::regnamespace
           AND p.prosecdef
           AND NOT coalesce(array_to_string(p.proconfig, ','), '') LIKE '%search_path=%'
        """)
      #expect(try open.map { try $0.text("name") } == [])
    }
  }
}
