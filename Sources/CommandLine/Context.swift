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
  ///
  /// - Throws: `DatabaseStopped` when that is the private one and it does not run.
  func databaseURL() async throws -> DatabaseURL {
    if let url = try DatabaseURL.fromEnvironment() { return url }
    let cluster = try PrivateCluster(home: home)
    guard case .running = try await cluster.status() else { throw DatabaseStopped(home: home) }
    return try cluster.url
  }

  /// - Parameters:
  ///   - patience: how long a call tries to reach the server: short for a person, long for a service.
  ///   - isQuiet: says nothing while it tries, for shells that complete a name.
  func connection(
    _ application: String, patience: Duration = .seconds(5), isQuiet: Bool = false
  ) async throws -> Connection {
    Connection(
      try await databaseURL(), applicationName: "rrcm \(application)",
      logger: isQuiet
        ? Logger(label: "rrcm.database") { _ in SwiftLogNoOpLogHandler() } : Logger(label: "rrcm.database"),
      reconnect: ReconnectPolicy(limit: patience))
  }

  /// A store over a database whose schema this version knows.
  ///
  /// - Throws: saying how to start or migrate the database.
  func store(
    _ application: String, patience: Duration = .seconds(5), isQuiet: Bool = false
  ) async throws -> Store {
    let connection = try await connection(application, patience: patience, isQuiet: isQuiet)
    try await Migrator(connection).requireCurrent()
    return Store(connection)
  }

  func artifacts() throws -> ArtifactStore { try ArtifactStore(directory: storeDirectory) }
}

/// The private database was asked for and does not run.
struct DatabaseStopped: Error, CustomStringConvertible {
  let home: String
  var description: String {
    "no database: RRCM_DATABASE_URL is not set and the private PostgreSQL in \(home) is not running. Start it: rrcm up"
  }
}
