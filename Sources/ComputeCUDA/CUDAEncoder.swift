internal import CCUDA
internal import Compute
internal import Models

/// The forward arithmetic of one batch shape on one GPU (spec 2.1–2.3): what is enqueued, in order, and the memory it uses.
///
/// The last block computes queries, projection and MLP of the class token alone: nothing reads the others (spec 2.7). The
/// residual stream, LayerNorm and softmax are float32 whatever the precision.
final class CUDAEncoder {
  let configuration: ViTConfiguration
  let batch: Int
  let weights: CUDAWeights
  let kernels: CUDAKernels
  private let products: Products

  private struct Products {
    let patch: Product
    let queryKeyValue: Product
    let projection: Product
    let fc1: Product
    let fc2: Product
    // Of the last block.
    let query: Product
    let keyValue: Product
    let classProjection: Product
    let classFC1: Product
    let classFC2: Product
    let head: Product

    var all: [Product] {
      [
        patch, queryKeyValue, projection, fc1, fc2, query, keyValue, classProjection, classFC1, classFC2, head,
      ]
    }
  }

  init(
    _ c: ViTConfiguration, batch: Int, weights: CUDAWeights, kernels: CUDAKernels, tf32: Bool, context: CUDAContext
  ) throws {
    (configuration, self.batch, self.weights, self.kernels) = (c, batch, weights, kernels)
    let (d, m, rows, element) = (c.width, c.mlpHidden, batch * c.tokens, kernels.element)
    /// Within blocks: operands in the precision of the network.
    func product(
      rows: Int, _ columns: Int, depth: Int, xRow: Int? = nil, into result: Element, base: Int? = nil
    ) throws -> Product {
      try Product(
        Product.Shape(
          rows: rows, columns: columns, depth: depth, operands: element, result: result, xRow: xRow ?? depth,
          yRow: columns, baseRow: base, bias: base != nil, tf32: tf32), context: context)
    }
    products = Products(
      // Noise has more digits than a bfloat16 keeps: in reduced precisions patches are TF32.
      patch: try Product(
        Product.Shape(
          rows: batch * c.patches, columns: d, depth: c.patchElements, operands: .float32, result: .float32,
          xRow: c.patchElements, yRow: d, bias: false, tf32: tf32 || element == .bfloat16), context: context),
      queryKeyValue: try product(rows: rows, 3 * d, depth: d, into: element),
      projection: try product(rows: rows, d, depth: d, into: .float32, base: d),
      fc1: try product(rows: rows, m, depth: d, into: element),
      fc2: try product(rows: rows, d, depth: m, into: .float32, base: d),
      query: try product(rows: batch, d, depth: d, xRow: c.tokens * d, into: element),
      keyValue: try product(rows: rows, 2 * d, depth: d, into: element),
      classProjection: try product(rows: batch, d, depth: d, into: .float32, base: c.tokens * d),
      classFC1: try product(rows: batch, m, depth: d, into: element),
      classFC2: try product(rows: batch, d, depth: m, into: .float32, base: d),
      head: try Product(
        Product.Shape(
          rows: batch, columns: c.classes, depth: d, operands: .float32, result: .float32, xRow: d, yRow: c.classes,
          bias: true), context: context))
  }

  /// The algorithms of all products: they decide bits.
  var choices: String { products.all.map(\.choice).joined(separator: " ") }

  /// From patches in the workspace to logits [batch, K] there.
  func enqueue(_ w: CUDAWorkspace, tokenStart: DeviceMemory, on stream: CUDAStream) throws {
    let c = configuration
    let (d, t, rows) = (c.width, c.tokens, batch * c.tokens)
    try products.patch.enqueue(
      x: w.patches, weight: weights.patch.weight, into: w.hidden, workspace: w.scratch, on: stream)
    try kernels.launch(
      "embed",
      [.pointer(w.tokens), .pointer(tokenStart.pointer), .pointer(w.hidden), .int(t), .int(d), .long(rows * d)],
      blocks: ((rows * d + 255) / 256, 1, 1), threads: 256, on: stream)
    for block in weights.blocks.dropLast() { try enqueue(block, w, on: stream) }
    try enqueueLast(weights.blocks.last!, w, on: stream)
    var features = w.classTokens
    if c.finalNorm {
      try kernels.layerNorm(
        "layer_norm_float", rows: batch, width: d, from: features, weights.norm, into: w.hidden, on: stream)
      features = w.hidden
    }
    try products.head.enqueue(
      x: features, weight: weights.head.weight, into: w.logits, bias: weights.head.bias, workspace: w.scratch,
      on: stream)
  }

  private func enqueue(_ block: CUDAWeights.Block, _ w: CUDAWorkspace, on stream: CUDAStream) throws {
    let c = configuration
    let (d, m, t, rows) = (c.width, c.mlpHidden, c.tokens, batch * c.tokens)
    try kernels.layerNorm(rows: rows, width: d, from: w.tokens, block.norm1, into: w.normal, on: stream)
    try products.queryKeyValue.enqueue(
      x: w.normal, weight: block.queryKeyValue.weight, into: w.attention, workspace: w.scratch, on: stream)
    let (row, sample) = (Int64(3 * d), Int64(3 * d * t))
    try kernels.attention(
      AttentionPlaces(
        q: w.attention, k: w.element(w.attention, d), v: w.element(w.attention, 2 * d), out: w.normal, qRow: row,
        qSample: sample, keyValueRow: row, keyValueSample: sample, outRow: Int64(d), outSample: Int64(d * t),
        queries: Int32(t), tokens: Int32(t), width: Int32(c.headWidth)), heads: c.heads, samples: batch, on: stream)
    try products.projection.enqueue(
      x: w.normal, weight: block.projection.weight, into: w.tokens, base: w.tokens, bias: block.projection.bias,
      workspace: w.scratch, on: stream)
    try kernels.layerNorm(rows: rows, width: d, from: w.tokens, block.norm2, into: w.normal, on: stream)
    try products.fc1.enqueue(x: w.normal, weight: block.fc1.weight, into: w.hidden, workspace: w.scratch, on: stream)
    try kernels.biasGELU(rows: rows, columns: m, w.hidden, bias: block.fc1.bias, on: stream)
    try products.fc2.enqueue(
      x: w.hidden, weight: block.fc2.weight, into: w.tokens, base: w.tokens, bias: block.fc2.bias,
      workspace: w.scratch, on: stream)
  }

