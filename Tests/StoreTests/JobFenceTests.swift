import Database
import Store
import TestSupport
import Testing

@Suite("The fence of long jobs") struct JobFenceTests {
  /// Every write of a trainer, by the method that sends it.
  enum Write: String, CaseIterable, Sendable {
    case progress, progressWithMetrics, snapshot, release, finish, fail, failForGood

    /// Returns whether the write was let through.
    func send(_ job: JobLease, run: Int64, by store: Store) async throws -> Bool {
      switch self {
      case .progress: try await store.reportJob(job, step: 9, metrics: [], deadlineSeconds: 600) != .lost
      case .progressWithMetrics:
        try await store.reportJob(job, step: 9, metrics: [("loss", 9), ("accuracy", 9)], deadlineSeconds: 600) != .lost
      case .snapshot: try await store.saveSnapshot(job, digest: String(repeating: "9", count: 64), step: 9)
      case .release: try await store.releaseJob(job)
      case .finish:
        try await store.finishJob(
          job, run: run, checkpointDigest: String(repeating: "9", count: 64), name: "late", kind: "pretrained",
          configuration: "{}")
      case .fail: try await store.failJob(job, error: "late", limit: 3)
      case .failForGood: try await store.failJob(job, error: "late", limit: 1)
      }
    }
  }

  /// How a trainer may have lost its job.
  enum Loss: String, CaseIterable, Sendable { case rescued, takenOver, done }

  /// A training run with a job, claimed by worker `a`.
  private func withJob(in store: Store, _ body: (Int64, JobLease) async throws -> Void) async throws {
    try await store.insertDataset(
      digest: Fixture.datasetDigest, name: "tiny", channels: 1, height: 2, width: 2, classes: ["a", "b"],
      source: "a test",
      images: [
        DatasetImageRow(split: "train", label: 0, source: "line 0", digest: String(repeating: "1", count: 64))
      ])
    let run = try await store.insertRun(
      NewRun(
        kind: "pretrain", name: "encoder", spec: "{}", seed: 7, priority: 0, datasetDigest: Fixture.datasetDigest,
        checkpointDigest: nil, dependsOn: nil, imageIndices: nil, numericsIDs: [], software: "test",
        certification: nil))
    _ = try await store.planSubmittedRuns { _ in .job(steps: 100) }
    let a = try await store.register(name: "a", host: "h", pid: 1, device: "test", software: "test")
    let job = try #require(try await store.claimJob(run: run, worker: a, deadlineSeconds: 600))
    try await body(run, job)
  }

  /// Everything a trainer could have changed.
  private func everything(_ store: Store) async throws -> String {
    try await store.connection.query(
      """
      SELECT coalesce((SELECT string_agg(j::text, '|') FROM rrcm.job j), '') || '; '
          || coalesce((SELECT string_agg(m::text, '|' ORDER BY m) FROM rrcm.metric m), '') || '; '
          || coalesce((SELECT string_agg(c::text, '|' ORDER BY c) FROM rrcm.checkpoint c), '') || '; '
          || coalesce((SELECT string_agg(n::text, '|' ORDER BY n) FROM rrcm.checkpoint_name n), '') || '; '
          || (SELECT string_agg(r::text, '|' ORDER BY r) FROM rrcm.run r) AS all_rows
      """)[0].text("all_rows")
  }

  @Test(
    "a stale trainer writes nothing: no progress, metric, state, checkpoint, end or failure", arguments: Loss.allCases)
  func staleWritesAreRefused(loss: Loss) async throws {
    try await withTestDatabase { database in
      let store = Store(database.connection())
      try await withJob(in: store) { run, stale in
        _ = try await store.connection.execute("UPDATE rrcm.worker SET beat_at = now() - interval '1 hour'")
        #expect(try await store.rescue(deadAfterSeconds: 35).jobs == 1)
        if loss != .rescued {
          let b = try await store.register(name: "b", host: "h", pid: 2, device: "test", software: "test")
          let fresh = try #require(try await store.claimJob(run: run, worker: b, deadlineSeconds: 600))
          #expect(fresh.runLease == stale.runLease + 1)
          #expect(try await Write.progressWithMetrics.send(fresh, run: run, by: store))
          #expect(try await store.saveSnapshot(fresh, digest: String(repeating: "2", count: 64), step: 5))
          if loss == .done {
            #expect(
              try await store.finishJob(
                fresh, run: run, checkpointDigest: String(repeating: "3", count: 64), name: "encoder",
                kind: "pretrained", configuration: "{}"))
          }
        }
        let before = try await everything(store)
        for write in Write.allCases {
          #expect(try await !write.send(stale, run: run, by: store), "\(write) was let through")
          #expect(try await everything(store) == before, "\(write) left a trace")
        }
      }
    }
  }

  @Test("the holder's own writes are let through", arguments: Write.allCases)
  func ownWritesPass(write: Write) async throws {
    try await withTestDatabase { database in
      let store = Store(database.connection())
      try await withJob(in: store) { run, job in
        let before = try await everything(store)
        #expect(try await write.send(job, run: run, by: store))
        #expect(try await everything(store) != before)
      }
    }
  }

  @Test("a worker hands back every job of its registration, and no other")
  func releasedByHolder() async throws {
    try await withTestDatabase { database in
      let store = Store(database.connection())
      try await withJob(in: store) { run, job in
        let again = try await store.register(name: "a", host: "h", pid: 1, device: "test", software: "test")
        try await store.releaseJobs(heldBy: again)
        #expect(
          try await store.reportJob(job, step: 1, metrics: [], deadlineSeconds: 600) == .held, "an earlier epoch's")
        #expect(try await store.rescue(deadAfterSeconds: 35).jobs == 1)
        let mine = try #require(try await store.claimJob(run: run, worker: again, deadlineSeconds: 600))
        try await store.releaseJobs(heldBy: again)
        #expect(try await store.reportJob(mine, step: 2, metrics: [], deadlineSeconds: 600) == .lost)
        #expect(try await store.claimJob(run: run, worker: again, deadlineSeconds: 600)?.runLease == mine.runLease + 1)
      }
    }
  }

  @Test("a holder that froze in the middle of a write does not hold up the rescue of other work")
  func frozenWritersDoNotBlockRescue() async throws {
    try await withTestDatabase { database in
      let (store, frozen) = (Store(database.connection()), database.connection())
      try await withJob(in: store) { _, _ in
        try await frozen.script("BEGIN; UPDATE rrcm.job SET step = 1")
        try await store.connection.script(
          "SET statement_timeout = '5s'; UPDATE rrcm.worker SET beat_at = now() - interval '1 hour'")
        let during = try await store.rescue(deadAfterSeconds: 35)
        #expect(during.lostWorkers == 1 && during.jobs == 0)
        try await frozen.script("ROLLBACK")
        #expect(try await store.rescue(deadAfterSeconds: 35).jobs == 1)
      }
    }
  }
}
