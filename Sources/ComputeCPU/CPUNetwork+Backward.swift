internal import CKernels
internal import Compute
internal import Models
internal import Tensors

/// The backward pass, written out layer by layer. Gradients add to those held.
extension CPUNetwork {
  func backward(_ tape: any Tape, gradients: OutputGradients) throws {
    guard let tape = tape as? CPUTape, tape.network === self else {
      throw ComputeError("the tape is another network's or was used before; run forward again")
    }
    let (batch, d) = (tape.batch, configuration.width)
    try check(gradients, against: tape)
    tape.network = nil
    let encoderGradient = pool.take(batch * d)
    if let given = gradients.encoder {
      encoderGradient.base.update(from: given, count: batch * d)
    } else {
      encoderGradient.base.update(repeating: 0, count: batch * d)
    }
    if let given = gradients.logits, let head = weights.head {
      let logits = pool.take(given.count)
      logits.base.update(from: given, count: given.count)
      weightGradients(
        weightTasks(head, rows: batch, gradient: logits.matrix(head.outputs), input: tape.encoder.base, inputRow: d))
      let into = encoderGradient.matrix(d)
      kernels.product(
        rows: batch, columns: d, depth: head.outputs, logits.matrix(head.outputs), head.backOperand, into: into,
        base: into)
      pool.giveBack([logits])
    }
    if let given = gradients.projection, let kept = tape.projection {
      projectBackward(tape, kept, gradient: given, encoderGradient: encoderGradient)
    }
    var gradient = encoderGradient
    if tape.options.finalNorm {
      gradient = pool.take(batch * d)
      gradient.base.update(repeating: 0, count: batch * d)
      kernels.layerNormBackward(
        rows: batch, width: d, tape.classTokens.matrix(d), gain: weights.norm.gain, gradient: encoderGradient.matrix(d),
        into: gradient.matrix(d))
      kernels.layerNormGradients(
        rows: batch, width: d, tape.classTokens.matrix(d), gradient: encoderGradient.matrix(d),
        into: self.gradient(of: weights.norm))
      pool.giveBack([encoderGradient])
    }
    for block in (0..<configuration.depth).reversed() {
      let inner = blockBackward(block, tape, gradient)
      pool.giveBack([gradient])
      gradient = inner
    }
    embeddingBackward(tape, gradient)
    pool.giveBack([gradient] + tape.buffers)
  }

