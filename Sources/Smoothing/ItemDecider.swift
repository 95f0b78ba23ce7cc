/// Decides one item, look by look.
///
/// A look is the sum of the votes of a declared prefix of the estimation chunks; every look is shown once, in order, and
/// nothing else is. So the decision depends on votes and protocol only, whenever and by whomever they were made.
package struct ItemDecider: Sendable, Hashable {
  package let rules: CertificateRules
  /// The class that selection chose.
  package let topClass: Int
  /// The best bounds of all looks so far, on the probabilities of a hit and of a miss, slack not yet in them.
  private var hit = ProbabilityBound(value: 0, complement: 1)
  private var miss = ProbabilityBound(value: 0, complement: 1)

  package init(_ rules: CertificateRules, topClass: Int) {
    self.rules = rules
    self.topClass = topClass
  }

  /// Takes the next look.
  ///
  /// - Parameters:
  ///   - votes: estimation votes by class of the whole prefix.
  ///   - draws: the prefix's draws.
  /// - Returns: the decision; nil to go on, which never happens at all n draws.
  package mutating func look(votes: [Int: Int], draws: Int) -> Decision? {
    precondition((1...rules.draws).contains(draws) && votes.values.reduce(0, +) == draws)
    let hits = votes[topClass] ?? 0
    let certificate: Certificate?
    switch rules.mode {
    case .fixed: certificate = draws == rules.draws ? fixed(hits) : nil
    case .curtailed: certificate = draws == rules.draws ? fixed(hits) : curtailed(hits, draws: draws)
    case .sequential, .epsilon: certificate = sequential(hits, draws: draws)
    case .runnerUp: return draws == rules.draws ? runnerUp(votes) : nil
    case .predict: return draws == rules.draws ? predicted(votes) : nil
    }
    return certificate.map { Decision(topClass: topClass, hits: hits, draws: draws, certificate: $0) }
  }

  private func fixed(_ hits: Int) -> Certificate {
    Certificate.certify(hits: hits, draws: rules.draws, sigma: rules.sigma, alpha: rules.alpha, slack: rules.slack)
  }

  /// Once all n draws cannot change which targets are reached: the largest of those that are.
  ///
  /// The bound counts every draw not made as a miss, which is no more than what all n draws would give. A bound on the draws
  /// made, at a moment chosen by them, would fail more often than alpha.
  private func curtailed(_ hits: Int, draws: Int) -> Certificate? {
    let reached = rules.thresholds.map { $0.map { hits >= $0 } ?? false }
    let left = rules.draws - draws
    guard zip(rules.thresholds, reached).allSatisfy({ $1 || $0.map { hits + left < $0 } ?? true }) else { return nil }
    let largest = reached.lastIndex(of: true).map { rules.targets[$0].roundedUp }
    return Certificate(lowerBound: fixed(hits).lowerBound, radius: largest)
  }

  /// Mixture bounds at alpha/4 at every look; at all n draws Clopper–Pearson at 3·alpha/4 as well.
  private mutating func sequential(_ hits: Int, draws: Int) -> Certificate? {
    let share = rules.alpha.quarter
    hit = hit.orHigher(MixtureBound.lowerBound(hits: hits, draws: draws, alpha: share))
    if draws == rules.draws {
      hit = hit.orHigher(ClopperPearson.lowerBound(hits: hits, draws: draws, alpha: rules.alpha.threeQuarters))
      return certificate()
    }
    let certificate = certificate()
    if rules.mode == .sequential, rules.targets.allSatisfy({ certificate.reaches($0) }) { return certificate }
    miss = miss.orHigher(MixtureBound.lowerBound(hits: draws - hits, draws: draws, alpha: share))
    let upper = miss.mirrored.raised(by: rules.slack)
    // Early abstention: more than half of all noise misses.
    if certificate.abstains && upper.value < 0.5 { return certificate }
    return isSettled(certificate, upper: upper, hits: hits, draws: draws) ? certificate : nil
  }

  private func certificate() -> Certificate {
    let bound = hit.lowered(by: rules.slack)
    return Certificate(lowerBound: bound, radius: Certificate.radius(of: bound, sigma: rules.sigma))
  }

  /// Whether more draws could still bring what the run asks for. Costs no soundness either way: the bound holds at every
  /// look.
  private func isSettled(_ certificate: Certificate, upper: ProbabilityBound, hits: Int, draws: Int) -> Bool {
    if rules.mode == .sequential {
      let limit = Certificate.radiusLimit(of: upper, sigma: rules.sigma)
      let most = hits + rules.draws - draws
      return zip(rules.targets, rules.thresholds).allSatisfy { target, needed in
        // The last: not even hits alone from here to n, where no bound is above Clopper–Pearson's at 3·alpha/4.
        certificate.reaches(target) || target.isAbove(limit) || needed.map { most < $0 } ?? true
      }
    }
    guard let radius = certificate.radius else { return false }
    // What `fixed` would certify at all n draws if the rest hit as often as the upper bound allows.
    let rest = (upper.value * Double(rules.draws - draws)).rounded(.up)
    let best = fixed(min(hits + Int(rest), rules.draws)).radius ?? 0
    return radius >= (1 - rules.epsilon) * best
  }

  private func runnerUp(_ votes: [Int: Int]) -> Decision {
    let hits = votes[topClass] ?? 0
    let second = votes.filter { $0.key != topClass }.values.max() ?? 0
    let certificate = Certificate.runnerUp(
      hits: hits, runnerUpHits: second, draws: rules.draws, sigma: rules.sigma, alpha: rules.alpha, slack: rules.slack)
    return Decision(
      topClass: topClass, hits: hits, draws: rules.draws, certificate: certificate, runnerUpHits: second)
  }

  private func predicted(_ votes: [Int: Int]) -> Decision {
    let counts = Counts((0...max(votes.keys.max() ?? 0, 1)).map { votes[$0] ?? 0 })
    let (first, second) = counts.topTwo!
    let isClear = BinomialTest.predict(counts, alpha: rules.alpha, slack: rules.slack) != nil
    return Decision(
      topClass: first, hits: counts[first], draws: rules.draws,
      certificate: Certificate(lowerBound: ProbabilityBound(value: 0, complement: 1), radius: isClear ? 0 : nil),
      runnerUpHits: counts[second], pValue: BinomialTest.pValue(counts[first], counts[second]))
  }
}
