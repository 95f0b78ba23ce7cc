import Foundation
import Smoothing
import Testing

@Suite("Clopper–Pearson bounds")
struct ClopperPearsonTests {
  @Test("bounds and radii equal, bit for bit, those of an independent program with 60 digits")
  func fixtures() throws {
    let file = Reference.package.appending(path: "Tests/Fixtures/certificates.csv")
    let rows = Reference.rows(try String(contentsOf: file, encoding: .utf8))
    #expect(rows.count == 28)
    for row in rows {
      let certificate = Certificate.certify(
        hits: try #require(Int(row["hits"]!)), draws: try #require(Int(row["draws"]!)),
        sigma: try #require(ExactDecimal(row["sigma"]!)), alpha: try #require(ExactDecimal(row["alpha"]!)))
      #expect(certificate.pLower == (try Reference.double(row["value"]!)), "\(row)")
      #expect(certificate.lowerBound.complement == (try Reference.double(row["complement"]!)), "\(row)")
      #expect(certificate.radius == (row["radius"] == "" ? nil : try Reference.double(row["radius"]!)), "\(row)")
    }
  }

  /// P(Bin(n, j/2^s) ≥ k)·2^(s·n) as an exact integer.
  static func tail(n: Int, k: Int, j: UInt128, s: Int) -> UInt128 {
    func power(_ base: UInt128, _ exponent: Int) -> UInt128 { (0..<exponent).reduce(1) { value, _ in value * base } }
    var binomial: UInt128 = 1
    var sum: UInt128 = 0
    for i in 0...n {
      if i >= k { sum += binomial * power(j, i) * power((1 << s) - j, n - i) }
      binomial = binomial * UInt128(n - i) / UInt128(i + 1)
    }
    return sum
  }

  /// numerator / 2^bits written out as a decimal, with all its digits.
  static func decimal(_ numerator: UInt128, bits: Int) -> ExactDecimal {
    let five = (0..<bits).reduce(UInt128(1)) { value, _ in value * 5 }
    return ExactDecimal("\(numerator * five)e-\(bits)")!
  }

  @Test("where the tail at a dyadic p is alpha exactly, the bound is that p: never above, at most one place below")
  func exactRoots() {
    var cases = 0
    for (n, s) in [(1, 3), (2, 8), (3, 8), (5, 6), (7, 4), (10, 3), (15, 2), (28, 1), (30, 1)] {
      for k in 1...n {
        for j in 1..<(UInt128(1) << s) {
          let tail = Self.tail(n: n, k: k, j: j, s: s)
          guard 2 * tail <= UInt128(1) << (n * s) else { continue }
          let p = Double(j) / Double(1 << s)
          let here = ClopperPearson.lowerBound(hits: k, draws: n, alpha: Self.decimal(tail, bits: n * s))
          #expect(here.value <= p && here.value >= p.nextDown, "n \(n) k \(k) p \(p)")
          #expect(here.complement >= 1 - p && here.complement <= (1 - p).nextUp)
          // One unit of 2^-(s·n) more or less of alpha moves the root past p.
          if 2 * (tail + 1) <= UInt128(1) << (n * s) {
            let more = ClopperPearson.lowerBound(hits: k, draws: n, alpha: Self.decimal(tail + 1, bits: n * s))
            #expect(more.value >= p)
          }
          if tail > 1 {
            let less = ClopperPearson.lowerBound(hits: k, draws: n, alpha: Self.decimal(tail - 1, bits: n * s))
            #expect(less.value < p)
          }
          cases += 1
        }
      }
    }
    #expect(cases > 400)
  }

  @Test("the tail at the bound is alpha, by summing every outcome of up to 60 draws", arguments: [0.001, 0.05, 0.3])
  func enumeration(alpha: Double) throws {
    for n in [1, 2, 3, 7, 20, 41, 60] {
      for k in 1...n {
        let bound = ClopperPearson.lowerBound(hits: k, draws: n, alpha: try #require(ExactDecimal(alpha)))
        var term = (0..<n).reduce(1.0) { value, _ in value * bound.complement }
        var sum = 0.0
        for i in 0...n {
          if i >= k { sum += term }
          term *= Double(n - i) / Double(i + 1) * bound.value / bound.complement
        }
        #expect(abs(sum / alpha - 1) < 1e-12, "n \(n) k \(k)")
      }
    }
  }

  @Test("bounds rise with every hit, fall with a stricter alpha, and stay under the observed share")
  func monotone() {
    for draws in [1, 2, 10, 100, 1000] {
      var previous = -1.0
      for hits in 0...draws {
        let bound = ClopperPearson.lowerBound(hits: hits, draws: draws, alpha: 0.001)
        #expect(bound.value > previous)
        #expect(bound.value <= Double(hits) / Double(draws))
        if hits > 0 {
          #expect(ClopperPearson.lowerBound(hits: hits, draws: draws, alpha: 0.0001).value < bound.value)
        }
        previous = bound.value
      }
    }
    for hits in stride(from: 2_147_483_000, through: 2_147_483_648, by: 81) {
      let one = ClopperPearson.lowerBound(hits: hits, draws: 1 << 31, alpha: 0.001)
      let less = ClopperPearson.lowerBound(hits: hits - 1, draws: 1 << 31, alpha: 0.001)
      #expect(less.complement > one.complement)
    }
  }

  @Test("the upper bound mirrors the lower one and lies above the observed share")
  func upper() {
    for hits in 0...50 {
      let upper = ClopperPearson.upperBound(hits: hits, draws: 50, alpha: 0.01)
      let lower = ClopperPearson.lowerBound(hits: 50 - hits, draws: 50, alpha: 0.01)
      #expect(upper.value == lower.complement && upper.complement == lower.value)
      #expect(upper.value >= Double(hits) / 50)
    }
    #expect(ClopperPearson.upperBound(hits: 50, draws: 50, alpha: 0.01).value == 1)
  }

  @Test("slack is subtracted with rounding down, and never below zero")
  func slack() {
    let slack = 3.5e-14
    let plain = ClopperPearson.lowerBound(hits: 99_000, draws: 100_000, alpha: 0.001)
    let lowered = ClopperPearson.lowerBound(hits: 99_000, draws: 100_000, alpha: 0.001, slack: slack)
    #expect(lowered.complement >= plain.complement + slack)
    #expect(lowered.complement <= (plain.complement + slack).nextUp)
    #expect(lowered.value <= plain.value - slack)
    #expect(ClopperPearson.lowerBound(hits: 1, draws: 10, alpha: 0.001, slack: 0.5).value == 0)
    let raised = ClopperPearson.upperBound(hits: 5, draws: 10, alpha: 0.001, slack: slack)
    #expect(raised.value > ClopperPearson.upperBound(hits: 5, draws: 10, alpha: 0.001).value)
  }

  @Test("no bound is above the 40-digit one and none is 1e-12 below it", .enabled(if: Reference.isPresent))
  func fortyDigits() throws {
    struct Golden: Decodable {
      struct Bound: Decodable {
        let nA: Int
        let n: Int
        let alpha_text: String
        let p_lower_mpmath: String
        let abstain: Bool
        let z_mpmath: String?
      }
      struct Test: Decodable {
        let count1: Int
        let count2: Int
        let p_value: Double
        let abstain_at_0_001: Bool
      }
      struct Quantile: Decodable {
        let p: String
        let z: String
      }
      let bounds: [Bound]
      let smallest_nA_not_abstaining_alpha_0_001: [String: Int]
      let two_sided_binomial_test: [Test]
      let inverse_normal_cdf: [Quantile]
    }
    let golden = try JSONDecoder().decode(Golden.self, from: Data(Reference.text("golden/clopper_pearson.json").utf8))
    #expect(golden.bounds.count > 100)
    for bound in golden.bounds {
      let alpha = try #require(ExactDecimal(bound.alpha_text))
      let truth = try #require(ExactDecimal(bound.p_lower_mpmath))
      let certificate = Certificate.certify(hits: bound.nA, draws: bound.n, sigma: 1.0, alpha: alpha)
      #expect(!truth.isBelow(certificate.pLower), "\(bound)")
      #expect(certificate.pLower >= truth.value * (1 - 1e-15), "\(bound)")
      #expect(certificate.abstains == bound.abstain, "\(bound)")
      if let radius = certificate.radius, let z = bound.z_mpmath.flatMap({ ExactDecimal($0) }) {
        #expect(!z.isBelow(radius) && radius >= z.value * (1 - 1e-12) - 1e-15, "\(bound)")
      }
    }
    for (draws, count) in golden.smallest_nA_not_abstaining_alpha_0_001 {
      #expect(Certificate.firstCertifyingCount(draws: try #require(Int(draws)), alpha: 0.001) == count)
    }
    for test in golden.two_sided_binomial_test {
      let p = BinomialTest.pValue(test.count1, test.count2)
      #expect(abs(p - test.p_value) <= max(1e-12 * test.p_value, 2 * .leastNonzeroMagnitude), "\(test)")
      let counts = Counts([test.count1, test.count2])
      #expect((BinomialTest.predict(counts, alpha: 0.001) == nil) == test.abstain_at_0_001, "\(test)")
    }
    for quantile in golden.inverse_normal_cdf {
      let p = try #require(ExactDecimal(quantile.p))
      let z = try #require(ExactDecimal(quantile.z))
      // The doubles next to p on the safe side.
      let value = p.isBelow(p.value) ? p.value.nextDown : p.value
      let bound = ProbabilityBound(
        value: value, complement: p.isBelow(p.value) || value > 0.5 ? (1 - value).nextUp : 1 - value)
      let ours = NormalQuantile.lowerBound(of: bound)
      #expect(!z.isBelow(ours), "\(quantile)")
      #expect(abs(ours - z.value) <= 1e-9, "\(quantile)")
    }
  }

  @Test("no bound is above the published 25-digit one and none is 1e-12 below it", .enabled(if: Reference.isPresent))
  func twentyFiveDigits() throws {
    let rows = Reference.rows(try Reference.text("golden/cohen/cp_reference.csv"))
    #expect(rows.count > 100)
    for row in rows {
      let draws = try #require(Int(row["n"]!))
      let hits = try #require(Int(row["k"]!))
      let alpha = try #require(ExactDecimal(row["alpha"]!))
      let lower = ClopperPearson.lowerBound(hits: hits, draws: draws, alpha: alpha)
      let truth = try #require(ExactDecimal(row["lower"]!))
      #expect(!truth.isBelow(lower.value), "\(row)")
      #expect(lower.value >= truth.value * (1 - 1e-15), "\(row)")
      let upper = ClopperPearson.upperBound(hits: hits, draws: draws, alpha: alpha)
      let above = try #require(ExactDecimal(row["upper"]!))
      #expect(!above.isAbove(upper.value), "\(row)")
      #expect(upper.value <= above.value * (1 + 1e-15), "\(row)")
      if let z = ExactDecimal(row["z_lower"]!) {
        let ours = NormalQuantile.lowerBound(of: lower)
        #expect(!z.isBelow(ours), "\(row)")
        #expect(abs(ours - z.value) <= 1e-13 * max(1, abs(z.value)), "\(row)")
      }
    }
  }
}
