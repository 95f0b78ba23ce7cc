import Lifecycle
import Store
import TestSupport
import Testing

@Suite("Votes to certificates") struct CertificateStoreTests {
  @Test("an item is complete only when every unit has votes, whatever the leases say")
  func completeness() async throws {
    try await Fixture.with(images: 1) { fixture in
      let a = try await fixture.worker("a")
      let lease = try #require(try await fixture.claim(a))
      try await fixture.post(lease, a, units: [0, 1, 3], finishes: false)
      #expect(try await fixture.store.completeItems(limit: 10).isEmpty)
      try await fixture.post(lease, a, units: [2])
      let complete = try await fixture.store.completeItems(limit: 10)
      #expect(complete.map(\.id) == [lease.itemID])
      #expect(complete[0].n0 == 2 && complete[0].n == 10 && complete[0].sigma == "0.25")
    }
  }

  @Test("invariant 4: selection never meets estimation: phases are summed apart and the frozen top class stays")
  func phasesAreApart() async throws {
    try await Fixture.with(images: 1) { fixture in
      let a = try await fixture.worker("a")
      let lease = try #require(try await fixture.claim(a))
      try await fixture.post(lease, a, units: [0], topClass: 2, finishes: false)
      try await fixture.post(lease, a, units: [1, 2, 3], topClass: 1)
      #expect(try await fixture.store.votes(ofItems: [lease.itemID], phase: 0) == [lease.itemID: [2: 2]])
      #expect(try await fixture.store.votes(ofItems: [lease.itemID], phase: 1) == [lease.itemID: [1: 10]])
      #expect(try await fixture.store.freezeTopClasses([(lease.itemID, 2, 0)]) == [lease.itemID: 2])
      #expect(try await fixture.store.freezeTopClasses([(lease.itemID, 1, 0)]) == [lease.itemID: 2])
    }
  }

  @Test("an item held while its certificate is being made stays held, and a disagreement takes a certificate back")
  func heldItemsStayHeld() async throws {
    try await Fixture.with(images: 2) { fixture in
      let a = try await fixture.worker("a")
      var rows: [CertificateRow] = []
      for _ in 0..<2 {
        let lease = try #require(try await fixture.claim(a))
        try await fixture.post(lease, a)
      }
      for item in try await fixture.store.completeItems(limit: 2) {
        #expect(item.drawn == (2, 10))
        rows.append(CertificateRow(item: item, topClass: 1, hits: 10, pLower: 0.9, radius: 0.1, computeSeconds: 1))
      }
      // Held between reading the votes and storing the certificate.
      try await fixture.store.holdItem(rows[0].item.id, reason: "a test")
      #expect(try await fixture.store.insertCertificates(rows) == 1)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'") == 1)
      // A second computation of the other item differs after it was certified.
      let lease = Lease(
        id: 0, itemID: rows[1].item.id, units: 0..<4, imageIndex: 1, sigma: "0.25", numericsID: Fixture.numerics)
      let b = try await fixture.worker("b")
      #expect(try await fixture.post(lease, b, units: [1], topClass: 2).disagreements == 1)
      #expect(
        try await fixture.store.results(ofRun: fixture.run).allSatisfy { $0.certificate == nil && $0.state == "held" })
      #expect(try await fixture.store.finishRuns().isEmpty, "the dispute is not settled")
      #expect(try await fixture.store.arbitrate(patienceSeconds: 600).waiting == 1, "a third worker may come")
      #expect(try await fixture.store.arbitrate(patienceSeconds: -1).undecided == 1)
      #expect(try await fixture.store.finishRuns() == [fixture.run])
      let progress = try await fixture.store.progress(ofRun: fixture.run)[0]
      #expect(progress.state == "failed" && progress.held == 2)
      #expect(progress.error?.contains("2 items are held") == true)
    }
  }

  @Test("two aggregators store one certificate, and a run ends when every item has one")
  func certificatesAreStoredOnce() async throws {
    try await Fixture.with(images: 1) { fixture in
      let a = try await fixture.worker("a")
      let lease = try #require(try await fixture.claim(a))
      try await fixture.post(lease, a)
      #expect(try await fixture.store.finishRuns().isEmpty)
      let item = try await fixture.store.completeItems(limit: 1)[0]
      let row = CertificateRow(item: item, topClass: 1, hits: 10, pLower: 0.6, radius: nil, computeSeconds: 1)
      #expect(try await fixture.store.insertCertificates([row]) == 1)
      #expect(try await fixture.party().insertCertificates([row]) == 0)
      #expect(try await fixture.store.finishRuns() == [fixture.run])
      let result = try await fixture.store.results(ofRun: fixture.run)[0]
      #expect(result.certificate?.predicted == nil && result.certificate?.correct == false)
      #expect(result.certificate?.hits == 10 && result.source == "line 0")
      #expect(try await fixture.store.progress(ofRun: fixture.run)[0].state == "done")
    }
  }
}

