import Database
import Foundation
import Migrations
import Store
import TestSupport

/// A fleet over a server with TLS and passwords, whose parts have logins of their own: `leader` (coordinator, aggregator,
/// people who submit), `node_a` and `node_b` (workers), `guest` (reader). The database belongs to `boss`, no superuser.
struct RoledFleet {
  let server: SecureServer
  let fleet: Fleet

  /// Every login's. Its like must be found nowhere but in the environment of our processes.
  static let password = "canary-6Zr9kQ"

  /// The environment in which a part runs as `login`, over TCP and verified TLS.
  func environment(_ login: String) -> [String: String] {
    ["RRCM_DATABASE_URL": server.url(login, password: Self.password)]
  }

  func start(_ name: String, _ arguments: [String], as login: String) throws {
    try fleet.start(name, arguments, environment: environment(login))
  }

  @discardableResult
  func rrcm(_ arguments: [String], as login: String) async throws -> String {
    try await fleet.rrcm(arguments, other: environment(login))
  }

  /// Writes a run file and submits it as `leader`.
  func submit(_ name: String, _ yaml: String) async throws {
    try await rrcm(
      ["run", "submit", fleet.folder.write(Array("name: \(name)\n\(yaml)".utf8), "\(name).yaml")], as: "leader")
  }

  /// A certification of twelve images at two noise levels.
  static func certification(n: Int) -> String {
    """
    kind: certify
    checkpoint: net
    dataset: {name: tiny}
    smoothing: {sigma: [0.25, 1.0], n0: 100, n: \(n), alpha: 0.001}
    chunk_samples: 500
    seed: 42
    """
  }

  func waitUntilDone(_ name: String) async throws {
    guard let run = try await fleet.store.run(name) else { throw TestFailure("run \(name) was not recorded") }
    try await fleet.waitUntilDone(run.id)
  }
}

/// Makes a server with roles and logins, runs `body`, and shows the parts' logs when it throws.
func withRoledFleet(_ body: (RoledFleet) async throws -> Void) async throws {
  try await withSecureServer { server async throws in
    let password = RoledFleet.password
    try await server.connection(server.administrator).script(
      "CREATE ROLE boss LOGIN CREATEROLE PASSWORD '\(password)'; ALTER DATABASE rrcm OWNER TO boss")
    let boss = server.connection(server.local("boss"))
    _ = try await Migrator(boss).up()
    try await Roles(boss).apply()
    for (login, role) in [
      ("leader", "rrcm_coordinator"), ("node_a", "rrcm_worker"), ("node_b", "rrcm_worker"), ("guest", "rrcm_reader"),
    ] {
      try await boss.script("CREATE ROLE \(login) LOGIN PASSWORD '\(password)' IN ROLE \(role)")
    }
    let fleet = try await Fleet(TestDatabase(name: "rrcm", url: server.local("boss")))
    do { try await body(RoledFleet(server: server, fleet: fleet)) } catch {
      fleet.printLogs()
      throw error
    }
  }
}
