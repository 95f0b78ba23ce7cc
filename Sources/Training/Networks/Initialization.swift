internal import Glibc
package import Models
package import Noise
package import Tensors

/// How a new encoder's weights are drawn (spec 2.5).
package enum Initialization: String, Sendable, Hashable, Codable, CaseIterable {
  /// PyTorch's defaults: Kaiming uniform with a = √5, so ±1/√fan_in for weights and biases. CIFAR-10 configurations.
  case framework
  /// Xavier uniform with zero biases, `qkv` as three maps. ImageNet configurations (`moco_initialization`).
  case moco

  /// Fresh weights of the encoder, projector and head that `configuration` has.
  ///
  /// Each tensor is drawn from its own place in the stream, so its values do not depend on the others.
  ///
  /// - Returns: every tensor of `ParameterLayout(configuration)`.
  package func state(_ configuration: ViTConfiguration, from stream: RandomStream) -> StateDict {
    var state = StateDict()
    for (index, entry) in ParameterLayout(configuration).entries.enumerated() {
      let place = UInt32(index)
      func uniform(_ bound: Double) -> Tensor {
        var generator = stream.generator(at: place)
        let count = entry.shape.reduce(1, *)
        return Tensor(
          shape: entry.shape, values: (0..<count).map { _ in Float((2 * generator.uniform() - 1) * bound) })
      }
      /// Normals cut at ±2, which no deviation used here comes near.
      func normal(_ deviation: Float) -> Tensor {
        let values = stream.normals(count: entry.shape.reduce(1, *), at: place)
        return Tensor(shape: entry.shape, values: values.map { min(2, max(-2, deviation * $0)) })
      }
      state[entry.name] =
        switch Kind(entry.name) {
        case .classToken: normal(1e-6)
        case .positions: normal(0.02)
        case .headWeight: normal(2e-5)
        case .one: Tensor(shape: entry.shape, repeating: 1)
        case .zero: Tensor(shape: entry.shape)
        case .patchEmbedding: patchEmbedding(configuration, entry.shape.count == 1, uniform)
        case .blockWeight: blockWeight(entry.name, entry.shape, uniform)
        case .blockBias(let weight):
          self == .moco
            ? Tensor(shape: entry.shape)
            : uniform(1 / Double(Self.fanIn(weight, configuration)).squareRoot())
        case .projectorWeight: uniform(1 / Double(entry.shape[1]).squareRoot())
        }
    }
    return state
  }

  private func patchEmbedding(
    _ c: ViTConfiguration, _ isBias: Bool, _ uniform: (Double) -> Tensor
  ) -> Tensor {
    switch self {
    case .framework: uniform(1 / Double(c.patchElements).squareRoot())
    case .moco: isBias ? Tensor(shape: [c.width]) : uniform((6 / Double(c.patchElements + c.width)).squareRoot())
    }
  }

  private func blockWeight(_ name: String, _ shape: [Int], _ uniform: (Double) -> Tensor) -> Tensor {
    let fanOut = name.hasSuffix("qkv.weight") ? shape[0] / 3 : shape[0]
    return switch self {
    case .framework: uniform(1 / Double(shape[1]).squareRoot())
    case .moco: uniform((6 / Double(shape[1] + fanOut)).squareRoot())
    }
  }

  private static func fanIn(_ weight: String, _ c: ViTConfiguration) -> Int {
    weight.hasSuffix("fc2") ? c.mlpHidden : c.width
  }

  /// What a tensor is, by its name.
  private enum Kind {
    case classToken, positions, patchEmbedding, blockWeight, projectorWeight, headWeight, one, zero
    case blockBias(of: String)

    init(_ name: String) {
      let last = name.split(separator: ".").last!
      let module = String(name.dropLast(last.count + 1))
      self =
        switch (module, last) {
        case ("", "cls_token"): .classToken
        case ("", "pos_embed"): .positions
        case ("patch_embed.proj", _): .patchEmbedding
        case ("linear_head", "weight"): .headWeight
        case ("linear_head", _): .zero
        case ("projection_head.0", "weight"), ("projection_head.3", "weight"), ("projection_head.6", "weight"):
          .projectorWeight
        case (_, "running_var"): .one
        case (_, "running_mean"), (_, "num_batches_tracked"): .zero
        case (let module, "weight") where module.contains(".attn.") || module.contains(".mlp."): .blockWeight
        case (let module, "bias") where module.contains(".attn.") || module.contains(".mlp."): .blockBias(of: module)
        case (_, "weight"): .one
        default: .zero
        }
    }
  }
}
