import Database
import Dispatch
import Foundation
import LocalFleet
import Logging
import Migrations

/// The PostgreSQL server that this process's tests share: started at first use, stopped and removed at exit.
///
/// What a killed run left behind is removed by the next one. Without PostgreSQL the first use throws the command that
/// installs it: tests fail then, they are not skipped.
actor TestServer {
  static let shared = TestServer()

  private var starting: Task<Connection, any Error>?
  private var template: Task<String, any Error>?
  private var count = 0
  private nonisolated let prefix = "rrcm_test_\(Int(Date().timeIntervalSince1970))_\(getpid())"

  func makeDatabase(migrated: Bool) async throws -> TestDatabase {
    let admin = try await adminConnection()
    count += 1
    let name = "\(prefix)_\(count)"
    let source = migrated ? try await migratedTemplate(admin) : "template0"
    try await admin.script("CREATE DATABASE \(name) TEMPLATE \(source)")
    return TestDatabase(name: name, url: admin.url.withDatabase(name))
  }

  func drop(_ database: TestDatabase) async {
    guard let admin = try? await adminConnection() else { return }
    try? await admin.script("DROP DATABASE IF EXISTS \(database.name) WITH (FORCE)")
  }

  private func adminConnection() async throws -> Connection {
    if let starting { return try await starting.value }
    let task = Task { try await TestServer.start() }
    starting = task
    return try await task.value
  }

  private static func start() async throws -> Connection {
    let url: DatabaseURL
    if let text = ProcessInfo.processInfo.environment["RRCM_TEST_DATABASE_URL"], !text.isEmpty {
      url = try DatabaseURL(text)
    } else {
      ThrowawayClusters.removeAbandoned()
      let home = try TemporaryFolder.make("server")
      let cluster = try PrivateCluster(home: home, durability: .none)
      AtExit.run {
        try? cluster.stopServer(timeout: .seconds(20))
        TemporaryFolder.remove(home)
      }
      try await cluster.start()
      url = try cluster.url
    }
    let admin = Connection(
      url, applicationName: "rrcm tests", logger: .silent, reconnect: ReconnectPolicy(limit: .seconds(10)))
    try await dropOldDatabases(admin)
    AtExit.run { shared.dropRemaining(admin) }
    return admin
  }

  private func migratedTemplate(_ admin: Connection) async throws -> String {
    if let template { return try await template.value }
    let name = "\(prefix)_template"
    let task = Task {
      try await admin.script("CREATE DATABASE \(name) TEMPLATE template0")
      let connection = Connection(admin.url.withDatabase(name), applicationName: "rrcm tests", logger: .silent)
      _ = try await Migrator(connection).up()
      // A template must have no sessions when it is copied.
      await connection.close()
      return name
    }
    template = task
    return try await task.value
  }

  /// On a server that outlives us, databases of runs that were killed more than six hours ago.
  private static func dropOldDatabases(_ admin: Connection) async throws {
    let limit = Int(Date().timeIntervalSince1970) - 6 * 3600
    for row in try await admin.query("SELECT datname FROM pg_database WHERE datname ~ '^rrcm_test_[0-9]+_'") {
      let name = try row.text("datname")
      if let made = Int(name.split(separator: "_")[2]), made < limit {
        try await admin.script("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
      }
    }
  }

  /// At exit, where nothing can be awaited: our template, and databases of tests that were cut short.
  private nonisolated func dropRemaining(_ admin: Connection) {
    let done = DispatchSemaphore(value: 0)
    let prefix = prefix
    Task {
      let rows = try? await admin.query(
        "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", [.text(prefix)])
      for row in rows ?? [] {
        if let name = try? row.text("datname") { try? await admin.script("DROP DATABASE \(name) WITH (FORCE)") }
      }
      done.signal()
    }
    _ = done.wait(timeout: .now() + 10)
  }
}

/// Clusters of test runs that were killed: their postmaster is stopped, their folder removed.
private enum ThrowawayClusters {
  static func removeAbandoned() {
    for folder in TemporaryFolder.abandoned() {
      if let cluster = try? PrivateCluster(home: folder, durability: .none) {
        try? cluster.stopServer(timeout: .seconds(20))
      }
      TemporaryFolder.remove(folder)
    }
  }
}

/// Work for the end of the process, the latest first.
enum AtExit {
  private static let list = ActionList()

  static func run(_ action: @escaping @Sendable () -> Void) { list.append(action) }

  private final class ActionList: @unchecked Sendable {
    private let lock = NSLock()
    private var actions: [@Sendable () -> Void] = []

    init() {
      atexit { AtExit.list.runAll() }
    }

    func append(_ action: @escaping @Sendable () -> Void) { lock.withLock { actions.append(action) } }

    func runAll() {
      let all = lock.withLock { actions }
      for action in all.reversed() { action() }
    }
  }
}
