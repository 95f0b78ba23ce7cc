internal import CPrecise

/// The two-sided binomial test of PREDICT (Cohen et al. 2019): is the leader of two counts ahead by more than chance?
package enum BinomialTest {
  /// p-value of `first` against `second` draws at probability 1/2, rounded up; 1 when nothing was drawn.
  ///
  /// Twice the upper tail of the larger count, at most 1. Symmetric in its arguments.
  package static func pValue(_ first: Int, _ second: Int) -> Double {
    precondition(first >= 0 && second >= 0 && first + second <= ClopperPearson.largestDraws)
    guard first != second else { return 1 }
    return min(2 * rrcm_fair_tail(UInt64(first + second), UInt64(max(first, second))), 1)
  }

  /// The class PREDICT returns, the lowest among equals; nil to abstain, which is when the p-value is above alpha.
  ///
  /// - Parameter slack: the sampler's total variation per draw. n draws differ by at most n times as much from the intended
  ///   ones, which the p-value must leave room for.
  package static func predict(_ counts: Counts, alpha: ExactDecimal, slack: Double = 0) -> Int? {
    guard let top = counts.topTwo else { return nil }
    var failure = pValue(counts[top.first], counts[top.second])
    if slack > 0 { failure = Rounding.sumUp(failure, (Double(counts.total) * slack).nextUp) }
    return alpha.isBelow(failure) ? nil : top.first
  }
}
