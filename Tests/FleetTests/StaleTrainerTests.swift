import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("Stale trainers", .serialized) struct StaleTrainerTests {
  private func start(_ name: String, _ fleet: Fleet) throws {
    try fleet.start(
      name, ["worker", "start", "--name", name, "--kinds", "pretrain", "--snapshot-seconds", "0.3"],
      environment: Fleet.signing(name))
  }

  @Test("a trainer frozen until another has taken its job over writes nothing more once it goes on")
  func frozenTrainers() async throws {
    try await withFleet { fleet async throws in
      try await fleet.noteWriters("job", "metric", "checkpoint", "checkpoint_name")
      try fleet.startCoordinator()
      let run = try await fleet.submit(
        """
        kind: pretrain
        name: contested
        dataset: {name: tiny, split: heldout}
        model: {patch: 4, width: 64, depth: 3, heads: 4, projector_hidden: 128, projector_output: 32}
        training: {steps: 10000000, batch: 12, learning_rate: 1.0e-3, warmup_steps: 20, augmentation: digits}
        seed: 9
        """, name: "contested")
      func job(_ column: String) async throws -> Int64 {
        try await fleet.number("SELECT coalesce(max(\(column)), 0) FROM rrcm.job WHERE run_id = \(run)")
      }
      try start("a", fleet)
      try await eventually("a state is stored") { try await job("snapshot_step") > 0 }
      fleet.signal("a", SIGSTOP)
      try start("b", fleet)
      try await eventually("another has it", seconds: 60) { try await job("run_lease") == 2 }
      let resumed = try await job("snapshot_step")
      try await eventually("it goes on from the stored state") { try await job("snapshot_step") > resumed }
      let before = try await fleet.written(by: "a")
      #expect(before > 0, "its writes are seen")
      fleet.signal("a", SIGCONT)
      try await eventually("it knows that it lost the job") {
        fleet.log("a").contains("training lost to a newer holder")
      }
      // Time for whatever it might still send.
      let step = try await job("snapshot_step")
      try await eventually("the holder goes on") { try await job("snapshot_step") > step }
      #expect(try await fleet.written(by: "a") == before)
      #expect(try await job("run_lease") == 2)
      #expect(try await job("attempts") == 0)
      fleet.signal("b", SIGTERM)
      #expect(try await fleet.waitForExit("b") == 0)
    }
  }
}
