internal import CKernels
internal import Compute
internal import Models
internal import Tensors

/// A trainable network on the CPU: parameters, gradients and AdamW moments in float32.
///
/// Threads split samples, or rows and columns of results, never a sum, so results do not depend on their number.
final class CPUNetwork: Network {
  let configuration: ViTConfiguration
  let threads: Int
  let kernels: Kernels
  let parameters: ParameterStore
  let gradientStore: ParameterStore
  /// AdamW's exp_avg and exp_avg_sq; created by the first update.
  var moments: (first: ParameterStore, second: ParameterStore)?
  let encoder: Encoder
  let pool = BufferPool()
  /// Samples that one thread takes at a time.
  let slice: Int
  private let workspaces: [Workspace]
  private var weightsChanged = false

  var weights: EncoderWeights { encoder.weights }
  var numerics: NumericsID { CPUDevice.numerics(.f32) }

  init(_ configuration: ViTConfiguration, state: StateDict, threads: Int, kernels: Kernels) throws {
    try checkConfiguration(configuration)
    self.configuration = configuration
    self.threads = threads
    self.kernels = kernels
    let layout = ParameterLayout(configuration).entries
    parameters = ParameterStore(layout)
    try parameters.load(state)
    gradientStore = ParameterStore(layout)
    encoder = Encoder(weights: EncoderWeights(configuration, store: parameters), kernels: kernels)
    let slice = CPUClassifier.defaultBatch(configuration)
    self.slice = slice
    workspaces = (0..<threads).map { _ in Workspace(configuration, batch: slice) }
  }

  func forward(inputs: [Float], times: [Float], options: ForwardOptions) throws -> ForwardOutputs {
    let (c, d, batch) = (configuration, configuration.width, times.count)
    guard batch > 0, inputs.count == batch * c.imageElements else {
      throw ComputeError(
        "inputs hold \(inputs.count) values; \(batch) times need \(batch) images of \(c.imageElements)")
    }
    if options.head, weights.head == nil { throw ComputeError("the head was asked for, but model.classes is 0") }
    if options.projector != .none, !c.hasProjector {
      throw ComputeError("the projector was asked for, but model.projector is 0")
    }
    if weightsChanged { weights.pack() }
    weightsChanged = false

    let classTokens = pool.take(batch * d)
    let encoded = pool.take(batch * d)
    let tape: CPUTape? = options.keepsTape ? makeTape(batch, options, classTokens, encoded) : nil
    encode(batch, inputs: inputs, times: times, tape: tape, into: classTokens)
    if options.finalNorm {
      kernels.layerNorm(
        rows: batch, width: d, Matrix(classTokens.base, row: d), weights.norm, into: Matrix(encoded.base, row: d))
    } else {
      encoded.base.update(from: classTokens.base, count: batch * d)
    }
    var outputs = ForwardOutputs(encoder: [Float](encoded, batch * d))
    if options.head, let head = weights.head {
      let logits = pool.take(batch * head.outputs)
      product(batch, head, encoded, into: logits)
      outputs.logits = [Float](logits, batch * head.outputs)
      pool.giveBack([logits])
    }
    if options.projector != .none {
      outputs.projection = project(encoded, batch: batch, options.projector, tape: tape)
    }
    if tape == nil { pool.giveBack([classTokens, encoded]) }
    outputs.tape = tape
    return outputs
  }

