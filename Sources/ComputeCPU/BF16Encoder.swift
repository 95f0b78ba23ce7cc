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
    let (t, d, m) = (encoder.configuration.tokens, encoder.configuration.width, encoder.configuration.mlpHidden)
    let block = encoder.weights.blocks[index]
    let queries = encoder.queries(block: index)
    let step = encoder.queryRow(block: index)
    let rows = n * queries
    let stream = Matrix(queries == 1 ? w.classTokens.base : w.tokens.base, row: d)

    let normal = BF16Matrix(rounded.normal, row: d)
    layerNorm(rows: n * t, Matrix(w.tokens.base, row: d), block.norm1, into: normal)
    let query = BF16Matrix(rounded.query, row: d)
    let keyValue = BF16Matrix(rounded.keyValue, row: 2 * d)
    product(rows: rows, BF16Matrix(rounded.normal, row: step), block.query, into: query)
    product(rows: n * t, normal, block.keyValue, into: keyValue)
    attention(n, queries: queries, query, keyValue: keyValue, into: normal, scratch: w.scratch.base)
    product(rows: rows, normal, block.projection, into: stream, base: Matrix(w.tokens.base, row: step))
    layerNorm(rows: rows, stream, block.norm2, into: normal)
    let hidden = BF16Matrix(rounded.hidden, row: m)
    product(rows: rows, normal, block.fc1, into: hidden, gelu: true)
    product(rows: rows, hidden, block.fc2, into: stream, base: stream)
  }

  // MARK: Steps that the encoder's threads share

  private func product(rows: Int, _ a: BF16Matrix, _ w: Linear, into c: Matrix, base: Matrix) {
    encoder.split(w.outputs, unit: 64) { part in
      encoder.kernels.product(rows: rows, a, w, columns: part, into: c, base: base)
    }
  }

  private func product(rows: Int, _ a: BF16Matrix, _ w: Linear, into y: BF16Matrix, gelu: Bool = false) {
    encoder.split(w.outputs, unit: 64) { part in
      encoder.kernels.product(rows: rows, a, w, columns: part, into: y, gelu: gelu)
    }
  }

  private func layerNorm(rows: Int, _ x: Matrix, _ norm: Affine, into y: BF16Matrix) {
    encoder.split(rows) { part in
      encoder.kernels.layerNorm(
        rows: part.count, width: encoder.configuration.width, x.fromRow(part.lowerBound), norm,
        into: y.fromRow(part.lowerBound))
    }
  }

  private func attention(
    _ n: Int, queries: Int, _ query: BF16Matrix, keyValue: BF16Matrix, into mixed: BF16Matrix, scratch: Floats
  ) {
    let (c, t, d) = (encoder.configuration, encoder.configuration.tokens, encoder.configuration.width)
    let room = rrcm_attention_scratch(t, t, c.headWidth)
    parallel(n, threads: encoder.threads) { slot, i in
      let keys = keyValue.base + i * t * 2 * d
      encoder.kernels.attention(
        rrcm_attention_bf16(
          queries: queries, tokens: t, heads: c.heads, head_width: c.headWidth, q: query.base + i * queries * d,
          q_row: d, k: keys, v: keys + d, kv_row: 2 * d, out: mixed.base + i * queries * d, out_row: d,
          scratch: scratch + slot * room))
    }
  }
}

/// The rounded matrices of a forward pass, beside its `Workspace`.
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
