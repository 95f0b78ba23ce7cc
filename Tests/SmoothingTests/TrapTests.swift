import Foundation
import Smoothing
import TestSupport
import Testing

/// Errors found in public certification codes, each shown and each avoided. Those that need a database, a network or a report
/// are tested where these are; `everyTrap` holds the list together.
@Suite("Traps that others fell into") struct TrapTests {
  @Test("each of the 21 traps has a test that names it")
  func everyTrap() throws {
    var named: Set<Int> = []
    let files = try #require(FileManager.default.enumerator(atPath: "\(Repository.root)/Tests"))
    for case let file as String in files where file.hasSuffix("Tests.swift") {
      let text = try String(contentsOfFile: "\(Repository.root)/Tests/\(file)", encoding: .utf8)
      for match in text.matches(of: #/"[^"\n]*?traps? (\d+(?:(?:, | and )\d+)*):/#) {
        named.formUnion(match.1.split { !$0.isNumber }.compactMap { Int($0) })
      }
    }
    #expect(named == Set(1...21), "missing: \(Set(1...21).subtracting(named).sorted())")
  }

  /// P(Bin(n, p) = k).
  private static func mass(_ hits: Int, of draws: Int, p: Double) -> Double {
    let (k, n) = (Double(hits), Double(draws))
    let coefficient = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    return exp(coefficient + k * log(p) + (n - k) * log1p(-p))
  }

  /// P(Bin(n, ½) = k) for all k.
  private func fair(_ n: Int) -> [Double] {
    (0...n).map { Self.mass($0, of: n, p: 0.5) }
  }

  @Test("trap 4: two classes at one half: fresh draws fail at most alpha, counting selection again fails more often")
  func selectionReused() throws {
    let (n0, n) = (100, 1000)
    let alpha: ExactDecimal = 0.01
    let first = try #require(Certificate.firstCertifyingCount(draws: n, alpha: alpha))
    func tail(_ masses: [Double], from k: Int) -> Double { k <= 0 ? 1 : masses.dropFirst(k).reduce(0, +) }
    let fresh = tail(fair(n), from: first)
    #expect(first == 538 && abs(fresh - 0.00883) < 1e-5 && fresh <= alpha.value)
    // The first n0 of the n draws choose the class and count for it again.
    let rest = fair(n - n0)
    var reused = 0.0
    for (hits, mass) in fair(n0).enumerated() { reused += mass * tail(rest, from: first - max(hits, n0 - hits)) }
    #expect(reused > 1.4 * alpha.value)
    // The class with most estimation votes is certified: both classes can be.
    #expect(2 * fresh > 1.7 * alpha.value)
  }

  @Test("trap 6: alpha is one-sided: of one draw that hits, p is above alpha with confidence 1 - alpha")
  func oneSided() {
    #expect(ClopperPearson.lowerBound(hits: 1, draws: 1, alpha: 0.05).value == 0.05.nextDown)
    let bound = ClopperPearson.lowerBound(hits: 10, draws: 10, alpha: 0.001)
    #expect(abs(pow(bound.value, 10) - 0.001) < 1e-15, "a two-sided reading would have 0.0005 here")
  }

