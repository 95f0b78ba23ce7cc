import Database
import Store
import TestSupport
import Testing

@Suite("Handing everything back") struct HandBackTests {
  @Test("a claim whose answer was lost is handed back by the worker itself, others' claims are not touched")
  func lostAnswers() async throws {
    try await Fixture.with { fixture in
      let (a, b) = (try await fixture.worker("a"), try await fixture.worker("b"))
      let lost = try #require(try await fixture.claim(a, units: 3))
      let others = try #require(try await fixture.claim(b, units: 1))
      try await fixture.post(lost, a, units: [0], finishes: false)
      try await fixture.store.returnLeases(fixture.store.leases(heldBy: a))
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease") == 1)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease WHERE lease_id = \(others.id)") == 1)
      #expect(
        try await fixture.number("SELECT sum(hi - lo) FROM rrcm.gap") == 2, "what has votes is not computed again")
      try await fixture.store.returnLeases(fixture.store.leases(heldBy: a))
      #expect(try await fixture.number("SELECT sum(hi - lo) FROM rrcm.gap") == 2)

      // An earlier registration's is the sweep's to take back.
      let again = try await fixture.worker("b")
      #expect(again.epoch == b.epoch + 1)
      try await fixture.store.returnLeases(fixture.store.leases(heldBy: again))
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease") == 1)
    }
  }
}
