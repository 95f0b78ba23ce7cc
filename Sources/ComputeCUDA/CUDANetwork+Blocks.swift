internal import CCUDA
internal import Compute
internal import Models

/// The forward pass with what its gradient needs (spec 2.1–2.3). The last block computes queries, projection and MLP of
/// the class token alone.
extension CUDANetwork {
  /// Queries per sample of a block.
  func queries(block: Int) -> Int { block == configuration.depth - 1 ? 1 : configuration.tokens }

  /// Distance between the query tokens in a buffer [B, T, d].
  func queryRow(block: Int) -> Int {
    queries(block: block) == 1 ? configuration.tokens * configuration.width : configuration.width
  }

  /// Runs the encoder. Returns the class tokens [B, d] after the last block; patches and layers go to the tape when it
  /// is kept.
  func encode(inputs: [Float], times: [Float], into tape: CUDATape) throws -> DeviceMemory {
    var stream = try embed(inputs: inputs, times: times, into: tape)
    for block in 0..<configuration.depth {
      let (layer, output) = try forward(block, batch: tape.batch, input: stream)
      if tape.options.keepsTape {
        tape.layers.append(layer)
      } else {
        pool.giveBack(layer.all)
      }
      stream = output
    }
    return stream
  }

  /// Tokens [B, T, d].
  private func embed(inputs: [Float], times: [Float], into tape: CUDATape) throws -> DeviceMemory {
    let (c, d, t, batch) = (configuration, configuration.width, configuration.tokens, tape.batch)
    let distinct = Array(Set(times)).sorted()
    let place = Dictionary(uniqueKeysWithValues: distinct.enumerated().map { ($1, Int32($0)) })
    let embeddings = try pool.floats(distinct.count * d)
    try embeddings.write(distinct.flatMap { timeEmbedding($0, width: d) })
    let which = try pool.take(bytes: 4 * batch)
    try which.write(times.map { place[$0] ?? 0 })
    let images = try pool.floats(inputs.count)
    try images.write(inputs)
    let chunk = try pool.take(bytes: 32)
    try chunk.write([ChunkOnDevice(key: (0, 0), image: 0, phase: 0, end: 0, scale: 1, sigma: 0)])
    let patches = try pool.floats(batch * c.patches * c.patchElements)
    try kernels.launch(
      "input_patches",
      [
        .pointer(patches.pointer), .pointer(images.pointer), .pointer(chunk.pointer),
        .geometry(
          PatchGeometry(channels: Int32(c.channels), side: Int32(c.imageSize), patch: Int32(c.patchSize))),
        .int(c.imageElements),
      ], blocks: (blocks(c.imageElements), batch, 1), threads: 256, on: stream)
    let embedded = try pool.floats(batch * c.patches * d)
    try product(
      Product.Shape(
        rows: batch * c.patches, columns: d, depth: c.patchElements, operands: .float32, result: .float32,
        xRow: c.patchElements, yRow: d, bias: false, tf32: tf32), patches.pointer,
      parameters["patch_embed.proj.weight"], into: embedded.pointer)
    let tokens = try pool.floats(batch * t * d)
    try kernels.launch(
      "train_embed",
      [
        .pointer(tokens.pointer), .pointer(parameters["pos_embed"]), .pointer(parameters["cls_token"]),
        .pointer(parameters["patch_embed.proj.bias"]), .pointer(embedded.pointer), .pointer(embeddings.pointer),
        .pointer(which.pointer), .int(t), .int(d), .long(batch * t * d),
      ], blocks: (blocks(batch * t * d), 1, 1), threads: 256, on: stream)
    pool.giveBack([embeddings, which, images, chunk, embedded])
    if tape.options.keepsTape {
      tape.patches = patches
    } else {
      pool.giveBack([patches])
    }
    return tokens
  }

