import Foundation
import Store
import TestSupport
import Testing

@Suite("More urgent runs") struct PriorityTests {
  @Test("a more urgent run is begun at the next post, and what the worker held of the other goes back at once")
  func urgentRunsGoFirst() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      let long = try await fleet.certify("long", n: 400_000)
      try fleet.startWorker("only")
      try await eventually("the long run is under way") { try await fleet.progress(long).samples > 0 }
      let began = ContinuousClock.now
      let urgent = try await fleet.certify("urgent", n: 2000, more: "priority: 5")
      try await eventually("the urgent run is begun", seconds: 30) { try await fleet.progress(urgent).samples > 0 }
      // A turn would last 25 seconds.
      #expect(ContinuousClock.now - began < .seconds(20))
      try await fleet.waitUntilDone(urgent)
      #expect(try await fleet.progress(long).state == "running")
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.event WHERE kind = 'leases_rescued'") == 0)

      // SIGTERM gives back what is not started; nothing is left to be rescued.
      try await eventually("the long run goes on") {
        try await fleet.number(
          "SELECT count(*) FROM rrcm.lease l JOIN rrcm.item i USING (item_id) WHERE run_id = \(long)")
          > 0
      }
      fleet.signal("only", SIGTERM)
      #expect(try await fleet.waitForExit("only") == 0)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.lease") == 0)
      try await fleet.rrcm(["run", "cancel", "long", "--yes"])
    }
  }
}
