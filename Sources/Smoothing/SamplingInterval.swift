/// What a share of certified images says about the share among all such images: exact binomial intervals.
///
/// Two-sided Clopper–Pearson at 95 %, 0.025 to each side. It assumes that the images are a random sample and that they
/// err independently; it says nothing about the certificates themselves.
package enum SamplingInterval {
  /// Failure probability of each side.
  package static let alpha: ExactDecimal = 0.025

  /// Bounds on the true share when `low` … `high` of `total` images count; both outward.
  package static func bounds(_ share: AccuracyInterval) -> (low: Double, high: Double) {
    guard share.total > 0 else { return (0, 1) }
    return (lower(share.low, of: share.total), upper(share.high, of: share.total))
  }

  package static func lower(_ count: Int, of total: Int) -> Double {
    ClopperPearson.lowerBound(hits: count, draws: total, alpha: alpha).value
  }

  package static func upper(_ count: Int, of total: Int) -> Double {
    ClopperPearson.upperBound(hits: count, draws: total, alpha: alpha).value
  }
}
