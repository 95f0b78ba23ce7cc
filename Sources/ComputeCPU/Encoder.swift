internal import CKernels
internal import Models

/// Where one block's activations of n samples go. Q is T, or 1 where only the class token is needed afterwards.
struct BlockActivations {
  /// Input [n, T, d].
  var input: Floats
  /// LN1 of the input [n, T, d].
  var normal1: Floats
  /// Queries [n, Q, d], keys and values [n, T, 2d].
  var query: Floats
  var keyValue: Floats
  /// Attention's output before its projection [n, Q, d].
  var mixed: Floats
  /// Residual stream after attention [n, Q, d]; may be `input` when Q is T.
  var middle: Floats
  /// LN2 of it [n, Q, d].
  var normal2: Floats
  /// MLP before and after GELU [n, Q, hidden]; when they are one, only the latter is kept.
  var hidden: Floats
  var active: Floats
  /// Output [n, Q, d]; may be `middle`.
  var output: Floats
}

/// The forward arithmetic of the transformer (spec 2.1–2.3), for training and for classifying.
///
/// The last block computes queries, projection and MLP of the class token alone: nothing reads the others (spec 2.7).
struct Encoder {
  let weights: EncoderWeights
  let kernels: Kernels
  /// Threads that share each step of a forward pass: columns of products, rows of LayerNorm, samples of attention.
  var threads = 1

  var configuration: ViTConfiguration { weights.configuration }

  /// Queries per sample of a block.
  func queries(block: Int) -> Int { block == configuration.depth - 1 ? 1 : configuration.tokens }

  /// Distance between the query tokens in a buffer [n, T, d].
  func queryRow(block: Int) -> Int {
    queries(block: block) == 1 ? configuration.tokens * configuration.width : configuration.width
  }

  /// Tokens [n, T, d] from patches [n, T, C·p²], whose rows 0 and 1 of each sample are zero, and time tokens.
  /// - Parameter timeToken: the time embedding [d] of a sample.
  func embed(_ n: Int, patches: Floats, timeToken: (Int) -> Floats, into tokens: Floats) {
    let (t, d, c) = (configuration.tokens, configuration.width, configuration.patchElements)
    parallel(n, threads: threads) { _, i in
      let rows = tokens + i * t * d
      rows.update(from: weights.tokenStart.base, count: t * d)
      let embedding = timeToken(i)
      for j in 0..<d { rows[d + j] += embedding[j] }
    }
    let x = Matrix(tokens, row: d)
    product(rows: n * t, Matrix(patches, row: c), weights.patch, into: x, base: x)
  }

  /// Runs `body` on ranges that cover 0..<count, one for each thread, cut at multiples of `unit`.
  func split(_ count: Int, unit: Int = 1, _ body: (Range<Int>) -> Void) {
    guard threads > 1 else { return body(0..<count) }
    let step = ((count + unit - 1) / unit + threads - 1) / threads * unit
    parallel((count + step - 1) / step, threads: threads) { _, part in
      body(part * step..<min((part + 1) * step, count))
    }
  }

  /// c = base + bias + a·Wᵀ, then GELU where asked.
  func product(
    rows: Int, _ a: Matrix, _ linear: Linear, into c: Matrix, base: Matrix? = nil, bias: Floats? = nil,
    gelu: Bool = false
  ) {
    // The width of a product's tile.
    split(linear.outputs, unit: 64) { part in
      let first = part.lowerBound
      kernels.product(
        rows: rows, columns: part.count, depth: linear.inputs, a, linear.operand(from: first), into: c.from(first),
        base: base?.from(first), bias: bias.map { $0 + first }, gelu: gelu)
    }
  }

  func layerNorm(rows: Int, _ x: Matrix, _ norm: Affine, into y: Matrix) {
    split(rows) { part in
      kernels.layerNorm(
        rows: part.count, width: configuration.width, x.fromRow(part.lowerBound), norm,
        into: y.fromRow(part.lowerBound))
    }
  }

