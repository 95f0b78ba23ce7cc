package import Database
package import Logging

/// A database for one test alone, on a real PostgreSQL.
///
/// ```swift
/// try await withTestDatabase { database in
///   let connection = database.connection()
///   try await connection.execute("INSERT …")
/// }
/// ```
///
/// The server is this process's own throwaway one, or the one that `RRCM_TEST_DATABASE_URL` names.
package struct TestDatabase: Sendable {
  package let name: String
  package let url: DatabaseURL

  package init(name: String, url: DatabaseURL) {
    self.name = name
    self.url = url
  }

  /// A new connection to it. Give one to each party of the test.
  package func connection(
    _ applicationName: String = "rrcm tests", reconnect: ReconnectPolicy = ReconnectPolicy(limit: .seconds(10))
  ) -> Connection {
    Connection(url, applicationName: applicationName, logger: .silent, reconnect: reconnect)
  }
}

/// Makes a database, runs `body` with it, and drops it.
///
/// - Parameter migrated: with the fleet's schema in it, copied from a template; else empty.
package func withTestDatabase<T: Sendable>(
  migrated: Bool = true, _ body: (TestDatabase) async throws -> T
) async throws -> T {
  let database = try await TestServer.shared.makeDatabase(migrated: migrated)
  do {
    let value = try await body(database)
    await TestServer.shared.drop(database)
    return value
  } catch {
    await TestServer.shared.drop(database)
    throw error
  }
}

extension Logger {
  /// A logger that says nothing.
  package static var silent: Logger { Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() } }
}
