import Models

/// Turns bytes into normalised values and these into network inputs (spec 3.3, 4.1).
package enum NetworkInputs {
  /// Bytes b ↦ (b/255 − ½)/½.
  package static func normalised(_ bytes: some Sequence<UInt8>) -> [Float] {
    bytes.map { (Float($0) / 255 - 0.5) / 0.5 }
  }

  /// c_in(t)·(x + v·ε), element by element, in float32.
  ///
  /// - Parameters:
  ///   - images: x, normalised to [−1, 1].
  ///   - noise: ε, as many values as `images`, or repeatedly `images` when it has a multiple of that: rows
  ///     [x; x; …] with independent noise.
  ///   - deviation: v, the noise's standard deviation in normalised units.
  ///   - level: t, which decides the scale. In training v = t; a classifier's t is the grid level nearest to v.
  package static func noisy(images: [Float], noise: [Float], deviation: Float, level: Float) -> [Float] {
    precondition(!images.isEmpty && noise.count % images.count == 0)
    let scale = NoiseLevels.inputScale(level)
    return [Float](unsafeUninitializedCapacity: noise.count) { out, initialized in
      images.withUnsafeBufferPointer { x in
        noise.withUnsafeBufferPointer { e in
          for copy in stride(from: 0, to: e.count, by: x.count) {
            for i in x.indices { out[copy + i] = scale * (x[i] + deviation * e[copy + i]) }
          }
        }
      }
      initialized = noise.count
    }
  }

  /// c_in(t)·x without noise.
  package static func clean(images: [Float], level: Float) -> [Float] {
    let scale = NoiseLevels.inputScale(level)
    return images.map { scale * $0 }
  }

  /// The rescaled time of `level` for every image of a batch [B].
  package static func times(level: Float, count: Int) -> [Float] {
    [Float](repeating: NoiseLevels.rescaledTime(level), count: count)
  }
}
