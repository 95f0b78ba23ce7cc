import Compute
import ComputeCPU
import Models
import Tensors

/// A CPU whose memory loses one bit of one weight after the canary was computed: what a worker cannot see at its start.
struct FailingDevice: Device {
  let cpu: CPUDevice
  var summary: String { cpu.summary }

  func makeClassifier(
    _ configuration: ViTConfiguration, state: any TensorSource, batch: Int?
  ) throws -> any Classifier {
    FailingClassifier(
      sound: try cpu.makeClassifier(configuration, state: state, batch: batch),
      damaged: try cpu.makeClassifier(configuration, state: FlippedBit(state: state), batch: batch))
  }

  func makeNetwork(_ configuration: ViTConfiguration, state: StateDict) throws -> any Network {
    try cpu.makeNetwork(configuration, state: state)
  }
}

private final class FailingClassifier: Classifier {
  private let sound: any Classifier
  private let damaged: any Classifier
  private var isDamaged = false

  init(sound: any Classifier, damaged: any Classifier) {
    self.sound = sound
    self.damaged = damaged
  }

  var configuration: ViTConfiguration { sound.configuration }
  var numerics: NumericsID { sound.numerics }

  func votes(for request: ChunkRequest) throws -> [Int32] {
    isDamaged = true
    return try damaged.votes(for: request)
  }

  func logits(inputs: [Float], count: Int, noiseLevel: Double) throws -> [Float] {
    try (isDamaged ? damaged : sound).logits(inputs: inputs, count: count, noiseLevel: noiseLevel)
  }
}

/// Weights of which one bit differs: the highest of the mantissa of one weight of the head.
private struct FlippedBit: TensorSource {
  let state: any TensorSource

  subscript(name: String) -> Tensor? {
    guard var tensor = state[name] else { return nil }
    if name == "linear_head.weight" { tensor.values[7] = Float(bitPattern: tensor.values[7].bitPattern ^ 1 << 22) }
    return tensor
  }

  func shape(of name: String) -> [Int]? { state.shape(of: name) }
}
