internal import CKernels
internal import Compute
internal import Models
internal import Tensors

/// A linear layer y = x·Wᵀ + bias: its weight [outputs, inputs], packed, and its bias.
struct Linear {
  private enum Panels {
    case f32(Buffer)
    case bf16(Storage<BFloat16Bits>)
  }

  let outputs: Int
  let inputs: Int
  /// The weight as stored, for gradients; nil where only the packed copy is kept.
  let weight: Floats?
  let bias: Floats?
  private let panels: Panels

  /// What products with it are computed in.
  var precision: CPUDevice.Precision {
    switch panels {
    case .f32: .f32
    case .bf16: .bf16
    }
  }

  init(outputs: Int, inputs: Int, weight: Floats?, bias: Floats?, precision: CPUDevice.Precision = .f32) {
    (self.outputs, self.inputs, self.weight, self.bias) = (outputs, inputs, weight, bias)
    let count = Kernels.packedCount(columns: outputs, depth: inputs)
    panels =
      switch precision {
      case .f32: .f32(Buffer(count))
      case .bf16: .bf16(Storage(count))
      }
  }

  /// Packs `weight`, rounding it where the precision says so.
  func pack(_ weight: UnsafePointer<Float>) {
    switch panels {
    case .f32(let panels): rrcm_pack_transposed(outputs, inputs, weight, panels.base)
    case .bf16(let panels): rrcm_pack_bf16(outputs, inputs, weight, panels.base)
    }
  }

  /// Wᵀ as a float32 product's second operand.
  var operand: Operand { operand(from: 0) }

  /// Its columns from a multiple of 16 on.
  func operand(from column: Int) -> Operand {
    guard case .f32(let panels) = panels else { preconditionFailure("packed as bfloat16") }
    return .panels(panels.base + column * inputs, depth: inputs)
  }

  /// Wᵀ as a bfloat16 product's second operand.
  var bf16Panels: UnsafePointer<BFloat16Bits> {
    guard case .bf16(let panels) = panels else { preconditionFailure("packed as float32") }
    return UnsafePointer(panels.base)
  }

  /// W itself as the second operand: carries gradients back, dx = dy·W.
  var backOperand: Operand { .rows(weight!, row: inputs) }
}

/// A network's weights by their role: matrices packed for products, vectors as pointers into a `ParameterStore`.
///
/// For training the store holds everything, and `pack` must run after the parameters change and before the next forward
/// pass. A classifier's store holds the vectors alone; matrices are packed as they are read, and only that is kept.
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

  /// For training: `store` holds every tensor of the layout.
  convenience init(_ configuration: ViTConfiguration, store: ParameterStore) {
    self.init(configuration, store: store) { place, _, _ in
      Linear(outputs: place.outputs, inputs: place.inputs, weight: place.weight, bias: place.bias)
    }
    pack()
  }

  /// For classifying: packs the matrices of `source`, those of the blocks in the given precision.
  /// - Throws: `ComputeError` naming tensors that are missing, misshapen, or not finite where rounding needs them to be.
  convenience init(_ configuration: ViTConfiguration, source: any TensorSource, precision: CPUDevice.Precision) throws {
    let entries = ParameterLayout(configuration).entries
    try requireTensors(entries, in: source)
    let vectors = ParameterStore(entries.filter { !($0.shape.count > 1 && $0.name.hasSuffix(".weight")) })
    try vectors.load(source)
    var notFinite = vectors.notFinite
    self.init(configuration, store: vectors) { place, name, firstRow in
      let precision = name.hasPrefix("blocks.") ? precision : .f32
      let packed = Linear(
        outputs: place.outputs, inputs: place.inputs, weight: nil, bias: place.bias, precision: precision)
      let values = source[name]!.values
      if precision == .bf16, !values.allSatisfy(\.isFinite) { notFinite.append(name) }
      values.withUnsafeBufferPointer { packed.pack($0.baseAddress! + firstRow * place.inputs) }
      return packed
    }
    // Rounding keeps no NaN for certain, so that a vote could come of one.
    guard precision == .f32 || notFinite.isEmpty else {
      throw ComputeError(
        "\(notFinite.joined(separator: ", ")) hold values that are not finite; this checkpoint cannot classify")
    }
    setTokenStart()
  }

  /// - Parameter made: gives the linear layer to keep for one that is described, its tensor's name and its first row
  ///   there.
  private init(
    _ configuration: ViTConfiguration, store: ParameterStore, made: (LinearPlace, String, Int) -> Linear
  ) {
    let (d, m, h) = (configuration.width, configuration.mlpHidden, configuration.projectorHidden)
    var linears: [Linear] = []
    func linear(_ name: String, bias: Bool = true, rows: Range<Int>, inputs: Int) -> Linear {
      let weight = name + ".weight"
      let linear = made(
        LinearPlace(
          outputs: rows.count, inputs: inputs,
          weight: store.contains(weight) ? store[weight] + rows.lowerBound * inputs : nil,
          bias: bias ? store[name + ".bias"] : nil), weight, rows.lowerBound)
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
  }

  /// Where a linear layer's tensors are.
  private struct LinearPlace {
    let outputs: Int
    let inputs: Int
    /// nil where the store does not hold matrices.
    let weight: Floats?
    let bias: Floats?
  }

  func pack() {
    for linear in linears { linear.pack(linear.weight!) }
    setTokenStart()
  }

  private func setTokenStart() {
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
