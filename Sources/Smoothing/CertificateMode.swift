/// How votes become a certificate.
package enum CertificateMode: String, Sendable, Hashable, CaseIterable {
  /// Clopper–Pearson on all n draws (Cohen et al. 2019, CERTIFY): the paper's protocol.
  case fixed
  /// `fixed`, ended as soon as all n draws could no longer change which targets are reached.
  case curtailed
  /// Bounds for the top class and the runner-up on all n draws.
  case runnerUp = "runner-up"
  /// Ended as soon as every target is decided, at any time, by a bound that holds at all times.
  case sequential
  /// Ended as soon as the radius is within a declared share of what all draws would give if the rest hit at the upper
  /// bound's rate.
  case epsilon
  /// A class without a radius, by the two-sided test on all n draws (Cohen et al. 2019, PREDICT).
  case predict

  /// Whether it decides at looks before all n draws are made.
  package var stopsEarly: Bool { self == .curtailed || self == .sequential || self == .epsilon }
  /// The part of alpha that the bound on all n draws gets.
  package func share(of alpha: ExactDecimal) -> ExactDecimal {
    switch self {
    case .fixed, .curtailed: alpha
    case .sequential, .epsilon: alpha.threeQuarters
    case .runnerUp, .predict: alpha.halved
    }
  }
  /// Whether its decisions are about target radii.
  package var hasTargets: Bool { self == .curtailed || self == .sequential }
}

/// What a certificate depends on besides votes: one noise level of a run's protocol, fixed at submission.
package struct CertificateRules: Sendable, Hashable {
  package let mode: CertificateMode
  /// Estimation draws planned.
  package let draws: Int
  package let alpha: ExactDecimal
  package let sigma: ExactDecimal
  package let slack: Double
  /// Radii to decide, ascending; empty unless the mode has targets.
  package let targets: [ExactDecimal]
  /// The share that `epsilon` gives up, in 0 ..< 1.
  package let epsilon: Double
  /// Hits of all n draws from which Clopper–Pearson reaches each target, at alpha (`curtailed`) or 3·alpha/4 (`sequential`);
  /// nil where none suffices.
  let thresholds: [Int?]

  /// - Complexity: nothing to speak of, but about 5 ms per target in modes that stop for targets: keep the value.
  package init(
    mode: CertificateMode, draws: Int, alpha: ExactDecimal, sigma: ExactDecimal, slack: Double = 0,
    targets: [ExactDecimal] = [], epsilon: Double = 0
  ) {
    precondition((0..<1).contains(epsilon))
    self.mode = mode
    self.draws = draws
    self.alpha = alpha
    self.sigma = sigma
    self.slack = slack
    self.targets = targets.sorted { $0.value < $1.value }
    self.epsilon = epsilon
    let share = mode == .sequential ? alpha.threeQuarters : alpha
    thresholds =
      mode != .curtailed && mode != .sequential
      ? []
      : self.targets.map { target in
        func reaches(_ hits: Int) -> Bool {
          Certificate.certify(hits: hits, draws: draws, sigma: sigma, alpha: share, slack: slack).reaches(target)
        }
        guard reaches(draws) else { return nil }
        var (below, reaching) = (0, draws)
        while reaching - below > 1 {
          let middle = (below + reaching) / 2
          if reaches(middle) { reaching = middle } else { below = middle }
        }
        return reaching
      }
  }
}

/// What became of one item.
package struct Decision: Sendable, Hashable {
  /// The class that the certificate is about: the one selection chose, or PREDICT's leader.
  package let topClass: Int
  /// Its estimation votes.
  package let hits: Int
  /// Estimation draws that count: those up to the deciding look.
  package let draws: Int
  package let certificate: Certificate
  /// Votes of the most frequent other class, where they matter.
  package var runnerUpHits: Int?
  /// PREDICT's p-value.
  package var pValue: Double?

  /// The class to return; nil to abstain.
  package var predicted: Int? { certificate.abstains ? nil : topClass }
}
