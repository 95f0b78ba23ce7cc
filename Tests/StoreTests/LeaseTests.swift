import Database
import Lifecycle
import Store
import TestSupport
import Testing

@Suite("Leases") struct LeaseTests {
  @Test("a drain gives back what is not started at once, and the chunk in hand still counts")
  func trimmedLeases() async throws {
    try await Fixture.with(images: 1) { fixture in
      let (a, b) = (try await fixture.worker("a"), try await fixture.worker("b"))
      let lease = try #require(try await fixture.claim(a))
      try await fixture.post(lease, a, units: [0], finishes: false)
      #expect(try await fixture.store.trim(lease, worker: b, before: 2) == nil, "only its holder gives it back")
      #expect(try await fixture.store.trim(lease, worker: a, before: 2) == 2)
      #expect(try await fixture.claim(b)?.units == 2..<4)
      let outcome = try await fixture.store.post(
        [fixture.votes(lease, unit: 1)], lease: lease, worker: a, finishes: true, deadlineSeconds: 60, next: 2)
      #expect(outcome.lease?.upperBound == 2)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease") == 1)
    }
  }

  @Test("a lease does not end while units of it are not posted")
  func leasesEndWhenAllIsPosted() async throws {
    try await Fixture.with(images: 1) { fixture in
      let a = try await fixture.worker("a")
      let lease = try #require(try await fixture.claim(a))
      let outcome = try await fixture.store.post(
        [fixture.votes(lease, unit: 0)], lease: lease, worker: a, finishes: true, deadlineSeconds: 60, next: 1)
      #expect(!outcome.leaseHeld)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease") == 1)
    }
  }

  @Test("a post's answer tells of pauses, cancels, weights and more urgent runs, and only of those")
  func answersTellWhatChanged() async throws {
    try await Fixture.with(images: 3) { fixture in
      let a = try await fixture.worker("a")
      let lease = try #require(try await fixture.claim(a))
      func answer(_ urgency: Urgency = Urgency(kinds: ["certify"])) async throws -> LeaseReply? {
        try await fixture.store.post(
          [], lease: lease, worker: a, finishes: false, deadlineSeconds: 60, urgency: urgency
        ).lease
      }
      let quiet = try #require(try await answer())
      #expect(!quiet.endsTurn && !quiet.isOver && quiet.upperBound == 4 && quiet.weight == 100)
      let urgent = try await fixture.secondRun(priority: 5)
      #expect(try await answer()?.endsTurn == true)
      #expect(try await answer(Urgency(kinds: ["pretrain"]))?.endsTurn == false)
      #expect(try await answer(Urgency(kinds: ["certify"], passedOver: [urgent]))?.endsTurn == false)
      try await fixture.store.connection.execute("UPDATE rrcm.run SET paused_at = now() WHERE run_id = \(urgent)")
      #expect(try await answer()?.endsTurn == false, "a paused run is not urgent")
      #expect(try await fixture.store.readyRuns().map(\.id) == [fixture.run])
      try await fixture.store.connection.execute("UPDATE rrcm.run SET weight = 300 WHERE run_id = \(fixture.run)")
      #expect(try await answer()?.weight == 300)
      try await fixture.store.connection.execute("UPDATE rrcm.run SET paused_at = now() WHERE run_id = \(fixture.run)")
      #expect(try await answer()?.endsTurn == true)
      #expect(try await fixture.claim(a) == nil, "nothing of a paused run is claimed")
      #expect(try await fixture.store.cancelRun(fixture.run))
      #expect(try await answer() == nil)
    }
  }

  @Test("a claim whose answer was lost is found again by its worker, and by no other")
  func lostAnswers() async throws {
    try await Fixture.with(images: 1) { fixture in
      let (a, b) = (try await fixture.worker("a"), try await fixture.worker("b"))
      _ = try await fixture.claim(a)
      #expect(try await fixture.store.leases(heldBy: b).isEmpty)
      let unknown = try await fixture.store.leases(heldBy: a)
      #expect(unknown.count == 1)
      let anew = try await fixture.worker("a")
      #expect(try await fixture.store.leases(heldBy: anew).isEmpty, "what an earlier epoch holds is not its own")
      #expect(try await fixture.store.returnLeases(unknown) == 1)
      #expect(try await fixture.claim(b)?.units == 0..<4)
    }
  }

