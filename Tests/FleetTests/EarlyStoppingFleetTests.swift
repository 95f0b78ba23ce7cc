import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("A fleet that stops early", .serialized) struct EarlyStoppingFleetTests {
  private static func submit(_ fleet: Fleet, _ name: String, reversed: Bool) async throws -> Int64 {
    let order = (0..<Fleet.images).map(String.init)
    return try await fleet.submit(
      """
      kind: certify
      name: \(name)
      checkpoint: net
      dataset: {name: tiny, indices: [\((reversed ? order.reversed() : order).joined(separator: ", "))]}
      smoothing: {sigma: [0.25, 1.0], n0: 100, n: 20000, alpha: 0.001, mode: sequential, targets: [0, 0.1, 0.25]}
      chunk_samples: 100
      seed: 42
      """, name: name)
  }

  @Test("certificates of runs that stop early are byte-identical with a worker and an aggregator killed in the middle")
  func killsDoNotReachADecision() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("calm", ["--lease-chunks", "16"])
      let calm = try await Self.submit(fleet, "calm", reversed: false)
      try await fleet.waitUntilDone(calm)
      fleet.signal("calm", SIGTERM)
      #expect(try await fleet.waitForExit("calm") == 0)

      let stormy = try await Self.submit(fleet, "stormy", reversed: true)
      try fleet.startWorker("a", ["--lease-chunks", "3"])
      try fleet.startWorker("b", ["--lease-chunks", "5"])
      try await eventually("work is under way") { try await fleet.progress(stormy).samples > 3000 }
      try await fleet.slay("a")
      try await fleet.slay("aggregator")
      try fleet.startAggregator()
      try await fleet.waitUntilDone(stormy)

      let (undisturbed, disturbed) = (try await fleet.certificates("calm"), try await fleet.certificates("stormy"))
      #expect(undisturbed.count == 1 + 2 * Fleet.images)
      #expect(undisturbed == disturbed)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.disagreement") == 0)
      #expect(
        try await fleet.number("SELECT sum(used) * 2 - sum(planned) FROM rrcm.samples_used") < 0,
        "less than half of all samples were needed")
      let report = try await fleet.rrcm(["report", "stormy"])
      #expect(report.contains("holds at every look at once"))

      // A column that only this mode fills is compared like all others.
      func verify() async throws -> Program.Outcome {
        try await Program.run(["verify", "run", "calm", "--share", "0"], environment: fleet.environment)
      }
      let clean = try await verify()
      #expect(clean.status == 0, "\(clean)")
      try await fleet.store.connection.script(
        """
        UPDATE rrcm.certificate SET targets_reached = array_append(targets_reached, 0.75)
         WHERE item_id = (SELECT min(item_id) FROM rrcm.item WHERE run_id = \(calm))
        """)
      let touched = try await verify()
      #expect(touched.status == 1 && touched.errors.contains("targets reached is"), "\(touched)")
    }
  }
}
