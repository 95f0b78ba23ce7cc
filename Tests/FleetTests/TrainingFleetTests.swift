import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("A training fleet", .serialized) struct TrainingFleetTests {
  private static func yaml(_ name: String) -> String {
    """
    kind: pretrain
    name: \(name)
    dataset: {name: tiny, split: heldout}
    model: {patch: 4, width: 64, depth: 3, heads: 4, projector_hidden: 128, projector_output: 32}
    training: {steps: 1500, batch: 12, learning_rate: 1.0e-3, warmup_steps: 20, augmentation: digits}
    seed: 9
    """
  }

  @Test("training resumes to the bit after SIGKILL: the checkpoint is the one of an undisturbed run")
  func resumesToTheBit() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      try fleet.startWorker("calm")
      let calm = try await fleet.submit(Self.yaml("calm"), name: "calm")
      try await fleet.waitUntilDone(calm)
      try await fleet.slay("calm")

      let stormy = try await fleet.submit(Self.yaml("stormy"), name: "stormy")
      try fleet.startWorker("a", ["--snapshot-seconds", "0.3"])
      func snapshotStep() async throws -> Int64 {
        try await fleet.number("SELECT coalesce(max(snapshot_step), 0) FROM rrcm.job WHERE run_id = \(stormy)")
      }
      try await eventually("a state is stored") { try await snapshotStep() > 0 }
      try await fleet.slay("a")
      #expect(try await fleet.progress(stormy).state == "running")
      try fleet.startWorker("b", ["--snapshot-seconds", "0.3"])
      try await fleet.waitUntilDone(stormy)

      #expect(try await fleet.number("SELECT run_lease FROM rrcm.job WHERE run_id = \(stormy)") == 2)
      #expect(try await fleet.number("SELECT attempts FROM rrcm.job WHERE run_id = \(stormy)") == 0)
      let checkpoints = try await fleet.store.connection.query(
        "SELECT checkpoint_digest FROM rrcm.checkpoint WHERE run_id IN (\(calm), \(stormy)) GROUP BY 1")
      #expect(checkpoints.count == 1, "equal content has one digest")
      let metrics = try await fleet.store.connection.query(
        "SELECT count(*) AS n FROM rrcm.metric a JOIN rrcm.metric b USING (step, name) WHERE a.run_id = \(calm) AND b.run_id = \(stormy) AND a.value = b.value"
      )[0].int("n")
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.metric WHERE run_id = \(calm)") == metrics)
    }
  }

  @Test("a drained trainer stores its state and hands the job back at once")
  func drainedTrainers() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      // So many steps that none is reported for long: stopping and storing must not wait for that.
      let endless = Self.yaml("drained").replacing("steps: 1500", with: "steps: 10000000")
      let run = try await fleet.submit(endless, name: "drained")
      try fleet.startWorker("a")
      try await eventually("steps are made") { try await fleet.progress(run).done > 15 }
      fleet.signal("a", SIGTERM)
      #expect(try await fleet.waitForExit("a", seconds: 10) == 0)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.job WHERE state = 'queued' AND snapshot_step > 0") == 1)
    }
  }
}
