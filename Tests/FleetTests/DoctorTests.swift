import Artifacts
import Database
import Foundation
import Lifecycle
import LocalFleet
import Migrations
import Store
import Tensors
import TestSupport
import Testing

@testable import CommandLine

private let pgBouncer = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].first {
  FileManager.default.isExecutableFile(atPath: $0)
}

/// Each of the doctor's troubles, brought about for real.
@Suite("The doctor", .serialized) struct DoctorTests {
  private struct Answer {
    let status: Int32
    let rows: [[String: Any]]

    func state(_ check: Finding.Check) -> String { field(check, "state") }
    func symptom(_ check: Finding.Check) -> String { field(check, "symptom") }
    func remedy(_ check: Finding.Check) -> String { field(check, "remedy") }
    func field(_ check: Finding.Check, _ name: String) -> String {
      rows.first { $0["check"] as? String == check.rawValue }?[name] as? String ?? ""
    }
    var troubles: [String] {
      rows.filter { $0["state"] as? String == "trouble" }.compactMap { $0["check"] as? String }
    }
  }

  private func ask(_ environment: [String: String], _ more: [String] = []) async throws -> Answer {
    let outcome = try await Program.run(["doctor", "--output", "json"] + more, environment: environment)
    let rows = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]] ?? []
    for row in rows where row["state"] as? String == "trouble" {
      for field in ["symptom", "cause", "remedy"] {
        #expect((row[field] as? String ?? "").count > 10, "\(row) has no \(field)")
      }
    }
    #expect(outcome.errors.isEmpty, "\(outcome.errors)")
    return Answer(status: outcome.status, rows: rows)
  }

  /// Asks about a database alone.
  private func ask(_ url: DatabaseURL, _ more: [String] = []) async throws -> Answer {
    try await ask(["RRCM_DATABASE_URL": url.connectionString], more)
  }

  @Test("with everything in order it ends with 0, every check is ok, and versions are told; it changes nothing")
  func healthy() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w1")
      let run = try await fleet.certify("probe", n: 500)
      try await fleet.waitUntilDone(run)
      for name in ["w1", "aggregator", "coordinator"] {
        fleet.signal(name, SIGTERM)
        _ = try await fleet.waitForExit(name)
      }
      let (rows, files) = (
        try await Footprint.rows(fleet.store.connection), try Footprint.files(fleet.folder.path + "/store")
      )
      let answer = try await ask(fleet.environment, ["--deep"])
      #expect(answer.status == 0 && answer.troubles.isEmpty, "\(answer.rows)")
      for check in Finding.Check.allCases { #expect(answer.state(check) == "ok", "\(check)") }
      for version in ["rrcm", "libpq", "postgresql", "processor", "numerics_id"] {
        #expect(answer.rows.contains { $0["check"] as? String == version && $0["state"] as? String == "info" })
      }
      #expect(try await Footprint.rows(fleet.store.connection) == rows)
      #expect(try Footprint.files(fleet.folder.path + "/store") == files)
      let text = try await fleet.rrcm(["doctor"])
      #expect(text.contains("ok      database") && text.hasSuffix("no trouble found\n"), "\(text)")
    }
  }

  @Test("a database that is not there, or not by that name, is told, and what hangs on it is skipped")
  func database() async throws {
    try await withTestDatabase { database async throws in
      let unknown = try await ask(database.url.withDatabase("nowhere"))
      #expect(unknown.status == 1 && unknown.troubles == ["database"], "\(unknown.rows)")
      #expect(unknown.remedy(.database).contains("createdb") && unknown.state(.schema) == "skipped")
    }
    let down = try await ask(["RRCM_DATABASE_URL": "host=/nowhere dbname=none"])
    #expect(down.status == 1 && down.troubles == ["database"] && down.state(.held) == "skipped")
    let stopped = try await ask([:])
    #expect(stopped.status == 1 && stopped.remedy(.database).contains("rrcm up"))
    let unreadable = try await ask(["RRCM_DATABASE_URL": "postgresql://me:tops3cret@host:port/x?nonsense=1"])
    #expect(unreadable.remedy(.database).contains("RRCM_DATABASE_URL") && !"\(unreadable.rows)".contains("tops3cret"))
  }

  @Test("a missing, older and newer schema are told apart")
  func schema() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = database.connection()
      let missing = try await ask(database.url)
      #expect(missing.troubles == ["schema"] && missing.symptom(.schema).contains("no schema"))
      #expect(missing.remedy(.schema) == "rrcm migrate up" && missing.state(.parts) == "skipped")
      _ = try await Migrator(connection).up(to: 1)
      let older = try await ask(database.url)
      #expect(older.troubles == ["schema"] && older.symptom(.schema).contains("the first is 2 (views)"))
      _ = try await Migrator(connection).up()
      #expect(try await ask(database.url).status == 0)
      try await connection.execute(
        "INSERT INTO rrcm.schema_migration (version, name, checksum) VALUES (99, 'future', 'x')")
      let newer = try await ask(database.url)
      #expect(newer.troubles == ["schema"] && newer.symptom(.schema).contains("migration 99 (future)"))
    }
  }

  @Test("a database that takes no writes is told")
  func readOnly() async throws {
    try await withTestDatabase { database async throws in
      try await database.connection().script(
        "ALTER DATABASE \(database.name) SET default_transaction_read_only = on")
      let answer = try await ask(database.url)
      #expect(answer.status == 1 && answer.troubles == ["read_only"], "\(answer.rows)")
      #expect(answer.remedy(.readOnly).contains("ALTER DATABASE \(database.name) RESET"))
    }
  }

  @Test("a limit of connections that is nearly reached is told")
  func connections() async throws {
    try await withTestDatabase { database async throws in
      let holders = (0..<3).map { _ in database.connection() }
      for holder in holders { _ = try await holder.query("SELECT 1 AS one") }
      // The superuser that tests are may go beyond it; others could not.
      try await holders[0].script("ALTER DATABASE \(database.name) CONNECTION LIMIT 4")
      let answer = try await ask(database.url)
      #expect(answer.troubles == ["connections"] && answer.symptom(.connections).contains("of 4 connections"))
      for holder in holders { await holder.close() }
    }
  }

  @Test("a transaction left open is told, and so are dead rows that pile up")
  func horizon() async throws {
    try await withTestDatabase { database async throws in
      let sleeper = database.connection("forgotten shell")
      try await sleeper.script("BEGIN; SELECT 1")
      try await Task.sleep(for: .milliseconds(600))
      let answer = try await ask(database.url, ["--long-seconds", "0.5"])
      #expect(answer.troubles == ["horizon"], "\(answer.rows)")
      #expect(
        answer.symptom(.horizon).contains("forgotten shell") && answer.symptom(.horizon).contains("idle in transaction")
      )
      #expect(answer.remedy(.horizon).contains("pg_terminate_backend"))
      await sleeper.close()

      let connection = database.connection()
      try await connection.script(
        """
        ALTER TABLE rrcm.event SET (autovacuum_enabled = off);
        INSERT INTO rrcm.event (kind, detail) SELECT 'probe', 'x' FROM generate_series(1, 60000);
        DELETE FROM rrcm.event
        """)
      await connection.close()  // what a session counted is known when it ends
      let dead = try await ask(database.url)
      #expect(dead.troubles == ["horizon"] && dead.symptom(.horizon).contains("60000 dead rows"), "\(dead.rows)")
    }
  }

  @Test("work without a coordinator, aggregator or worker is told; a dead worker that nobody sweeps, too")
  func parts() async throws {
    try await withFleet { fleet async throws in
      _ = try await fleet.certify("probe")
      let nobody = try await ask(fleet.environment)
      #expect(nobody.troubles == ["parts"], "\(nobody.rows)")
      #expect(nobody.symptom(.parts).contains("no live coordinator, no live aggregator, no live worker"))
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w1")
      try await eventually("votes arrive") { try await fleet.number("SELECT count(*) FROM rrcm.chunk_count") > 0 }
      let complete = try await ask(fleet.environment)
      #expect(complete.state(.parts) == "ok", "\(complete.rows)")
      fleet.signal("coordinator", SIGTERM)
      _ = try await fleet.waitForExit("coordinator")
      try await fleet.slay("w1")
      // As if the kill were five minutes ago.
      try await fleet.store.connection.execute("UPDATE rrcm.worker SET beat_at = beat_at - interval '5 minutes'")
      let silent = try await ask(fleet.environment)
      #expect(Set(silent.troubles) == ["parts", "workers"], "\(silent.rows)")
      #expect(silent.symptom(.parts).contains("no live coordinator") && !silent.symptom(.parts).contains("aggregator"))
      #expect(silent.symptom(.workers).contains("worker w1 on "))
      // Taken for dead again and again, it comes back each time.
      for _ in 0..<3 {
        _ = try await fleet.store.register(name: "w2", host: "slow", pid: 1, device: "d", software: "s")
        try await fleet.store.connection.execute(
          "UPDATE rrcm.worker SET beat_at = now() - interval '5 minutes' WHERE name = 'w2'")
        _ = try await fleet.store.rescue(deadAfterSeconds: 35)
      }
      let flapping = try await ask(fleet.environment)
      #expect(flapping.symptom(.workers).contains("worker w2 on slow was taken for dead 3 times"), "\(flapping.rows)")
    }
  }

  @Test("stranded and refused runs are told, with what the worker says")
  func numerics() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w1")
      _ = try await fleet.certify("elsewhere", more: "numerics: [cuda-bf16/other/x/b1/sm90]")
      try await eventually("it is refused") {
        try await fleet.number("SELECT count(*) FROM rrcm.event WHERE kind = 'run_refused'") > 0
      }
      let answer = try await ask(fleet.environment)
      #expect(Set(answer.troubles) == ["numerics", "refusals"], "\(answer.rows)")
      #expect(answer.symptom(.numerics).contains("elsewhere") && answer.symptom(.numerics).contains("cuda-bf16/other"))
      #expect(answer.symptom(.refusals).contains("the run takes votes of cuda-bf16/other"))
    }
  }

  @Test("held items are told, with the workers whose votes differed")
  func held() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      let run = try await fleet.certify("probe", n: 500)
      try await eventually("planned") { try await fleet.progress(run).total == 24 }
      for (name, winner) in [("honest", Int32(0)), ("liar", 1)] {
        let worker = try await fleet.store.register(name: name, host: "h", pid: 1, device: "d", software: "s")
        guard
          let lease = try await fleet.store.claim(
            run: run, worker: worker, numericsID: "n", units: 1, deadlineSeconds: 60, floor: 0)
        else { return }
        let first = name == "honest" ? lease.itemID : try await fleet.number("SELECT min(item_id) FROM rrcm.item")
        let chunk = UnitPlan(n0: 100, n: 500, chunkSamples: 500).chunk(ofUnit: 0)
        _ = try await fleet.store.post(
          [
            ChunkPost(
              itemID: first, chunk: chunk, votes: SparseVotes(classes: [winner], votes: [100]), computeMilliseconds: 1)
          ],
          lease: lease, worker: worker, finishes: true, deadlineSeconds: 60)
      }
      let answer = try await ask(fleet.environment)
      #expect(answer.troubles.contains("held"), "\(answer.rows)")
      #expect(answer.symptom(.held).contains("1 item of run probe is held"))
      #expect(answer.field(.held, "cause").contains("liar"))
    }
  }

  @Test("a store that is missing, in the way, or on a full disk is told; so are files that are missing or damaged")
  func store() async throws {
    try await withFleet { fleet async throws in
      func asked(_ store: String, _ more: [String] = []) async throws -> Answer {
        try await ask(fleet.environment.merging(["RRCM_STORE": store]) { $1 }, more)
      }
      let folder = fleet.folder.path + "/store"
      #expect(try await asked(folder).status == 0)
      let missing = try await asked(fleet.folder.path + "/none")
      #expect(missing.troubles == ["store"] && missing.state(.files) == "skipped", "\(missing.rows)")
      let inTheWay = try await asked(fleet.folder.write([1], "file"))
      #expect(inTheWay.troubles == ["store"] && inTheWay.symptom(.store).contains("is not a folder"))
      let low = try await asked(folder, ["--least-free-gib", "100000000"])
      #expect(low.troubles == ["store"] && low.symptom(.store).contains("GiB left"), "\(low.rows)")
      let other = fleet.folder.file("other/x")
      let empty = try await asked((other as NSString).deletingLastPathComponent)
      #expect(empty.troubles == ["files"] && empty.symptom(.files).contains("image set tiny"), "\(empty.rows)")
      #expect(empty.symptom(.files).contains("checkpoint net"))

      let digest = try #require(try await fleet.store.dataset("tiny")).digest
      let path = "\(folder)/\(digest.prefix(2))/\(digest)"
      var bytes = Array(try #require(FileManager.default.contents(atPath: path)))
      bytes[bytes.count - 1] ^= 1
      chmod(path, 0o644)
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      #expect(try await asked(folder).status == 0)
      let damaged = try await asked(folder, ["--deep"])
      #expect(damaged.troubles == ["files"] && damaged.symptom(.files).hasPrefix("damaged: image set tiny"))
    }
  }

  @Test("a store behind an address is asked, without fetching: down, another token, in order")
  func remoteStore() async throws {
    try await withFleet { fleet async throws in
      let port = 20_000 + Int(getpid()) % 20_000
      let folder = fleet.folder.path + "/store"
      let away = [
        "RRCM_STORE": "http://127.0.0.1:\(port)", "RRCM_ARTIFACT_TOKEN": String(repeating: "t", count: 64),
        "RRCM_CACHE": fleet.folder.path + "/cache",
      ]
      func asked(_ more: [String: String] = [:]) async throws -> Answer {
        try await ask(fleet.environment.merging(away) { $1 }.merging(more) { $1 })
      }
      let down = try await asked()
      #expect(down.troubles == ["store"] && down.state(.files) == "skipped", "\(down.rows)")
      #expect(down.remedy(.store).contains("--serve-artifacts"))
      try fleet.start(
        "coordinator", ["coordinator", "start", "--serve-artifacts", "127.0.0.1:\(port)"],
        environment: away.merging(["RRCM_STORE": folder]) { $1 })
      try await eventually("it serves") { try await asked().troubles.isEmpty }
      let stranger = try await asked(["RRCM_ARTIFACT_TOKEN": String(repeating: "x", count: 64)])
      #expect(stranger.troubles == ["store"] && stranger.field(.store, "cause").contains("token"), "\(stranger.rows)")
      #expect(!FileManager.default.fileExists(atPath: fleet.folder.path + "/cache"))
    }
  }

  @Test(
    "a pooler in statement mode is told",
    .enabled(if: pgBouncer != nil, "skipped: no pgbouncer on this machine"))
  func pooling() async throws {
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
      pool_mode = statement
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
      let answer = try await ask(["RRCM_DATABASE_URL": "host=\(folder) port=6432 user=rrcm dbname=rrcm"])
      #expect(answer.status == 1 && answer.troubles == ["pooling"], "\(answer.rows)")
      #expect(answer.remedy(.pooling).contains("pool_mode = transaction"))
      try await processes.stop("pgbouncer", timeout: .seconds(5))
      try await cluster.stop()
    }
  }
}
