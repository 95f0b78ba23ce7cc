import Database
import Lifecycle
import Migrations
import Store
import TestSupport
import Testing

/// What logins with the worker role can do to what they share, on a server with real roles and no one's goodwill.
@Suite("Rights", .serialized) struct RightsTests {
  /// One of the two nodes: a login with a worker of its own.
  struct Node: Sendable {
    let store: Store
    let worker: WorkerIdentity

    /// Expects that the server refuses a statement for want of a right.
    func isRefused(_ sql: String) async {
      let error = await #expect(throws: DatabaseError.self, "\(sql)") { try await store.connection.execute(sql) }
      #expect(error?.code == "42501", "\(sql): \(error.map { "\($0)" } ?? "")")
    }
  }

  /// `fixture` is the owner's, `leader` a coordinator's store, `a` and `b` have logins of their own.
  private static func with(
    images: Int = 2, auditShare: Double = 0,
    _ body: (_ fixture: Fixture, _ leader: Store, _ a: Node, _ b: Node) async throws -> Void
  ) async throws {
    try await withSecureServer { server async throws in
      try await server.connection(server.administrator).script(
        "CREATE ROLE boss LOGIN CREATEROLE; ALTER DATABASE rrcm OWNER TO boss")
      let boss = server.connection(server.local("boss"))
      _ = try await Migrator(boss).up()
      try await Roles(boss).apply()
      for (login, role) in [
        ("leader", "rrcm_coordinator"), ("node_a", "rrcm_worker"), ("node_b", "rrcm_worker"),
      ] { try await boss.script("CREATE ROLE \(login) LOGIN IN ROLE \(role)") }
      let fixture = try await Fixture(
        TestDatabase(name: "rrcm", url: server.local("boss")), Store(boss), images: images, auditShare: auditShare)
      func node(_ name: String) async throws -> Node {
        let store = Store(server.connection(server.local("node_\(name)")))
        let worker = try await store.register(name: name, host: "h", pid: 1, device: "d", software: "s")
        _ = try await store.pinRun(fixture.run, numericsID: Fixture.numerics, worker: worker)
        return Node(store: store, worker: worker)
      }
      try await body(
        fixture, Store(server.connection(server.local("leader"))), node("a"), node("b"))
    }
  }

  private static func votes(_ item: Int64, chunk: Int, worker: Int64) -> String {
    """
    INSERT INTO rrcm.chunk_count (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms)
    VALUES (\(item), 1, \(chunk), 4, '{1}', '{4}', \(worker), 1)
    """
  }

