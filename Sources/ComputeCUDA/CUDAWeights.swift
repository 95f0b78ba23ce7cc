internal import CCUDA
internal import Compute
internal import Models
internal import Tensors

/// A classifier's weights on the device, matrices in the precision that products read, vectors in float32.
final class CUDAWeights {
  struct Norm {
    let gain: rrcm_cu_pointer
    let bias: rrcm_cu_pointer
  }

  struct Linear {
    /// [outputs, inputs]
    let weight: rrcm_cu_pointer
    /// [outputs], float32; 0 for none.
    let bias: rrcm_cu_pointer
  }

  struct Block {
    let norm1: Norm
    /// Queries, keys and values in one, [3d, d].
    let queryKeyValue: Linear
    let projection: Linear
    let norm2: Norm
    let fc1: Linear
    let fc2: Linear
  }

  /// Float32: its inputs are the noise itself.
  let patch: Linear
  let blocks: [Block]
  let norm: Norm
  /// Float32.
  let head: Linear
  /// What each token starts from, [T, d], without the time embedding of token 1.
  let tokenStart: [Float]
  private var memory: [DeviceMemory] = []

  /// - Throws: `ComputeError` naming tensors that are missing, misshapen or not finite.
  init(_ configuration: ViTConfiguration, source: any TensorSource, element: Element, context: CUDAContext) throws {
    let entries = ParameterLayout(configuration).entries
    try requireTensors(entries, in: source)
    var memory: [DeviceMemory] = []
    var notFinite: [String] = []
    func values(_ name: String) -> [Float] {
      let values = source[name]!.values
      if !values.allSatisfy(\.isFinite) { notFinite.append(name) }
      return values
    }
    func place(_ name: String, _ element: Element = .float32) throws -> rrcm_cu_pointer {
      let values = values(name)
      let block =
        switch element {
        case .float32: try context.upload(values)
        case .bfloat16: try context.upload(values.map(roundedToBFloat16))
        }
      memory.append(block)
      return block.pointer
    }
    func norm(_ name: String) throws -> Norm {
      Norm(gain: try place(name + ".weight"), bias: try place(name + ".bias"))
    }
    func linear(_ name: String, _ element: Element, bias: Bool = true) throws -> Linear {
      Linear(weight: try place(name + ".weight", element), bias: bias ? try place(name + ".bias") : 0)
    }
    patch = Linear(weight: try place("patch_embed.proj.weight"), bias: 0)
    blocks = try (0..<configuration.depth).map { i in
      let name = "blocks.\(i)."
      return Block(
        norm1: try norm(name + "norm1"), queryKeyValue: try linear(name + "attn.qkv", element, bias: false),
        projection: try linear(name + "attn.proj", element), norm2: try norm(name + "norm2"),
        fc1: try linear(name + "mlp.fc1", element), fc2: try linear(name + "mlp.fc2", element))
    }
    self.norm = try norm("norm")
    head = try linear("linear_head", .float32)
    let d = configuration.width
    let (position, token, bias) = (
      values("pos_embed"), values("cls_token"), values("patch_embed.proj.bias")
    )
    tokenStart = (0..<configuration.tokens * d).map { i in
      let (t, j) = (i / d, i % d)
      return position[i] + (t == 0 ? token[j] : t == 1 ? 0 : bias[j])
    }
    self.memory = memory
    guard notFinite.isEmpty else {
      throw ComputeError(
        "\(notFinite.joined(separator: ", ")) hold values that are not finite; this checkpoint cannot classify")
    }
  }
}

/// The nearest bfloat16's bits, ties to even.
func roundedToBFloat16(_ x: Float) -> UInt16 {
  let bits = x.bitPattern
  return x.isNaN ? 0x7FFF : UInt16((bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
}