  private func enqueueLast(_ block: CUDAWeights.Block, _ w: CUDAWorkspace, on stream: CUDAStream) throws {
    let c = configuration
    let (d, m, t, rows) = (c.width, c.mlpHidden, c.tokens, batch * c.tokens)
    try kernels.layerNorm(rows: rows, width: d, from: w.tokens, block.norm1, into: w.normal, on: stream)
    // Rows 0..<d of the weight make queries, the others keys and values.
    try products.keyValue.enqueue(
      x: w.normal, weight: w.element(block.queryKeyValue.weight, d * d), into: w.attention, workspace: w.scratch,
      on: stream)
    let queries = w.element(w.attention, rows * 2 * d)
    try products.query.enqueue(
      x: w.normal, weight: block.queryKeyValue.weight, into: queries, workspace: w.scratch, on: stream)
    let (row, sample) = (Int64(2 * d), Int64(2 * d * t))
    try kernels.attention(
      AttentionPlaces(
        q: queries, k: w.attention, v: w.element(w.attention, d), out: w.normal, qRow: Int64(d), qSample: Int64(d),
        keyValueRow: row, keyValueSample: sample, outRow: Int64(d), outSample: Int64(d), queries: 1,
        tokens: Int32(t), width: Int32(c.headWidth)), heads: c.heads, samples: batch, on: stream)
    try products.classProjection.enqueue(
      x: w.normal, weight: block.projection.weight, into: w.classTokens, base: w.tokens, bias: block.projection.bias,
      workspace: w.scratch, on: stream)
    try kernels.layerNorm(rows: batch, width: d, from: w.classTokens, block.norm2, into: w.normal, on: stream)
    try products.classFC1.enqueue(
      x: w.normal, weight: block.fc1.weight, into: w.hidden, workspace: w.scratch, on: stream)
    try kernels.biasGELU(rows: batch, columns: m, w.hidden, bias: block.fc1.bias, on: stream)
    try products.classFC2.enqueue(
      x: w.hidden, weight: block.fc2.weight, into: w.classTokens, base: w.classTokens, bias: block.fc2.bias,
      workspace: w.scratch, on: stream)
  }
}

/// The memory of one batch in flight, in one allocation. Parts that are never needed together share their place.
struct CUDAWorkspace {
  private let memory: DeviceMemory
  let scratch: DeviceMemory
  private let elementBytes: Int
  /// Residual stream [batch, T, d], float32.
  let tokens: rrcm_cu_pointer
  /// [batch, T, d]: what products read.
  let normal: rrcm_cu_pointer
  /// Queries, keys, values [batch, T, 3d]; before the first block the patches [batch, N, C·p²], float32.
  let attention: rrcm_cu_pointer
  var patches: rrcm_cu_pointer { attention }
  /// [batch, T, hidden]; before the first block the embedded patches, after the last the final norm: float32.
  let hidden: rrcm_cu_pointer
  /// [batch, d], float32.
  let classTokens: rrcm_cu_pointer
  /// [batch, K], float32.
  let logits: rrcm_cu_pointer

  /// Sizes of the parts, in the order above, each rounded up to 256 bytes.
  private static func sizes(_ c: ViTConfiguration, batch: Int, element: Element) -> [Int] {
    let (rows, e) = (batch * c.tokens, element.bytes)
    return [
      rows * c.width * 4, rows * c.width * e,
      max(rows * 3 * c.width * e, batch * c.patches * c.patchElements * 4),
      max(rows * c.mlpHidden * e, rows * c.width * 4), batch * c.width * 4, batch * c.classes * 4,
    ].map { ($0 + 255) / 256 * 256 }
  }

  static func bytes(_ c: ViTConfiguration, batch: Int, element: Element) -> Int {
    sizes(c, batch: batch, element: element).reduce(Product.workspaceLimit, +)
  }

  init(_ c: ViTConfiguration, batch: Int, element: Element, context: CUDAContext) throws {
    let sizes = Self.sizes(c, batch: batch, element: element)
    memory = try context.allocate(bytes: sizes.reduce(0, +))
    scratch = try context.allocate(bytes: Product.workspaceLimit)
    elementBytes = element.bytes
    var next = memory.pointer
    let places = sizes.map { size in
      defer { next += UInt64(size) }
      return next
    }
    (tokens, normal, attention) = (places[0], places[1], places[2])
    (hidden, classTokens, logits) = (places[3], places[4], places[5])
  }

  /// The place of element `index` of a buffer of the network's precision.
  func element(_ pointer: rrcm_cu_pointer, _ index: Int) -> rrcm_cu_pointer { pointer + UInt64(index * elementBytes) }

  func readPatches(count: Int) throws -> [Float] {
    try memory.read(Float.self, count: count, at: Int(patches - memory.pointer))
  }

  func readLogits(count: Int) throws -> [Float] {
    try memory.read(Float.self, count: count, at: Int(logits - memory.pointer))
  }
}
