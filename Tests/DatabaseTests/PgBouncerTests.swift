import Database
import Foundation
import LocalFleet
import TestSupport
import Testing

private let pgBouncer = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].first {
  FileManager.default.isExecutableFile(atPath: $0)
}

@Suite("Through PgBouncer in transaction mode")
struct PgBouncerTests {
  @Test(
    "statements, transactions, pipelines and COPY work when every transaction may get another session",
    .enabled(if: pgBouncer != nil, "skipped: no pgbouncer on this machine"))
  func transactionMode() async throws {
    try await withTemporaryFolder { home async throws in
      let cluster = try PrivateCluster(home: home, durability: .none)
      try await cluster.start()
      let folder = home + "/pgbouncer"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try """
      [databases]
      rrcm = host=\(cluster.layout.socketFolder) port=5432 user=rrcm dbname=rrcm
      [pgbouncer]
      listen_port = 6432
      unix_socket_dir = \(folder)
      auth_type = any
      pool_mode = transaction
      default_pool_size = 3
      """.write(toFile: folder + "/pgbouncer.ini", atomically: true, encoding: .utf8)
      let processes = LocalProcesses(home: home)
      var command = [try #require(pgBouncer), folder + "/pgbouncer.ini"]
      if geteuid() == 0 {
        // Like the server, it refuses to run as root.
        let account = try #require(getpwnam("postgres")).pointee
        chown(folder, account.pw_uid, account.pw_gid)
        command =
          ["/usr/bin/setpriv", "--reuid=\(account.pw_uid)", "--regid=\(account.pw_gid)", "--init-groups", "--"]
          + command
      }
      try await processes.start("pgbouncer", arguments: Array(command.dropFirst()), executable: command[0])

      let url = try DatabaseURL("host=\(folder) port=6432 user=rrcm dbname=rrcm")
      let connections = (0..<6).map { _ in
        Connection(url, applicationName: "tests", logger: .silent, reconnect: ReconnectPolicy(limit: .seconds(10)))
      }
      try await connections[0].script("CREATE TABLE note (id int PRIMARY KEY, text text)")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (number, connection) in connections.enumerated() {
          group.addTask {
            for round in 0..<30 {
              let id = number * 1000 + round * 10
              try await connection.transaction { connection in
                try connection.execute("INSERT INTO note VALUES ($1, $2)", [.int(id), "transaction"])
                _ = try connection.query(
                  "-- name: read_note\nSELECT text FROM note WHERE id = $1", [.int(id)])[0].text("text")
              }
              _ = try await connection.pipeline([
                ("INSERT INTO note VALUES ($1, $2)", [.int(id + 1), "pipeline"]),
                ("SELECT count(*) FROM note WHERE id > $1", [.int(id)]),
              ])
              _ = try await connection.copyIn("note", columns: ["id", "text"], rows: [[.int(id + 2), "copy"]])
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await connections[0].query("SELECT count(*) AS n FROM note")[0].int("n") == 6 * 30 * 3)
      let pids = try await connections[0].query(
        "SELECT count(DISTINCT pid) AS n FROM pg_stat_activity WHERE backend_type = 'client backend'")
      #expect(try pids[0].int("n") <= 3)

      let canceller = Task {
        try await Task.sleep(for: .milliseconds(200))
        connections[0].cancel()
      }
      let error = await #expect(throws: DatabaseError.self) { try await connections[0].query("SELECT pg_sleep(30)") }
      #expect(error?.isCancellation == true)
      try await canceller.value
      for connection in connections { await connection.close() }
      try await processes.stop("pgbouncer", timeout: .seconds(5))
      try await cluster.stop()
    }
  }
}
