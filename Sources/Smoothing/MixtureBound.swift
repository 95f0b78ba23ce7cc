internal import CPrecise

/// A lower bound on a success probability that holds at all numbers of draws at once, rounded to the safe side and proven
/// there.
///
/// Against p stands the mixture of all θ > p under a Beta(½, ½) prior restricted to them,
///
///     M(p) = E[(θ/p)^k ((1-θ)/(1-p))^(n-k)].
///
/// While p is the truth, M is a martingale that starts at 1, so it ever reaches 1/alpha with probability at most alpha
/// (Ville 1939; Robbins 1970; Howard et al. 2021). The bound is the p up to which M(p) ≥ 1/alpha; M crosses that level
/// once (docs/mathematics.md). Whoever looks after every draw and keeps the largest bound still errs with probability
/// at most alpha. Results are rounded as ``ClopperPearson`` says.
package enum MixtureBound {
  /// Bounds p from below at every look at once.
  ///
  /// - Parameters: as for ``ClopperPearson/lowerBound(hits:draws:alpha:slack:)``; `draws` is the number drawn so far.
  /// - Complexity: about 0.3 ms, nearly independent of `draws`.
  package static func lowerBound(hits: Int, draws: Int, alpha: ExactDecimal, slack: Double = 0) -> ProbabilityBound {
    precondition((1...ClopperPearson.largestDraws).contains(draws) && (0...draws).contains(hits))
    precondition(ClopperPearson.isUsable(alpha: alpha))
    guard hits > 0 else { return ProbabilityBound(value: 0, complement: 1).lowered(by: slack) }
    return MixtureMartingale(draws: draws, hits: hits, alpha: alpha).crossing().lowered(by: slack)
  }

  /// Bounds p from above at every look at once: the mirror image of the lower bound on 1 - p.
  package static func upperBound(hits: Int, draws: Int, alpha: ExactDecimal, slack: Double = 0) -> ProbabilityBound {
    let mirrored = lowerBound(hits: draws - hits, draws: draws, alpha: alpha)
    return ProbabilityBound(value: mirrored.complement, complement: mirrored.value).raised(by: slack)
  }
}

/// The equation M(p) = 1/alpha for one (n, k, alpha) with k ≥ 1.
private final class MixtureMartingale {
  private let hits: Double
  private let misses: Double
  private let alpha: Double
  private let handle: OpaquePointer
  private let logBeta: Double

  init(draws: Int, hits: Int, alpha: ExactDecimal) {
    guard let handle = rrcm_mixture_create(UInt64(draws), UInt64(hits), alpha.canonical) else {
      preconditionFailure("alpha \(alpha) is outside (0, 1/2]")
    }
    self.hits = Double(hits)
    self.misses = Double(draws - hits)
    self.alpha = alpha.value
    self.handle = handle
    self.logBeta = rrcm_mixture_log_beta(handle)
  }

  deinit { rrcm_mixture_destroy(handle) }

  func crossing() -> ProbabilityBound {
    let root = ProvenRoot {
      rrcm_mixture_excess(self.handle, $0, $1 ? 1 : 0, UInt64($2), $3 ? 1 : 0)
    } estimate: {
      self.estimate($0, complement: $1)
    }
    return root.crossing(from: startingPoint(), below: misses == 0 ? 1 : hits / (hits + misses))
  }

  /// Where n·KL(k/n, p) is about what M must overcome.
  private func startingPoint() -> Double {
    let n = hits + misses
    let level = Rough.log(n + 1) / 2 - Rough.log(alpha)
    let step = (level / (2 * n)).squareRoot()
    let (s, c) = ((hits / n).squareRoot(), (misses / n).squareRoot())
    // sin²(asin s - step) with sin and cos of the small step to its second power.
    let root = s * (1 - step * step / 2) - c * step
    return root > 0 ? root * root : 0
  }

  /// -ln alpha - ln M.
  private func estimate(_ x: Double, complement: Bool) -> ProvenRoot.Estimate {
    let (p, q) = complement ? (1 - x, x) : (x, 1 - x)
    let (logP, logQ) =
      complement ? (Rough.log1p(-x), Rough.log(x)) : (Rough.log(x), Rough.log1p(-x))
    let power = hits * logP + misses * logQ - logBeta
    let (sum, depth) = sum(odds: p / q)
    let inside = Rough.exp(power + (logP - logQ) / 2 - Rough.log(hits + 0.5)) * sum
    let angle = complement ? Rough.asin(q.squareRoot()) : Rough.acos(p.squareRoot())
    let value = power - Rough.log(alpha) - Rough.log1p(-min(inside, 0.999)) + Rough.log(2 * angle)
    // d ln M / dp = -(k - np)/(pq) + (1 - 1/M) / (2 √(pq) arccos √p)
    let inverse = alpha * Rough.exp(min(value, 1))
    let slope = (hits * q - misses * p) / q - (1 - inverse) * (p / q).squareRoot() / (2 * angle)
    return ProvenRoot.Estimate(value: value, slope: complement ? -slope * q / p : slope, depth: depth)
  }

  /// 1/(1 - K0) of rrcm_mixture_excess, with enough levels for doubles, and the levels that the proofs will need.
  private func sum(odds: Double) -> (sum: Double, depth: Int) {
    var levels = 12
    var last = sum(odds: odds, depth: levels)
    while levels < 100_000 {
      let before = last
      levels = levels * 3 / 2
      last = sum(odds: odds, depth: levels)
      if abs(last - before) <= 1e-15 * last { break }
    }
    return (last, levels * 4 / 3)
  }

  private func sum(odds: Double, depth: Int) -> Double {
    let (s, f, n) = (hits + 0.5, misses - 0.5, hits + misses)
    var level = Double(depth)
    var rest = 0.0
    while level > 0 {
      level -= 1
      let w = odds * (f - level) * (s + level) / ((s + 2 * level) * (s + 2 * level + 1))
      let d = odds * (level + 1) * (n + level + 1) / ((s + 2 * level + 1) * (s + 2 * level + 2))
      rest = w / (1 + d / (1 - rest))
    }
    return 1 / (1 - rest)
  }
}
