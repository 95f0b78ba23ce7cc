internal import Compute
internal import Foundation
internal import Models
internal import Tensors

/// A device that computes nothing: votes come from a hash, at once or after a pause.
///
/// Votes differ from image to image as real ones do: some images win every draw, some none of the others do.
struct IdleDevice: Device {
  /// Seconds that a chunk takes; 0 for none.
  var chunkSeconds = 0.0

  var summary: String { "idle device" }

  func makeClassifier(_ configuration: ViTConfiguration, state: any TensorSource, batch: Int?) -> any Classifier {
    IdleClassifier(configuration: configuration, chunkSeconds: chunkSeconds)
  }

  func makeNetwork(_ configuration: ViTConfiguration, state: StateDict) throws -> any Network {
    throw ComputeError("the idle device does not train")
  }
}

private final class IdleClassifier: Classifier {
  let configuration: ViTConfiguration
  let numerics = NumericsID(backend: "idle", precision: "none", library: "hash-1", simd: "any", batch: 1, device: "any")
  private let chunkSeconds: Double

  init(configuration: ViTConfiguration, chunkSeconds: Double) {
    self.configuration = configuration
    self.chunkSeconds = chunkSeconds
  }

  func votes(for request: ChunkRequest) -> [Int32] {
    if chunkSeconds > 0 { Thread.sleep(forTimeInterval: chunkSeconds) }
    return idleVotes(
      image: Int(request.imageIndex), chunk: Int(request.samples.lowerBound), samples: request.samples.count,
      classes: configuration.classes)
  }

  func logits(inputs: [Float], count: Int, noiseLevel: Double) -> [Float] {
    [Float](repeating: 0, count: count * configuration.classes)
  }
}

/// Votes [K] that sum to `samples`: a share of them for the image's own class, the rest for the next one.
func idleVotes(image: Int, chunk: Int, samples: Int, classes: Int) -> [Int32] {
  let share = min(1, 0.4 + Double(mixed(image) % 1000) / 1000)
  let jitter = Double(mixed(image &* 31 &+ chunk) % 100) / 10_000
  let hits = min(samples, Int(Double(samples) * min(1, share == 1 ? 1 : share - jitter)))
  var votes = [Int32](repeating: 0, count: classes)
  votes[image % classes] = Int32(hits)
  votes[(image + 1) % classes] = Int32(samples - hits)
  return votes
}

/// The finaliser of SplitMix64.
private func mixed(_ value: Int) -> UInt64 {
  var z = UInt64(bitPattern: Int64(value)) &+ 0x9E37_79B9_7F4A_7C15
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}
