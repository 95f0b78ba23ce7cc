internal import CKernels
internal import Models

/// The transformer's blocks with bfloat16 factors in every product: linear layers and attention's two.
///
/// Sums, the residual stream, LayerNorm, softmax and GELU are float32; what enters a product is rounded to bfloat16, and
/// so are the weights. Patch embedding and head stay float32: they are a hundredth of the work.
struct BF16Encoder {
  /// Whose blocks are packed as bfloat16.
  let encoder: Encoder

  /// What bfloat16 cannot do with this network; nil when it can.
  static func problem(_ c: ViTConfiguration) -> String? {
    c.headWidth % 2 == 0 && c.mlpHidden % 2 == 0
      ? nil
      : "bf16 takes pairs of terms, and the network has heads of width \(c.headWidth); use precision f32"
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
    let query = BF16Matrix(rounded.query, row: d)
    let keyValue = BF16Matrix(rounded.keyValue, row: 2 * d)
    kernels.product(rows: rows, BF16Matrix(rounded.normal, row: step), block.query, into: query)
    kernels.product(rows: n * t, normal, block.keyValue, into: keyValue)
    for i in 0..<n {
      let keys = keyValue.base + i * t * 2 * d
      kernels.attention(
        rrcm_attention_bf16(
          queries: queries, tokens: t, heads: encoder.configuration.heads, head_width: encoder.configuration.headWidth,
          q: query.base + i * queries * d, q_row: d, k: keys, v: keys + d, kv_row: 2 * d,
          out: normal.base + i * queries * d, out_row: d, scratch: w.scratch.base))
    }
    kernels.product(rows: rows, normal, block.projection, into: stream, base: Matrix(w.tokens.base, row: step))
    kernels.layerNorm(rows: rows, width: d, stream, block.norm2, into: normal)
    let hidden = BF16Matrix(rounded.hidden, row: m)
    kernels.product(rows: rows, normal, block.fc1, into: hidden, gelu: true)
    kernels.product(rows: rows, hidden, block.fc2, into: stream, base: stream)
  }
}

/// The rounded matrices of one thread, beside its `Workspace`.
final class BF16Workspace: Sendable {
  /// LayerNorms' outputs and attention's.
  let normal: Storage<BFloat16Bits>
  let query: Storage<BFloat16Bits>
  let keyValue: Storage<BFloat16Bits>
  let hidden: Storage<BFloat16Bits>

  init(_ c: ViTConfiguration, batch: Int) {
    let rows = batch * c.tokens
    normal = Storage(rows * c.width)
    query = Storage(rows * c.width)
    keyValue = Storage(rows * 2 * c.width)
    hidden = Storage(rows * c.mlpHidden)
  }
}