  @Test(
    "trap 7: the allowance for false certificates is the exact quantile; Bernstein without its factor 2 is too small")
  func highProbability() {
    func tail(_ images: Int, _ alpha: Double, above c: Int) -> Double {
      (c + 1...min(c + 400, images)).reduce(0) { $0 + Self.mass($1, of: images, p: alpha) }
    }
    let cases: [(Int, Double, Int)] = [
      (500, 0.001, 4), (10_000, 0.001, 21), (50_000, 0.001, 73), (500, 0.05, 41), (2, 0.01, 1),
    ]
    for (images, alpha, expected) in cases {
      let c = FalseCertificates.allowance(images: images, alpha: ExactDecimal(alpha)!)
      #expect(c == expected)
      if c < images { #expect(tail(images, alpha, above: c) <= 0.001) }
      #expect(tail(images, alpha, above: c - 1) > 0.001, "one less would fail too often")
    }
    #expect(FalseCertificates.allowance(images: 0, alpha: 0.001) == 0)
    #expect(FalseCertificates.allowance(images: 1, alpha: 0.0005) == 0)
    #expect(FalseCertificates.allowance(images: 1, alpha: 0.01) == 1)
    #expect(FalseCertificates.certainly(3, allowance: 4) == 0)
    // The published formula at 10,000 images, alpha = rho = 0.001.
    let logarithm = log(1000.0)
    let slip = 10 + (10 * 0.999 * logarithm).squareRoot() + logarithm / 3
    let failure = tail(10_000, 0.001, above: Int(slip))
    #expect(abs(failure - 0.00158) < 1e-5 && failure > 0.001)
  }

  @Test("trap 10: PREDICT with ten draws at alpha 0.001 always abstains, and compares a number with alpha")
  func predict() {
    for first in 0...10 { #expect(BinomialTest.predict(Counts([first, 10 - first]), alpha: 0.001) == nil) }
    #expect(BinomialTest.predict(Counts([11, 0]), alpha: 0.001) == 0)
    #expect(BinomialTest.pValue(11, 0) == 2.0 / 2048)
  }

  @Test(
    "trap 13: a target radius becomes a probability by Φ, and the first count that reaches it is the first whose bound does"
  )
  func targets() throws {
    let draws = 1000
    let sigma: ExactDecimal = 0.5
    for radius in [0.25, 0.5, 0.75, 1.0] {
      let probability = erfc(-radius / sigma.value / 2.0.squareRoot()) / 2
      func reaches(_ hits: Int) -> Bool {
        (Certificate.certify(hits: hits, draws: draws, sigma: sigma, alpha: 0.001).radius ?? -1) >= radius
      }
      let first = try #require((draws / 2...draws).first(where: reaches))
      let bound = ClopperPearson.lowerBound(hits: first, draws: draws, alpha: 0.001).value
      let before = ClopperPearson.lowerBound(hits: first - 1, draws: draws, alpha: 0.001).value
      #expect(bound >= probability && before < probability)
    }
  }

  @Test("trap 14: a runner-up bound needs no union over classes, and the top class must come from selection")
  func runnerUp() {
    let n = 30
    let half: ExactDecimal = 0.05
    let lower = (0...n).map { ClopperPearson.lowerBound(hits: $0, draws: n, alpha: half).value }
    let upper = (0...n).map { ClopperPearson.upperBound(hits: $0, draws: n, alpha: half).value }
    /// Sums the probability of the votes (a, b, n - a - b) of three classes at which `fails` holds.
    func probability(_ p: [Double], _ fails: (Int, Int, Int) -> Bool) -> Double {
      var sum = 0.0
      for a in 0...n {
        let first = Self.mass(a, of: n, p: p[0])
        for b in 0...(n - a) where fails(a, b, n - a - b) {
          sum += first * Self.mass(b, of: n - a, p: p[1] / (1 - p[0]))
        }
      }
      return sum
    }
    let third = 1.0 / 3
    for p in [[0.5, 0.3, 0.2], [0.4, 0.3, 0.3], [third, third, third], [0.8, 0.15, 0.05], [0.2, 0.45, 0.35]] {
      // Class 0 was selected beforehand.
      let second = max(p[1], p[2])
      let failure = probability(p) { a, b, c in lower[a] > p[0] || upper[max(b, c)] < second }
      #expect(failure <= 0.1, "\(p): \(failure)")
    }
    let argmax = probability([third, third, third]) { a, b, c in lower[max(a, b, c)] > third }
    #expect(argmax > 0.1, "its bound has level 0.05: \(argmax)")
  }

  @Test("trap 20: bounds at the ends are exact, and none of 0 … 1,000 hits gives one that is not a number or falls")
  func quantiles() {
    #expect(ClopperPearson.lowerBound(hits: 0, draws: 1000, alpha: 0.001).value == 0)
    #expect(ClopperPearson.upperBound(hits: 1000, draws: 1000, alpha: 0.001).value == 1)
    var last = -1.0
    for hits in 0...1000 {
      let bound = ClopperPearson.lowerBound(hits: hits, draws: 1000, alpha: 0.001)
      #expect(bound.value > last && bound.value < max(Double(hits) / 1000, 1e-300) && bound.complement <= 1)
      last = bound.value
    }
  }

  @Test("a shared alpha is never more than its share, and exact where decimals allow")
  func shares() throws {
    #expect(
      (0.001 as ExactDecimal).divided(by: 4) == ExactDecimal("0.00025") && (0.05 as ExactDecimal).divided(by: 1) == 0.05
    )
    #expect((1.0 as ExactDecimal).divided(by: 8) == 0.125)
    let third = (0.001 as ExactDecimal).divided(by: 3)
    #expect("\(third)" == "0.000333333333333333333333333333333")
    for divisor in [7, 24, 500, 1500, 50_000] {
      let share = (0.001 as ExactDecimal).divided(by: divisor)
      #expect(abs(share.value * Double(divisor) / 0.001 - 1) < 1e-14)
    }
  }
}
