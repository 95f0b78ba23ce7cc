// Certificates of other kinds than a Clopper–Pearson bound on one class.
extension Certificate {
  /// What votes prove at a moment that may depend on them: the one-sided mixture bound in place of Clopper–Pearson's.
  ///
  /// - Parameters: as for ``certify(hits:draws:sigma:alpha:slack:)``; `draws` is the number drawn when one stopped, and
  ///   alpha goes into this bound whole.
  package static func sequential(
    hits: Int, draws: Int, sigma: ExactDecimal, alpha: ExactDecimal, slack: Double = 0
  ) -> Certificate {
    let bound = MixtureBound.lowerBound(hits: hits, draws: draws, alpha: alpha, slack: slack)
    return Certificate(lowerBound: bound, radius: radius(of: bound, sigma: sigma))
  }

  /// Cohen's Theorem 1 in full: R = sigma/2 · (Φ⁻¹(pA) - Φ⁻¹(pB)), abstaining unless pA > pB.
  ///
  /// pA bounds the top class from below and pB the runner-up from above, each at alpha/2. The class that is truly second is
  /// fixed before the draws, and its bound is at most that of the largest other count: no union over classes is
  /// needed. The top class must come from selection.
  ///
  /// - Parameters:
  ///   - hits: votes for the top class.
  ///   - runnerUpHits: votes for the most frequent other class; hits + runnerUpHits ≤ draws.
  package static func runnerUp(
    hits: Int, runnerUpHits: Int, draws: Int, sigma: ExactDecimal, alpha: ExactDecimal, slack: Double = 0
  ) -> Certificate {
    let question = CertificateQuestion(
      mode: .runnerUp, hits: hits, draws: draws, alpha: alpha, runnerUpHits: runnerUpHits, slack: slack)
    let (bounds, z) = question.unscaled()
    return Certificate(lowerBound: bounds.lower, upperBound: bounds.upper, radius: z.map { sigma.scaledDown($0) })
  }

  /// An upper bound on the radius that p ≤ `upper` leaves room for: sigma · Φ⁻¹(upper), rounded up; 0 when that is not
  /// above one half.
  static func radiusLimit(of upper: ProbabilityBound, sigma: ExactDecimal) -> Double {
    let z = -NormalQuantile.lowerBound(of: upper.mirrored)
    return z > 0 ? (z.isFinite ? sigma.scaledDown(z).nextUp : .infinity) : 0
  }

  /// Whether this certificate holds at `target`, as a table that compares doubles counts it too.
  package func reaches(_ target: ExactDecimal) -> Bool { radius.map { $0 >= target.roundedUp } ?? false }
}

extension ProbabilityBound {
  /// The same statement about 1 - p.
  var mirrored: Self { Self(value: complement, complement: value) }

  /// The better of two lower bounds that both hold.
  func orHigher(_ other: Self) -> Self {
    (other.complement, -other.value) < (complement, -value) ? other : self
  }
}
