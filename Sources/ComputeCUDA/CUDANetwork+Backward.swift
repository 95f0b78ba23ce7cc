internal import CCUDA
internal import Compute
internal import Models

/// The backward pass, written out layer by layer. Gradients add to those held.
extension CUDANetwork {
  /// A gradient in float32, and as products read it: one block of memory where that is float32 too.
  struct Gradient {
    let values: DeviceMemory
    let operand: DeviceMemory

    var all: [DeviceMemory] { values === operand ? [values] : [values, operand] }
  }

  func backward(_ tape: any Tape, gradients: OutputGradients) throws {
    guard let tape = tape as? CUDATape, tape.network === self, let encoder = tape.encoder,
      let classTokens = tape.classTokens
    else {
      throw ComputeError("the tape is another network's or was used before; run forward again")
    }
    context.enter()
    let (batch, d, k) = (tape.batch, configuration.width, configuration.classes)
    try check(gradients, against: tape)
    tape.network = nil
    let encoderGradient = try pool.floats(batch * d)
    if let given = gradients.encoder {
      try encoderGradient.write(given)
    } else {
      try encoderGradient.fill(0)
    }
    if let given = gradients.logits {
      let logits = try pool.floats(given.count)
      try logits.write(given)
      try weightGradient(
        "linear_head", rows: batch, outputs: k, inputs: d, gradient: logits.pointer, input: encoder.pointer,
        operands: .float32)
      try columnSums(logits, .float32, rows: batch, columns: k, into: gradientStore["linear_head.bias"])
      try product(
        back(rows: batch, d, depth: k, operands: .float32, into: .float32, base: d), logits.pointer,
        parameters["linear_head.weight"], into: encoderGradient.pointer, base: encoderGradient.pointer)
      pool.giveBack([logits])
    }
    if let given = gradients.projection, let kept = tape.projection {
      try projectBackward(tape, kept, gradient: given, encoderGradient: encoderGradient)
    }
    var gradient: Gradient
    if tape.options.finalNorm {
      gradient = try normBackward(
        "norm", rows: batch, input: classTokens, gradient: encoderGradient, residual: nil)
      pool.giveBack([encoderGradient])
    } else {
      gradient = Gradient(
        values: encoderGradient, operand: element == .float32 ? encoderGradient : try elements(batch * d))
      if element != .float32 {
        try kernels.launch(
          "to_element", [.pointer(gradient.operand.pointer), .pointer(encoderGradient.pointer), .long(batch * d)],
          blocks: (blocks(batch * d), 1, 1), threads: 256, on: stream)
      }
    }
    for block in (0..<configuration.depth).reversed() {
      let inner = try backward(block, tape, gradient)
      pool.giveBack(gradient.all)
      gradient = inner
    }
    try embeddingBackward(tape, gradient.values)
    pool.giveBack(gradient.all + tape.buffers)
  }

  private func check(_ gradients: OutputGradients, against tape: CUDATape) throws {
    func require(_ given: [Float]?, _ name: String, width: Int, evaluated: Bool) throws {
      guard let given else { return }
      guard evaluated else { throw ComputeError("a gradient of \(name) was given, but the forward pass left it out") }
      guard given.count == tape.batch * width else {
        throw ComputeError("the gradient of \(name) has \(given.count) values, not \(tape.batch) × \(width)")
      }
    }
    try require(gradients.encoder, "the encoder output", width: configuration.width, evaluated: true)
    try require(gradients.logits, "the logits", width: configuration.classes, evaluated: tape.options.head)
    try require(
      gradients.projection, "the projection", width: configuration.projectorOutput, evaluated: tape.projection != nil)
  }

