internal import CKernels

/// The fastest instruction set here; all of them draw the same bits.
nonisolated(unsafe) private let kernels = rrcm_kernels_best().pointee

/// Which of an image's two independent streams a sample belongs to.
package enum Phase: Int16, Sendable, Hashable, Codable, CaseIterable {
  /// Draws that pick the top class.
  case selection = 0
  /// Draws that bound its probability.
  case estimation = 1
}

/// How smoothing noise is drawn.
package enum Sampler: Sendable, Hashable {
  /// Rounded normals on the grid of step 1/(255·m): integers up to one final float32 division. Sound in floating point.
  case grid(m: Int)
  /// Float32 normals added to float32 pixels, as the authors do. Sound in real arithmetic only.
  case gaussian

  package var name: String {
    switch self {
    case .grid: "grid"
    case .gaussian: "gaussian"
    }
  }

  /// Grid points per 1/255; 0 for `gaussian`, which has no grid.
  package var m: Int {
    switch self {
    case .grid(let m): m
    case .gaussian: 0
    }
  }
}

/// The certification noise of one run at one sigma: a pure function of (image index, phase, sample index, element).
///
/// The bits are `rrcm-noise-1` and never change: Philox4x32-10 with key = the first 64 bits (two little-endian words) of
/// SHA-256("rrcm-noise-1|certify|seed|sigma|sampler|m") and counter = (element pair, sample, image, phase). Element
/// 2j takes output words 0 and 1, element 2j+1 words 2 and 3, low word first. Assumption: these bits behave as fair
/// coins chosen independently of model and images.
package struct NoiseStream: Sendable {
  package let seed: Int64
  package let sigma: Sigma
  package let sampler: Sampler
  /// The two key words.
  package let key: (UInt32, UInt32)
  /// The rounded normal's thresholds; nil for `gaussian`.
  package let table: GridTable?

  /// - Parameter table: one of this sigma and m that was checked; nil computes it.
  package init(seed: Int64, sigma: Sigma, sampler: Sampler, table: GridTable? = nil) throws {
    self.seed = seed
    self.sigma = sigma
    self.sampler = sampler
    self.key = philoxKey("rrcm-noise-1|certify|\(seed)|\(sigma)|\(sampler.name)|\(sampler.m)")
    switch sampler {
    case .grid(let m):
      if let table { precondition(table.sigma == sigma && table.m == m, "a table of another noise level") }
      self.table = try table ?? GridTable(sigma: sigma, m: m)
    case .gaussian: self.table = nil
    }
  }

  /// Writes one noisy image: `values` [C, H, W] in the [0, 1] pixel range (unclipped), from the image's bytes.
  ///
  /// Normalisation (x − ½)/½ is the caller's.
  package func noisyPixels(
    into values: UnsafeMutableBufferPointer<Float>, pixels: UnsafeBufferPointer<UInt8>, imageIndex: UInt32,
    phase: Phase, sample: UInt32
  ) {
    precondition(values.count == pixels.count)
    var place = rrcm_noise_place(key: key, sample: sample, image: imageIndex, phase: UInt32(phase.rawValue))
    if let table {
      table.withTable {
        kernels.grid_pixels(values.baseAddress, pixels.baseAddress, pixels.count, &place, $0)
      }
    } else {
      kernels.gaussian_pixels(values.baseAddress, pixels.baseAddress, pixels.count, &place, Float(sigma.value))
    }
  }

  /// The grid noise k [count] of one sample, or nil for `gaussian`. For tests and audits.
  package func gridNoise(count: Int, imageIndex: UInt32, phase: Phase, sample: UInt32) -> [Int32]? {
    guard let table else { return nil }
    var place = rrcm_noise_place(key: key, sample: sample, image: imageIndex, phase: UInt32(phase.rawValue))
    return [Int32](unsafeUninitializedCapacity: count) { buffer, initialized in
      table.withTable { kernels.grid_noise(buffer.baseAddress, count, &place, $0) }
      initialized = count
    }
  }
}

/// Random bits for everything that is not certification noise: initial weights, shuffles, crops, training noise,
/// canaries. A pure function of (seed, purpose, three counters); purposes never share a stream.
package struct RandomStream: Sendable {
  package let key: (UInt32, UInt32)

  /// - Parameter purpose: names the use, for example `pretrain-noise`. Must not be `certify`.
  package init(seed: Int64, purpose: String) {
    precondition(purpose != "certify" && !purpose.contains("|"))
    key = philoxKey("rrcm-noise-1|\(purpose)|\(seed)")
  }

  /// `count` standard normals at place (a, b, c), float32.
  package func normals(count: Int, at a: UInt32, _ b: UInt32 = 0, _ c: UInt32 = 0) -> [Float] {
    var place = rrcm_noise_place(key: key, sample: a, image: b, phase: c)
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      kernels.normals(buffer.baseAddress, count, &place)
      initialized = count
    }
  }

  /// A generator of 64-bit words starting at place (a, b, c), for `shuffled(using:)`, `Float.random(in:using:)`, ….
  package func generator(at a: UInt32, _ b: UInt32 = 0, _ c: UInt32 = 0) -> Generator {
    Generator(key: key, a: a, b: b, c: c)
  }

  package struct Generator: RandomNumberGenerator {
    let key: (UInt32, UInt32)
    let a: UInt32
    let b: UInt32
    let c: UInt32
    var word: UInt64 = 0

    package mutating func next() -> UInt64 {
      let bits = philox(counter: (UInt32(truncatingIfNeeded: word / 2), a, b, c), key: key)
      defer { word += 1 }
      return word % 2 == 0
        ? UInt64(bits.1) << 32 | UInt64(bits.0)
        : UInt64(bits.3) << 32 | UInt64(bits.2)
    }

    /// Uniform in [0, 1) with 53 bits.
    package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
  }
}

/// Philox4x32-10 of one counter. For tests against published vectors and for `RandomStream`.
package func philox(
  counter: (UInt32, UInt32, UInt32, UInt32), key: (UInt32, UInt32)
) -> (UInt32, UInt32, UInt32, UInt32) {
  var words = (counter, key, counter)
  withUnsafeMutableBytes(of: &words) {
    let words = $0.assumingMemoryBound(to: UInt32.self).baseAddress!
    rrcm_philox(words, words + 4, words + 6)
  }
  return words.2
}

private func philoxKey(_ text: String) -> (UInt32, UInt32) {
  let digest = sha256(text)
  func word(_ i: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(digest[i + $1]) << (8 * UInt32($1)) } }
  return (word(0), word(4))
}
