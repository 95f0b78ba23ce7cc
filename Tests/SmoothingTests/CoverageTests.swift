import Smoothing
import Testing

/// Exact failure probabilities: every outcome enumerated, at the worst probability there is.
///
/// A lower bound fails when it lies above p. For a fixed rule the chance of that is largest just below a value that the
/// bound can take, so those are the p to look at.
@Suite("Exact coverage")
struct CoverageTests {
  /// What rounding of doubles may add to a sum of these probabilities.
  static let dust = 1e-11

  /// P(Bin(draws, p) = hits) for all hits.
  static func binomial(_ draws: Int, _ p: Double) -> [Double] {
    var row = [1.0]
    for _ in 0..<draws {
      var next = [Double](repeating: 0, count: row.count + 1)
      for (hits, mass) in row.enumerated() {
        next[hits] += mass * (1 - p)
        next[hits + 1] += mass * p
      }
      row = next
    }
    return row
  }

  static func decimal(_ value: Double) -> ExactDecimal { ExactDecimal(value)! }

  @Test("fixed: a bound above p has probability at most alpha, and close to it where p is just below a bound")
  func fixed() {
    for alpha in [0.001, 0.05, 0.3, 0.5] {
      var worst = 0.0
      for draws in [1, 2, 5, 17, 40] {
        let bounds = (0...draws).map {
          ClopperPearson.lowerBound(hits: $0, draws: draws, alpha: Self.decimal(alpha)).value
        }
        for p in bounds where p > 0 {
          let mass = Self.binomial(draws, p.nextDown)
          let failure = bounds.indices.reduce(0) { bounds[$1] > p.nextDown ? $0 + mass[$1] : $0 }
          #expect(failure <= alpha + Self.dust)
          worst = max(worst, failure)
        }
      }
      #expect(worst > alpha * (1 - 1e-9), "the supremum is reached, so this test could fail")
    }
  }

  /// Ends of all ways through a decider's looks, equal ones merged: dynamic programming over looks, once for every p.
  ///
  /// The state is the number of hits and what the decider remembers; `ways` counts the sequences of draws that lead there.
  struct End {
    let decision: Decision
    let ways: Double

    /// The probability of ending here, from the powers of p and of 1 - p.
    func mass(_ hit: [Double], _ miss: [Double]) -> Double {
      ways * hit[decision.hits] * miss[decision.draws - decision.hits]
    }
  }

  static func powers(_ x: Double) -> [Double] {
    (0..<looks.last!).reduce(into: [1.0]) { all, _ in all.append(all.last! * x) }
  }

  /// The chance of ending with a certificate that is false at p, and of ending at all.
  static func failure(_ ends: [End], p: Double) -> (wrong: Double, total: Double) {
    let (hit, miss) = (powers(p), powers(1 - p))
    return ends.reduce(into: (0, 0)) { sums, end in
      let mass = end.mass(hit, miss)
      if isFalse(end.decision, p: p) { sums.0 += mass }
      sums.1 += mass
    }
  }

  static func ends(of rules: CertificateRules) -> [End] {
    var paths: [ItemDecider: [Int: Double]] = [ItemDecider(rules, topClass: 0): [0: 1]]
    var ends: [End] = []
    var drawn = 0
    for look in looks {
      let ways = binomial(look - drawn, 0.5).map { $0 * Double(1 << (look - drawn)) }
      drawn = look
      var next: [ItemDecider: [Int: Double]] = [:]
      for (decider, states) in paths {
        var sums: [Int: Double] = [:]
        for (hits, count) in states {
          for (more, ways) in ways.enumerated() { sums[hits + more, default: 0] += count * ways }
        }
        for (hits, count) in sums {
          var decider = decider
          if let decision = decider.look(votes: [0: hits, 1: look - hits], draws: look) {
            ends.append(End(decision: decision, ways: count))
          } else {
            next[decider, default: [:]][hits, default: 0] += count
          }
        }
      }
      paths = next
    }
    #expect(paths.isEmpty, "the last look decides")
    return ends
  }

  static func isFalse(_ decision: Decision, p: Double) -> Bool {
    guard decision.certificate.radius != nil else { return false }
    return decision.certificate.pLower > p
  }

  static let looks = [4, 8, 14, 20]

