import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("A sweeping fleet", .serialized) struct SweepFleetTests {
  @Test("a sweep of four trials ends with a best one although a worker and the coordinator are killed on the way")
  func killed() async throws {
    try await withFleet { fleet in
      let file = fleet.folder.write(
        Array(
          """
          name: storm
          method: grid
          metric: {name: certified_accuracy@0.1}
          parameters:
            training.learning_rate: {values: [1.0e-3, 4.0e-3]}
            smoothing.sigma: {values: [0.25, 0.5]}
            training.noise_aug: {follows: smoothing.sigma, times: 2}
          seed: 9
          finetune:
            checkpoint: net
            dataset: {name: tiny, split: heldout}
            training: {epochs: 400, batch: 4, warmup_epochs: 1, schedule_unit: step, head: trained}
          certify:
            dataset: {name: tiny, every: 2}
            smoothing: {n: 2000}
          confirm:
            dataset: {offset: 1}
          """.utf8), "storm.yaml")
      try await fleet.rrcm(["sweep", "create", file])
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.run") == 0, "there is no coordinator yet")
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("a", ["--snapshot-seconds", "0.3"])
      try fleet.startWorker("b", ["--snapshot-seconds", "0.3"])
      // One worker dies in the middle of a training, the coordinator once a certification is to be submitted.
      try await eventually("both train") {
        try await fleet.number("SELECT count(*) FROM rrcm.job WHERE state = 'running' AND step > 0") == 2
      }
      try await fleet.slay("a")
      try await fleet.slay("coordinator")
      try await eventually("the other worker goes on") {
        try await fleet.number("SELECT count(*) FROM rrcm.job WHERE state = 'done'") >= 1
      }
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.sweep_run WHERE step = 'certify'") == 0)
      try fleet.startCoordinator()
      try await eventually("the sweep is done", seconds: 90) {
        try await fleet.store.sweep("storm")?.state == "done"
      }
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.trial WHERE state = 'done'") == 4)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.event WHERE kind = 'job_rescued'") >= 1)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.trial_run") == 9, "no run twice: 4 + 4 + 1")
      let best = try await fleet.store.connection.query(
        "SELECT trial, value, confirmed_accuracy FROM rrcm.sweep_trial WHERE sweep_name = 'storm' AND rank = 1")
      let value = try best[0].doubleOrNil("value")
      #expect(value != nil)

      let table = try await fleet.rrcm(["sweep", "show", "storm", "--output", "csv"]).split(separator: "\n")
      #expect(table.count == 5 && table[0].hasSuffix(",error,smoothing.sigma,learning_rate"), "\(table)")
      let number = try best[0].int("trial")
      #expect(table[1].hasPrefix("1,\(number),"))
    }
  }
}
