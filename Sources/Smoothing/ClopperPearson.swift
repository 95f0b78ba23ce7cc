/// One-sided Clopper–Pearson bounds on a success probability, rounded to the safe side and proven there.
///
/// The lower bound for k hits in n draws at level alpha is the p with P(Bin(n, p) ≥ k) = alpha: BetaQuantile(alpha; k,
/// n-k+1) (Clopper & Pearson 1934; Cohen et al. 2019, function LOWERCONFBOUND). It is 0 for k = 0 and alpha^(1/n) for
/// k = n. The result is the true bound rounded down once:
///
/// - bound < 1/2: `value` is the largest double not above it, `complement` the smallest double not below 1 - `value`;
/// - otherwise: `complement` is the smallest double not below 1 - bound, `value` the largest not above 1 - `complement`.
///
/// so that an independent program reproduces it to the last bit, whatever its method. (If 120 bits should ever fail to
/// separate the true bound from a double, the next double on the safe side is taken.)
package enum ClopperPearson {
  /// The largest number of draws one bound may rest on.
  package static let largestDraws = 1 << 31

  /// Bounds p from below.
  ///
  /// - Parameters:
  ///   - hits: draws that hit, 0 ... draws.
  ///   - draws: draws made, 1 ... 2³¹; the number drawn, not the number planned.
  ///   - alpha: probability that the bound fails, one-sided, in (0, 1/2].
  ///   - slack: total variation between the distribution drawn from and the intended one, per draw; subtracted.
  /// - Complexity: about 0.15 ms, independent of `draws`.
  package static func lowerBound(hits: Int, draws: Int, alpha: ExactDecimal, slack: Double = 0) -> ProbabilityBound {
    precondition((1...largestDraws).contains(draws) && (0...draws).contains(hits))
    precondition(isUsable(alpha: alpha))
    let bound: ProbabilityBound
    if hits == 0 {
      bound = ProbabilityBound(value: 0, complement: 1)
    } else if hits == draws {
      bound = BinomialTail.rootBound(draws: draws, alpha: alpha)
    } else {
      bound = BinomialTail(draws: draws, hits: hits, alpha: alpha).crossing()
    }
    return bound.lowered(by: slack)
  }

  /// Bounds p from above: the mirror image of the lower bound on 1 - p.
  package static func upperBound(hits: Int, draws: Int, alpha: ExactDecimal, slack: Double = 0) -> ProbabilityBound {
    let mirrored = lowerBound(hits: draws - hits, draws: draws, alpha: alpha)
    return ProbabilityBound(value: mirrored.complement, complement: mirrored.value).raised(by: slack)
  }

  /// Whether a bound can be computed at it; shares of what a person asks for may be below ``smallestAlpha``.
  static func isUsable(alpha: ExactDecimal) -> Bool { alpha.value > 0 && (alpha.value < 0.5 || alpha == 0.5) }

  /// What is wrong with the failure probability that a person asks for, and the remedy; nil when it can be used.
  package static func problem(alpha: ExactDecimal) -> String? {
    if isUsable(alpha: alpha) && alpha.value >= smallestAlpha { return nil }
    if alpha.value > 0.5 && alpha.value < 1 {
      return "alpha is \(alpha), a failure probability above one half; write 1 minus the confidence, for example 0.001"
    }
    return "alpha is \(alpha); it must be above 0 and at most 0.5, for example 0.001"
      + (alpha.value > 0 && alpha.value < smallestAlpha ? "; below \(smallestAlpha) nothing is computed" : "")
  }

  /// Far from where shares of a failure probability would leave the doubles.
  package static let smallestAlpha = 1e-100
}
