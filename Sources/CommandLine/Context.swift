internal import Artifacts
internal import ArgumentParser
internal import Database
internal import Foundation
internal import LocalFleet
internal import Logging
internal import Migrations
internal import Store
internal import Telemetry

/// Where things are, from the environment.
struct Context {
  /// `RRCM_HOME`: the private PostgreSQL, logs, pid files and, by default, the artifact store.
  let home: String
  /// `RRCM_STORE`: checkpoints and image sets by content hash.
  let storeDirectory: String
  let environment: [String: String]

  init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    self.environment = environment
    // Root's home is closed to the account that must run PostgreSQL for it.
    let fallback =
      getuid() == 0 ? "/var/lib/rrcm" : (environment["HOME"] ?? NSHomeDirectory()) + "/.local/share/rrcm"
    home = environment["RRCM_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? fallback
    storeDirectory = environment["RRCM_STORE"].flatMap { $0.isEmpty ? nil : $0 } ?? home + "/store"
  }

  /// The database: `RRCM_DATABASE_URL`, or the private one of `rrcm up`.
  func databaseURL() throws -> DatabaseURL {
    if let url = try DatabaseURL.fromEnvironment() { return url }
    return try PrivateCluster(home: home).url
  }

  func connection(_ application: String) throws -> Connection {
    Connection(
      try databaseURL(), applicationName: "rrcm \(application)", logger: Logger(label: "rrcm.database"),
      reconnect: ReconnectPolicy(limit: .seconds(30)))
  }

  /// A store over a database whose schema this version knows.
  ///
  /// - Throws: `CommandFailure` saying how to start or migrate the database.
  func store(_ application: String) async throws -> Store {
    let connection = try connection(application)
    try await Migrator(connection).requireCurrent()
    return Store(connection)
  }

  func artifacts() throws -> ArtifactStore { try ArtifactStore(directory: storeDirectory) }
}
