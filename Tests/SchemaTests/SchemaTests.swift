import Database
import Foundation
import TestSupport
import Testing

@Suite("Schema") struct SchemaTests {
  @Test("every table, view, column, type and function says what it is")
  func everythingHasAComment() async throws {
    try await withTestDatabase { database async throws in
      let silent = try await database.connection().query(
        """
        SELECT 'schema rrcm' AS name WHERE obj_description('rrcm'::regnamespace, 'pg_namespace') IS NULL
        UNION ALL
        SELECT c.oid::regclass::text
          FROM pg_class c
         WHERE c.relnamespace = 'rrcm'::regnamespace
           AND c.relkind IN ('r', 'v', 'm', 'p')
           AND obj_description(c.oid, 'pg_class') IS NULL
        UNION ALL
        SELECT a.attrelid::regclass || '.' || a.attname
          FROM pg_attribute a
          JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'rrcm'::regnamespace
           AND c.relkind IN ('r', 'v', 'm', 'p')
           AND a.attnum > 0
           AND NOT a.attisdropped
           AND col_description(c.oid, a.attnum) IS NULL
        UNION ALL
        SELECT 'type ' || t.oid::regtype
          FROM pg_type t
         WHERE t.typnamespace = 'rrcm'::regnamespace
           AND (t.typtype IN ('e', 'd') OR t.typtype = 'c' AND t.typrelid IN (SELECT oid FROM pg_class WHERE relkind = 'c'))
           AND obj_description(t.oid, 'pg_type') IS NULL
        UNION ALL
        SELECT 'function ' || p.oid::regprocedure
          FROM pg_proc p
         WHERE p.pronamespace = 'rrcm'::regnamespace
           AND obj_description(p.oid, 'pg_proc') IS NULL
         ORDER BY 1
        """)
      #expect(try silent.map { try $0.text("name") } == [], "add them with COMMENT ON in the migration that makes them")
    }
  }

  @Test("migrations/schema.sql is what the migrations make")
  func schemaFile() async throws {
    try await withTestDatabase { database async throws in
      let dump = try PostgresProgram.run(
        "pg_dump",
        ["--schema-only", "--no-owner", "--no-privileges", "--schema=rrcm"], on: database)
      // What differs between versions of pg_dump: its settings, its banners, a key against injected commands.
      let lines = dump.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
        !line.hasPrefix("--") && !line.hasPrefix("SET ") && !line.hasPrefix("SELECT pg_catalog.set_config")
          && !line.hasPrefix("\\")
      }
      let statements = lines.joined(separator: "\n").split(separator: #/\n{2,}/#).joined(separator: "\n\n")
      let text =
        "-- The schema that the migrations make, for reading and searching; `rrcm migrate up` applies the migrations.\n"
        + "-- Made by: RRCM_REGENERATE=1 swift test --filter SchemaTests\n\n"
        + statements.trimmingCharacters(in: .newlines) + "\n"
      let path = "\(Repository.root)/migrations/schema.sql"
      if ProcessInfo.processInfo.environment["RRCM_REGENERATE"] == "1" {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
      }
      let stored = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
      let made = text.split(separator: "\n")
      let difference = made.difference(from: stored)
      #expect(
        stored == made,
        """
        \(difference.count) lines differ, the first: \(difference.first.map { "\($0)" } ?? "").
        After a change of the migrations: RRCM_REGENERATE=1 swift test --filter SchemaTests
        """)
    }
  }
}
