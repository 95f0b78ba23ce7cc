import Database
import Lifecycle
import Store
import TestSupport
import Testing

@Suite("The queue") struct QueueTests {
  @Test("a run's units are leased once each, in order, until none is left")
  func leasesCoverEverythingOnce() async throws {
    try await Fixture.with { fixture in
      let worker = try await fixture.worker()
      var covered: [Int64: [Int]] = [:]
      while let lease = try await fixture.claim(worker, units: 3) {
        covered[lease.itemID, default: []] += Array(lease.units)
        try await fixture.post(lease, worker)
      }
      #expect(covered.count == 2)
      for units in covered.values { #expect(units == [0, 1, 2, 3]) }
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease") == 0)
      #expect(try await fixture.number("SELECT sum(samples) FROM rrcm.chunk_count") == 24)
    }
  }

  @Test("workers claiming at once never hold the same unit")
  func concurrentClaimsAreDisjoint() async throws {
    try await Fixture.with(images: 40) { fixture in
      let claimed = try await withThrowingTaskGroup(of: [String].self) { group in
        for number in 0..<6 {
          group.addTask {
            let store = fixture.party()
            let worker = try await store.register(
              name: "w\(number)", host: "h", pid: 1, device: "test", software: "test")
            var mine: [String] = []
            while let lease = try await fixture.claim(worker, units: 3, store: store) {
              mine += lease.units.map { "\(lease.itemID)/\($0)" }
              try await fixture.post(lease, worker, store: store)
            }
            return mine
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      // SKIP LOCKED may let a party see nothing while others hold the last items: one more look takes what is left.
      let last = try await fixture.worker("last")
      var all = claimed
      while let lease = try await fixture.claim(last, units: 3) {
        all += lease.units.map { "\(lease.itemID)/\($0)" }
        try await fixture.post(lease, last)
      }
      #expect(all.count == 160)
      #expect(Set(all).count == 160)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count") == 160)
    }
  }

  @Test(
    "invariant 2, trap 16: every sample counts exactly once: a repeated post is a no-op, a different one a recorded disagreement"
  )
  func postsAreIdempotent() async throws {
    try await Fixture.with { fixture in
      let worker = try await fixture.worker()
      let lease = try #require(try await fixture.claim(worker))
      #expect(try await fixture.post(lease, worker).stored == 4)
      let again = try await fixture.post(lease, worker)
      #expect(again.stored == 0 && again.duplicates == 4 && again.disagreements == 0)
      let other = try await fixture.post(lease, worker, units: [2], topClass: 2)
      #expect(other.disagreements == 1 && other.stored == 0)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.disagreement") == 1)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'") == 1)
      #expect(
        try await fixture.number(
          "SELECT votes[1] FROM rrcm.chunk_count WHERE phase = 1 AND chunk = 1 AND classes = '{1}'")
          == 4, "what was stored first stays")
      #expect(try await fixture.store.completeItems(limit: 10).isEmpty, "no certificate rests on votes that disagree")
    }
  }

  @Test("stored votes cannot be changed, by anyone")
  func votesAreAppendOnly() async throws {
    try await Fixture.with { fixture in
      let worker = try await fixture.worker()
      let lease = try #require(try await fixture.claim(worker))
      try await fixture.post(lease, worker)
      let error = await #expect(throws: DatabaseError.self) {
        try await fixture.store.connection.execute("UPDATE rrcm.chunk_count SET votes = '{3}', samples = 3")
      }
      #expect(error?.message.contains("append-only") == true)
    }
  }

  @Test("a run whose numerics id no live worker has shown to compute is stranded, and says so")
  func strandedRunsAreShown() async throws {
    try await Fixture.with(numerics: ["cuda-bf16/x"]) { fixture in
      let a = try await fixture.worker("a")
      func isStranded() async throws -> Bool { try await fixture.store.queueDepth()[0].bool("stranded") }
      #expect(try await isStranded())
      _ = try await fixture.store.pinRun(fixture.run, numericsID: "cuda-bf16/x", worker: a)
      #expect(try await !isStranded())
      try await fixture.store.leave(a)
      #expect(try await isStranded())
    }
  }

  @Test("the table itself refuses votes that do not add up, and overwritten votes")
  func tableHoldsTheInvariants() async throws {
    try await Fixture.with { fixture in
      let worker = try await fixture.worker()
      let lease = try #require(try await fixture.claim(worker))
      let short = ChunkPost(
        itemID: lease.itemID, chunk: Fixture.units.chunk(ofUnit: 1),
        votes: SparseVotes(classes: [0, 1], votes: [1, 2]),
        computeMilliseconds: 1)
      await #expect(throws: DatabaseError.self) {
        try await fixture.store.post([short], lease: lease, worker: worker, finishes: false, deadlineSeconds: 60)
      }
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count") == 0)
    }
  }

  @Test("invariant 6: losing a lease is ordinary: late counts are stored once and do not touch the new holder's lease")
  func lateCountsDoNotTouchTheNewHolder() async throws {
    try await Fixture.with(images: 1) { fixture in
      let a = try await fixture.worker("a")
      let lost = try #require(try await fixture.claim(a))
      try await fixture.post(lost, a, units: [0], finishes: false)
      try await fixture.store.connection.execute("UPDATE rrcm.worker SET beat_at = now() - interval '1 minute'")
      let sweep = try await fixture.store.rescue(deadAfterSeconds: 35)
      #expect(sweep.lostWorkers == 1 && sweep.leases == 1 && sweep.gaps == 1)

      let b = try await fixture.worker("b")
      let held = try #require(try await fixture.claim(b))
      #expect(held.units == 1..<4, "only what has no votes yet comes back")
      let late = try await fixture.post(lost, a)
      #expect(late.stored == 3 && late.duplicates == 1 && !late.leaseHeld)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease WHERE lease_id = \(held.id)") == 1)
      let finished = try await fixture.post(held, b)
      #expect(finished.duplicates == 3 && finished.leaseHeld)
      #expect(try await fixture.number("SELECT sum(samples) FROM rrcm.chunk_count") == 12)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.disagreement") == 0)
    }
  }

  @Test("a worker that was declared gone cannot claim, and no unit is lost by trying")
  func goneWorkersCannotClaim() async throws {
    try await Fixture.with(images: 1) { fixture in
      let a = try await fixture.worker("a")
      try await fixture.store.leave(a)
      #expect(try await fixture.claim(a) == nil)
      #expect(try await fixture.store.beat(a, samplesPerSecond: nil) == .lost)
      let again = try await fixture.worker("a")
      #expect(again.id == a.id && again.epoch == a.epoch + 1)
      #expect(try await fixture.claim(a) == nil, "an old epoch is nobody")
      #expect(try await fixture.claim(again)?.units == 0..<4)
    }
  }

  @Test("invariant 7: the database's clock is the only clock: leases end by their deadline whatever a worker believes")
  func deadlinesEndLeases() async throws {
    try await Fixture.with(images: 1) { fixture in
      let a = try await fixture.worker("a")
      _ = try await fixture.claim(a, deadline: -1)
      #expect(try await fixture.store.rescue(deadAfterSeconds: 35).leases == 1)
      #expect(try await fixture.claim(a)?.units == 0..<4)
    }
  }

  @Test("a range handed back is split into what is missing, and smaller claims take it in parts")
  func gapsAreContiguousAndSplit() async throws {
    try await Fixture.with(images: 1) { fixture in
      let a = try await fixture.worker("a")
      let lease = try #require(try await fixture.claim(a))
      try await fixture.post(lease, a, units: [1], finishes: false)
      #expect(try await fixture.store.returnLeases([lease.id]) == 2)
      #expect(try await fixture.claim(a, units: 4)?.units == 0..<1)
      #expect(try await fixture.claim(a, units: 1)?.units == 2..<3)
      #expect(try await fixture.claim(a, units: 4)?.units == 3..<4)
      #expect(try await fixture.claim(a) == nil)
    }
  }

  @Test(
    "invariant 8, trap 19: numerics never mix: an item takes the votes of one id, a run those it names or its first worker's"
  )
  func numericsArePinned() async throws {
    try await Fixture.with(images: 2) { fixture in
      let a = try await fixture.worker("a")
      let other = "cuda-bf16/test/x/b64/sm_90"
      #expect(
        try await fixture.store.pinRun(fixture.run, numericsID: Fixture.numerics, worker: a) == [Fixture.numerics])
      #expect(try await fixture.store.pinRun(fixture.run, numericsID: other, worker: a) == [Fixture.numerics])
      let first = try #require(try await fixture.claim(a, units: 1))
      let second = try #require(try await fixture.claim(a, units: 1, numerics: other))
      #expect(second.itemID != first.itemID, "the rest of a pinned item is passed over")
      try await fixture.store.returnLeases([first.id])
      #expect(try await fixture.claim(a, units: 4, numerics: other)?.itemID == second.itemID)
      #expect(try await fixture.claim(a, units: 4)?.itemID == first.itemID)
    }
    try await Fixture.with(numerics: ["one", "two"]) { fixture in
      let a = try await fixture.worker("a")
      let allowed = try await fixture.store.pinRun(fixture.run, numericsID: "three", worker: a)
      #expect(allowed == ["one", "two"])
    }
  }

