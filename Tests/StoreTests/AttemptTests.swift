import Database
import Lifecycle
import Store
import TestSupport
import Testing

/// What is remembered of work that did not come to its end, and when an item is set aside.
@Suite("Failed attempts") struct AttemptTests {
  /// Registers the name anew, as a process does that died and was started again, and has its leases taken back.
  private func die(_ fixture: Fixture, _ name: String = "w") async throws -> WorkerIdentity {
    let next = try await fixture.worker(name)
    _ = try await fixture.store.rescue(deadAfterSeconds: 35)
    return next
  }

  @Test("an item at which the worker dies three times is set aside with its story, and the rest goes on")
  func poison() async throws {
    try await Fixture.with { fixture in
      var worker = try await fixture.worker()
      let first = try #require(try await fixture.claim(worker, units: 2))
      try await fixture.post(first, worker, units: [0], finishes: false)
      for death in 1...3 {
        worker = try await die(fixture)
        #expect(try await fixture.number("SELECT count(*) FROM rrcm.failed_attempt") == Int64(death))
        guard death < 3 else { break }
        let again = try #require(try await fixture.claim(worker, units: 2))
        #expect(again.itemID == first.itemID && again.units == 1..<2 && again.isAlone)
      }
      let row = try await fixture.store.connection.query(
        "SELECT state::text AS state, error FROM rrcm.item WHERE item_id = \(first.itemID)")[0]
      #expect(try row.text("state") == "held")
      let error = try row.text("error")
      #expect(error.hasPrefix("the worker died 3 times while computing it: worker w (epoch 3) ended"), "\(error)")
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.event WHERE kind = 'item_poisoned'") == 1)
      while let lease = try await fixture.claim(worker) {
        #expect(lease.itemID != first.itemID && !lease.isAlone)
        try await fixture.post(lease, worker)
      }
      #expect(try await fixture.store.completeItems(limit: 10).count == 1)

      // Tried again, it is computed where it has no votes, alone, and its failures count no more.
      let retried = try await fixture.store.retryRun(fixture.run)
      #expect(retried.items == 1 && !retried.opened)
      worker = try await die(fixture)
      var units: [Int] = []
      while let lease = try await fixture.claim(worker, units: 1) {
        #expect(lease.itemID == first.itemID)
        units += Array(lease.units)
        try await fixture.post(lease, worker)
      }
      #expect(units.sorted() == [1, 2, 3], "what had votes is not computed again")
      #expect(try await fixture.store.completeItems(limit: 10).count == 2)
      let attempts = try await fixture.store.attempts(ofItems: [first.itemID], run: fixture.run)
      #expect(attempts.count == 3 && attempts.allSatisfy { $0.outcome == "died" && $0.retriedAt != nil })
    }
  }

