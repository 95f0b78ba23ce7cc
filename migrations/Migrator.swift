package import Database

/// Brings a database's schema to the state that this program expects, and back.
///
/// Every migration runs in a transaction of its own under an advisory lock, together with its line in
/// `rrcm.schema_migration`, so any number of programs may migrate at once and a failure leaves the last good state.
package struct Migrator: Sendable {
  private let connection: Connection
  private let migrations: [Migration]

  /// - Parameter migrations: in order, numbered 1, 2, 3…
  package init(_ connection: Connection, migrations: [Migration] = Migration.all) {
    precondition(migrations.map(\.number) == Array(1..<(migrations.count + 1)), "migrations must be numbered 1, 2, 3…")
    self.connection = connection
    self.migrations = migrations
  }

  /// Where one migration stands.
  package struct Status: Sendable, Equatable {
    package let number: Int
    package let name: String
    /// When it was applied, as the database shows it (ISO 8601, UTC); nil while it is pending.
    package let appliedAt: String?
  }

  /// Every migration this program knows, applied or pending.
  ///
  /// - Throws: ``DatabaseError`` `schema_newer` or `schema_changed` when the database was migrated by another program.
  package func status() async throws -> [Status] {
    let migrations = migrations
    return try await connection.transaction { connection in
      let applied = try Migrator.applied(connection, migrations)
      return migrations.map { migration in
        Status(
          number: migration.number, name: migration.name,
          appliedAt: migration.number <= applied.count ? applied[migration.number - 1] : nil)
      }
    }
  }

  /// Refuses a schema that is not exactly what this program expects.
  ///
  /// - Throws: ``DatabaseError`` `schema_pending`, `schema_newer` or `schema_changed`.
  package func requireCurrent() async throws {
    let pending = try await status().filter { $0.appliedAt == nil }
    if let first = pending.first {
      throw DatabaseError(
        code: "schema_pending",
        message: "\(pending.count) migration(s) are not applied yet, the first is \(first.number) (\(first.name)). "
          + "Run 'rrcm migrate up'",
        disposition: .permanent)
    }
  }

  /// Applies what is pending, up to and including `number`; all of it by default.
  ///
  /// - Returns: the migrations applied by this call.
  package func up(to number: Int? = nil) async throws -> [Migration] {
    let target = try Self.checked(number ?? migrations.count, migrations)
    var done: [Migration] = []
    while let migration = try await step({ applied in
      applied < target ? (migrations[applied], .up) : nil
    }) {
      done.append(migration)
    }
    return done
  }

  /// Undoes migrations, the latest first, until `number` is the last one applied; 0 undoes all.
  ///
  /// - Returns: the migrations undone by this call.
  package func down(to number: Int) async throws -> [Migration] {
    let target = try Self.checked(number, migrations)
    var done: [Migration] = []
    while let migration = try await step({ applied in
      applied > target ? (migrations[applied - 1], .down) : nil
    }) {
      done.append(migration)
    }
    return done
  }

  /// The text that takes a database from one version to another, bookkeeping included, for operators who apply schema
  /// changes by hand: `psql -v ON_ERROR_STOP=1 -f FILE`.
  ///
  /// - Parameters:
  ///   - from: version that the database has; 0 for an empty one.
  ///   - to: version wanted; lower than `from` to undo.
  package static func sql(
    from: Int = 0, to: Int? = nil, migrations: [Migration] = Migration.all
  ) throws -> String {
    let first = try checked(from, migrations)
    let last = try checked(to ?? migrations.count, migrations)
    let steps: [(Migration, Direction)] =
      first <= last
      ? migrations[first..<last].map { ($0, .up) } : migrations[last..<first].reversed().map { ($0, .down) }
    let blocks = steps.map { migration, direction in
      """
      -- \(migration.number) \(migration.name), \(direction.rawValue)
      BEGIN;
      \(Migrator.lock);
      \(Migrator.bookkeeping)
      \(direction == .up ? migration.up : Migrator.forget(migration) + ";")
      \(direction == .up ? Migrator.remember(migration) + ";" : migration.down)
      COMMIT;

      """
    }
    return "-- Schema of rRCM Fleet, version \(first) to \(last). Run with: psql -v ON_ERROR_STOP=1 -f FILE\n\n"
      + blocks.joined(separator: "\n")
  }
}