  /// Class tokens [B, d] after the last block.
  private func encode(_ batch: Int, inputs: [Float], times: [Float], tape: CPUTape?, into classTokens: Buffer) {
    let (c, d, t) = (configuration, configuration.width, configuration.tokens)
    let distinct = Array(Set(times)).sorted()
    let embeddings = Buffer(distinct.count * d)
    for (i, time) in distinct.enumerated() {
      (embeddings.base + i * d).update(from: timeEmbedding(time, width: d), count: d)
    }
    let place = times.map { time in distinct.firstIndex(of: time) ?? 0 }
    let images = pool.take(inputs.count)
    images.base.update(from: inputs, count: inputs.count)
    parallel((batch + slice - 1) / slice, threads: threads) { slot, index in
      let w = workspaces[slot]
      let first = index * slice
      let n = min(slice, batch - first)
      let sample = t * c.patchElements
      let patches = tape.map { $0.patches.base + first * sample } ?? w.patches.base
      for i in 0..<n {
        (patches + i * sample).update(repeating: 0, count: 2 * c.patchElements)
        rrcm_patchify(
          images.base + (first + i) * c.imageElements, c.channels, c.imageSize, c.patchSize, 0, 1, 1,
          patches + i * sample + 2 * c.patchElements)
      }
      let tokens = tape.map { $0.layers[0].input.base + first * t * d } ?? w.tokens.base
      encoder.embed(n, patches: patches, timeToken: { embeddings.base + place[first + $0] * d }, into: tokens)
      let result = classTokens.base + first * d
      guard let tape else {
        result.update(from: encoder.run(n, in: w), count: n * d)
        return
      }
      for block in 0..<c.depth {
        var a = activations(tape, block, from: first, w)
        a.output = block == c.depth - 1 ? result : tape.layers[block + 1].input.base + first * t * d
        encoder.block(block, n, a, scratch: w.scratch.base)
      }
    }
    pool.giveBack([images])
  }

  /// A tape's activations of a block from sample `first` on; LN outputs and GELU are the workspace's, output is unset.
  private func activations(_ tape: CPUTape, _ block: Int, from first: Int, _ w: Workspace) -> BlockActivations {
    let (t, d) = (configuration.tokens, configuration.width)
    let q = encoder.queries(block: block)
    let layer = tape.layers[block]
    return BlockActivations(
      input: layer.input.base + first * t * d, normal1: w.normal.base, query: layer.query.base + first * q * d,
      keyValue: layer.keyValue.base + first * t * 2 * d, mixed: layer.mixed.base + first * q * d,
      middle: layer.middle.base + first * q * d, normal2: w.normal.base,
      hidden: layer.hidden.base + first * q * configuration.mlpHidden, active: w.hidden.base,
      output: layer.middle.base)
  }

  private func makeTape(_ batch: Int, _ options: ForwardOptions, _ classTokens: Buffer, _ encoded: Buffer) -> CPUTape {
    let (t, d) = (configuration.tokens, configuration.width)
    let layers = (0..<configuration.depth).map { block in
      let rows = batch * encoder.queries(block: block)
      return CPUTape.Layer(
        input: pool.take(batch * t * d), query: pool.take(rows * d), keyValue: pool.take(batch * t * 2 * d),
        mixed: pool.take(rows * d), middle: pool.take(rows * d), hidden: pool.take(rows * configuration.mlpHidden))
    }
    return CPUTape(
      batch: batch, options: options, patches: pool.take(batch * t * configuration.patchElements), layers: layers,
      classTokens: classTokens, encoder: encoded, network: self)
  }

  /// y [rows, outputs] = x·Wᵀ + b, rows split over threads.
  func product(_ rows: Int, _ linear: Linear, _ x: Buffer, into y: Buffer) {
    split(rows) { range in
      kernels.product(
        rows: range.count, columns: linear.outputs, depth: linear.inputs,
        Matrix(x.base + range.lowerBound * linear.inputs, row: linear.inputs), linear.operand,
        into: Matrix(y.base + range.lowerBound * linear.outputs, row: linear.outputs), bias: linear.bias)
    }
  }

  /// Cuts 0..<count into one range per thread and runs them side by side. For work whose results no cut changes.
  func split(_ count: Int, _ body: (Range<Int>) -> Void) {
    let step = (count + threads - 1) / threads
    parallel(threads, threads: threads) { _, part in
      let start = min(part * step, count)
      let end = min(start + step, count)
      if start < end { body(start..<end) }
    }
  }

  /// Must be called after parameters change: packed copies are renewed before the next forward pass.
  func parametersChanged() { weightsChanged = true }

  func state() -> StateDict { parameters.state() }
}

extension [Float] {
  /// The first `count` values of a buffer.
  init(_ buffer: Buffer, _ count: Int) { self.init(UnsafeBufferPointer(start: buffer.base, count: count)) }
}
