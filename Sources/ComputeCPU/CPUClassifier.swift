internal import CKernels
internal import Compute
internal import Models
internal import Noise
internal import Tensors

/// A fine-tuned network on the CPU. Weights are packed once; a call allocates next to nothing.
final class CPUClassifier: Classifier {
  let configuration: ViTConfiguration
  let numerics: NumericsID
  let arrangement: String
  private let crew: Crew
  private let levels: NoiseLevels
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
    numerics = device.numerics
    levels = NoiseLevels(count: configuration.levels)
    let weights = try EncoderWeights(used, source: state, precision: device.precision)
    func crew(_ arrangement: CPUDevice.Arrangement) -> Crew {
      Crew(
        arrangement, weights: weights, kernels: device.kernels, threads: device.threads, batch: batch,
        precision: device.precision)
    }
    if device.threads == 1 {
      (self.crew, arrangement) = (crew(.apart), "one thread")
    } else if let given = device.arrangement {
      (self.crew, arrangement) = (crew(given), "\(device.threads) threads \(given.rawValue)")
    } else {
      let (fastest, measured) = Crew.fastest(crew)
      self.crew = fastest
      arrangement = "\(device.threads) threads \(fastest.arrangement.rawValue): \(measured)"
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
    let (samples, encoder) = (request.samples, crew.encoder)
    let tally = Tally(slots: crew.lanes, classes: classes)
    crew.batches(of: samples.count) { slot, offset, n in
      let w = crew.workspaces[slot]
      let first = samples.lowerBound + UInt32(offset)
      request.pixels.withUnsafeBufferPointer { pixels in
        // Read alone, by every thread.
        nonisolated(unsafe) let pixels = pixels
        crew.samples(n, in: slot) { i, image in
          request.noise.noisyPixels(
            into: UnsafeMutableBufferPointer(start: image, count: c.imageElements), pixels: pixels,
            imageIndex: request.imageIndex, phase: request.phase, sample: first + UInt32(i))
          // Pixels in [0, 1] to [-1, 1]: (x − ½)/½.
          encoder.patchify(image, shift: 0.5, gain: 2, scale: scale, sample: i, in: w)
        }
      }
      crew.classify(n, slot: slot, timeToken: timeToken.base)
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
    return (0..<classes).map { k in (0..<crew.lanes).reduce(0) { $0 + tally.votes[$1 * classes + k] } }
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
    crew.batches(of: count) { slot, first, n in
      let w = crew.workspaces[slot]
      crew.samples(n, in: slot) { i, _ in
        crew.encoder.patchify(
          images.base + (first + i) * elements, shift: 0, gain: 1, scale: scale, sample: i, in: w)
      }
      crew.classify(n, slot: slot, timeToken: timeToken.base)
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

/// Votes and failures by slot.
private final class Tally: @unchecked Sendable {
  /// [slots, K]
  let votes: UnsafeMutableBufferPointer<Int32>
  /// Lowest sample with a logit that is not finite, by slot.
  let spoiled: UnsafeMutableBufferPointer<UInt32>

  init(slots: Int, classes: Int) {
    votes = .allocate(capacity: slots * classes)
    votes.initialize(repeating: 0)
    spoiled = .allocate(capacity: slots)
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