  /// From the gradient of a block's output [B, Q, d] to that of its input [B, T, d].
  private func backward(_ block: Int, _ tape: CUDATape, _ output: Gradient) throws -> Gradient {
    let (t, d, m, batch) = (configuration.tokens, configuration.width, configuration.mlpHidden, tape.batch)
    let (q, step, name, layer) = (queries(block: block), queryRow(block: block), "blocks.\(block).", tape.layers[block])
    let (rows, all) = (batch * q, batch * t)
    // MLP
    let normal2 = try elements(rows * d), active = try elements(rows * m), hidden = try elements(rows * m)
    try kernels.layerNorm(
      rows: rows, width: d, from: layer.middle.pointer, norm(name + "norm2"), into: normal2.pointer, on: stream)
    let bias = parameters[name + "mlp.fc1.bias"]
    try gelu(active, of: layer.hidden, bias: bias, rows: rows)
    try weightGradient(
      name + "mlp.fc2", rows: rows, outputs: d, inputs: m, gradient: output.operand.pointer, input: active.pointer)
    try columnSums(output.values, .float32, rows: rows, columns: d, into: gradientStore[name + "mlp.fc2.bias"])
    try product(
      back(rows: rows, m, depth: d, into: element), output.operand.pointer, operand(name + "mlp.fc2.weight"),
      into: hidden.pointer)
    try kernels.launch(
      "gelu_backward",
      [.pointer(hidden.pointer), .pointer(layer.hidden.pointer), .pointer(bias), .int(m), .long(rows * m)],
      blocks: (blocks(rows * m), 1, 1), threads: 256, on: stream)
    try weightGradient(
      name + "mlp.fc1", rows: rows, outputs: m, inputs: d, gradient: hidden.pointer, input: normal2.pointer)
    try columnSums(hidden, element, rows: rows, columns: m, into: gradientStore[name + "mlp.fc1.bias"])
    let normal2Gradient = try pool.floats(rows * d)
    try product(
      back(rows: rows, d, depth: m, into: .float32), hidden.pointer, operand(name + "mlp.fc1.weight"),
      into: normal2Gradient.pointer)
    let middle = try normBackward(
      name + "norm2", rows: rows, input: layer.middle, gradient: normal2Gradient, residual: output.values)
    pool.giveBack([normal2, active, hidden, normal2Gradient])
    // Attention
    let mixed = try elements(rows * d), query = try elements(rows * d), keyValue = try elements(all * 2 * d)
    try weightGradient(
      name + "attn.proj", rows: rows, outputs: d, inputs: d, gradient: middle.operand.pointer,
      input: layer.mixed.pointer)
    try columnSums(middle.values, .float32, rows: rows, columns: d, into: gradientStore[name + "attn.proj.bias"])
    try product(
      back(rows: rows, d, depth: d, into: element), middle.operand.pointer, operand(name + "attn.proj.weight"),
      into: mixed.pointer)
    let statistics = try pool.floats(rows * configuration.heads * 2)
    try kernels.attentionBackward(
      AttentionGradientPlaces(
        forward: places(block, query: layer.query, keyValue: layer.keyValue, mixed: layer.mixed),
        outGradient: mixed.pointer, qGradient: query.pointer, kGradient: keyValue.pointer,
        vGradient: after(keyValue.pointer, d), statistics: statistics.pointer, heads: Int32(configuration.heads)),
      samples: batch, on: stream)
    let normal1 = try elements(all * d), normal1Gradient = try pool.floats(all * d)
    try kernels.layerNorm(
      rows: all, width: d, from: layer.input.pointer, norm(name + "norm1"), into: normal1.pointer, on: stream)
    let weight = operand(name + "attn.qkv.weight")
    try weightGradient(
      name + "attn.qkv", rows: rows, outputs: d, inputs: d, gradient: query.pointer, input: normal1.pointer,
      inputRow: step)
    try weightGradient(
      name + "attn.qkv", firstOutput: d, rows: all, outputs: 2 * d, inputs: d, gradient: keyValue.pointer,
      input: normal1.pointer)
    try product(
      back(rows: all, d, depth: 2 * d, into: .float32), keyValue.pointer, after(weight, d * d),
      into: normal1Gradient.pointer)
    // The query tokens' rows of [B, T, d].
    try product(
      back(rows: rows, d, depth: d, into: .float32, yRow: step, base: step), query.pointer, weight,
      into: normal1Gradient.pointer, base: normal1Gradient.pointer)
    let input = try normBackward(
      name + "norm1", rows: all, input: layer.input, gradient: normal1Gradient, residual: middle.values,
      tokens: q == t ? 0 : t)
    pool.giveBack([mixed, query, keyValue, statistics, normal1, normal1Gradient] + middle.all)
    return input
  }

