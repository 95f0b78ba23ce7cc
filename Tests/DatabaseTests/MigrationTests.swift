import Database
import Foundation
import Migrations
import TestSupport
import Testing

@Suite("Migrations")
struct MigrationTests {
  private let first = Migration(
    number: 1, name: "pair", up: "CREATE TABLE rrcm.left (n int);\nCREATE TABLE rrcm.right (n int);",
    down: "DROP TABLE rrcm.left, rrcm.right;")
  private let second = Migration(
    number: 2, name: "column", up: "-- adds a column\nALTER TABLE rrcm.left ADD COLUMN t text;",
    down: "ALTER TABLE rrcm.left DROP COLUMN t;")
  private let broken = Migration(
    number: 3, name: "broken", up: "CREATE TABLE rrcm.half (n int); SELECT 1 / 0;", down: "DROP TABLE rrcm.half;")

  private func tables(_ connection: Connection) async throws -> [String] {
    try await connection.query("SELECT tablename FROM pg_tables WHERE schemaname = 'rrcm' ORDER BY tablename")
      .map { try $0.text("tablename") }
  }

  @Test("migrations apply in order, once, and undo in reverse")
  func upAndDown() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = database.connection()
      let migrator = Migrator(connection, migrations: [first, second])
      #expect(try await migrator.status().allSatisfy { $0.appliedAt == nil })
      #expect(try await tables(connection).isEmpty)
      #expect(try await migrator.up(to: 1) == [first])
      var pending = await #expect(throws: DatabaseError.self) { try await migrator.requireCurrent() }
      #expect(pending?.code == "schema_pending")
      #expect(pending?.message.contains("2 (column)") == true)
      #expect(try await migrator.up() == [second])
      #expect(try await migrator.up() == [])
      try await migrator.requireCurrent()
      let applied = try await migrator.status().compactMap(\.appliedAt)
      #expect(applied.count == 2)
      #expect(applied[0].wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/#) != nil)
      #expect(try await migrator.down(to: 0) == [second, first])
      #expect(try await tables(connection) == ["schema_migration"])
      #expect(try await migrator.up() == [first, second])
      pending = await #expect(throws: DatabaseError.self) { try await migrator.up(to: 3) }
      #expect(pending?.code == "bad_version")
    }
  }

  @Test("a migration that fails leaves the state before it, and says which it was")
  func failure() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = database.connection()
      let error = await #expect(throws: DatabaseError.self) {
        try await Migrator(connection, migrations: [first, second, broken]).up()
      }
      #expect(error?.code == "22012")
      #expect(error?.message.hasPrefix("migration 3 (broken), up: ") == true)
      #expect(try await tables(connection) == ["left", "right", "schema_migration"])
      #expect(try await Migrator(connection, migrations: [first, second]).up() == [])
    }
  }

  @Test("programs that migrate at once apply every migration exactly once")
  func concurrent() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let counts = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<6 {
          group.addTask { try await Migrator(database.connection(), migrations: [first, second]).up().count }
        }
        return try await group.reduce(0, +)
      }
      #expect(counts == 2)
    }
  }

  @Test("an edited, a missing and an unknown newer migration are refused")
  func mismatches() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = database.connection()
      _ = try await Migrator(connection, migrations: [first, second]).up()
      var error = await #expect(throws: DatabaseError.self) {
        try await Migrator(connection, migrations: [first]).status()
      }
      #expect(error?.code == "schema_newer")
      #expect(error?.message.contains("migration 2 (column), this program knows 1") == true)
      let edited = Migration(number: 1, name: "pair", up: first.up + " ", down: first.down)
      error = await #expect(throws: DatabaseError.self) {
        try await Migrator(connection, migrations: [edited, second]).up()
      }
      #expect(error?.code == "schema_changed")
      try await connection.execute("DELETE FROM rrcm.schema_migration WHERE version = 1")
      error = await #expect(throws: DatabaseError.self) {
        try await Migrator(connection, migrations: [first, second]).up()
      }
      #expect(error?.code == "schema_changed")
      #expect(error?.message.contains("has migration 2 but not 1") == true)
    }
  }

  @Test("the SQL text given to operators does what up and down do, and up then knows it")
  func sqlText() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = database.connection()
      let migrator = Migrator(connection, migrations: [first, second])
      try await connection.script(try Migrator.sql(migrations: [first, second]))
      #expect(try await migrator.up() == [])
      try await migrator.requireCurrent()
      try await connection.script(try Migrator.sql(from: 2, to: 0, migrations: [first, second]))
      #expect(try await tables(connection) == ["schema_migration"])
    }
  }

  @Test("this program's own migrations apply, undo and apply again")
  func ownMigrations() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = database.connection()
      let migrator = Migrator(connection)
      #expect(try await migrator.up() == Migration.all)
      let made = try await tables(connection)
      #expect(made.count > 5)
      #expect(try await migrator.down(to: 0).count == Migration.all.count)
      #expect(try await tables(connection) == ["schema_migration"])
      let leftTypes = try await connection.query(
        "SELECT typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE nspname = 'rrcm' AND typtype = 'e'"
      )
      #expect(leftTypes.isEmpty)
      #expect(try await migrator.up() == Migration.all)
      #expect(try await tables(connection) == made)
    }
  }

  @Test("the list of migrations is the folder's, text for text, and none opens or ends a transaction")
  func listMatchesFolder() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = root.appendingPathComponent("migrations/sql").path
    let files = try Set(FileManager.default.contentsOfDirectory(atPath: folder))
    // Grants are no migration: they are laid anew after each.
    var expected: Set<String> = ["roles.sql"]
    for migration in Migration.all {
      let stem = String(format: "%04d_", migration.number) + migration.name
      for (direction, text) in [("up", migration.up), ("down", migration.down)] {
        let name = "\(stem).\(direction).sql"
        expected.insert(name)
        #expect(try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) == text, "\(name)")
        #expect(text.firstMatch(of: #/(?im)^\s*(BEGIN|COMMIT|ROLLBACK|START TRANSACTION)\s*;/#) == nil, "\(name)")
      }
    }
    #expect(files == expected)
  }
}