  @Test("canaries: two equal digests are trusted, a different one is refused and changes nothing")
  func canaries() async throws {
    try await Fixture.with { fixture in
      let (a, b, c) = (try await fixture.worker("a"), try await fixture.worker("b"), try await fixture.worker("c"))
      func agrees(_ digest: String, _ worker: WorkerIdentity) async throws -> Bool {
        try await fixture.store.canaryAgrees(
          checkpointDigest: Fixture.checkpointDigest, numericsID: "n", logitsDigest: digest, worker: worker)
      }
      #expect(try await agrees("x", a))
      #expect(try await agrees("x", a), "a worker does not confirm itself")
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.canary WHERE trusted_at IS NOT NULL") == 0)
      #expect(try await !agrees("y", c))
      #expect(try await agrees("x", b))
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.canary WHERE second_worker_id = \(b.id)") == 1)
    }
  }

  @Test("a cancelled run gives out nothing more and keeps its votes")
  func cancelledRunsStop() async throws {
    try await Fixture.with { fixture in
      let a = try await fixture.worker("a")
      let lease = try #require(try await fixture.claim(a, units: 2))
      #expect(try await fixture.store.cancelRun(fixture.run))
      #expect(try await !fixture.store.cancelRun(fixture.run))
      #expect(try await fixture.claim(a) == nil)
      let late = try await fixture.post(lease, a)
      #expect(late.stored == 2 && !late.leaseHeld)
      #expect(try await fixture.store.readyRuns().isEmpty)
    }
  }
}
