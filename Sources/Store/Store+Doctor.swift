package import Database

// What `rrcm doctor` asks. Rows as they come: each is read in one place.
extension Store {
  /// What the server says of itself; needs no schema.
  package func doctorServer() async throws -> Row { try await connection.rows(PackageResources.doctor_server_sql)[0] }

  /// Sessions against each limit that holds for us.
  package func doctorConnections() async throws -> [Row] {
    try await connection.rows(PackageResources.doctor_connections_sql)
  }

  /// Sessions whose transaction has been open for longer than so many seconds.
  package func doctorTransactions(longerThan seconds: Double) async throws -> [Row] {
    try await connection.rows(PackageResources.doctor_transactions_sql, [.double(seconds)])
  }

  /// Tables with far more dead rows than live ones.
  package func doctorDeadRows() async throws -> [Row] {
    try await connection.rows(PackageResources.doctor_dead_rows_sql)
  }

  /// What keeps dead rows without being a session.
  package func doctorPins(longerThan seconds: Double) async throws -> [Row] {
    try await connection.rows(PackageResources.doctor_pins_sql, [.double(seconds)])
  }

  /// What is unfinished, and which parts are there to finish it.
  package func doctorParts(heardWithin seconds: Double) async throws -> Row {
    try await connection.rows(PackageResources.doctor_parts_sql, [.double(seconds)])[0]
  }

  /// Workers that are silent and not declared gone.
  package func doctorSilent(longerThan seconds: Double) async throws -> [Row] {
    try await connection.rows(PackageResources.doctor_silent_sql, [.double(seconds)])
  }

  /// Workers that were taken for dead again and again.
  package func doctorFlapping() async throws -> [Row] {
    try await connection.rows(PackageResources.doctor_flapping_sql)
  }

  /// Runs that no live worker can compute.
  package func doctorStranded() async throws -> [Row] {
    try await connection.rows(PackageResources.doctor_stranded_sql)
  }

  /// Why workers passed runs over lately.
  package func doctorRefused() async throws -> [Row] { try await connection.rows(PackageResources.doctor_refused_sql) }

  /// Runs with held items.
  package func doctorHeld() async throws -> [Row] { try await connection.rows(PackageResources.doctor_held_sql) }

  /// Image sets and checkpoints that the store should hold.
  package func registeredFiles() async throws -> [(kind: String, name: String, digest: String)] {
    try await connection.rows(PackageResources.registered_files_sql)
      .map { (try $0.text("kind"), try $0.textOrNil("name") ?? "", try $0.text("digest")) }
  }
}
