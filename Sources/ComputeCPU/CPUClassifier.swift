internal import CKernels
internal import Compute
internal import Models
internal import Noise
internal import Tensors

/// A fine-tuned network on the CPU. Weights are packed once; a call allocates next to nothing.
final class CPUClassifier: Classifier {
  let configuration: ViTConfiguration
  let numerics: NumericsID
  /// Samples computed together: speed only, never results.
  let batch: Int
  private let threads: Int
  private let levels: NoiseLevels
  private let encoder: Encoder
  /// The same blocks in bfloat16, where that is the precision.
  private let bf16: BF16Encoder?
  /// One per thread.
  private let workspaces: [Workspace]
  private let bf16Workspaces: [BF16Workspace]
  private let timeToken: Buffer

  init(_ configuration: ViTConfiguration, state: any TensorSource, batch: Int?, device: CPUDevice) throws {
    try checkConfiguration(configuration)
    if device.precision == .bf16, let problem = BF16Encoder.problem(configuration) { throw ComputeError(problem) }
    guard configuration.classes > 0 else {
      throw ComputeError("model.classes is 0: this checkpoint has no head to classify with; fine-tune it first")
    }
    let batch = batch ?? Self.defaultBatch(configuration)
    guard (1...65_536).contains(batch) else {
      throw ComputeError("batch is \(batch); it must be 1 to 65536. Leave it out for the default.")
    }
    var used = configuration
    (used.projectorHidden, used.projectorOutput) = (0, 0)
    self.configuration = configuration
    self.batch = batch
    threads = device.threads
    numerics = device.numerics
    levels = NoiseLevels(count: configuration.levels)
    encoder = Encoder(
      weights: try EncoderWeights(used, source: state, precision: device.precision), kernels: device.kernels)
    workspaces = (0..<threads).map { _ in Workspace(used, batch: batch, precision: device.precision) }
    switch device.precision {
    case .f32: (bf16, bf16Workspaces) = (nil, [])
    case .bf16:
      bf16 = BF16Encoder(encoder: encoder)
      bf16Workspaces = (0..<threads).map { _ in BF16Workspace(used, batch: batch) }
    }
    timeToken = Buffer(configuration.width)
  }

  /// About 288 rows: measured flat from 72 to 1,152 at widths 64 to 768; smaller batches share better among threads.
  static func defaultBatch(_ c: ViTConfiguration) -> Int { max(1, 288 / c.tokens) }

  func votes(for request: ChunkRequest) throws -> [Int32] {
    let (c, classes) = (configuration, configuration.classes)
    guard request.pixels.count == c.imageElements else {
      throw ComputeError(
        "image \(request.imageIndex) has \(request.pixels.count) bytes; a \(c.channels)×\(c.imageSize)×\(c.imageSize) "
          + "network takes \(c.imageElements). Use a dataset of the checkpoint's image size and channels.")
    }
    let scale = setLevel(noiseLevel: 2 * request.noise.sigma.value)
    let (samples, batch) = (request.samples, batch)
    let tally = Tally(threads: threads, classes: classes)
    parallel((samples.count + batch - 1) / batch, threads: threads) { [self] slot, index in
      let w = workspaces[slot]
      let first = samples.lowerBound + UInt32(index * batch)
      let n = min(batch, samples.count - index * batch)
      request.pixels.withUnsafeBufferPointer { pixels in
        for i in 0..<n {
          request.noise.noisyPixels(
            into: UnsafeMutableBufferPointer(start: w.image.base, count: c.imageElements), pixels: pixels,
            imageIndex: request.imageIndex, phase: request.phase, sample: first + UInt32(i))
          // Pixels in [0, 1] to [-1, 1]: (x − ½)/½.
          encoder.patchify(w.image.base, shift: 0.5, gain: 2, scale: scale, sample: i, in: w)
        }
      }
      classify(n, slot: slot)
      for i in 0..<n {
        if let top = topClass(w.logits.base + i * classes) {
          tally.votes[slot * classes + top] += 1
        } else {
          tally.spoiled[slot] = min(tally.spoiled[slot], first + UInt32(i))
        }
      }
    }
    if let sample = tally.spoiled.min(), sample != .max {
      throw ComputeError(
        "a logit of image \(request.imageIndex), \(request.phase) sample \(sample) is not finite; the checkpoint's "
          + "weights overflow or hold NaN")
    }
    return (0..<classes).map { k in (0..<threads).reduce(0) { $0 + tally.votes[$1 * classes + k] } }
  }

