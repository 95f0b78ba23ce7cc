package import Database

// What a coordinator shows to Prometheus. Rows as they come: each is read in one place.
extension Store {
  /// Tables that are updated with every claim, beat or post: where dead rows hurt.
  package static let busyTables = ["item", "lease", "gap", "worker", "job", "run"]

  /// Workers, leases, disagreements, speed.
  package func fleetNow() async throws -> Row { try await connection.rows(PackageResources.fleet_now_sql)[0] }

  /// How old the oldest snapshot and transaction of this database are.
  package func serverHorizon() async throws -> Row {
    try await connection.rows(PackageResources.server_horizon_sql)[0]
  }

  /// Dead rows of the busy tables.
  package func deadRows() async throws -> [Row] {
    try await connection.rows(PackageResources.dead_rows_sql, [.texts(Self.busyTables)])
  }
}