  func block(_ index: Int, _ n: Int, _ a: BlockActivations, scratch: Floats) {
    let (t, d, m) = (configuration.tokens, configuration.width, configuration.mlpHidden)
    let w = weights.blocks[index]
    let q = queries(block: index)
    let step = queryRow(block: index)
    let rows = n * q
    let (input, normal1) = (Matrix(a.input, row: d), Matrix(a.normal1, row: d))
    layerNorm(rows: n * t, input, w.norm1, into: normal1)
    product(rows: rows, Matrix(a.normal1, row: step), w.query, into: Matrix(a.query, row: d))
    product(rows: n * t, normal1, w.keyValue, into: Matrix(a.keyValue, row: 2 * d))
    let room = rrcm_attention_scratch(t, t, configuration.headWidth)
    parallel(n, threads: threads) { slot, i in
      kernels.attention(
        attention(i, queries: q, a.query, keyValue: a.keyValue, into: a.mixed, scratch: scratch + slot * room))
    }
    let middle = Matrix(a.middle, row: d)
    product(
      rows: rows, Matrix(a.mixed, row: d), w.projection, into: middle, base: Matrix(a.input, row: step),
      bias: w.projection.bias)
    let normal2 = Matrix(a.normal2, row: d)
    layerNorm(rows: rows, middle, w.norm2, into: normal2)
    let keepsHidden = a.hidden != a.active
    product(
      rows: rows, normal2, w.fc1, into: Matrix(a.hidden, row: m), bias: w.fc1.bias, gelu: !keepsHidden)
    if keepsHidden { kernels.gelu(count: rows * m, a.hidden, into: a.active) }
    product(
      rows: rows, Matrix(a.active, row: m), w.fc2, into: Matrix(a.output, row: d), base: middle, bias: w.fc2.bias)
  }

  /// Attention of sample i of a block: queries [n, Q, d], keys and values [n, T, 2d], output [n, Q, d].
  func attention(_ i: Int, queries: Int, _ query: Floats, keyValue: Floats, into mixed: Floats, scratch: Floats)
    -> rrcm_attention
  {
    let (t, d) = (configuration.tokens, configuration.width)
    let keys = keyValue + i * t * 2 * d
    return rrcm_attention(
      queries: queries, tokens: t, heads: configuration.heads, head_width: configuration.headWidth,
      q: query + i * queries * d, q_row: d, k: keys, v: keys + d, kv_row: 2 * d, out: mixed + i * queries * d,
      out_row: d, scratch: scratch)
  }

  /// Runs every block on tokens in place in a workspace. Returns the class tokens [n, d], before the final norm.
  func run(_ n: Int, in w: Workspace) -> Floats {
    for index in 0..<configuration.depth {
      let last = index == configuration.depth - 1
      let stream = last ? w.classTokens.base : w.tokens.base
      block(
        index, n,
        BlockActivations(
          input: w.tokens.base, normal1: w.normal.base, query: w.query.base, keyValue: w.keyValue.base,
          mixed: w.mixed.base, middle: stream, normal2: w.normal.base, hidden: w.hidden.base, active: w.hidden.base,
          output: stream), scratch: w.scratch.base)
    }
    return w.classTokens.base
  }
}

/// The memory of a forward pass of up to `batch` samples that keeps nothing. What enters a bf16 product is in a
/// `BF16Workspace` instead.
final class Workspace: @unchecked Sendable {
  let batch: Int
  let image: Buffer
  /// [batch, T, C·p²]; rows 0 and 1 of each sample stay zero.
  let patches: Buffer
  let tokens: Buffer
  let normal: Buffer
  let query: Buffer
  let keyValue: Buffer
  let mixed: Buffer
  let hidden: Buffer
  let classTokens: Buffer
  let logits: Buffer
  let scratch: Buffer

  /// - Parameter threads: that share a pass, each with an image and scratch of its own.
  init(_ c: ViTConfiguration, batch: Int, threads: Int = 1, precision: CPUDevice.Precision = .f32) {
    self.batch = batch
    let rows = batch * c.tokens
    let factors = precision == .f32 ? rows : 0
    image = Buffer(threads * c.imageElements)
    patches = Buffer(rows * c.patchElements)
    tokens = Buffer(rows * c.width)
    normal = Buffer(factors * c.width)
    query = Buffer(factors * c.width)
    keyValue = Buffer(factors * 2 * c.width)
    mixed = Buffer(factors * c.width)
    hidden = Buffer(factors * c.mlpHidden)
    classTokens = Buffer(batch * c.width)
    logits = Buffer(batch * max(c.classes, 1))
    scratch = Buffer(threads * rrcm_attention_scratch(c.tokens, c.tokens, c.headWidth))
  }
}
