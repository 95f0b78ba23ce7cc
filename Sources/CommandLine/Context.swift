internal import Artifacts
internal import ArgumentParser
internal import Database
internal import Foundation
internal import Lifecycle
internal import LocalFleet
internal import Logging
internal import Migrations
internal import Store
internal import Telemetry

/// Where things are, from the environment.
struct Context {
  /// `RRCM_HOME`: the private PostgreSQL, logs, pid files and, by default, the artifact store.
  let home: String
  /// `RRCM_STORE`: checkpoints, image sets and noise tables by content hash; a folder, or the http(s) address of one.
  let storeLocation: String
  let environment: [String: String]

  init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    self.environment = environment
    // Root's home is closed to the account that must run PostgreSQL for it.
    let fallback =
      getuid() == 0 ? "/var/lib/rrcm" : (environment["HOME"] ?? NSHomeDirectory()) + "/.local/share/rrcm"
    home = environment["RRCM_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? fallback
    storeLocation = environment["RRCM_STORE"].flatMap { $0.isEmpty ? nil : $0 } ?? home + "/store"
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
  ///   - observe: is told how long each call took.
  func connection(
    _ application: String, patience: Duration = .seconds(5), isQuiet: Bool = false,
    observe: (@Sendable (Duration) -> Void)? = nil
  ) async throws -> Connection {
    Connection(
      try await databaseURL(), applicationName: "rrcm \(application)",
      logger: isQuiet
        ? Logger(label: "rrcm.database") { _ in SwiftLogNoOpLogHandler() } : Logger(label: "rrcm.database"),
      reconnect: ReconnectPolicy(limit: patience), observe: observe)
  }

  /// A store over a database whose schema this version knows.
  ///
  /// - Parameter registry: gets a metric of how long the database takes.
  /// - Throws: saying how to start or migrate the database.
  func store(
    _ application: String, patience: Duration = .seconds(5), isQuiet: Bool = false, registry: Metrics? = nil
  ) async throws -> Store {
    let times = registry?.histogram(
      "rrcm_database_seconds", help: "Seconds that calls to the database took, there and back",
      bounds: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5])
    let observe: @Sendable (Duration) -> Void = { times?.observe($0.inSeconds) }
    let connection = try await connection(
      application, patience: patience, isQuiet: isQuiet, observe: times == nil ? nil : observe)
    try await Migrator(connection).requireCurrent()
    return Store(connection)
  }

  /// The store; of an address, a cache of it in `RRCM_CACHE`.
  ///
  /// - Parameter shouldStop: ends a transfer that is under way.
  func artifacts(shouldStop: @escaping @Sendable () -> Bool = { false }) throws -> ArtifactStore {
    var policy = TransferPolicy()
    policy.shouldStop = shouldStop
    guard let remote = try remote(policy) else { return try ArtifactStore(directory: storeLocation) }
    let gigabytes = value("RRCM_CACHE_GB") ?? "20"
    guard let limit = Double(gigabytes), limit > 0, limit <= 1e6 else {
      throw ArtifactError(
        code: .badRequest, message: "RRCM_CACHE_GB is \(gigabytes); it must be a number of gigabytes above 0")
    }
    return try ArtifactStore(cache: storeDirectory, limit: Int64(limit * 1e9), of: remote)
  }

  /// The store behind an address; nil where it is a folder.
  func remote(_ policy: TransferPolicy) throws -> ArtifactRemote? {
    guard WebAddress.isAddress(storeLocation) else { return nil }
    var policy = policy
    policy.authorities = value("RRCM_ARTIFACT_CA_FILE")
    return try ArtifactRemote(storeLocation, token: ArtifactToken.read(environment: environment), policy: policy)
  }

  /// Where files lie on this machine: the store's folder, or the cache of the one behind an address.
  var storeDirectory: String {
    WebAddress.isAddress(storeLocation) ? value("RRCM_CACHE") ?? home + "/cache" : storeLocation
  }

  /// The store as a folder of this machine, for serving it to others.
  func servedArtifacts() throws -> (store: ArtifactStore, token: String) {
    guard !WebAddress.isAddress(storeLocation) else {
      throw ArtifactError(
        code: .badRequest, message: "RRCM_STORE is an address; to serve artifacts, set it to the folder that holds them"
      )
    }
    guard let token = try ArtifactToken.read(environment: environment) else {
      throw ArtifactError(
        code: .badRequest,
        message: "serving artifacts needs a token: set \(ArtifactToken.variable), or \(ArtifactToken.fileVariable) to a"
          + " file that holds one; make one with: openssl rand -hex 32")
    }
    return (try ArtifactStore(directory: storeLocation), token)
  }

  private func value(_ variable: String) -> String? { environment[variable].flatMap { $0.isEmpty ? nil : $0 } }
}

/// The private database was asked for and does not run.
struct DatabaseStopped: Error, CustomStringConvertible {
  let home: String
  var description: String {
    "no database: RRCM_DATABASE_URL is not set and the private PostgreSQL in \(home) is not running. Start it: rrcm up"
  }
}