  func logits(inputs: [Float], count: Int, noiseLevel: Double) throws -> [Float] {
    let (elements, classes) = (configuration.imageElements, configuration.classes)
    guard count >= 0, inputs.count == count * elements else {
      throw ComputeError("inputs hold \(inputs.count) values; \(count) images of \(elements) were announced")
    }
    guard noiseLevel >= 0, noiseLevel.isFinite else {
      throw ComputeError("noise level is \(noiseLevel); it must be finite and at least 0")
    }
    let scale = setLevel(noiseLevel: noiseLevel)
    let output = Buffer(count * classes)
    let images = Buffer(inputs.count)
    images.base.update(from: inputs, count: inputs.count)
    parallel((count + batch - 1) / batch, threads: threads) { [self] slot, index in
      let w = workspaces[slot]
      let first = index * batch
      let n = min(batch, count - first)
      for i in 0..<n {
        encoder.patchify(
          images.base + (first + i) * elements, shift: 0, gain: 1, scale: scale, sample: i, in: w)
      }
      classify(n, slot: slot)
      (output.base + first * classes).update(from: w.logits.base, count: n * classes)
    }
    let logits = [Float](UnsafeBufferPointer(start: output.base, count: output.count))
    if let bad = logits.firstIndex(where: { !$0.isFinite }) {
      throw ComputeError("a logit of input \(bad / classes) is not finite; check the weights and the inputs")
    }
    return logits
  }

  /// Prepares the time token of the level nearest to `noiseLevel` and returns its c_in.
  private func setLevel(noiseLevel: Double) -> Float {
    let t = levels.levels[levels.classifierIndex(noiseLevel: noiseLevel)]
    timeToken.base.update(
      from: timeEmbedding(NoiseLevels.rescaledTime(t), width: configuration.width), count: configuration.width)
    return NoiseLevels.inputScale(t)
  }

  /// From patches in a slot's workspace to logits [n, K] in the workspace.
  private func classify(_ n: Int, slot: Int) {
    let w = workspaces[slot]
    let d = configuration.width
    let time = timeToken.base
    encoder.embed(n, patches: w.patches.base, timeToken: { _ in time }, into: w.tokens.base)
    let features = Matrix(bf16?.run(n, in: w, bf16Workspaces[slot]) ?? encoder.run(n, in: w), row: d)
    if configuration.finalNorm {
      encoder.kernels.layerNorm(rows: n, width: d, features, encoder.weights.norm, into: features)
    }
    let head = encoder.weights.head!
    encoder.kernels.product(
      rows: n, columns: configuration.classes, depth: d, features, head.operand,
      into: Matrix(w.logits.base, row: configuration.classes), bias: head.bias)
  }

  /// The largest logit's class, the lowest of equals; nil when one is not finite.
  private func topClass(_ logits: Floats) -> Int? {
    var top = 0
    var finite = true
    for k in 0..<configuration.classes {
      finite = finite && logits[k].isFinite
      if logits[k] > logits[top] { top = k }
    }
    return finite ? top : nil
  }
}

/// Votes and failures by thread.
private final class Tally: @unchecked Sendable {
  /// [threads, K]
  let votes: UnsafeMutableBufferPointer<Int32>
  /// Lowest sample with a logit that is not finite, by thread.
  let spoiled: UnsafeMutableBufferPointer<UInt32>

  init(threads: Int, classes: Int) {
    votes = .allocate(capacity: threads * classes)
    votes.initialize(repeating: 0)
    spoiled = .allocate(capacity: threads)
    spoiled.initialize(repeating: .max)
  }

  deinit {
    votes.deallocate()
    spoiled.deallocate()
  }
}

extension Encoder {
  /// An image [C, H, W] into sample `sample`'s patch rows of the workspace: ((x − shift)·gain)·scale.
  func patchify(_ image: Floats, shift: Float, gain: Float, scale: Float, sample: Int, in w: Workspace) {
    let c = configuration
    rrcm_patchify(
      image, c.channels, c.imageSize, c.patchSize, shift, gain, scale,
      w.patches.base + (sample * c.tokens + 2) * c.patchElements)
  }
}
