import Foundation
import Store
import TestSupport
import Testing

@Suite("ImageNet's shape") struct ImageNetShapeTests {
  @Test("images of any size certify with a random rRCM-S, and the worker's memory stays as it is after the first")
  func certifies() async throws {
    try await withFleet { fleet async throws in
      let pictures = fleet.folder.path + "/pictures"
      for (place, size) in [(240, 300), (500, 224), (100, 80), (224, 224)].enumerated() {
        fleet.folder.write(PNG.image(width: size.0, height: size.1), "pictures/val/n0\(place % 2)/\(place).png")
      }
      try await fleet.rrcm(["dataset", "import", "imagefolder", pictures, "--size", "224", "--name", "pictures"])
      try await fleet.rrcm(["checkpoint", "init", "rrcm-s-imagenet", "--classes", "2", "--name", "random"])
      let run = try await fleet.submit(
        """
        kind: certify
        name: shape
        checkpoint: random
        dataset: {name: pictures, split: val}
        smoothing: {sigma: [0.5], n0: 4, n: 12}
        seed: 17
        """, name: "shape")
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w")
      try await eventually("the first image is done", seconds: 60) { try await fleet.progress(run).done >= 1 }
      let first = try fleet.anonymousMemory("w")
      try await fleet.waitUntilDone(run)
      #expect(try fleet.anonymousMemory("w") < first + 16_384, "it was \(first) KiB after the first image")
      #expect(try await fleet.certificates("shape").count == 5)
    }
  }
}
