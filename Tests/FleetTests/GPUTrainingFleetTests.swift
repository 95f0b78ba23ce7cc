import Artifacts
import Database
import Foundation
import Store
import Tensors
import TestSupport
import Testing

/// The worker's own process opens the emulated GPU where it looks for NVIDIA's libraries.
@Suite("Training on a GPU worker", .serialized) struct GPUTrainingFleetTests {
  private static func yaml(pretrain name: String) -> String {
    """
    kind: pretrain
    name: \(name)
    dataset: {name: tiny, split: heldout}
    model: {patch: 4, width: 16, depth: 2, heads: 2, projector_hidden: 16, projector_output: 8}
    training: {steps: 6, batch: 4, learning_rate: 1.0e-3, warmup_steps: 2, augmentation: digits}
    seed: 9
    """
  }

  private static func yaml(finetune name: String, from parent: String) -> String {
    """
    kind: finetune
    name: \(name)
    checkpoint: \(parent)
    dataset: {name: tiny, split: heldout}
    training: {epochs: 2, batch: 6, learning_rate: 1.0e-3, warmup_epochs: 1, noise_aug: 1.0}
    seed: 9
    """
  }

  @Test("a GPU worker takes trainings from the queue; metrics are a CPU worker's, numerics are on record")
  func trainings() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      let gpu = try EmulatedGPU.install(in: fleet.folder.path + "/cuda")
      let artifacts = try ArtifactStore(directory: fleet.folder.path + "/store")
      var runs: [String: [Int64]] = [:]
      for (device, precision) in [("cpu", "f32"), ("cuda", "f32")] {
        try fleet.start(
          device,
          ["worker", "start", "--name", device, "--device", device, "--precision", precision], environment: gpu)
        let first = try await fleet.submit(Self.yaml(pretrain: "pre-\(device)"), name: "pre-\(device)")
        let second = try await fleet.submit(
          Self.yaml(finetune: "fine-\(device)", from: "pre-\(device)"), name: "fine-\(device)")
        for run in [first, second] { try await fleet.waitUntilDone(run, seconds: 30) }
        runs[device] = [first, second]
        fleet.signal(device, SIGTERM)
        #expect(try await fleet.waitForExit(device) == 0)
      }
      for (cpu, cuda) in zip(runs["cpu"]!, runs["cuda"]!) {
        let pairs = try await fleet.store.connection.query(
          """
          SELECT step, name, a.value AS cpu, b.value AS gpu FROM rrcm.metric a FULL JOIN rrcm.metric b USING (step, name)
           WHERE a.run_id = \(cpu) AND b.run_id = \(cuda) ORDER BY step, name
          """)
        #expect(
          try await fleet.number("SELECT count(*) FROM rrcm.metric WHERE run_id = \(cpu)") == Int64(pairs.count))
        var equal = 0
        for pair in pairs {
          let (name, step) = (try pair.text("name"), try pair.int("step"))
          let (expected, found) = (try pair.double("cpu"), try pair.double("gpu"))
          equal += expected == found ? 1 : 0
          // Accuracies of twelve images move by one of them.
          let bound = name.hasPrefix("accuracy") ? 0.1 : 2e-3 * max(1, abs(expected))
          #expect(abs(found - expected) <= bound, "\(name) at step \(step): \(found), not \(expected)")
        }
        #expect(pairs.count >= 10 && equal < pairs.count, "\(equal) of \(pairs.count) are equal to the bit")
        let checkpoints = try await fleet.store.connection.query(
          "SELECT run_id, checkpoint_digest AS d FROM rrcm.job WHERE run_id IN (\(cpu), \(cuda)) AND state = 'done'")
        #expect(Set(try checkpoints.map { try $0.text("d") }).count == 2)
        for row in checkpoints {
          let digest = try #require(SHA256(hex: try row.text("d")))
          let folder = try artifacts.path(for: digest)
          #expect(FileManager.default.fileExists(atPath: folder), "\(folder)")
        }
        for (run, pattern) in [(cpu, "with cpu-f32/rrcm-kernels-"), (cuda, "with cuda-f32/rrcm-cuda-1+cublaslt-")] {
          let events = try await fleet.store.connection.query(
            "SELECT detail AS d FROM rrcm.event WHERE kind = 'steps_made' AND run_id = \(run)")
          #expect(events.count == 1)
          let detail = try events.first?.text("d") ?? ""
          #expect(detail.hasPrefix("steps 1 to ") && detail.contains(pattern), "\(detail)")
        }
      }
      #expect(fleet.log("cuda").contains("/algorithms-"))
    }
  }
}
