import Database
import Lifecycle
import Store
import TestSupport
import Testing

@Suite("Repinning and retention") struct RepinTests {
  /// Shows the fleet what a worker computes, as opening a run does.
  private func show(_ fixture: Fixture, _ worker: WorkerIdentity, _ numerics: String) async throws {
    try await fixture.store.noteNumerics(numerics, of: worker)
  }

  @Test("invariant 8: a repinned item holds votes of its new numerics id only; the old ones stay on record as void")
  func repin() async throws {
    try await Fixture.with(images: 3) { fixture in
      let old = try await fixture.worker("old")
      _ = try await fixture.store.pinRun(fixture.run, numericsID: Fixture.numerics, worker: old)
      // One item certified, one half done, one untouched.
      let done = try #require(try await fixture.claim(old))
      try await fixture.post(done, old)
      let half = try #require(try await fixture.claim(old, units: 3))
      try await fixture.post(half, old, units: [0, 1], finishes: false)
      try await fixture.store.connection.script(
        """
        INSERT INTO rrcm.certificate (item_id, mode, top_class, n_a, n0, n, alpha, slack, p_lower, abstained, correct,
                                      numerics_id, compute_seconds)
        VALUES (\(done.itemID), 'fixed', 1, 10, 2, 10, 0.001, 0, 0.4, true, false, '\(Fixture.numerics)', 1);
        UPDATE rrcm.item SET state = 'certified', top_class = 1 WHERE item_id = \(done.itemID);
        """)
      #expect(try await fixture.store.noteStranded().isEmpty)
      #expect(try await fixture.store.repinRun(fixture.run, numericsID: "new")?.items == 0, "its worker lives")
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count_void") == 0)

      try await fixture.store.leave(old)
      let new = try await fixture.worker("new")
      try await show(fixture, new, "new")
      // The run names the new id too since the attempt above; items stay pinned all the same.
      #expect(try await fixture.store.noteStranded() == [fixture.run])
      #expect(try await fixture.store.noteStranded().isEmpty, "one event per episode")
      #expect(try await fixture.store.progress(ofRun: fixture.run)[0].strandedAt != nil)
      let preview = try #require(try await fixture.store.repinPreview(fixture.run, numericsID: "new"))
      #expect(preview.items == 1 && preview.chunks == 2 && preview.isLive)
      let repinned = try #require(try await fixture.store.repinRun(fixture.run, numericsID: "new"))
      #expect(repinned.numericsIDs == ["new"] && repinned.items == 1 && repinned.chunks == 2)
      #expect(try await fixture.store.noteStranded().isEmpty)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.event WHERE kind = 'run_stranded'") == 1)

      // The old worker's late votes, before and after the new one has begun.
      #expect(try await fixture.post(half, old, units: [2], topClass: 2).stored == 0)
      var units = 0
      while let lease = try await fixture.claim(new, numerics: "new") {
        #expect(lease.itemID != done.itemID)
        units += lease.units.count
        try await fixture.post(lease, new)
      }
      #expect(units == 8, "from the start, the untouched one too")
      let late = try await fixture.post(half, old, units: [2], topClass: 2)
      #expect(late.stored == 0 && late.disagreements == 0)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count WHERE worker_id = \(new.id)") == 8)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count WHERE worker_id = \(old.id)") == 4)
      #expect(
        try await fixture.number(
          "SELECT count(*) FROM rrcm.chunk_count_void WHERE worker_id = \(old.id) AND reason LIKE 'repinned to new%'")
          == 2)
      #expect(try await fixture.store.completeItems(limit: 10).map(\.numericsID) == ["new", "new"])
    }
  }

  @Test("a post under way while its item is repinned is waited for and voided; none slips in after")
  func repinDuringPost() async throws {
    try await Fixture.with(images: 1) { fixture in
      let old = try await fixture.worker("old")
      let lease = try #require(try await fixture.claim(old))
      try await fixture.store.leave(old)
      try await show(fixture, try await fixture.worker("new"), "new")
      // A post that has stored its row and not committed yet.
      let slow = fixture.database.connection()
      try await slow.execute("BEGIN")
      try await slow.execute(
        """
        INSERT INTO rrcm.chunk_count (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms)
        SELECT item_id, 0, 0, 2, '{1}', '{2}', \(old.id), 1 FROM rrcm.item
         WHERE item_id = \(lease.itemID) AND numerics_id = '\(Fixture.numerics)' FOR KEY SHARE
        """)
      let party = fixture.party()
      async let repinned = party.repinRun(fixture.run, numericsID: "new")
      let watcher = fixture.database.connection()
      try await waits(watcher, for: "lock_stranded")
      // Another post: it is either before the repin and voided, or after it and refused.
      let third = fixture.party()
      async let late = fixture.post(lease, old, units: [1], store: third)
      try await slow.execute("COMMIT")
      let (voided, stored) = (try await repinned?.chunks, try await late.stored)
      #expect(voided == Int64(1 + stored))
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count") == 0)
    }
  }

  /// Waits until a statement of that name waits for a lock.
  private func waits(_ connection: Connection, for name: String) async throws {
    for _ in 0..<200 {
      let rows = try await connection.query(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '-- name: \(name)%'")
      if !rows.isEmpty { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    Issue.record("\(name) did not wait")
  }

  @Test("deleting a run leaves nothing of it, keeps the checkpoint it made, and refuses what others need")
  func deleteRuns() async throws {
    try await Fixture.with { fixture in
      #expect(try await fixture.store.deleteRuns([fixture.run]).isEmpty, "it runs")
      let worker = try await fixture.worker()
      while let lease = try await fixture.claim(worker) { try await fixture.post(lease, worker) }
      _ = try await fixture.store.cancelRun(fixture.run)
      try await fixture.store.connection.execute("UPDATE rrcm.checkpoint SET run_id = \(fixture.run)")
      let other = try await fixture.store.insertRun(
        NewRun(
          kind: "finetune", name: "later", spec: "{}", seed: 1, priority: 0, datasetDigest: Fixture.datasetDigest,
          checkpointDigest: nil, dependsOn: fixture.run, imageIndices: nil, numericsIDs: [], software: "test",
          certification: nil))
      #expect(try await fixture.store.deletePreview([fixture.run])[0].dependents == [other])
      #expect(try await fixture.store.deleteRuns([fixture.run]).isEmpty, "another depends on it")
      _ = try await fixture.store.cancelRun(other)
      #expect(try await fixture.store.deleteRuns([fixture.run, other]).count == 2)
      for table in ["run", "item", "chunk_count", "certification", "certification_sigma", "lease", "gap"] {
        #expect(try await fixture.number("SELECT count(*) FROM rrcm.\(table)") == 0, "\(table)")
      }
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.checkpoint WHERE run_id IS NULL") == 1)
    }
  }

  @Test("old events and workers go, unless something unfinished or stored refers to them")
  func collect() async throws {
    try await Fixture.with { fixture in
      let busy = try await fixture.worker("busy")
      let lease = try #require(try await fixture.claim(busy))
      try await fixture.post(lease, busy)
      let idle = try await fixture.worker("idle")
      let judge = try await fixture.worker("judge")
      for worker in [busy, idle, judge] { try await fixture.store.leave(worker) }
      let live = try await fixture.worker("live")
      try await fixture.store.connection.script(
        """
        UPDATE rrcm.worker SET beat_at = now() - interval '40 days';
        CREATE TABLE rrcm.verdict (worker_id bigint REFERENCES rrcm.worker);
        INSERT INTO rrcm.verdict VALUES (\(judge.id));
        INSERT INTO rrcm.event (at, kind, run_id, detail)
        VALUES (now() - interval '100 days', 'old', NULL, 'x'), (now() - interval '100 days', 'live', \(fixture.run), 'x'),
               (now(), 'young', NULL, 'x');
        """)
      let old = try await fixture.store.oldWorkers(days: 30)
      #expect(old == [idle.id, judge.id], "\(live.id) lives, \(busy.id) has votes")
      #expect(try await fixture.store.deleteWorkers(old, days: 30) == 1, "a table of its own refers to the judge")
      #expect(try await fixture.store.oldEvents(days: 90) == 1)
      #expect(try await fixture.store.deleteOldEvents(days: 90) == 1)
      let kinds = try await fixture.store.connection.query("SELECT kind FROM rrcm.event ORDER BY kind")
      #expect(try kinds.map { try $0.text("kind") } == ["live", "young"])
    }
  }
}
