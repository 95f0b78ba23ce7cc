internal import Compute
internal import Dispatch
internal import Models

/// A classifier's threads and their memory, in one arrangement.
final class Crew {
  let arrangement: CPUDevice.Arrangement
  /// Samples of one forward pass.
  let batch: Int
  /// Forward passes side by side.
  let lanes: Int
  let encoder: Encoder
  /// The same blocks in bfloat16, where that is the precision.
  private let bf16: BF16Encoder?
  /// One per lane.
  let workspaces: [Workspace]
  private let bf16Workspaces: [BF16Workspace]

  /// - Parameter batch: samples for each thread.
  init(
    _ arrangement: CPUDevice.Arrangement, weights: EncoderWeights, kernels: Kernels, threads: Int, batch: Int,
    precision: CPUDevice.Precision
  ) {
    self.arrangement = arrangement
    let sharing = arrangement == .together ? threads : 1
    let (size, lanes) = (batch * sharing, threads / sharing)
    (self.batch, self.lanes) = (size, lanes)
    let encoder = Encoder(weights: weights, kernels: kernels, threads: sharing)
    self.encoder = encoder
    let c = weights.configuration
    workspaces = (0..<lanes).map { _ in Workspace(c, batch: size, threads: sharing, precision: precision) }
    switch precision {
    case .f32: (bf16, bf16Workspaces) = (nil, [])
    case .bf16:
      bf16 = BF16Encoder(encoder: encoder)
      bf16Workspaces = (0..<lanes).map { _ in BF16Workspace(c, batch: size) }
    }
  }

  /// The faster of the arrangements with these weights, and what was measured.
  static func fastest(_ made: (CPUDevice.Arrangement) -> Crew) -> (crew: Crew, measured: String) {
    let crews = CPUDevice.Arrangement.allCases.map(made)
    var best = [Double](repeating: .infinity, count: crews.count)
    for _ in 0..<3 {
      for (i, crew) in crews.enumerated() { best[i] = min(best[i], crew.secondsPerSample()) }
    }
    let fastest = best.indices.min { best[$0] < best[$1] }!
    let figures = zip(crews, best).map { crew, seconds in
      "\(crew.arrangement.rawValue) \(Int((seconds * 1e6).rounded())) µs"
    }
    return (crews[fastest], "a sample takes " + figures.joined(separator: ", "))
  }

  /// Runs `body(slot, first, n)` for n samples from each `first` on until `count` are taken, lanes side by side.
  func batches(of count: Int, _ body: (_ slot: Int, _ first: Int, _ n: Int) -> Void) {
    parallel((count + batch - 1) / batch, threads: lanes) { slot, index in
      body(slot, index * batch, min(batch, count - index * batch))
    }
  }

  /// Runs `body(i, scratch)` for each of a batch's n samples, with an image's worth of scratch that nobody else has.
  func samples(_ n: Int, in slot: Int, _ body: (_ i: Int, _ image: Floats) -> Void) {
    let w = workspaces[slot]
    let elements = encoder.configuration.imageElements
    parallel(n, threads: encoder.threads) { thread, i in body(i, w.image.base + thread * elements) }
  }

  /// From patches in a slot's workspace to logits [n, K] in the workspace.
  func classify(_ n: Int, slot: Int, timeToken: Floats) {
    let w = workspaces[slot]
    let c = encoder.configuration
    encoder.embed(n, patches: w.patches.base, timeToken: { _ in timeToken }, into: w.tokens.base)
    let features = Matrix(bf16?.run(n, in: w, bf16Workspaces[slot]) ?? encoder.run(n, in: w), row: c.width)
    if c.finalNorm { encoder.layerNorm(rows: n, features, encoder.weights.norm, into: features) }
    let head = encoder.weights.head!
    encoder.product(rows: n, features, head, into: Matrix(w.logits.base, row: c.classes), bias: head.bias)
  }

  /// Of full batches in every lane.
  private func secondsPerSample() -> Double {
    let timeToken = Buffer(encoder.configuration.width)
    let start = DispatchTime.now().uptimeNanoseconds
    parallel(lanes, threads: lanes) { _, slot in classify(batch, slot: slot, timeToken: timeToken.base) }
    return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9 / Double(batch * lanes)
  }
}
