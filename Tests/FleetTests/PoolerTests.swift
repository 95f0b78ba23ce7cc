import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("Through PgBouncer", .serialized) struct PoolerTests {
  @Test(
    "a whole fleet shares three server connections in transaction mode: no LISTEN, no named statement, no complaint",
    .enabled(if: Tool.find("pgbouncer") != nil, "skipped: no pgbouncer on this machine"))
  func wholeFleet() async throws {
    try await withRoledFleet { parts async throws in
      let (server, fleet) = (parts.server, parts.fleet)
      let folder = try TemporaryFolder.make("pooler")
      defer { TemporaryFolder.remove(folder) }
      let port = try unusedPort()
      try """
      [databases]
      rrcm = host=\(server.socketFolder) port=\(server.port) dbname=rrcm
      [pgbouncer]
      listen_port = \(port)
      unix_socket_dir = \(folder)
      auth_type = trust
      auth_file = \(folder)/users
      pool_mode = transaction
      default_pool_size = 2
      max_db_connections = 3
      logfile = \(folder)/pgbouncer.log
      """.write(toFile: folder + "/pgbouncer.ini", atomically: true, encoding: .utf8)
      try ["boss", "leader", "node_a", "guest"].map { "\"\($0)\" \"\"\n" }.joined()
        .write(toFile: folder + "/users", atomically: true, encoding: .utf8)
      if geteuid() == 0 {
        let owner = try FileManager.default.attributesOfItem(atPath: server.dataFolder)
        try FileManager.default.setAttributes(
          [.ownerAccountID: owner[.ownerAccountID]!, .groupOwnerAccountID: owner[.groupOwnerAccountID]!],
          ofItemAtPath: folder)
      }
      let pooler = Process()
      let command = try Tool.asOwner(of: server.dataFolder) + [Tool.find("pgbouncer")!, folder + "/pgbouncer.ini"]
      pooler.executableURL = URL(fileURLWithPath: command[0])
      pooler.arguments = Array(command.dropFirst())
      pooler.currentDirectoryURL = URL(fileURLWithPath: "/")
      try pooler.start()
      defer { kill(pooler.processIdentifier, SIGKILL) }

      func environment(_ login: String) -> [String: String] {
        ["RRCM_DATABASE_URL": "host=\(folder) port=\(port) user=\(login) dbname=rrcm"]
      }
      let logged = try String(contentsOfFile: server.logFile, encoding: .utf8).count
      try fleet.start("coordinator", ["coordinator", "start"], environment: environment("leader"))
      try fleet.start("aggregator", ["aggregator", "start"], environment: environment("leader"))
      let workers = (1...4).map { "w\($0)" }
      for name in workers {
        try fleet.start(name, ["worker", "start", "--name", name], environment: environment("node_a"))
      }
      // Idle workers poll; the run comes later than they do.
      try await Task.sleep(for: .seconds(1))
      let file = fleet.folder.write(Array("name: pooled\n\(RoledFleet.certification(n: 8000))".utf8), "pooled.yaml")
      try await fleet.rrcm(["run", "submit", file], other: environment("leader"))
      let run = try #require(try await fleet.store.run("pooled")).id
      let watcher = server.connection(server.administrator)
      var (most, idle) = (Int64(0), 0.0)
      try await eventually("the run is done", seconds: 60) {
        // Sessions from the pooler are the only ones of these two logins.
        let row = try await watcher.query(
          """
          SELECT count(*) FILTER (WHERE state <> 'idle') AS sessions,
                 coalesce(max(extract(epoch FROM now() - state_change)) FILTER (WHERE state LIKE 'idle in%'), 0)::float8 AS idle
            FROM pg_stat_activity
           WHERE usename IN ('leader', 'node_a')
          """)[0]
        // A session that the pooler has closed is listed, idle, until its process has ended: it is not counted.
        most = max(most, try row.int("sessions"))
        idle = max(idle, try row.double("idle"))
        return try await fleet.progress(run).state == "done"
      }
      #expect(most >= 1 && most <= 3)
      #expect(idle < 1, "a transaction waited \(idle) s for its client")
      #expect(
        try await fleet.number("SELECT count(DISTINCT worker_id) FROM rrcm.chunk_count") >= 2,
        "several workers took part")
      for name in workers + ["aggregator", "coordinator"] { fleet.signal(name, SIGTERM) }
      for name in workers + ["aggregator", "coordinator"] {
        #expect(try await fleet.waitForExit(name) == 0)
        let lines = fleet.log(name).split(separator: "\n")
        #expect(!lines.isEmpty && !lines.contains { $0.contains(" warning ") || $0.contains(" error ") }, "\(lines)")
      }
      let statements = try String(contentsOfFile: server.logFile, encoding: .utf8).dropFirst(logged)
      #expect(statements.contains("execute <unnamed>"))
      #expect(!statements.contains("LISTEN"), "sent through a pooler")
      // The tests' own session does not go through the pooler.
      let named = statements.split(separator: "\n").filter {
        !$0.contains(" tests LOG:") && $0.contains(#/execute [^<]/#)
      }
      #expect(named.isEmpty, "a named statement")
      let complaints = try String(contentsOfFile: folder + "/pgbouncer.log", encoding: .utf8).split(separator: "\n")
        .filter { ($0.contains("WARNING") || $0.contains("ERROR")) }
      #expect(complaints.isEmpty, "\(complaints)")
    }
  }
}