  @Test("deaths at different ranges of an item count together while it has no votes")
  func poisonInPieces() async throws {
    try await Fixture.with(images: 1) { fixture in
      var worker = try await fixture.worker()
      var units: Set<Int> = []
      for _ in 1...3 {
        // A worker that has just begun claims a unit at a time.
        units.formUnion(try #require(try await fixture.claim(worker, units: 1)).units)
        _ = try await fixture.claim(worker, units: 1)
        worker = try await die(fixture)
        let lease = try #require(try await fixture.claim(worker, units: 1))
        units.formUnion(lease.units)
        worker = try await die(fixture)
        if try await fixture.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'") == 1 { break }
      }
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'") == 1)
      #expect(units.count > 1)
      #expect(try await fixture.claim(worker) == nil)
    }
  }

  @Test("deaths with progress in between set nothing aside, however many")
  func progressForgives() async throws {
    try await Fixture.with(images: 1) { fixture in
      var worker = try await fixture.worker()
      for unit in 0..<4 {
        for _ in 1...(unit == 0 ? 2 : 1) {
          let lease = try #require(try await fixture.claim(worker))
          #expect(lease.units.lowerBound == unit)
          worker = try await die(fixture)
        }
        let lease = try #require(try await fixture.claim(worker))
        try await fixture.post(lease, worker, units: [unit], finishes: unit == 3)
        worker = try await die(fixture)
      }
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'") == 0)
      #expect(try await fixture.store.completeItems(limit: 10).count == 1)
    }
  }

  @Test("of leases held beside others, each is computed alone next, and the healthy one clears itself")
  func ambiguousDeaths() async throws {
    try await Fixture.with { fixture in
      var worker = try await fixture.worker()
      let healthy = try #require(try await fixture.claim(worker))
      let poison = try #require(try await fixture.claim(worker))
      worker = try await die(fixture)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.failed_attempt WHERE NOT alone") == 2)
      // Twice more the same way: it never counts more than once.
      for _ in 1...2 {
        _ = try await fixture.claim(worker)
        _ = try await fixture.claim(worker)
        worker = try await die(fixture)
      }
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'") == 0)
      var held: Int64 = 0
      while held == 0, let lease = try await fixture.claim(worker) {
        #expect(lease.isAlone)
        if lease.itemID == healthy.itemID {
          try await fixture.post(lease, worker)
        } else {
          worker = try await die(fixture)
        }
        held = try await fixture.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'")
      }
      #expect(try await fixture.number("SELECT item_id FROM rrcm.item WHERE state = 'held'") == poison.itemID)
    }
  }

  @Test("a computation that raises an error is on record; three times at one place set the item aside")
  func errors() async throws {
    try await Fixture.with(images: 1) { fixture in
      let worker = try await fixture.worker()
      for _ in 1...3 {
        let lease = try #require(try await fixture.claim(worker))
        try await fixture.store.failLease(lease, worker: worker, error: "w: image 0 cannot be read")
        // Said twice, it counts once: the lease is gone.
        try await fixture.store.failLease(lease, worker: worker, error: "w: image 0 cannot be read")
      }
      #expect(try await fixture.claim(worker) == nil)
      let item = try await fixture.store.items(ofRun: fixture.run)[0]
      #expect(item.error == "computing it failed 3 times: w: image 0 cannot be read" && item.state == "held")
      _ = try await fixture.store.finishRuns()
      let run = try await fixture.store.progress(ofRun: fixture.run)[0]
      #expect(run.state == "failed" && run.error?.contains("rrcm run retry \(fixture.run) --failed") == true)
      #expect(try await fixture.store.retryRun(fixture.run).opened)
      #expect(try await fixture.claim(worker) != nil)
    }
  }

  @Test("a lease whose deadline passed is on record and sets nothing aside: its worker lives")
  func deadlines() async throws {
    try await Fixture.with(images: 1) { fixture in
      let worker = try await fixture.worker()
      for _ in 1...4 {
        _ = try #require(try await fixture.claim(worker, deadline: 0))
        _ = try await fixture.store.rescue(deadAfterSeconds: 35)
      }
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.failed_attempt WHERE outcome = 'expired'") == 4)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'") == 0)
    }
  }

  @Test("a paused run hands nothing out, takes late votes, and goes on where it was")
  func pause() async throws {
    try await Fixture.with { fixture in
      let worker = try await fixture.worker()
      let lease = try #require(try await fixture.claim(worker, units: 3))
      #expect(try await fixture.store.pauseRun(fixture.run)?.leases == 1)
      #expect(try await fixture.store.pauseRun(fixture.run)?.isNew == false)
      #expect(try await fixture.claim(worker) == nil)
      #expect(try await fixture.store.readyRuns().isEmpty)
      let late = try await fixture.post(lease, worker, units: [0], finishes: false)
      #expect(late.stored == 1 && !late.leaseHeld)
      #expect(try await fixture.store.resumeRun(fixture.run) == true)
      #expect(try await fixture.store.resumeRun(fixture.run) == false)
      let next = try #require(try await fixture.claim(worker))
      #expect(next.itemID == lease.itemID && next.units == 0..<3, "what it had is handed out again")
      #expect(try await fixture.post(next, worker).duplicates == 1)
      #expect(try await fixture.store.cancelRun(fixture.run))
      #expect(try await fixture.store.pauseRun(fixture.run) == nil)
      #expect(try await fixture.store.resumeRun(fixture.run) == nil)
    }
  }

  @Test("a lease that was claimed just as its run was paused is taken back")
  func claimedWhilePausing() async throws {
    try await Fixture.with { fixture in
      let worker = try await fixture.worker()
      _ = try #require(try await fixture.claim(worker))
      try await fixture.store.connection.execute("UPDATE rrcm.run SET paused_at = now()")
      #expect(try await fixture.store.rescue(deadAfterSeconds: 35).leases == 1)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.failed_attempt") == 0, "nobody failed")
    }
  }

  @Test("votes of another numerics id than the item takes are not stored, and raise no alarm")
  func numericsOfPosts() async throws {
    try await Fixture.with(images: 1) { fixture in
      let worker = try await fixture.worker()
      let lease = try #require(try await fixture.claim(worker))
      try await fixture.post(lease, worker, units: [0], finishes: false)
      try await fixture.store.connection.execute("UPDATE rrcm.item SET numerics_id = 'other'")
      let late = try await fixture.post(lease, worker, units: [0, 1], topClass: 2)
      #expect(late.stored == 0 && late.disagreements == 0)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count") == 1)
    }
  }
}