  @Test("a worker in quarantine adds nothing by hand, and takes neither a lease nor a training")
  func quarantined() async throws {
    try await Self.with { fixture, leader, a, b in
      let item = try await fixture.number("SELECT min(item_id) FROM rrcm.item")
      let id = a.worker.id
      let training = try await Self.training(leader, "t")
      #expect(try await a.store.connection.execute(Self.votes(item, chunk: 0, worker: id)) == 1, "a control")
      // One that begins while the quarantine is under way waits for it, and is refused.
      let boss = fixture.party().connection
      try await boss.script(
        """
        BEGIN; SELECT FROM rrcm.worker WHERE worker_id = \(id) FOR UPDATE;
        UPDATE rrcm.worker SET quarantined_at = now(), quarantine_reason = 'a test' WHERE worker_id = \(id)
        """)
      async let meanwhile: Void = a.isRefused(Self.votes(item, chunk: 1, worker: id))
      try await Task.sleep(for: .milliseconds(200))
      try await boss.script("COMMIT")
      await meanwhile
      for sql in [
        Self.votes(item, chunk: 1, worker: id),
        "INSERT INTO rrcm.disagreement (item_id, phase, chunk, stored_classes, stored_votes, posted_classes, posted_votes, worker_id) VALUES (\(item), 1, 0, '{1}', '{4}', '{2}', '{4}', \(id))",
        "INSERT INTO rrcm.audit_computation (audit_id, worker_id, epoch, classes, votes, compute_ms) VALUES (1, \(id), 1, '{1}', '{4}', 1)",
        "INSERT INTO rrcm.failed_attempt (run_id, worker_id, epoch, outcome, error) VALUES (\(fixture.run), \(id), 1, 'failed', 'x')",
        "INSERT INTO rrcm.lease (item_id, lo, hi, worker_id, epoch, deadline_at) VALUES (\(item), 0, 1, \(id), 1, now())",
        "UPDATE rrcm.job SET state = 'running', run_lease = run_lease + 1, worker_id = \(id), epoch = 1, deadline_at = now()",
        "UPDATE rrcm.worker SET quarantined_at = NULL, quarantine_reason = NULL",
      ] { await a.isRefused(sql) }
      #expect(try await fixture.claim(a.worker, store: a.store) == nil)
      #expect(try await a.store.claimJob(run: training, worker: a.worker, deadlineSeconds: 60) == nil)
      #expect(
        try await !a.store.canaryAgrees(
          checkpointDigest: Fixture.checkpointDigest, numericsID: Fixture.numerics, logitsDigest: "x", worker: a.worker)
      )
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.canary") == 0)
      #expect(try await b.store.claimJob(run: training, worker: b.worker, deadlineSeconds: 60) != nil)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count") == 1)
    }
  }

  @Test("an audit is settled by the worker that was given it, and by no other statement of a worker's login")
  func audits() async throws {
    try await Self.with(images: 1, auditShare: 1) { fixture, leader, a, b in
      let lease = try #require(try await fixture.claim(a.worker, store: a.store))
      #expect(try await fixture.post(lease, a.worker, store: a.store).stored == 4)
      try await fixture.store.connection.execute(
        "INSERT INTO rrcm.audit (run_id, item_id, phase, chunk, cause, poster_id) SELECT run_id, item_id, 1, 0, 'drawn', $1 FROM rrcm.item",
        [.int(a.worker.id)])
      let audit = try await fixture.number("SELECT audit_id FROM rrcm.audit")
      for node in [a, b] {
        await node.isRefused("UPDATE rrcm.audit SET state = 'agreed', decided_at = now()")
        await node.isRefused(
          "UPDATE rrcm.audit SET holder_id = \(node.worker.id), holder_epoch = 1, deadline_at = now()")
        await node.isRefused("DELETE FROM rrcm.audit")
        await node.isRefused(
          "INSERT INTO rrcm.audit_computation (audit_id, worker_id, epoch, classes, votes, compute_ms) VALUES (\(audit), \(node.worker.id), 1, '{1}', '{4}', 1)"
        )
      }
      let found = fixture.votes(lease, unit: 1)
      // The poster itself, others in its name, and who was not given it.
      #expect(try await a.store.postAudit(audit, found, worker: a.worker) == .ignored)
      #expect(try await b.store.postAudit(audit, found, worker: b.worker) == .ignored)
      func claim(_ node: Node, as worker: WorkerIdentity, alone: Double = 35) async throws -> AuditLease? {
        try await node.store.claimAudit(
          run: fixture.run, worker: worker, numericsID: Fixture.numerics, deadlineSeconds: 60, aloneSeconds: alone,
          patienceSeconds: 600)
      }
      #expect(try await claim(a, as: a.worker, alone: -1) == nil, "it is not alone, whatever it says")
      #expect(try await claim(a, as: b.worker) == nil, "another login's worker")
      #expect(try await claim(b, as: b.worker)?.id == audit)
      #expect(try await a.store.postAudit(audit, found, worker: b.worker) == .ignored)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.audit WHERE state = 'due'") == 1)
      #expect(try await b.store.postAudit(audit, found, worker: b.worker) == .agreed)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.audit WHERE state = 'agreed'") == 1)

      // A canary becomes trusted by two workers that show it, not by one that says so.
      func show(_ node: Node) async throws -> Bool {
        try await node.store.canaryAgrees(
          checkpointDigest: Fixture.checkpointDigest, numericsID: Fixture.numerics, logitsDigest: "x",
          worker: node.worker)
      }
      #expect(try await show(a))
      await a.isRefused("UPDATE rrcm.canary SET second_worker_id = \(b.worker.id), trusted_at = now()")
      await a.isRefused(
        "INSERT INTO rrcm.canary (checkpoint_digest, numerics_id, logits_digest, first_worker_id) VALUES ('\(Fixture.checkpointDigest)', 'y', 'x', \(a.worker.id))"
      )
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.canary WHERE trusted_at IS NULL") == 1)
      #expect(try await show(b))
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.canary WHERE trusted_at IS NOT NULL") == 1)
    }
  }

  private static func training(_ store: Store, _ name: String) async throws -> Int64 {
    let run = try await store.insertRun(
      NewRun(
        kind: "pretrain", name: name, spec: "{}", seed: 7, priority: 0, datasetDigest: Fixture.datasetDigest,
        checkpointDigest: nil, dependsOn: nil, imageIndices: nil, numericsIDs: [], software: "test",
        certification: nil))
    _ = try await store.planSubmittedRuns { _ in .job(steps: 100) }
    return run
  }

  @Test("a training and its run are changed and ended by the holder's login alone")
  func trainings() async throws {
    try await Self.with { fixture, leader, a, b in
      let (run, failing) = (try await Self.training(leader, "t"), try await Self.training(leader, "f"))
      // While it waits, all that a login can do is take it, under the next fence.
      for change in [
        "attempts = 9", "run_lease = run_lease + 7", "snapshot_digest = 'x', snapshot_step = 90",
        "state = 'failed', error = 'x', finished_at = now()",
        "state = 'running', worker_id = \(b.worker.id), epoch = 1, deadline_at = now()",
        "state = 'running', run_lease = run_lease + 1, worker_id = \(a.worker.id), epoch = 1, deadline_at = now()",
      ] { await b.isRefused("UPDATE rrcm.job SET \(change)") }
      let job = try #require(try await a.store.claimJob(run: run, worker: a.worker, deadlineSeconds: 60))
      #expect(job.runLease == 1)
      for change in ["state = 'done'", "state = 'failed', error = 'x'", "error = 'x'", "finished_at = now()"] {
        await b.isRefused("UPDATE rrcm.run SET \(change) WHERE run_id = \(run)")
        await a.isRefused("UPDATE rrcm.run SET \(change) WHERE run_id = \(run)")
      }
      for change in [
        "state = 'queued', worker_id = NULL, epoch = NULL, deadline_at = NULL", "step = 99", "attempts = 9",
      ] {
        #expect(try await b.store.connection.execute("UPDATE rrcm.job SET \(change) WHERE run_id = \(run)") == 0)
      }
      await a.isRefused("UPDATE rrcm.job SET run_lease = 0 WHERE run_id = \(run)")
      let ended = try await b.store.connection.query("SELECT rrcm.end_training(\(run)) AS run_id")
      #expect(try ended[0].intOrNil("run_id") == nil)
      #expect(try await !b.store.failJob(job, error: "not mine", limit: 1))
      #expect(try await !b.store.releaseJob(job))
      #expect(try await fixture.store.progress(ofRun: run)[0].state == "running")

      #expect(try await a.store.reportJob(job, step: 9, metrics: [("loss", 1)], deadlineSeconds: 60) == .held)
      #expect(
        try await a.store.finishJob(
          job, run: run, checkpointDigest: String(repeating: "9", count: 64), name: "t", kind: "pretrained",
          configuration: "{}"))
      #expect(try await fixture.store.progress(ofRun: run)[0].state == "done")
      let second = try #require(try await a.store.claimJob(run: failing, worker: a.worker, deadlineSeconds: 60))
      #expect(try await a.store.failJob(second, error: "no memory", limit: 1))
      let progress = try await fixture.store.progress(ofRun: failing)[0]
      #expect(progress.state == "failed" && progress.error == "no memory")
    }
  }

  @Test("old events go with the coordinator's role, which can remove no others")
  func events() async throws {
    try await Self.with { fixture, leader, a, b in
      try await fixture.store.connection.script(
        """
        INSERT INTO rrcm.event (kind, detail, at) VALUES ('old', 'x', now() - interval '100 days');
        INSERT INTO rrcm.event (kind, run_id, detail, at) VALUES ('unfinished', \(fixture.run), 'x', now() - interval '100 days');
        INSERT INTO rrcm.event (kind, detail) VALUES ('young', 'x')
        """)
      await Node(store: leader, worker: a.worker).isRefused("DELETE FROM rrcm.event")
      await a.isRefused("SELECT rrcm.delete_old_events(90)")
      #expect(try await leader.oldEvents(days: 90) == 1)
      #expect(try await leader.deleteOldEvents(days: 90) == 1)
      #expect(try await leader.deleteOldEvents(days: -1000) == 0, "never those of the last day")
      #expect(
        try await fixture.number("SELECT count(*) FROM rrcm.event WHERE kind IN ('unfinished', 'young')") == 2)
    }
  }

  @Test("the tail is shared between workers of different logins, and of nobody more than that")
  func tails() async throws {
    try await Self.with { fixture, leader, a, b in
      func tail(_ node: Node, as worker: WorkerIdentity? = nil, units: Int = 4, speed: Double = 40) async throws
        -> Lease?
      {
        try await node.store.claimTail(
          run: fixture.run, worker: worker ?? node.worker, numericsID: Fixture.numerics, units: units,
          deadlineSeconds: 60, samplesPerSecond: speed, chunkSamples: 4)
      }
      let held = try #require(try await fixture.claim(a.worker, store: a.store))
      _ = try await a.store.beat(a.worker, samplesPerSecond: 0.1)
      #expect(try await tail(b, as: a.worker) == nil, "in the name of another login's worker")
      let split = try #require(try await tail(b, units: 2))
      #expect(!split.isDuplicate && split.units == 2..<4)
      #expect(
        try await fixture.number("SELECT hi FROM rrcm.lease WHERE lease_id = \(held.id)") == 2)
      #expect(try await fixture.post(split, b.worker, store: b.store).stored == 2)

      // The chunk in hand is computed twice; the first result ends the other login's lease.
      _ = try await a.store.post(
        [fixture.votes(held, unit: 0)], lease: held, worker: a.worker, finishes: false, deadlineSeconds: 60, next: 1)
      let copy = try #require(try await tail(b))
      #expect(copy.isDuplicate && copy.units == 1..<2)
      #expect(try await fixture.post(copy, b.worker, units: [1], store: b.store).stored == 1)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease") == 0)

      // Of an original that is handed back, another login's duplicate takes the place.
      let second = try #require(try await fixture.claim(a.worker, units: 1, store: a.store))
      _ = try await a.store.beat(a.worker, samplesPerSecond: 0.1)
      let twin = try #require(try await tail(b))
      #expect(twin.isDuplicate)
      #expect(try await b.store.returnLeases([second.id]) == 0)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease WHERE lease_id = \(second.id)") == 1)
      #expect(try await a.store.returnLeases([second.id]) == 0, "no gap: it is still held")
      #expect(
        try await fixture.number("SELECT count(*) FROM rrcm.lease WHERE lease_id = \(twin.id) AND NOT duplicate") == 1)
      // Whoever leads hands back anybody's.
      #expect(try await leader.returnLeases([twin.id]) == 1)
      // Leases without all their votes are nobody else's to end.
      let third = try #require(try await fixture.claim(a.worker, store: a.store))
      let ended = try await b.store.connection.query("SELECT rrcm.end_voted_leases(\(third.itemID), 0) AS n")
      #expect(try ended[0].int("n") == 0)
    }
  }
}
