internal import CPrecise

/// The equation P(Bin(n, p) ≥ k) = alpha for one (n, k, alpha) with 1 ≤ k < n, and the search for its root.
///
/// Every point that ``ProvenRoot`` returns was proven by an enclosure of the tail in MPFR (`rrcm_tail_excess`). Tail = t·S,
/// with t = C(n,k) p^k q^(n-k) and S a continued fraction whose cut bounds it.
final class BinomialTail {
  private let draws: Int
  private let hits: Int
  private let alpha: ExactDecimal
  private let handle: OpaquePointer
  private let logCoefficient: Double

  init(draws: Int, hits: Int, alpha: ExactDecimal) {
    precondition(1 <= hits && hits < draws)
    guard let handle = rrcm_tail_create(UInt64(draws), UInt64(hits), alpha.canonical) else {
      preconditionFailure("alpha \(alpha) is outside (0, 1/2]")
    }
    self.draws = draws
    self.hits = hits
    self.alpha = alpha
    self.handle = handle
    self.logCoefficient = rrcm_tail_log_coefficient(handle)
  }

  deinit { rrcm_tail_destroy(handle) }

  /// The bound for k = n, alpha^(1/n).
  static func rootBound(draws: Int, alpha: ExactDecimal) -> ProbabilityBound {
    var value = 0.0
    var complement = 1.0
    let valid = rrcm_root_bound(UInt64(draws), alpha.canonical, &value, &complement)
    precondition(valid == 1)
    return ProvenRoot.aligned(value: value, complement: complement)
  }

  /// The root, rounded down.
  func crossing() -> ProbabilityBound {
    let root = ProvenRoot {
      rrcm_tail_excess(self.handle, $0, $1 ? 1 : 0, UInt64($2), $3 ? 1 : 0)
    } estimate: {
      self.roughExcess($0, complement: $1)
    }
    return root.crossing(from: startingPoint(), below: Double(hits + 1) / Double(draws + 1))
  }

  // MARK: The search, in doubles

  /// Abramowitz & Stegun 26.5.22 for BetaQuantile(alpha; k, n-k+1).
  private func startingPoint() -> Double {
    let a = 2 * Double(hits) - 1
    let b = 2 * Double(draws - hits) + 1
    let z = Rough.normalQuantile(tail: alpha.value)
    let lambda = (z * z - 3) / 6
    let h = 2 / (1 / a + 1 / b)
    let w = z * max(h + lambda, 0).squareRoot() / h - (1 / b - 1 / a) * (lambda + 5 / 6 - 2 / (3 * h))
    let odds = Double(hits) / Double(draws - hits + 1) * Rough.exp(-2 * w)
    return odds / (1 + odds)
  }

  /// ln tail - ln alpha, and its derivative by ln x: dP(X ≥ k)/dp = k t / p.
  private func roughExcess(_ x: Double, complement: Bool) -> ProvenRoot.Estimate {
    let k = Double(hits)
    let f = Double(draws - hits)
    let odds = complement ? (1 - x) / x : x / (1 - x)
    let logs = complement ? f * Rough.log(x) + k * Rough.log1p(-x) : k * Rough.log(x) + f * Rough.log1p(-x)
    let (sum, depth) = roughSum(odds: odds)
    let value = logCoefficient + logs + Rough.log(sum) - Rough.log(alpha.value)
    return ProvenRoot.Estimate(value: value, slope: complement ? -k / sum / odds : k / sum, depth: depth)
  }

  /// S, and as a by-product the depth that the proofs will need.
  private func roughSum(odds: Double) -> (sum: Double, depth: Int) {
    var levels = 12
    var sum = roughSum(odds: odds, depth: levels)
    while levels < draws - hits && levels < 100_000 {
      let (before, next) = (sum, roughSum(odds: odds, depth: levels * 3 / 2))
      levels = levels * 3 / 2
      sum = next
      // The error falls like exp(-c·√depth): 15 digits at two thirds of `levels` mean some 20 at 4/3 of it.
      if abs(next - before) <= 1e-15 * next { break }
    }
    return (sum, levels * 4 / 3)
  }

  private func roughSum(odds: Double, depth: Int) -> Double {
    let k = Double(hits)
    let n = Double(draws)
    let f = n - k
    var level = Double(min(depth, draws - hits))
    var rest = 0.0
    while level > 0 {
      level -= 1
      let w = odds * (f - level) * (k + level) / ((k + 2 * level) * (k + 2 * level + 1))
      let d = odds * (level + 1) * (n + level + 1) / ((k + 2 * level + 1) * (k + 2 * level + 2))
      rest = w / (1 + d / (1 - rest))
    }
    return 1 / (1 - rest)
  }
}
