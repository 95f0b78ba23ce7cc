internal import CKernels
internal import Models

/// A linear layer's weight [outputs, inputs] as stored, its packed transpose for y = x·Wᵀ, and its bias.
struct Linear {
  let outputs: Int
  let inputs: Int
  let weight: Floats
  let bias: Floats?
  private let panels: Buffer

  init(outputs: Int, inputs: Int, weight: Floats, bias: Floats?) {
    (self.outputs, self.inputs, self.weight, self.bias) = (outputs, inputs, weight, bias)
    panels = Buffer(Kernels.packedCount(columns: outputs, depth: inputs))
  }

  func pack() { rrcm_pack_transposed(outputs, inputs, weight, panels.base) }

  var operand: Operand { .panels(panels.base, depth: inputs) }
  /// W itself as the second operand: carries gradients back, dx = dy·W.
  var backOperand: Operand { .rows(weight, row: inputs) }
}

/// Pointers into a `ParameterStore` by their role in the network, with packed copies of the matrices.
///
/// `pack` must run after the parameters change and before the next forward pass.
final class EncoderWeights {
  struct Block {
    let norm1: Affine
    /// Rows 0..<d and d..<3d of `attn.qkv.weight`: the last block needs queries of one token and keys of all.
    let query: Linear
    let keyValue: Linear
    let projection: Linear
    let norm2: Affine
    let fc1: Linear
    let fc2: Linear
  }

  let configuration: ViTConfiguration
  let patch: Linear
  let blocks: [Block]
  let norm: Affine
  let head: Linear?
  /// The projector's three linear layers and two BatchNorms; empty when the store has none.
  let projector: [Linear]
  let projectorNorms: [Affine]
  /// What each token starts from, [T, d]: position plus class token, position, or position plus patch bias. The time
  /// token's row lacks the time embedding.
  let tokenStart: Buffer
  private let store: ParameterStore
  private let linears: [Linear]

  init(_ configuration: ViTConfiguration, store: ParameterStore) {
    let (d, m, h) = (configuration.width, configuration.mlpHidden, configuration.projectorHidden)
    var linears: [Linear] = []
    func linear(_ name: String, bias: Bool = true, rows: Range<Int>, inputs: Int) -> Linear {
      let linear = Linear(
        outputs: rows.count, inputs: inputs, weight: store[name + ".weight"] + rows.lowerBound * inputs,
        bias: bias ? store[name + ".bias"] : nil)
      linears.append(linear)
      return linear
    }
    func affine(_ name: String) -> Affine { Affine(gain: store[name + ".weight"], bias: store[name + ".bias"]) }
    self.configuration = configuration
    self.store = store
    patch = linear("patch_embed.proj", rows: 0..<d, inputs: configuration.patchElements)
    blocks = (0..<configuration.depth).map { i in
      let name = "blocks.\(i)."
      return Block(
        norm1: affine(name + "norm1"),
        query: linear(name + "attn.qkv", bias: false, rows: 0..<d, inputs: d),
        keyValue: linear(name + "attn.qkv", bias: false, rows: d..<3 * d, inputs: d),
        projection: linear(name + "attn.proj", rows: 0..<d, inputs: d),
        norm2: affine(name + "norm2"),
        fc1: linear(name + "mlp.fc1", rows: 0..<m, inputs: d),
        fc2: linear(name + "mlp.fc2", rows: 0..<d, inputs: m))
    }
    norm = affine("norm")
    head = configuration.classes > 0 ? linear("linear_head", rows: 0..<configuration.classes, inputs: d) : nil
    if configuration.hasProjector {
      projector = [
        linear("projection_head.0", bias: false, rows: 0..<h, inputs: d),
        linear("projection_head.3", bias: false, rows: 0..<h, inputs: h),
        linear("projection_head.6", bias: false, rows: 0..<configuration.projectorOutput, inputs: h),
      ]
      projectorNorms = [affine("projection_head.1"), affine("projection_head.4")]
    } else {
      (projector, projectorNorms) = ([], [])
    }
    tokenStart = Buffer(configuration.tokens * d)
    self.linears = linears
    pack()
  }

  func pack() {
    for linear in linears { linear.pack() }
    let d = configuration.width
    let (position, token, bias) = (store["pos_embed"], store["cls_token"], store["patch_embed.proj.bias"])
    for t in 0..<configuration.tokens {
      let row = tokenStart.base + t * d
      for j in 0..<d {
        row[j] = position[t * d + j] + (t == 0 ? token[j] : t == 1 ? 0 : bias[j])
      }
    }
  }
}