  /// Class token, positions and patch embedding, from the gradient of the tokens [B, T, d].
  private func embeddingBackward(_ tape: CUDATape, _ tokens: DeviceMemory) throws {
    let (t, d, n, batch) = (configuration.tokens, configuration.width, configuration.patches, tape.batch)
    let sums = try pool.floats(t * d)
    try sums.fill(0)
    try columnSums(tokens, .float32, rows: batch, columns: t * d, into: sums.pointer)
    try addPieces(sums.pointer, columns: t * d, row: t * d, count: 1, into: gradientStore["pos_embed"])
    try addPieces(sums.pointer, columns: d, row: d, count: 1, into: gradientStore["cls_token"])
    try addPieces(
      sums.pointer + UInt64(4 * 2 * d), columns: d, row: d, count: n, into: gradientStore["patch_embed.proj.bias"])
    let rows = try pool.floats(batch * n * d)
    try kernels.launch(
      "patch_rows", [.pointer(rows.pointer), .pointer(tokens.pointer), .int(t), .int(d), .long(batch * n * d)],
      blocks: (blocks(batch * n * d), 1, 1), threads: 256, on: stream)
    try weightGradient(
      "patch_embed.proj", rows: batch * n, outputs: d, inputs: configuration.patchElements, gradient: rows.pointer,
      input: tape.patches!.pointer, operands: .float32, tf32: tf32)
    pool.giveBack([sums, rows])
  }

  // MARK: Pieces

  /// dx = dy·W of a linear layer. With a base it is added to.
  func back(
    rows: Int, _ columns: Int, depth: Int, operands: Element? = nil, into result: Element, yRow: Int? = nil,
    base: Int? = nil, tf32: Bool? = nil
  ) -> Product.Shape {
    Product.Shape(
      form: .back, rows: rows, columns: columns, depth: depth, operands: operands ?? element, result: result,
      xRow: depth, yRow: yRow ?? columns, baseRow: base, bias: false,
      tf32: tf32 ?? (self.tf32 && element == .float32 && operands == nil))
  }

  /// dW += dYᵀ·X of a layer, or of some of its outputs.
  func weightGradient(
    _ layer: String, firstOutput: Int = 0, rows: Int, outputs: Int, inputs: Int, gradient: rrcm_cu_pointer,
    input: rrcm_cu_pointer, inputRow: Int? = nil, operands: Element? = nil, tf32: Bool? = nil
  ) throws {
    let into = gradientStore[layer + ".weight"] + UInt64(4 * firstOutput * inputs)
    try product(
      Product.Shape(
        form: .weights, rows: outputs, columns: inputs, depth: rows, operands: operands ?? element, result: .float32,
        xRow: outputs, wRow: inputRow, yRow: inputs, baseRow: inputs, bias: false,
        tf32: tf32 ?? (self.tf32 && element == .float32 && operands == nil)), gradient, input, into: into, base: into)
  }

  /// The gradient of a LayerNorm's input, with the residual stream's added to it; those of gain and bias are added to
  /// theirs.
  /// - Parameter tokens: above 0, the residual's rows belong to every tokens-th row of the input.
  private func normBackward(
    _ name: String, rows: Int, input: DeviceMemory, gradient: DeviceMemory, residual: DeviceMemory?, tokens: Int = 0
  ) throws -> Gradient {
    let d = configuration.width
    let values = try pool.floats(rows * d), statistics = try pool.floats(2 * rows)
    let operand = element == .float32 ? values : try elements(rows * d)
    try kernels.launch(
      "layer_norm_backward",
      [
        .pointer(values.pointer), .pointer(operand === values ? 0 : operand.pointer), .pointer(statistics.pointer),
        .pointer(input.pointer), .pointer(parameters[name + ".weight"]), .pointer(gradient.pointer),
        .pointer(residual?.pointer ?? 0), .int(d), .int(tokens), .long(rows),
      ], blocks: ((rows + 3) / 4, 1, 1), threads: 128, on: stream)
    let count = (rows + Self.piece - 1) / Self.piece
    let pieces = try pool.floats(count * 2 * d)
    try kernels.launch(
      "norm_sums",
      [
        .pointer(pieces.pointer), .pointer(input.pointer), .pointer(gradient.pointer), .pointer(statistics.pointer),
        .int(d), .int(Self.piece), .long(rows),
      ], blocks: ((d + 31) / 32, count, 1), threads: 256, sharedBytes: 4 * 256, on: stream)
    try addPieces(pieces.pointer, columns: d, row: 2 * d, count: count, into: gradientStore[name + ".weight"])
    try addPieces(
      pieces.pointer + UInt64(4 * d), columns: d, row: 2 * d, count: count, into: gradientStore[name + ".bias"])
    pool.giveBack([statistics, pieces])
    return Gradient(values: values, operand: operand)
  }