  @Test(
    "sequential: however early it stops, a bound above p has probability at most alpha at the supremum",
    arguments: [0.05, 0.5])
  func sequential(alpha: Double) {
    let targets = [0.05, 0.5, 1].map(Self.decimal)
    let rules = CertificateRules(
      mode: .sequential, draws: 20, alpha: Self.decimal(alpha), sigma: 1.0, targets: targets)
    let ends = Self.ends(of: rules)
    #expect(Set(ends.map(\.decision.draws)).count > 2, "it stops at different looks")
    var worst = 0.0
    for p in Self.attainable(rules) {
      let (wrong, total) = Self.failure(ends, p: p)
      #expect(abs(total - 1) < Self.dust)
      #expect(wrong <= alpha + Self.dust, "at p = \(p)")
      worst = max(worst, wrong)
    }
    #expect(worst > alpha / 4, "the bounds are not idle")
  }

  @Test("sequential: a target that no votes of n draws could reach keeps nothing drawing")
  func outOfReach() throws {
    // All of 100,000 hits certify 0.952 at sigma 0.25.
    func decision(_ targets: [ExactDecimal], hits: Int, of draws: Int) -> Decision? {
      var decider = ItemDecider(
        CertificateRules(mode: .sequential, draws: 100_000, alpha: 0.001, sigma: 0.25, targets: targets), topClass: 0)
      return decider.look(votes: [0: hits, 1: draws - hits], draws: draws)
    }
    #expect(decision([1.0], hits: 250, of: 250) != nil)
    #expect(decision([0.95], hits: 250, of: 250) == nil)
    // A few misses, and 0.95 is out of reach too.
    #expect(decision([0.95], hits: 2_490, of: 2_500) != nil)
  }

  @Test("epsilon: the share given up costs samples, never soundness", arguments: [0.02, 0.2])
  func epsilon(alpha: Double) {
    let rules = CertificateRules(
      mode: .epsilon, draws: 20, alpha: Self.decimal(alpha), sigma: 1.0, epsilon: 0.5)
    let ends = Self.ends(of: rules)
    for p in Self.attainable(rules) {
      #expect(Self.failure(ends, p: p).wrong <= alpha + Self.dust, "at p = \(p)")
    }
  }

  /// Just below every value that the rules' bounds can take above one half.
  static func attainable(_ rules: CertificateRules) -> [Double] {
    var bounds: Set<Double> = []
    for draws in looks {
      for hits in 0...draws {
        bounds.insert(MixtureBound.lowerBound(hits: hits, draws: draws, alpha: rules.alpha.quarter).value)
        bounds.insert(ClopperPearson.lowerBound(hits: hits, draws: 20, alpha: rules.alpha.threeQuarters).value)
      }
    }
    return bounds.filter { $0 > 0.5 }.map(\.nextDown).sorted() + [0.5]
  }

  @Test("curtailed: the targets it reports are those that all draws would, so it fails no more often")
  func curtailed() {
    for alpha in [0.01, 0.2] {
      let rules = CertificateRules(
        mode: .curtailed, draws: 20, alpha: Self.decimal(alpha), sigma: 0.5,
        targets: [0, 0.1, 0.25, 0.5].map(Self.decimal))
      // Every path: whatever its looks, the targets reached are those of `fixed` on all 20 draws.
      for hits in 0...20 {
        let full = Certificate.certify(hits: hits, draws: 20, sigma: 0.5, alpha: rules.alpha)
        for order in [Self.hitsFirst, Self.missesFirst, Self.evenly] {
          var decider = ItemDecider(rules, topClass: 0)
          for look in Self.looks {
            let sofar = order(hits, look)
            guard let decision = decider.look(votes: [0: sofar, 1: look - sofar], draws: look) else { continue }
            for target in rules.targets {
              #expect(decision.certificate.reaches(target) == full.reaches(target), "\(hits) hits at look \(look)")
            }
            #expect((decision.certificate.radius ?? 0) <= full.radius ?? 0)
            #expect(decision.certificate.pLower <= full.pLower)
            break
          }
        }
      }
    }
  }

  private static func hitsFirst(_ hits: Int, _ look: Int) -> Int { min(hits, look) }
  private static func missesFirst(_ hits: Int, _ look: Int) -> Int { max(0, look - (20 - hits)) }
  private static func evenly(_ hits: Int, _ look: Int) -> Int { hits * look / 20 }

