internal import CCUDA
package import Compute
package import Models
internal import Noise

/// What a benchmark asks of a GPU beside votes and logits.
extension CUDADevice {
  /// Products of the given side, bfloat16 factors and float32 sums, back to back: the rate that shares are shares of.
  /// - Returns: floating-point operations a second.
  package func productRate(side: Int, repetitions: Int) throws -> Double {
    context.enter()
    let product = try Product(
      Product.Shape(
        rows: side, columns: side, depth: side, operands: .bfloat16, result: .bfloat16, xRow: side, yRow: side,
        bias: false), context: context)
    let matrices = try (0..<3).map { _ in try context.allocate(bytes: 2 * side * side) }
    // Ones and fractions, as clocks fall with what is multiplied.
    for (i, matrix) in matrices.enumerated() { try matrix.fill(0x3F80_3F00 + UInt32(i)) }
    let workspace = try context.allocate(bytes: Product.workspaceLimit)
    let stream = try context.makeStream()
    func run(_ count: Int) throws {
      for _ in 0..<count {
        try product.enqueue(
          x: matrices[0].pointer, weight: matrices[1].pointer, into: matrices[2].pointer, workspace: workspace,
          on: stream)
      }
      try stream.synchronize()
    }
    try run(1)
    let start = ContinuousClock.now
    try run(repetitions)
    let time = start.duration(to: .now).components
    let seconds = Double(time.seconds) + Double(time.attoseconds) * 1e-18
    return 2 * Double(side) * Double(side) * Double(side) * Double(repetitions) / seconds
  }

  /// The patches [batch, N, C·p²] that a classifier of this device draws from the first sample of a chunk on: to be
  /// compared with the CPU's, to the bit.
  package func patches(_ classifier: any Classifier, for request: ChunkRequest) throws -> [Float] {
    guard let classifier = classifier as? CUDAClassifier else {
      throw ComputeError("the classifier is not a GPU's")
    }
    return try classifier.patches(for: request)
  }

  /// Runs noise and counting alone, without the network between them, as often as a chunk's batches need.
  package func noiseAndCounting(_ classifier: any Classifier, for request: ChunkRequest) throws {
    guard let classifier = classifier as? CUDAClassifier else {
      throw ComputeError("the classifier is not a GPU's")
    }
    try classifier.withoutNetwork(request)
  }
}

/// The CPU's noise in the GPU's order, to be compared with it.
package enum NoiseComparison {
  /// Patches [count, N, C·p²] of a chunk's first `count` samples, times c_in.
  package static func patches(_ c: ViTConfiguration, _ request: ChunkRequest, count: Int) -> [Float] {
    let levels = NoiseLevels(count: c.levels)
    let level = levels.levels[levels.classifierIndex(noiseLevel: 2 * request.noise.sigma.value)]
    let scale = NoiseLevels.inputScale(level)
    let (side, p) = (c.imageSize, c.patchSize)
    var pixels = [Float](repeating: 0, count: c.imageElements)
    var patches: [Float] = []
    patches.reserveCapacity(count * pixels.count)
    for sample in 0..<UInt32(count) {
      pixels.withUnsafeMutableBufferPointer { into in
        request.pixels.withUnsafeBufferPointer {
          request.noise.noisyPixels(
            into: into, pixels: $0, imageIndex: request.imageIndex, phase: request.phase,
            sample: request.samples.lowerBound + sample)
        }
      }
      for top in stride(from: 0, to: side, by: p) {
        for left in stride(from: 0, to: side, by: p) {
          for channel in 0..<c.channels {
            for y in top..<top + p {
              let line = (channel * side + y) * side
              for x in left..<left + p { patches.append((pixels[line + x] - 0.5) * 2 * scale) }
            }
          }
        }
      }
    }
    return patches
  }
}