  /// Rows that one block of threads adds up. At most 65535 pieces fit into a launch.
  private static let piece = 512

  /// Adds each column's sum of x [rows, columns] to `sums`.
  func columnSums(_ x: DeviceMemory, _ type: Element, rows: Int, columns: Int, into sums: rrcm_cu_pointer) throws {
    let count = (rows + Self.piece - 1) / Self.piece
    let pieces = try pool.floats(count * columns)
    try kernels.launch(
      type == element ? "column_sums" : "column_sums_float",
      [.pointer(pieces.pointer), .pointer(x.pointer), .int(columns), .int(Self.piece), .long(rows)],
      blocks: ((columns + 31) / 32, count, 1), threads: 256, sharedBytes: 4 * 256, on: stream)
    try addPieces(pieces.pointer, columns: columns, row: columns, count: count, into: sums)
    pool.giveBack([pieces])
  }

  /// into += Σ of `count` pieces [columns], which lie `row` apart.
  func addPieces(_ pieces: rrcm_cu_pointer, columns: Int, row: Int, count: Int, into: rrcm_cu_pointer) throws {
    try kernels.launch(
      "add_pieces", [.pointer(into), .pointer(pieces), .int(columns), .int(row), .int(count)],
      blocks: (blocks(columns), 1, 1), threads: 256, on: stream)
  }
}

extension CUDAKernels {
  /// Gradients of queries, keys and values of `samples` samples.
  func attentionBackward(_ places: AttentionGradientPlaces, samples: Int, on stream: CUDAStream) throws {
    let forward = places.forward
    let (width, tokens, queries) = (Int(forward.width), Int(forward.tokens), Int(forward.queries))
    let heads = Int(places.heads)
    func shared(_ rows: Int, statistics: Int) -> Int { (rows + 15) / 16 * 16 * (4 * (width + 8) + statistics) }
    let held = (queries: shared(tokens, statistics: 0), keys: shared(queries, statistics: 8))
    // Both or neither: the two ways keep different logarithms in the statistics.
    let usesUnits = element == .bfloat16 && (width == 32 || width == 64) && max(held.queries, held.keys) <= sharedLimit
    func launch(_ name: String, rows: Int, held: Int, plain: Int) throws {
      try self.launch(
        usesUnits ? "\(name)_\(width)" : name, [.gradientPlaces(places)],
        blocks: (heads, samples, usesUnits ? 1 : (rows + 3) / 4), threads: 128, sharedBytes: usesUnits ? held : plain,
        on: stream)
    }
    try launch("attention_backward_queries", rows: queries, held: held.queries, plain: 16 * (tokens + 2 * width))
    try launch("attention_backward_keys", rows: tokens, held: held.keys, plain: 32 * (queries + width))
  }
}

/// As `AttentionGradientPlaces` of attention_backward.cu.
struct AttentionGradientPlaces {
  var forward: AttentionPlaces
  var outGradient: rrcm_cu_pointer
  var qGradient: rrcm_cu_pointer
  var kGradient: rrcm_cu_pointer
  var vGradient: rrcm_cu_pointer
  var statistics: rrcm_cu_pointer
  var heads: Int32
}
