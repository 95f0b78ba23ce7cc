/// What one image's estimation votes prove at one sigma.
package struct Certificate: Sendable, Hashable {
  /// Lower bound on the probability of the top class under the smoothing noise, slack already subtracted.
  package let lowerBound: ProbabilityBound
  /// Upper bound on the probability of the runner-up, slack already added; nil where the certificate needs none.
  package let upperBound: ProbabilityBound?
  /// Certified L2 radius in sigma's units; nil to abstain.
  package let radius: Double?

  package init(lowerBound: ProbabilityBound, upperBound: ProbabilityBound? = nil, radius: Double?) {
    self.lowerBound = lowerBound
    self.upperBound = upperBound
    self.radius = radius
  }

  /// p_lower.
  package var pLower: Double { lowerBound.value }
  package var abstains: Bool { radius == nil }

  /// The radius this image is certified at, or abstention.
  ///
  /// Radius = sigma · Φ⁻¹(p), where p bounds from below the probability of the top class (Cohen et al. 2019, Theorem 1
  /// and procedure CERTIFY). Exact in `hits` and never falling in it; no randomness here.
  ///
  /// - Parameters:
  ///   - hits: estimation votes for the class that selection chose; 0 ... draws.
  ///   - draws: estimation draws n. Must not include the selection draws.
  ///   - sigma: noise level, positive, in the [0, 1] pixel range, before normalisation.
  ///   - alpha: allowed failure probability of this one certificate, for example 0.001.
  ///   - slack: the sampler's total variation per draw (`GridTable.slack`); 0 for exact samplers.
  /// - Returns: the bound, and the radius rounded down; nil radius when the bound is at most 1/2.
  /// - Complexity: about 0.2 ms, independent of `draws`.
  /// - Note: the authors' code certifies a bound of exactly 1/2 with radius 0. We abstain: nothing is proven there.
  package static func certify(
    hits: Int, draws: Int, sigma: ExactDecimal, alpha: ExactDecimal, slack: Double = 0
  ) -> Certificate {
    let bound = ClopperPearson.lowerBound(hits: hits, draws: draws, alpha: alpha, slack: slack)
    return Certificate(lowerBound: bound, radius: radius(of: bound, sigma: sigma))
  }

  /// sigma · Φ⁻¹(bound), both rounded down; nil when the bound is at most 1/2.
  package static func radius(of bound: ProbabilityBound, sigma: ExactDecimal) -> Double? {
    precondition(sigma.value > 0)
    guard bound.exceedsHalf else { return nil }
    return sigma.scaledDown(NormalQuantile.lowerBound(of: bound))
  }

  /// The smallest number of hits that certifies any radius; nil when even `draws` hits do not.
  ///
  /// 50,490 of 100,000, 5,156 of 10,000 and 550 of 1,000 at alpha 0.001 without slack.
  package static func firstCertifyingCount(draws: Int, alpha: ExactDecimal, slack: Double = 0) -> Int? {
    func certifies(_ hits: Int) -> Bool {
      ClopperPearson.lowerBound(hits: hits, draws: draws, alpha: alpha, slack: slack).exceedsHalf
    }
    guard certifies(draws) else { return nil }
    var (below, certifying) = (draws / 2, draws)
    while certifying - below > 1 {
      let middle = (below + certifying) / 2
      if certifies(middle) { certifying = middle } else { below = middle }
    }
    return certifying
  }

  /// The smallest number of draws with which a unanimous vote certifies: no fewer can certify anything.
  ///
  /// 10 at alpha 0.001 without slack, where alpha^(1/10) is just above one half. Nil when not even 2³¹ would do.
  /// - Complexity: about 60 bounds.
  package static func smallestDraws(alpha: ExactDecimal, slack: Double = 0) -> Int? {
    func certifies(_ draws: Int) -> Bool {
      ClopperPearson.lowerBound(hits: draws, draws: draws, alpha: alpha, slack: slack).exceedsHalf
    }
    var (below, certifying) = (0, 1)
    while !certifies(certifying) {
      guard certifying < ClopperPearson.largestDraws else { return nil }
      (below, certifying) = (certifying, min(2 * certifying, ClopperPearson.largestDraws))
    }
    while certifying - below > 1 {
      let middle = (below + certifying) / 2
      if certifies(middle) { certifying = middle } else { below = middle }
    }
    return certifying
  }

  /// The radius of an image on which every draw hits; nil when no count certifies. No image of a run exceeds it.
  package static func largestRadius(
    draws: Int, sigma: ExactDecimal, alpha: ExactDecimal, slack: Double = 0
  ) -> Double? {
    certify(hits: draws, draws: draws, sigma: sigma, alpha: alpha, slack: slack).radius
  }
}
