internal import Models

/// The transformer's blocks with bfloat16 factors in the linear layers.
///
/// Sums, the residual stream, LayerNorm, attention and GELU are float32; what enters a linear layer is rounded to
/// bfloat16, and so are its weights. Patch embedding and head stay float32: they are a hundredth of the work.
struct BF16Encoder {
  /// Whose blocks are packed as bfloat16.
  let encoder: Encoder

  /// What bfloat16 cannot do with this network; nil when it can.
  static func problem(_ c: ViTConfiguration) -> String? {
    c.width % 2 == 0 && c.mlpHidden % 2 == 0
      ? nil : "bf16 takes pairs of terms, and the network's width is \(c.width); use precision f32"
  }

  /// Runs every block on tokens in place in a workspace. Returns the class tokens [n, d], before the final norm.
  func run(_ n: Int, in w: Workspace, _ rounded: BF16Workspace) -> Floats {
    for index in encoder.weights.blocks.indices { block(index, n, in: w, rounded) }
    return w.classTokens.base
  }

  private func block(_ index: Int, _ n: Int, in w: Workspace, _ rounded: BF16Workspace) {
    let kernels = encoder.kernels
    let (t, d, m) = (encoder.configuration.tokens, encoder.configuration.width, encoder.configuration.mlpHidden)
    let block = encoder.weights.blocks[index]
    let queries = encoder.queries(block: index)
    let step = encoder.queryRow(block: index)
    let rows = n * queries
    let stream = Matrix(queries == 1 ? w.classTokens.base : w.tokens.base, row: d)

    let normal = BF16Matrix(rounded.normal, row: d)
    kernels.layerNorm(rows: n * t, width: d, Matrix(w.tokens.base, row: d), block.norm1, into: normal)
    kernels.product(rows: rows, BF16Matrix(rounded.normal, row: step), block.query, into: Matrix(w.query.base, row: d))
    kernels.product(rows: n * t, normal, block.keyValue, into: Matrix(w.keyValue.base, row: 2 * d))
    for i in 0..<n {
      kernels.attention(
        encoder.attention(
          i, queries: queries, w.query.base, keyValue: w.keyValue.base, into: w.mixed.base, scratch: w.scratch.base))
    }
    let mixed = BF16Matrix(rounded.normal, row: d)
    kernels.round(count: rows * d, w.mixed.base, into: mixed)
    kernels.product(rows: rows, mixed, block.projection, into: stream, base: Matrix(w.tokens.base, row: step))
    kernels.layerNorm(rows: rows, width: d, stream, block.norm2, into: normal)
    let hidden = BF16Matrix(rounded.hidden, row: m)
    kernels.activeProduct(rows: rows, normal, block.fc1, into: hidden)
    kernels.product(rows: rows, hidden, block.fc2, into: stream, base: stream)
  }
}

/// The rounded matrices of one thread, beside its `Workspace`.
final class BF16Workspace: Sendable {
  let normal: Storage<BFloat16Bits>
  let hidden: Storage<BFloat16Bits>

  init(_ c: ViTConfiguration, batch: Int) {
    normal = Storage(batch * c.tokens * c.width)
    hidden = Storage(batch * c.tokens * c.mlpHidden)
  }
}
