import Database
import Foundation
import Store
import TestSupport
import Testing

/// A fleet whose parts have no more rights than they need, over TLS and with passwords.
@Suite("Roles", .serialized) struct RolesTests {
  @Test("a whole fleet runs with each part under its own login and role, over verified TLS")
  func fleetUnderRoles() async throws {
    try await withRoledFleet { parts async throws in
      let fleet = parts.fleet
      // Once more changes nothing but readers' time limits.
      try await parts.rrcm(["roles", "apply"], as: "boss")
      try parts.start("coordinator", ["coordinator", "start"], as: "leader")
      try parts.start("aggregator", ["aggregator", "start"], as: "leader")
      for name in ["node_a", "node_b"] { try parts.start(name, ["worker", "start", "--name", name], as: name) }
      try await parts.submit("shared", RoledFleet.certification(n: 4000))
      try await parts.submit(
        "trained",
        """
        kind: pretrain
        dataset: {name: tiny, split: heldout}
        model: {patch: 4, width: 64, depth: 3, heads: 4, projector_hidden: 128, projector_output: 32}
        training: {steps: 40, batch: 12, learning_rate: 1.0e-3, warmup_steps: 20, augmentation: digits}
        seed: 9
        """)
      for name in ["shared", "trained"] { try await parts.waitUntilDone(name) }
      let listed = try await parts.rrcm(["run", "list"], as: "guest")
      #expect(listed.contains("shared") && listed.contains("24"))
      #expect(try await parts.rrcm(["report", "shared"], as: "guest").contains("certified"))
      #expect(
        try await parts.rrcm(["export", "certificates", "shared"], as: "guest").split(separator: "\n").count == 25)

      // What is old goes, with no more rights than those of whoever submits.
      try await fleet.store.connection.execute(
        "INSERT INTO rrcm.event (kind, detail, at) VALUES ('old', 'x', now() - interval '100 days')")
      let removed = try await parts.rrcm(["gc", "--yes", "--output", "csv"], as: "leader")
      #expect(removed.contains("events,1,"), "\(removed)")

      // Both workers leave in order, and a name belongs to the login that registered it first.
      for name in ["node_a", "node_b"] {
        fleet.signal(name, SIGTERM)
        #expect(try await fleet.waitForExit(name) == 0)
      }
      for name in ["coordinator", "aggregator", "node_a", "node_b"] {
        #expect(!fleet.log(name).contains("42501"), "\(fleet.log(name))")
      }
      #expect(
        try await fleet.number(
          "SELECT count(*) FROM rrcm.worker WHERE name = login AND state = 'gone' AND name IN ('node_a', 'node_b')")
          == 2)
      try parts.start("thief", ["worker", "start", "--name", "node_a"], as: "node_b")
      #expect(try await fleet.waitForExit("thief") == 71)
      #expect(fleet.log("thief").contains("another login registered that name"), "\(fleet.log("thief"))")
      #expect(try await fleet.certificates("shared").count == 25)
    }
  }

  @Test("no role can do what it must not")
  func refusals() async throws {
    try await withRoledFleet { parts async throws in
      let (server, fleet) = (parts.server, parts.fleet)
      try await parts.rrcm(["roles", "apply"], as: "boss")
      try parts.start("coordinator", ["coordinator", "start"], as: "leader")
      let run = try await fleet.certify("victim", n: 1000)
      try await eventually("the run is planned") { try await fleet.progress(run).total == 24 }
      let (a, b) = (server.connection(server.local("node_a")), server.connection(server.local("node_b")))
      let mine = try await Store(a).register(name: "a", host: "h", pid: 1, device: "d", software: "s")
      let other = try await Store(b).register(name: "b", host: "h", pid: 2, device: "d", software: "s")
      _ = try await Store(a).claim(
        run: run, worker: mine, numericsID: "x", units: 1, deadlineSeconds: 60, floor: 0)
      let lease = try #require(
        try await Store(b).claim(run: run, worker: other, numericsID: "x", units: 1, deadlineSeconds: 60, floor: 0))
      _ = try await fleet.store.connection.execute(
        "INSERT INTO rrcm.chunk_count (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms) VALUES ($1, 1, 1, 500, '{1}', '{500}', $2, 1)",
        [.int(lease.itemID), .int(other.id)])

      // What is refused outright, …
      let digest = String(repeating: "a", count: 64)
      let refused: [(String, [String])] = [
        (
          "node_a",
          [
            "SELECT count(*) FROM rrcm.certificate",
            "INSERT INTO rrcm.certificate (item_id) VALUES (1)", "UPDATE rrcm.certificate SET radius = 1",
            "DELETE FROM rrcm.certificate", "UPDATE rrcm.worker SET login = 'node_a' WHERE name = 'b'",
            "INSERT INTO rrcm.worker (name, host, pid, device, software, login) VALUES ('c', 'h', 1, 'd', 's', 'node_b')",
            "INSERT INTO rrcm.lease (item_id, lo, hi, worker_id, epoch, deadline_at) VALUES (\(lease.itemID), 0, 1, \(other.id), 1, now())",
            "UPDATE rrcm.lease SET worker_id = \(other.id)",
            "INSERT INTO rrcm.chunk_count (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms) VALUES (\(lease.itemID), 0, 0, 1, '{1}', '{1}', \(other.id), 1)",
            "UPDATE rrcm.chunk_count SET votes = '{500}'", "DELETE FROM rrcm.chunk_count",
            "INSERT INTO rrcm.event (kind, worker_id, detail) VALUES ('x', \(other.id), 'x')", "DELETE FROM rrcm.event",
            "DELETE FROM rrcm.disagreement", "UPDATE rrcm.item SET top_class = 1", "UPDATE rrcm.item SET label = 1",
            "UPDATE rrcm.item SET state = 'certified' WHERE item_id = \(lease.itemID)",
            "UPDATE rrcm.item SET state = 'cancelled'", "UPDATE rrcm.item SET next_unit = 0 WHERE next_unit > 0",
            "UPDATE rrcm.item SET numerics_id = 'y' WHERE numerics_id IS NOT NULL", "DELETE FROM rrcm.item",
            "UPDATE rrcm.run SET seed = 1", "UPDATE rrcm.run SET priority = 9",
            "UPDATE rrcm.run SET state = 'cancelled', finished_at = now()",
            "UPDATE rrcm.run SET state = 'done', finished_at = now()",
            "UPDATE rrcm.run SET numerics_ids = '{a,b}'", "DELETE FROM rrcm.run",
            "UPDATE rrcm.certification SET n = 10", "UPDATE rrcm.canary SET logits_digest = 'x'",
            "INSERT INTO rrcm.job (run_id, steps) VALUES (\(run), 1)",
            "INSERT INTO rrcm.metric (run_id, step, name, value) VALUES (\(run), 1, 'loss', 0)",
            "INSERT INTO rrcm.checkpoint (checkpoint_digest, kind, configuration, run_id, source) VALUES ('\(digest)', 'classifier', '{}', \(run), 'x')",
            "INSERT INTO rrcm.checkpoint_name (name, checkpoint_digest) SELECT 'other', checkpoint_digest FROM rrcm.checkpoint",
            "SELECT count(*) FROM rrcm.imported_run", "SELECT count(*) FROM rrcm.run_progress",
            "UPDATE rrcm.schema_migration SET checksum = ''", "TRUNCATE rrcm.gap", "DROP TABLE rrcm.gap",
            "ALTER TABLE rrcm.lease DISABLE ROW LEVEL SECURITY", "DROP POLICY worker_adds ON rrcm.lease",
            "CREATE TABLE rrcm.mine (n int)", "SET ROLE rrcm_coordinator", "SET ROLE rrcm_owner",
          ]
        ),
        (
          "leader",
          [
            "UPDATE rrcm.certificate SET radius = 1", "UPDATE rrcm.chunk_count SET votes = '{500}'",
            "INSERT INTO rrcm.chunk_count (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms) VALUES (\(lease.itemID), 0, 0, 1, '{1}', '{1}', \(mine.id), 1)",
            "DELETE FROM rrcm.event", "DELETE FROM rrcm.disagreement", "UPDATE rrcm.certification SET n = 10",
            "UPDATE rrcm.dataset_image SET label = 1", "UPDATE rrcm.canary SET logits_digest = 'x'",
            "UPDATE rrcm.schema_migration SET checksum = ''", "TRUNCATE rrcm.gap", "DROP TABLE rrcm.gap",
            "DROP SCHEMA rrcm CASCADE", "CREATE TABLE rrcm.mine (n int)", "SET ROLE rrcm_owner",
            "ALTER TABLE rrcm.lease DISABLE ROW LEVEL SECURITY", "SET ROLE rrcm_worker",
          ]
        ),
        (
          "guest",
          try await fleet.store.connection.query(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'rrcm' AND tablename <> 'schema_migration' ORDER BY 1"
          ).map { "SELECT FROM rrcm.\(try $0.text("tablename"))" } + [
            "INSERT INTO rrcm.event (kind, detail) VALUES ('x', 'x')", "DELETE FROM rrcm.schema_migration",
            "CREATE TABLE rrcm.mine (n int)", "SELECT nextval('rrcm.run_run_id_seq')", "SET ROLE rrcm_worker",
          ]
        ),
      ]
      for (login, statements) in refused {
        #expect(statements.count > 10)
        let connection = server.connection(server.local(login))
        for statement in statements {
          let error = await #expect(throws: DatabaseError.self, "\(login): \(statement)") {
            try await connection.execute(statement)
          }
          #expect(error?.code == "42501", "\(login): \(statement): \(error.map { "\($0)" } ?? "")")
        }
      }

      // … and what finds no row to touch.
      for statement in [
        "UPDATE rrcm.worker SET state = 'gone' WHERE name = 'b'",
        "DELETE FROM rrcm.lease WHERE worker_id = \(other.id)",
        "UPDATE rrcm.lease SET deadline_at = now() WHERE lease_id = \(lease.id)",
      ] {
        #expect(try await a.execute(statement) == 0, "\(statement)")
      }
      #expect(try await Store(a).returnLeases([lease.id]) == 0)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.lease WHERE worker_id = \(other.id)") == 1)
      // The same statements do find the login's own: they can fail.
      #expect(try await a.execute("UPDATE rrcm.worker SET state = 'draining' WHERE name = 'a'") == 1)
      #expect(try await a.execute("DELETE FROM rrcm.lease WHERE worker_id = \(mine.id)") == 1)

      let thief = await #expect(throws: DatabaseError.self) {
        try await Store(a).register(name: "b", host: "h", pid: 1, device: "d", software: "s")
      }
      #expect(thief?.code == "not_this_login")

      // A reader sees every view, and not for ever.
      let guest = server.connection(server.local("guest"))
      for view in try await fleet.store.connection.query("SELECT viewname FROM pg_views WHERE schemaname = 'rrcm'") {
        try await guest.execute("SELECT FROM rrcm.\(try view.text("viewname")) LIMIT 1")
      }
      #expect(try await guest.query("SHOW statement_timeout")[0].text("statement_timeout") == "1min")
      _ = try await guest.query("SELECT rrcm.certified_accuracy(1, 0.25, 0.5)")
    }
  }
}
