internal import Glibc

/// The grid of noise levels that training walks and that the classifier looks its level up in (spec section 3).
///
/// Karras spacing with rho = 7 between `sigmaMax` and `sigmaMin`, in decreasing order: index 0 is the noisiest. A level is a
/// standard deviation on normalised data, so smoothing noise `sigma` on [0, 1] pixels belongs to level 2·sigma
/// (spec 4.1). Two tables differ in rounding, as the authors' code rounds them (spec 3.1 and 12.28).
package struct NoiseLevels: Sendable, Hashable {
  /// Lowest and highest level of the published grids.
  package static let sigmaMin = 0.002
  package static let sigmaMax = 80.0
  /// Deviation of the data, sigma_data of spec 3.3.
  package static let sigmaData: Float = 0.5
  static let rho = 7.0

  /// The level t used for the input scale, the time and the training noise: v in float32 steps, v⁷ rounded once.
  package let levels: [Float]
  /// The table in which the nearest level is searched: v in double, rounded to float32, then v⁷.
  package let search: [Float]

  /// - Parameter count: number of levels N_k, at least 2; 81 for the published checkpoints.
  /// - Parameter sigmaMax: highest level; below the default only in the restricted-noise ablation (spec section 11).
  package init(count: Int, sigmaMax: Double = NoiseLevels.sigmaMax) {
    precondition(count >= 2, "a grid has at least two levels, not \(count)")
    let start = pow(sigmaMax, 1 / Self.rho)
    let span = pow(Self.sigmaMin, 1 / Self.rho) - start
    let (a, b) = (Float(start), Float(span))
    levels = (0..<count).map { i in
      let r = Float(i) / Float(count - 1)
      return Self.seventhPower(a + r * b)
    }
    search = (0..<count).map { i in
      Self.seventhPower(Float(start + Double(i) / Double(count - 1) * span))
    }
  }

  package var count: Int { levels.count }

  /// Index whose search level is nearest to `value` (spec 4.4); of equally near ones the first, which is the noisier.
  package func nearest(to value: Double) -> Int {
    let value = Float(value)
    var best = 0
    for i in search.indices where abs(search[i] - value) < abs(search[best] - value) { best = i }
    return best
  }

  /// Index of the level a classifier is told for noise of deviation `value` on normalised data; 0, no noise, means the
  /// last level by definition (spec 4.4).
  package func classifierIndex(noiseLevel value: Double) -> Int {
    value == 0 ? count - 1 : nearest(to: value)
  }

  /// c_in(t) = 1/√(t² + sigma_data²), which multiplies the network's input (spec 3.3).
  package static func inputScale(_ t: Float) -> Float {
    1 / (t * t + sigmaData * sigmaData).squareRoot()
  }

  /// Network time s = 250·ln t (spec 3.3): 1095.5 for level 80, −1553.7 for level 0.002.
  package static func rescaledTime(_ t: Float) -> Float {
    250 * Float(log(Double(t)))
  }

  private static func seventhPower(_ v: Float) -> Float {
    let v = Double(v)
    let square = v * v
    return Float(square * square * square * v)
  }
}

/// The time token: `[cos(s·f_0) … cos(s·f_{h−1}), sin(s·f_0) … sin(s·f_{h−1})]`, h = ⌊width/2⌋, with a zero appended
/// where the width is odd (spec 2.2).
///
/// Frequencies f_j = exp(−ln(10000)·j/h) and products s·f_j are float32, as in the authors' code: |s| reaches 1554, so
/// their rounding shows in the fourth decimal, and three training steps carry it into the third of a loss.
package func timeEmbedding(_ s: Float, width: Int) -> [Float] {
  let half = width / 2
  var embedding = [Float](repeating: 0, count: width)
  for j in 0..<half {
    let exponent = Float(j) * Float(-log(10000.0)) / Float(half)
    let argument = Double(s * referenceExponential(exponent))
    embedding[j] = Float(cos(argument))
    embedding[half + j] = Float(sin(argument))
  }
  return embedding
}

/// e^x rounded to float32 with an error up to 0.53 units in the last place: e^x ≈ 2^(k/128)·(1 + r + r²/2).
///
/// The authors' library evaluates it so. Of 394 frequencies whose rounding the reference time embeddings reveal this gives
/// every one; the correctly rounded exponential misses five.
private func referenceExponential(_ x: Float) -> Float {
  let step = log(2.0) / 128
  let k = (Double(x) / step).rounded()
  let r = Double(x) - k * step
  return Float(exp2(k / 128) * (1 + r + r * r / 2))
}