  private func check(_ gradients: OutputGradients, against tape: CPUTape) throws {
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

  /// From the gradient of a block's output [B, Q, d] to that of its input [B, T, d], which the caller gives back.
  private func blockBackward(_ block: Int, _ tape: CPUTape, _ output: Buffer) -> Buffer {
    let (t, d, m, batch) = (configuration.tokens, configuration.width, configuration.mlpHidden, tape.batch)
    let (w, layer) = (weights.blocks[block], tape.layers[block])
    let (q, step) = (encoder.queries(block: block), encoder.queryRow(block: block))
    let (rows, all) = (batch * q, batch * t)
    let normal1 = pool.take(all * d), normal2 = pool.take(rows * d), active = pool.take(rows * m)
    let hidden = pool.take(rows * m), normal2Gradient = pool.take(rows * d), middle = pool.take(rows * d)
    let mixed = pool.take(rows * d), query = pool.take(rows * d), keyValue = pool.take(all * 2 * d)
    let normal1Gradient = pool.take(all * d), input = pool.take(all * d)
    let scratchCount = rrcm_attention_scratch(q, t, configuration.headWidth)
    let scratch = (0..<threads).map { _ in pool.take(scratchCount) }

    parallel((batch + slice - 1) / slice, threads: threads) { slot, index in
      let first = index * slice
      let n = min(slice, batch - first)
      func queries(_ buffer: Buffer, _ width: Int) -> Matrix { Matrix(buffer.base + first * q * width, row: width) }
      func tokens(_ buffer: Buffer, _ width: Int) -> Matrix { Matrix(buffer.base + first * t * width, row: width) }
      let (nq, nt) = (n * q, n * t)
      // MLP
      kernels.layerNorm(rows: nq, width: d, queries(layer.middle, d), w.norm2, into: queries(normal2, d))
      kernels.gelu(count: nq * m, queries(layer.hidden, m).base, into: queries(active, m).base)
      kernels.product(
        rows: nq, columns: m, depth: d, queries(output, d), w.fc2.backOperand, into: queries(hidden, m))
      kernels.geluBackward(count: nq * m, queries(layer.hidden, m).base, gradient: queries(hidden, m).base)
      kernels.product(
        rows: nq, columns: d, depth: m, queries(hidden, m), w.fc1.backOperand, into: queries(normal2Gradient, d))
      queries(middle, d).base.update(from: queries(output, d).base, count: nq * d)
      kernels.layerNormBackward(
        rows: nq, width: d, queries(layer.middle, d), gain: w.norm2.gain, gradient: queries(normal2Gradient, d),
        into: queries(middle, d))
      // Attention
      kernels.product(
        rows: nq, columns: d, depth: d, queries(middle, d), w.projection.backOperand, into: queries(mixed, d))
      for i in first..<first + n {
        let keys = layer.keyValue.base + i * t * 2 * d
        let gradient = keyValue.base + i * t * 2 * d
        kernels.attentionBackward(
          rrcm_attention_gradient(
            forward: rrcm_attention(
              queries: q, tokens: t, heads: configuration.heads, head_width: configuration.headWidth,
              q: layer.query.base + i * q * d, q_row: d, k: keys, v: keys + d, kv_row: 2 * d, out: nil, out_row: d,
              scratch: scratch[slot].base),
            out_gradient: mixed.base + i * q * d, out_gradient_row: d, q_gradient: query.base + i * q * d,
            k_gradient: gradient, v_gradient: gradient + d))
      }
      kernels.layerNorm(rows: nt, width: d, tokens(layer.input, d), w.norm1, into: tokens(normal1, d))
      kernels.product(
        rows: nt, columns: d, depth: 2 * d, tokens(keyValue, 2 * d), w.keyValue.backOperand,
        into: tokens(normal1Gradient, d))
      // The query tokens' rows of [n, T, d].
      let asked = Matrix(tokens(normal1Gradient, d).base, row: step)
      kernels.product(
        rows: nq, columns: d, depth: d, queries(query, d), w.query.backOperand, into: asked, base: asked)
      let into = tokens(input, d)
      if q == t {
        into.base.update(from: queries(middle, d).base, count: nt * d)
      } else {
        into.base.update(repeating: 0, count: nt * d)
        for i in 0..<n { (into.base + i * step).update(from: queries(middle, d).base + i * d, count: d) }
      }
      kernels.layerNormBackward(
        rows: nt, width: d, tokens(layer.input, d), gain: w.norm1.gain, gradient: tokens(normal1Gradient, d),
        into: into)
    }

    weightGradients(
      weightTasks(w.fc2, rows: rows, gradient: output.matrix(d), input: active.base, inputRow: m)
        + weightTasks(w.fc1, rows: rows, gradient: hidden.matrix(m), input: normal2.base, inputRow: d)
        + weightTasks(w.projection, rows: rows, gradient: middle.matrix(d), input: layer.mixed.base, inputRow: d)
        + weightTasks(w.query, rows: rows, gradient: query.matrix(d), input: normal1.base, inputRow: step)
        + weightTasks(w.keyValue, rows: all, gradient: keyValue.matrix(2 * d), input: normal1.base, inputRow: d)
        + [
          { [self] in
            kernels.layerNormGradients(
              rows: rows, width: d, layer.middle.matrix(d), gradient: normal2Gradient.matrix(d),
              into: gradient(of: w.norm2))
          },
          { [self] in
            kernels.layerNormGradients(
              rows: all, width: d, layer.input.matrix(d), gradient: normal1Gradient.matrix(d),
              into: gradient(of: w.norm1))
          },
        ])
    pool.giveBack(
      [normal1, normal2, active, hidden, normal2Gradient, middle, mixed, query, keyValue, normal1Gradient] + scratch)
    return input
  }

  /// Class token, positions and patch embedding, from the gradient of the tokens [B, T, d].
  private func embeddingBackward(_ tape: CPUTape, _ tokens: Buffer) {
    let (t, d, c) = (configuration.tokens, configuration.width, configuration.patchElements)
    let sums = pool.take(t * d)
    sums.base.update(repeating: 0, count: t * d)
    kernels.columnSums(rows: tape.batch, columns: t * d, Matrix(tokens.base, row: t * d), into: sums.base)
    let (position, classToken) = (gradientStore["pos_embed"], gradientStore["cls_token"])
    let bias = gradientStore["patch_embed.proj.bias"]
    for j in 0..<t * d { position[j] += sums.base[j] }
    for j in 0..<d { classToken[j] += sums.base[j] }
    kernels.columnSums(rows: t - 2, columns: d, Matrix(sums.base + 2 * d, row: d), into: bias)
    pool.giveBack([sums])
    // Rows 0 and 1 of each sample's patches are zero, so class and time tokens add nothing.
    weightGradients(
      weightTasks(
        weights.patch, rows: tape.batch * t, gradient: tokens.matrix(d), input: tape.patches.base, inputRow: c,
        bias: false))
  }

  // MARK: Parameter gradients

  /// Where the gradient of a parameter lies.
  func gradient(of parameter: Floats) -> Floats { gradientStore.buffer.base + (parameter - parameters.buffer.base) }

  func gradient(of norm: Affine) -> Affine { Affine(gain: gradient(of: norm.gain), bias: gradient(of: norm.bias)) }

  /// dW += dYᵀ·X and db += Σ dY of a linear layer, cut into pieces that threads may take in any order.
  func weightTasks(
    _ linear: Linear, rows: Int, gradient dy: Matrix, input: Floats, inputRow: Int, bias: Bool = true
  ) -> [() -> Void] {
    // A multiple of the product's tile height.
    let piece = 96
    return stride(from: 0, to: linear.outputs, by: piece).map { first in
      { [self] in
        let count = min(piece, linear.outputs - first)
        let part = Matrix(dy.base + first, row: dy.row)
        let into = Matrix(gradient(of: linear.weight!) + first * linear.inputs, row: linear.inputs)
        kernels.product(
          rows: count, columns: linear.inputs, depth: rows, part.transposed, .rows(input, row: inputRow), into: into,
          base: into)
        if bias, let vector = linear.bias {
          kernels.columnSums(rows: rows, columns: count, part, into: gradient(of: vector) + first)
        }
      }
    }
  }

  func weightGradients(_ tasks: [() -> Void]) {
    parallel(tasks.count, threads: threads) { _, index in tasks[index]() }
  }

  func zeroGradients() { gradientStore.buffer.base.update(repeating: 0, count: gradientStore.buffer.count) }

  func gradientNorm(of names: Set<String>?) -> Double {
    gradientStore.places.reduce(0.0) { sum, place in
      guard place.entry.isParameter, names?.contains(place.entry.name) ?? true else { return sum }
      return sum + rrcm_sum_of_squares(place.count, gradientStore.pointer(place))
    }.squareRoot()
  }

  func gradients() -> StateDict { gradientStore.state(parametersOnly: true) }
}