  @Test("runner-up: both bounds hold with probability at least 1 - alpha, over three classes")
  func runnerUp() {
    let draws = 9
    for alpha in [0.05, 0.4] {
      let half = Self.decimal(alpha).halved
      let lowers = (0...draws).map { ClopperPearson.lowerBound(hits: $0, draws: draws, alpha: half).value }
      let uppers = (0...draws).map { ClopperPearson.upperBound(hits: $0, draws: draws, alpha: half).value }
      let radii = (0...draws).map { hits in
        (0...draws - hits).map {
          Certificate.runnerUp(
            hits: hits, runnerUpHits: $0, draws: draws, sigma: 1.0, alpha: Self.decimal(alpha)
          ).radius
        }
      }
      // The top class just below a lower bound, a runner-up just above an upper bound, the rest a third class.
      for a in lowers.map(\.nextDown) where a > 0 {
        for b in uppers.map(\.nextUp) where b < 1 && a + b <= 1 && 1 - a - b <= b {
          let c = 1 - a - b
          let limit = Self.trueRadius(a, b)
          var (bad, falseRadius) = (0.0, 0.0)
          Self.multinomial(draws, a, b, c) { votes, mass in
            let second = max(votes.1, votes.2)
            if lowers[votes.0] > a || uppers[second] < b { bad += mass }
            if let radius = radii[votes.0][second], radius > limit { falseRadius += mass }
          }
          #expect(bad <= alpha + Self.dust && falseRadius <= bad + Self.dust, "at \(a), \(b), \(c)")
        }
      }
    }
  }

  /// (Φ⁻¹(a) - Φ⁻¹(b)) / 2, a little too large.
  static func trueRadius(_ a: Double, _ b: Double) -> Double {
    (NormalQuantile.lowerBound(of: ProbabilityBound(value: a, complement: 1 - a))
      - NormalQuantile.lowerBound(of: ProbabilityBound(value: b, complement: 1 - b))) / 2 + 1e-12
  }

  static func multinomial(
    _ draws: Int, _ a: Double, _ b: Double, _ c: Double, _ body: ((Int, Int, Int), Double) -> Void
  ) {
    func power(_ x: Double, _ n: Int) -> Double { (0..<n).reduce(1) { product, _ in product * x } }
    var outer = 1.0
    for i in 0...draws {
      var inner = outer
      for j in 0...(draws - i) {
        body((i, j, draws - i - j), inner * power(a, i) * power(b, j) * power(c, draws - i - j))
        inner = inner * Double(draws - i - j) / Double(j + 1)
      }
      outer = outer * Double(draws - i) / Double(i + 1)
    }
  }

  @Test("predict: a class that is not the likeliest is returned with probability at most alpha")
  func predict() {
    for draws in [5, 11] {
      for alpha in [0.01, 0.1, 0.5] {
        var returned: [[Int?]] = []
        for i in 0...draws {
          returned.append(
            (0...draws - i).map {
              BinomialTest.predict(Counts([i, $0, draws - i - $0]), alpha: Self.decimal(alpha))
            })
        }
        // The runner-up just behind the leader, the rest shared out from none to a third.
        for step in 0...12 {
          let rest = Double(step) / 36
          let a = (1 - rest) / 2
          guard a >= rest else { continue }
          var wrong = 0.0
          Self.multinomial(draws, a, a, rest) { votes, mass in
            // Class 0 is the likeliest by nothing at all: 1 and 2 are mistakes.
            if let returned = returned[votes.0][votes.1], returned > 0 { wrong += mass }
          }
          #expect(wrong <= alpha + Self.dust, "n \(draws), alpha \(alpha), third class \(rest)")
        }
      }
    }
  }

  @Test("simulation: sequential at alpha 0.05 under optional stopping and adversarial p stays under alpha")
  func simulation() {
    let draws = 400
    let alpha: ExactDecimal = 0.05
    let looks = Array(stride(from: 20, through: draws, by: 20))
    var generator = SplitMix(state: 20_240_229)
    var bounds: [Int: Double] = [:]
    /// The best bound that stopping at this look would report.
    func bound(_ hits: Int, _ look: Int) -> Double {
      if let known = bounds[look * 1000 + hits] { return known }
      let mixture = MixtureBound.lowerBound(hits: hits, draws: look, alpha: alpha.quarter).value
      let terminal = ClopperPearson.lowerBound(hits: hits, draws: look, alpha: alpha.threeQuarters).value
      bounds[look * 1000 + hits] = look == draws ? max(mixture, terminal) : mixture
      return bounds[look * 1000 + hits]!
    }
    for p in [0.5001, 0.5987, 0.8413, 0.95] {
      let trials = 1500
      var failures = 0
      for _ in 0..<trials {
        var (hits, drawn) = (0, 0)
        // The adversary stops at the look that flatters most: a failure anywhere is a failure.
        for look in looks {
          for _ in drawn..<look where Double(generator.next() >> 11) * 0x1p-53 < p { hits += 1 }
          drawn = look
          if bound(hits, look) > p {
            failures += 1
            break
          }
        }
      }
      // Three standard deviations above what is promised.
      #expect(Double(failures) <= 1500 * 0.05 + 3 * (1500 * 0.05 * 0.95).squareRoot(), "p \(p): \(failures)")
    }
  }
}

/// Steele, Lea and Flood 2014; for simulations of tests.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