@Suite("Fenced jobs") struct JobTests {
  private static func withJob(_ body: (Store, Int64, TestDatabase) async throws -> Void) async throws {
    try await Fixture.with(images: 1) { fixture in
      let run = try await fixture.store.insertRun(
        NewRun(
          kind: "pretrain", name: "train", spec: "{}", seed: 1, priority: 0, datasetDigest: Fixture.datasetDigest,
          checkpointDigest: nil, dependsOn: nil, imageIndices: nil, numericsIDs: [], software: "test",
          certification: nil))
      _ = try await fixture.store.planSubmittedRuns { _ in .job(steps: 10) }
      try await body(fixture.store, run, fixture.database)
    }
  }

  private static func register(_ store: Store, _ name: String) async throws -> WorkerIdentity {
    try await store.register(name: name, host: "h", pid: 1, device: "test", software: "test")
  }

  @Test("a stale trainer cannot write metrics, snapshots, checkpoints or states")
  func staleWritesAreRefused() async throws {
    try await Self.withJob { store, run, database in
      let (a, b) = (try await Self.register(store, "a"), try await Self.register(store, "b"))
      let first = try #require(try await store.claimJob(run: run, worker: a, deadlineSeconds: 60))
      #expect(try await store.claimJob(run: run, worker: b, deadlineSeconds: 60) == nil)
      #expect(try await store.reportJob(first, step: 2, metrics: [("loss", 1.5)], deadlineSeconds: 60) == .held)
      #expect(try await store.saveSnapshot(first, digest: "s2", step: 2))
      try await store.leave(a)
      #expect(try await store.rescue(deadAfterSeconds: 35).jobs == 1)

      let second = try #require(try await store.claimJob(run: run, worker: b, deadlineSeconds: 60))
      #expect(second.runLease == first.runLease + 1 && second.snapshotDigest == "s2" && second.snapshotStep == 2)
      #expect(second.attempts == 0, "losing a lease is not a failed attempt")
      #expect(try await store.reportJob(first, step: 5, metrics: [("loss", 9)], deadlineSeconds: 60) == .lost)
      #expect(try await !store.saveSnapshot(first, digest: "s5", step: 5))
      #expect(try await !store.releaseJob(first))
      #expect(try await !store.failJob(first, error: "late", limit: 1))
      #expect(
        try await !store.finishJob(
          first, run: run, checkpointDigest: Fixture.datasetDigest, name: "x", kind: "pretrained", configuration: "{}"))
      let metrics = try await store.latestMetrics(ofRun: run)
      #expect(metrics.count == 1 && metrics[0].step == 2 && metrics[0].value == 1.5)
      #expect(try await store.checkpoint("x") == nil)

      #expect(
        try await store.finishJob(
          second, run: run, checkpointDigest: Fixture.datasetDigest, name: "x", kind: "pretrained",
          configuration: "{}"))
      #expect(try await store.checkpoint("x")?.runID == run)
      #expect(try await store.progress(ofRun: run)[0].state == "done")
    }
  }

  @Test("a repeated training makes the same checkpoint, and what depends on the repetition finds it")
  func equalCheckpoints() async throws {
    try await Self.withJob { store, run, _ in
      func trainAgain(_ run: Int64) async throws {
        let a = try await Self.register(store, "a")
        let job = try #require(try await store.claimJob(run: run, worker: a, deadlineSeconds: 60))
        let ended = try await store.finishJob(
          job, run: run, checkpointDigest: Fixture.datasetDigest, name: "x", kind: "pretrained", configuration: "{}")
        #expect(ended)
      }
      func insert(_ kind: String, dependsOn: Int64?) async throws -> Int64 {
        try await store.insertRun(
          NewRun(
            kind: kind, name: "again", spec: "{}", seed: 1, priority: 0, datasetDigest: Fixture.datasetDigest,
            checkpointDigest: nil, dependsOn: dependsOn, imageIndices: nil, numericsIDs: [], software: "test",
            certification: nil))
      }
      try await trainAgain(run)
      let second = try await insert("pretrain", dependsOn: nil)
      _ = try await store.planSubmittedRuns { _ in .job(steps: 10) }
      let dependent = try await insert("finetune", dependsOn: second)
      try await trainAgain(second)
      #expect(try await store.checkpoint("x")?.runID == run, "the first maker stays on record")
      try await store.insertCheckpoint(
        digest: Fixture.datasetDigest, name: "y", kind: "pretrained", configuration: "{}", runID: nil, source: "a file")
      #expect(try await store.checkpoint("x")?.digest == Fixture.datasetDigest, "a second name does not take the first")
      #expect(try await store.checkpoint("y")?.digest == Fixture.datasetDigest)
      let ready = try await store.submittedRuns()
      #expect(ready.map(\.id) == [dependent] && ready.map(\.checkpointDigest) == [Fixture.datasetDigest])
    }
  }

  @Test("a job fails its run after the allowed attempts, and not before")
  func attemptsAreCounted() async throws {
    try await Self.withJob { store, run, _ in
      let a = try await Self.register(store, "a")
      for attempt in 1...3 {
        let job = try #require(try await store.claimJob(run: run, worker: a, deadlineSeconds: 60))
        #expect(job.attempts == attempt - 1)
        #expect(try await store.failJob(job, error: "diverged", limit: 3))
      }
      let progress = try await store.progress(ofRun: run)[0]
      #expect(progress.state == "failed" && progress.error == "diverged")
      #expect(try await store.claimJob(run: run, worker: a, deadlineSeconds: 60) == nil)
    }
  }
}