  private func forward(_ block: Int, batch: Int, input: DeviceMemory) throws -> (CUDATape.Layer, DeviceMemory) {
    let (t, d, m) = (configuration.tokens, configuration.width, configuration.mlpHidden)
    let (q, step, name) = (queries(block: block), queryRow(block: block), "blocks.\(block).")
    let (rows, all) = (batch * q, batch * t)
    let normal1 = try elements(all * d), query = try elements(rows * d), keyValue = try elements(all * 2 * d)
    try kernels.layerNorm(
      rows: all, width: d, from: input.pointer, norm(name + "norm1"), into: normal1.pointer, on: stream)
    let weight = operand(name + "attn.qkv.weight")
    try product(
      linear(rows: rows, d, depth: d, xRow: step, into: element), normal1.pointer, weight, into: query.pointer)
    try product(
      linear(rows: all, 2 * d, depth: d, into: element), normal1.pointer, after(weight, d * d), into: keyValue.pointer)
    let mixed = try elements(rows * d), middle = try pool.floats(rows * d)
    try kernels.attention(
      places(block, query: query, keyValue: keyValue, mixed: mixed), heads: configuration.heads, samples: batch,
      on: stream)
    try product(
      linear(rows: rows, d, depth: d, into: .float32, base: step), mixed.pointer, operand(name + "attn.proj.weight"),
      into: middle.pointer, base: input.pointer, bias: parameters[name + "attn.proj.bias"])
    let normal2 = try elements(rows * d), hidden = try elements(rows * m), active = try elements(rows * m)
    try kernels.layerNorm(
      rows: rows, width: d, from: middle.pointer, norm(name + "norm2"), into: normal2.pointer, on: stream)
    try product(
      linear(rows: rows, m, depth: d, into: element), normal2.pointer, operand(name + "mlp.fc1.weight"),
      into: hidden.pointer)
    try gelu(active, of: hidden, bias: parameters[name + "mlp.fc1.bias"], rows: rows)
    let output = try pool.floats(rows * d)
    try product(
      linear(rows: rows, d, depth: m, into: .float32, base: d), active.pointer, operand(name + "mlp.fc2.weight"),
      into: output.pointer, base: middle.pointer, bias: parameters[name + "mlp.fc2.bias"])
    pool.giveBack([normal1, normal2, active])
    let layer = CUDATape.Layer(
      input: input, query: query, keyValue: keyValue, mixed: mixed, middle: middle, hidden: hidden)
    return (layer, output)
  }

  /// A linear layer of a block. With a base there is a bias too.
  private func linear(
    rows: Int, _ columns: Int, depth: Int, xRow: Int? = nil, into result: Element, base: Int? = nil
  ) -> Product.Shape {
    Product.Shape(
      rows: rows, columns: columns, depth: depth, operands: element, result: result, xRow: xRow ?? depth,
      yRow: columns, baseRow: base, bias: base != nil, tf32: tf32 && element == .float32)
  }

  /// Memory of `count` values that products read.
  func elements(_ count: Int) throws -> DeviceMemory { try pool.take(bytes: count * element.bytes) }

  /// The place of the index-th value that products read.
  func after(_ pointer: rrcm_cu_pointer, _ index: Int) -> rrcm_cu_pointer { pointer + UInt64(index * element.bytes) }

  /// active = GELU(hidden + bias) [rows, hidden].
  func gelu(_ active: DeviceMemory, of hidden: DeviceMemory, bias: rrcm_cu_pointer, rows: Int) throws {
    let count = rows * configuration.mlpHidden
    try kernels.launch(
      "gelu_of_sum",
      [
        .pointer(active.pointer), .pointer(hidden.pointer), .pointer(bias), .int(configuration.mlpHidden), .long(count),
      ], blocks: (blocks(count), 1, 1), threads: 256, on: stream)
  }

  func places(_ block: Int, query: DeviceMemory, keyValue: DeviceMemory, mixed: DeviceMemory) -> AttentionPlaces {
    let (t, d, q) = (configuration.tokens, configuration.width, queries(block: block))
    return AttentionPlaces(
      q: query.pointer, k: keyValue.pointer, v: after(keyValue.pointer, d), out: mixed.pointer, qRow: Int64(d),
      qSample: Int64(q * d), keyValueRow: Int64(2 * d), keyValueSample: Int64(2 * d * t), outRow: Int64(d),
      outSample: Int64(q * d), queries: Int32(q), tokens: Int32(t), width: Int32(configuration.headWidth))
  }
}