extension Migrator {
  enum Direction: String, Sendable { case up, down }

  /// One migration, chosen under the lock from how many are applied; nil when there is nothing left to do.
  private func step(_ choose: @Sendable (Int) -> (Migration, Direction)?) async throws -> Migration? {
    let migrations = migrations
    return try await connection.transaction { connection in
      // A migration may take long, whatever the URL's options say about ordinary statements.
      try connection.script("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \(Migrator.lock)")
      guard let (migration, direction) = choose(try Migrator.applied(connection, migrations).count) else { return nil }
      do {
        try connection.script(Migrator.bookkeeping)
        switch direction {
        case .up:
          try connection.script(migration.up)
          try connection.execute(Migrator.remember(migration))
        case .down:
          try connection.execute(Migrator.forget(migration))
          try connection.script(migration.down)
        }
      } catch var error as DatabaseError {
        error.message =
          "migration \(migration.number) (\(migration.name)), \(direction.rawValue): \(error.message). "
          + "Nothing of this migration has taken effect"
        throw error
      }
      return migration
    }
  }

  /// When each applied migration was applied, in order, after checking that they are ours.
  private static func applied(_ connection: isolated Connection, _ migrations: [Migration]) throws -> [String] {
    let known = try connection.query("SELECT to_regclass('rrcm.schema_migration') IS NOT NULL AS is_known")
    guard try known[0].bool("is_known") else { return [] }
    let rows = try connection.query(
      """
      SELECT version, name, checksum, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS applied_at
        FROM rrcm.schema_migration
       ORDER BY version
      """)
    return try rows.enumerated().map { index, row in
      let version = try Int(row.int("version"))
      let name = try row.text("name")
      if version > migrations.count {
        throw DatabaseError(
          code: "schema_newer",
          message: "the database has migration \(version) (\(name)), this program knows \(migrations.count). "
            + "Use the newer rrcm that migrated it",
          disposition: .permanent)
      }
      if version != index + 1 {
        throw DatabaseError(
          code: "schema_changed",
          message: "the database has migration \(version) but not \(index + 1). "
            + "Restore rrcm.schema_migration, or apply 'rrcm migrate sql' by hand",
          disposition: .permanent)
      }
      let migration = migrations[index]
      if try row.text("checksum") != migration.checksum {
        throw DatabaseError(
          code: "schema_changed",
          message:
            "migration \(version) (\(name)) was applied from another text than this program's \(migration.name). "
            + "Use the rrcm that applied it; released migrations never change",
          disposition: .permanent)
      }
      return try row.text("applied_at")
    }
  }

  /// Held until the transaction ends. The key is the first 63 bits of SHA-256("rrcm schema migration").
  private static let lock = "SELECT pg_advisory_xact_lock(718847354262649594)"

  private static let bookkeeping = """
    CREATE SCHEMA IF NOT EXISTS rrcm;
    CREATE TABLE IF NOT EXISTS rrcm.schema_migration (
      version    int NOT NULL,
      name       text NOT NULL,
      checksum   text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now(),
      CONSTRAINT schema_migration_pkey PRIMARY KEY (version)
    );
    COMMENT ON TABLE rrcm.schema_migration IS 'Migrations that this database has, written by rrcm migrate';
    COMMENT ON COLUMN rrcm.schema_migration.version IS 'Number of the migration, 1, 2, 3…';
    COMMENT ON COLUMN rrcm.schema_migration.name IS 'Name of the migration';
    COMMENT ON COLUMN rrcm.schema_migration.checksum IS 'SHA-256 of the text that was applied';
    COMMENT ON COLUMN rrcm.schema_migration.applied_at IS 'When it was applied';
    """

  private static func remember(_ migration: Migration) -> String {
    """
    INSERT INTO rrcm.schema_migration (version, name, checksum)
    VALUES (\(migration.number), '\(migration.name)', '\(migration.checksum)')
    """
  }

  private static func forget(_ migration: Migration) -> String {
    "DELETE FROM rrcm.schema_migration WHERE version = \(migration.number)"
  }

  private static func checked(_ number: Int, _ migrations: [Migration]) throws -> Int {
    if (0...migrations.count).contains(number) { return number }
    throw DatabaseError(
      code: "bad_version",
      message: "there is no schema version \(number): this program knows 0 (empty) to \(migrations.count)",
      disposition: .permanent)
  }
}
