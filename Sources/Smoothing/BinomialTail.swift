internal import CPrecise

/// The equation P(Bin(n, p) ≥ k) = alpha for one (n, k, alpha) with 1 ≤ k < n, and the search for its root.
///
/// The search works in doubles and may be wrong; every point it returns was proven by an enclosure of the tail in MPFR
/// (`rrcm_tail_excess`). Tail = t·S, with t = C(n,k) p^k q^(n-k) and S a continued fraction whose cut bounds it.
final class BinomialTail {
  private let draws: Int
  private let hits: Int
  private let alpha: ExactDecimal
  private let handle: OpaquePointer
  private let logCoefficient: Double
  /// Levels of the continued fraction that the proofs use.
  private var depth = 64
  private static let deepest = 1 << 20

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
    return aligned(value: value, complement: complement)
  }

  /// One side is the true bound rounded; the other follows from it (see ``ClopperPearson``).
  private static func aligned(value: Double, complement: Double) -> ProbabilityBound {
    complement <= 0.5
      ? ProbabilityBound(value: Rounding.sumDown(1, -complement), complement: complement)
      : ProbabilityBound(value: value, complement: Rounding.sumUp(1, -value))
  }

  /// The root, rounded down.
  func crossing() -> ProbabilityBound {
    let guess = roughRoot()
    // Solve for the smaller of p and 1 - p. Only near one half must the proof decide which that is.
    let isUpper = abs(guess.p - 0.5) > 1e-3 ? guess.p > 0.5 : isAtMostAlpha(0.5, complement: false)
    if isUpper {
      let start = refined(guess.q, complement: true)
      let last = Rounding.lastPoint(near: start) { !isAtMostAlpha($0, complement: true) }
      return Self.aligned(value: 0, complement: last.nextUp)
    }
    let start = refined(guess.p, complement: false)
    return Self.aligned(value: Rounding.lastPoint(near: start) { isAtMostAlpha($0, complement: false) }, complement: 1)
  }

  /// Whether P(Bin(n, p) ≥ k) ≤ alpha is proven, for p = x or p = 1 - x.
  private func isAtMostAlpha(_ x: Double, complement: Bool) -> Bool {
    guard x < 1 else { return complement }
    while true {
      if bound(of: x, complement: complement, above: false) >= 0 { return false }
      if bound(of: x, complement: complement, above: true) <= 0 { return true }
      if depth >= Self.deepest { return false }
      depth *= 4
    }
  }

  /// ln tail - ln alpha at x, bounded from above or from below.
  private func bound(of x: Double, complement: Bool, above: Bool) -> Double {
    rrcm_tail_excess(handle, x, complement ? 1 : 0, UInt64(depth), above ? 1 : 0)
  }

  // MARK: The search, in doubles

  /// p and q = 1 - p near the root: a start from the normal approximation, then Newton's steps on ln tail against the
  /// logarithm of the smaller of the two, inside a bracket.
  private func roughRoot() -> (p: Double, q: Double) {
    var lowest = 0.0
    var highest = Double(hits + 1) / Double(draws + 1)
    var p = startingPoint()
    if !(p > lowest && p < highest) { p = highest / 2 }
    var q = 1 - p
    for _ in 0..<100 {
      let usesComplement = p > 0.5
      let (value, slope) = roughExcess(usesComplement ? q : p, complement: usesComplement)
      if value > 0 { highest = p } else { lowest = p }
      let step = -value / slope
      if abs(step) < 1e-14 || highest - lowest < 1e-16 * highest { break }
      let factor = Rough.exp(max(min(step, 2), -2))
      let (nextP, nextQ) = usesComplement ? (1 - q * factor, q * factor) : (p * factor, 1 - p * factor)
      if nextP > lowest && nextP < highest {
        (p, q) = (nextP, nextQ)
      } else {
        p = (lowest + highest) / 2
        q = 1 - p
      }
    }
    return (p, q)
  }

  /// One of Newton's steps with the tail known to 120 bits.
  private func refined(_ x: Double, complement: Bool) -> Double {
    let slope = roughExcess(x, complement: complement).slope
    let step = -bound(of: x, complement: complement, above: false) / slope
    return step.isFinite && abs(step) < 0.1 ? x + x * step : x
  }

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
  private func roughExcess(_ x: Double, complement: Bool) -> (value: Double, slope: Double) {
    let k = Double(hits)
    let f = Double(draws - hits)
    let odds = complement ? (1 - x) / x : x / (1 - x)
    let logs = complement ? f * Rough.log(x) + k * Rough.log1p(-x) : k * Rough.log(x) + f * Rough.log1p(-x)
    let sum = roughSum(odds: odds)
    let value = logCoefficient + logs + Rough.log(sum) - Rough.log(alpha.value)
    return (value, complement ? -k / sum / odds : k / sum)
  }

  /// S, and as a by-product the depth that the proofs will need.
  private func roughSum(odds: Double) -> Double {
    var levels = 12
    var sum = roughSum(odds: odds, depth: levels)
    while levels < draws - hits && levels < 100_000 {
      let (before, next) = (sum, roughSum(odds: odds, depth: levels * 3 / 2))
      levels = levels * 3 / 2
      sum = next
      // The error falls like exp(-c·√depth): 15 digits at two thirds of `levels` mean some 20 at 4/3 of it.
      if abs(next - before) <= 1e-15 * next { break }
    }
    depth = levels * 4 / 3
    return sum
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
