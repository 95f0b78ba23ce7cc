package import Database

/// The four roles of a fleet: `rrcm_owner`, `rrcm_coordinator`, `rrcm_worker`, `rrcm_reader`, and what each may do.
///
/// Roles belong to a whole server and want rights that not every owner of a database has, so they are no migration: a
/// fleet without them works, with everything done by one login.
package struct Roles: Sendable {
  private let connection: Connection

  package init(_ connection: Connection) { self.connection = connection }

  /// Makes the roles and states every grant and row rule: `psql -v ON_ERROR_STOP=1 -f FILE` does the same.
  package static let sql = Migration.text(PackageResources.roles_sql)

  /// Whether they were applied in this database.
  package func areInUse() async throws -> Bool {
    try await !connection.query(
      "SELECT FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE nspname = 'rrcm' AND rolname = 'rrcm_owner'"
    ).isEmpty
  }

  /// Makes the roles where they are missing, and states every grant and row rule anew, in one transaction.
  ///
  /// - Parameter isDryRun: undoes everything at the end.
  /// - Throws: `DatabaseError` 42501 when this login may not, with what to do.
  package func apply(isDryRun: Bool = false) async throws {
    do {
      try await connection.transaction { connection in
        try connection.script(Self.sql)
        if isDryRun { throw Undo() }
      }
    } catch is Undo {
    } catch var error as DatabaseError where error.code == "42501" {
      error.message =
        "the roles were not applied: \(error.message). It takes the owner of the schema and the right to create roles;"
        + " have an administrator of the server run: rrcm roles sql | psql -v ON_ERROR_STOP=1 DATABASE"
      throw error
    }
  }

  private struct Undo: Error {}
}
