/// Counts to certify, by one of the bounds that counts alone determine.
package struct CertificateQuestion: Sendable, Hashable {
  package enum Mode: String, Sendable, Hashable, CaseIterable {
    /// Clopper–Pearson at alpha: all draws planned were made.
    case fixed
    /// The one-sided mixture bound at alpha, before any split: drawing may have stopped at any time.
    case sequential
    /// Clopper–Pearson for the top class and the runner-up, alpha/2 each.
    case runnerUp = "runner-up"

    /// All of them, for messages.
    package static var words: String { allCases.map(\.rawValue).joined(separator: ", ") }
  }

  package let mode: Mode
  /// Votes for the top class, 0 ... draws.
  package let hits: Int
  /// Estimation draws made, 1 ... 2³¹.
  package let draws: Int
  package let alpha: ExactDecimal
  /// Votes for the most frequent other class; only `runnerUp` looks at it.
  package let runnerUpHits: Int
  package let slack: Double

  package init(
    mode: Mode, hits: Int, draws: Int, alpha: ExactDecimal, runnerUpHits: Int = 0, slack: Double = 0
  ) {
    precondition(mode != .runnerUp || (runnerUpHits >= 0 && hits + runnerUpHits <= draws))
    self.mode = mode
    self.hits = hits
    self.draws = draws
    self.alpha = alpha
    self.runnerUpHits = runnerUpHits
    self.slack = slack
  }

  package func certificate(sigma: ExactDecimal) -> Certificate {
    switch mode {
    case .fixed: Certificate.certify(hits: hits, draws: draws, sigma: sigma, alpha: alpha, slack: slack)
    case .sequential: Certificate.sequential(hits: hits, draws: draws, sigma: sigma, alpha: alpha, slack: slack)
    case .runnerUp:
      Certificate.runnerUp(
        hits: hits, runnerUpHits: runnerUpHits, draws: draws, sigma: sigma, alpha: alpha, slack: slack)
    }
  }

  /// The bounds, and the radius at sigma 1, rounded down; nil to abstain.
  func unscaled() -> (bounds: (lower: ProbabilityBound, upper: ProbabilityBound?), z: Double?) {
    let lower: ProbabilityBound
    switch mode {
    case .fixed: lower = ClopperPearson.lowerBound(hits: hits, draws: draws, alpha: alpha, slack: slack)
    case .sequential: lower = MixtureBound.lowerBound(hits: hits, draws: draws, alpha: alpha, slack: slack)
    case .runnerUp:
      lower = ClopperPearson.lowerBound(hits: hits, draws: draws, alpha: alpha.halved, slack: slack)
      let upper = ClopperPearson.upperBound(hits: runnerUpHits, draws: draws, alpha: alpha.halved, slack: slack)
      // Φ⁻¹(pB) ≤ -Φ⁻¹(1 - pB), the latter rounded down before it is negated. Either is infinite where nothing bounds a
      // class.
      let zA = NormalQuantile.lowerBound(of: lower)
      let zB = NormalQuantile.lowerBound(of: upper.mirrored)
      let distance = zA.isFinite && zB.isFinite ? Rounding.sumDown(zA, zB) : -.infinity
      return ((lower, upper), distance > 0 ? distance / 2 : nil)
    }
    return ((lower, nil), lower.exceedsHalf ? NormalQuantile.lowerBound(of: lower) : nil)
  }
}