  @Test("a returned range whose votes come late after all is not computed again")
  func lateVotesCloseGaps() async throws {
    try await Fixture.with(images: 1) { fixture in
      let a = try await fixture.worker("a")
      let lease = try #require(try await fixture.claim(a))
      try await fixture.store.returnLeases([lease.id])
      #expect(try await fixture.store.dropVotedGaps(ofItem: lease.itemID) == 0)
      let late = try await fixture.post(lease, a)
      #expect(late.stored == 4 && !late.leaseHeld)
      #expect(try await fixture.store.completeItems(limit: 1).isEmpty)
      #expect(try await fixture.store.dropVotedGaps(ofItem: lease.itemID) == 1)
      #expect(try await fixture.store.completeItems(limit: 1).map(\.isComplete) == [true])
    }
  }

  @Test("units that got lost, whatever lost them, are put back and finished")
  func lostUnitsAreHealed() async throws {
    try await Fixture.with(images: 1) { fixture in
      let a = try await fixture.worker("a")
      let lease = try #require(try await fixture.claim(a))
      try await fixture.post(lease, a, units: [1], finishes: false)
      try await fixture.store.connection.execute("DELETE FROM rrcm.lease")
      let stuck = try await fixture.store.completeItems(limit: 1)
      #expect(stuck.map(\.isComplete) == [false])
      #expect(try await fixture.store.healItems(stuck.map(\.id)) == 2)
      #expect(try await fixture.store.healItems(stuck.map(\.id)) == 0, "twice is once")
      while let lease = try await fixture.claim(a) { try await fixture.post(lease, a) }
      #expect(try await fixture.store.completeItems(limit: 1).map(\.isComplete) == [true])
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.event WHERE kind = 'items_healed'") == 1)
    }
  }

  @Test("claims and posts update their rows in place")
  func updatesAreHot() async throws {
    try await Fixture.with(images: 20) { fixture in
      let a = try await fixture.worker("a")
      while let lease = try await fixture.claim(a, units: 1) {
        try await fixture.post(lease, a, units: [], finishes: false)
        try await fixture.post(lease, a)
        _ = try await fixture.store.beat(a, samplesPerSecond: 1000)
      }
      try await fixture.store.connection.execute("SELECT pg_stat_force_next_flush()")
      func share(_ table: String, _ expected: Int64) async throws -> Double {
        let row = try await fixture.store.connection.query(
          "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE schemaname = 'rrcm' AND relname = '\(table)'")
        let updates = try row[0].int("n_tup_upd")
        #expect(updates == expected, "\(table)")
        return Double(try row[0].int("n_tup_hot_upd")) / Double(updates)
      }
      // Of an item's four claims the last one closes it, which takes it out of an index.
      #expect(try await share("item", 80) == 0.75)
      #expect(try await share("lease", 80) > 0.95)
      #expect(try await share("worker", 80) > 0.95)
    }
  }

  @Test("when little is left of a run, claims shrink to half a worker's share of it by speed")
  func claimsShrink() async throws {
    try await Fixture.with(images: 8) { fixture in
      let (fast, slow) = (try await fixture.worker("fast"), try await fixture.worker("slow"))
      _ = try await fixture.store.pinRun(fixture.run, numericsID: Fixture.numerics, worker: fast)
      _ = try await fixture.store.pinRun(fixture.run, numericsID: Fixture.numerics, worker: slow)
      _ = try await fixture.store.beat(fast, samplesPerSecond: 300)
      _ = try await fixture.store.beat(slow, samplesPerSecond: 100)
      func claim(_ worker: WorkerIdentity, _ speed: Double) async throws -> Int? {
        try await fixture.store.claim(
          run: fixture.run, worker: worker, numericsID: Fixture.numerics, units: 4, deadlineSeconds: 60, floor: 0,
          samplesPerSecond: speed)?.units.count
      }
      // 32 units are left: a quarter of their half would be four.
      #expect(try await claim(slow, 100) == 4)
      #expect(try await claim(slow, 100) == 4)
      #expect(try await claim(slow, 100) == 3)
      for _ in 0..<2 { _ = try await claim(fast, 300) }
      #expect(try await claim(slow, 100) == 2)
    }
  }
}
