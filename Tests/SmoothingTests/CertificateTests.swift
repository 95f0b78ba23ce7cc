import Smoothing
import Testing

@Suite("Certificates")
struct CertificateTests {
  @Test(
    "the first certifying count and the largest radius are the well-known ones at alpha 0.001",
    arguments: [(10, 10), (100, 66), (1000, 550), (10_000, 5156), (100_000, 50_490)])
  func knownCounts(draws: Int, first: Int) {
    #expect(Certificate.firstCertifyingCount(draws: draws, alpha: 0.001) == first)
    #expect(Certificate.certify(hits: first - 1, draws: draws, sigma: 1.0, alpha: 0.001).abstains)
    #expect(!Certificate.certify(hits: first, draws: draws, sigma: 1.0, alpha: 0.001).abstains)
  }

  @Test(
    "no image reaches beyond the largest radius, which is sigma times a known factor",
    arguments: [(1000, "2.463"), (10_000, "3.198"), (100_000, "3.811"), (1_000_000, "4.346")])
  func largestRadius(draws: Int, factor: String) throws {
    let radius = try #require(Certificate.largestRadius(draws: draws, sigma: 1.0, alpha: 0.001))
    #expect(NumberText.radius(radius) == factor)
    let quarter = try #require(Certificate.largestRadius(draws: draws, sigma: 0.25, alpha: 0.001))
    #expect(quarter == radius / 4)
  }

  @Test("nine draws can never certify at 0.001, ten can only all together")
  func fewDraws() {
    #expect(Certificate.firstCertifyingCount(draws: 9, alpha: 0.001) == nil)
    #expect(Certificate.largestRadius(draws: 9, sigma: 1.0, alpha: 0.001) == nil)
    #expect(Certificate.firstCertifyingCount(draws: 10, alpha: 0.001) == 10)
  }

  @Test("a bound of exactly one half abstains")
  func exactlyHalf() {
    // Ten of ten at alpha 2^-10: the bound is 1/2, exactly.
    let certificate = Certificate.certify(hits: 10, draws: 10, sigma: 1.0, alpha: 0.0009765625)
    #expect(certificate.pLower == 0.5.nextDown || certificate.pLower == 0.5)
    #expect(certificate.abstains)
    let bound = ProbabilityBound(value: 0.5, complement: 0.5)
    #expect(Certificate.radius(of: bound, sigma: 1.0) == nil)
    #expect(NormalQuantile.lowerBound(of: bound) == 0)
  }

  @Test("the radius never falls as hits rise", arguments: [0.001, 0.1, 0.5])
  func monotone(alpha: Double) throws {
    let alpha = try #require(ExactDecimal(alpha))
    var previous = 0.0
    for hits in 0...300 {
      let radius = Certificate.certify(hits: hits, draws: 300, sigma: 0.7, alpha: alpha).radius ?? 0
      #expect(radius >= previous)
      previous = radius
    }
    #expect(previous > 0)
  }

  @Test("slack lowers the radius, and enough of it abstains")
  func slack() throws {
    let plain = try #require(Certificate.certify(hits: 9000, draws: 10_000, sigma: 0.5, alpha: 0.001).radius)
    let less = Certificate.certify(hits: 9000, draws: 10_000, sigma: 0.5, alpha: 0.001, slack: 1e-9).radius
    #expect(try #require(less) < plain)
    #expect(Certificate.certify(hits: 9000, draws: 10_000, sigma: 0.5, alpha: 0.001, slack: 0.4).abstains)
    let first = try #require(Certificate.firstCertifyingCount(draws: 10_000, alpha: 0.001, slack: 0.01))
    #expect(first > 5156)
  }

  @Test("decimals mean what is written: 0.1 is one tenth, below the double next to it")
  func decimals() throws {
    #expect(try #require(ExactDecimal("0.1")).isBelow(0.1))
    #expect(try #require(ExactDecimal("0.3")).isAbove(0.3))
    let quarter = try #require(ExactDecimal("0.25"))
    #expect(!quarter.isBelow(0.25) && !quarter.isAbove(0.25))
    for same in [".250", "2.5e-1", "+0.25", "25E-2", "00.2500"] { #expect(ExactDecimal(same) == quarter) }
    #expect(ExactDecimal("0.2500000000000000000000001") != quarter)
    #expect(ExactDecimal("0.0") == ExactDecimal("0"))
    for wrong in ["", ".", "abc", "1.2.3", "nan", "inf", "0x1p3", "1e", "1e5000", "--1", "1 ", "1e-999"] {
      #expect(ExactDecimal(wrong) == nil, "\(wrong)")
    }
    let shown = [
      ("0.25", "0.25"), ("1.0", "1"), ("1e2", "100"), ("-1.50", "-1.5"), ("1e-9", "1e-9"), ("0.00012", "0.00012"),
      ("12345678901234567", "12345678901234567"), ("0", "0"), ("2.5e-7", "2.5e-7"), ("10.0", "10"),
    ]
    for (text, description) in shown { #expect(ExactDecimal(text)?.description == description) }
    // One hit in one draw: the bound is alpha itself.
    #expect(ClopperPearson.lowerBound(hits: 1, draws: 1, alpha: 0.001).value == 0.001.nextDown)
    #expect(ClopperPearson.lowerBound(hits: 1, draws: 1, alpha: 0.25).value >= 0.25.nextDown)
  }

  @Test("a failure probability outside (0, 1/2] is refused with the likely meaning")
  func alphaProblems() throws {
    for good in ["0.001", "0.5", "1e-9"] {
      #expect(ClopperPearson.problem(alpha: try #require(ExactDecimal(good))) == nil)
    }
    for bad in ["0", "-0.1", "1", "2", "0.50000000000000000001"] {
      #expect(ClopperPearson.problem(alpha: try #require(ExactDecimal(bad))) != nil, "\(bad)")
    }
    #expect(ClopperPearson.problem(alpha: 0.999)!.contains("1 minus the confidence"))
  }

  @Test("quantiles are below the true ones by at most a few units of the last place, on both sides of one half")
  func quantiles() {
    // 40 digits from an arbitrary-precision library.
    let cases: [(Double, Double, String)] = [
      (0.75, 0.25, "0.6744897501960817432022270145413071853869"),
      (0.25, 0.75, "-0.6744897501960817432022270145413071853869"),
      (0.5 + 0x1p-40, 0.5 - 0x1p-40, "0.00000000000227976513509111146269403203050967839044"),
      (1, 0x1p-60, "8.77332116902755168185358736167724049938"),
      (0x1p-60, 1, "-8.77332116902755168185358736167724049938"),
    ]
    for (value, complement, text) in cases {
      let z = NormalQuantile.lowerBound(of: ProbabilityBound(value: value, complement: complement))
      let truth = ExactDecimal(text)!
      #expect(!truth.isBelow(z))
      #expect(truth.isBelow(z.nextUp.nextUp.nextUp))
    }
    #expect(NormalQuantile.lowerBound(of: ProbabilityBound(value: 0, complement: 1)) == -.infinity)
  }

  @Test("trap 11: ties go to the lowest class, and no votes have no top class")
  func topClass() {
    #expect(Counts([3, 5, 5, 1]).topClass == 1)
    #expect(Counts([0, 0]).topClass == nil)
    #expect(Counts(classes: 3).topClass == nil)
    let top = Counts([4, 7, 7, 4]).topTwo
    #expect(top?.first == 1 && top?.second == 2)
    var counts = Counts(classes: 4)
    counts.add(classes: [3, 0], votes: [5, 2])
    counts.add(classes: [3], votes: [1])
    #expect(counts.votes == [2, 0, 0, 6] && counts.total == 8 && counts[3] == 6)
  }

  @Test("the two-sided test is exact for small counts: ten to nothing is 2/1024")
  func binomialTest() {
    #expect(BinomialTest.pValue(10, 0) == 2.0 / 1024)
    #expect(BinomialTest.pValue(0, 11) == 2.0 / 2048)
    #expect(BinomialTest.pValue(2, 1) == 1)
    #expect(BinomialTest.pValue(0, 0) == 1 && BinomialTest.pValue(7, 7) == 1)
    // Below every double, and still not 0: rounded up.
    #expect(BinomialTest.pValue(1_000_000, 0) == 2 * .leastNonzeroMagnitude)
    #expect(BinomialTest.pValue(999_999, 1) == 2 * .leastNonzeroMagnitude)
    // 2 · 1507 / 2^12 and 2 · 79 / 2^12, which a double holds: nothing below them, and at most the next double.
    for (counts, exact) in [((7, 5), 3172.0 / 4096), ((10, 2), 158.0 / 4096)] {
      #expect((exact...exact.nextUp).contains(BinomialTest.pValue(counts.0, counts.1)))
    }
    // Ten draws can never predict at 0.001, eleven unanimous ones can.
    #expect(BinomialTest.predict(Counts([10, 0, 0]), alpha: 0.001) == nil)
    #expect(BinomialTest.predict(Counts([0, 11, 0]), alpha: 0.001) == 1)
    #expect(BinomialTest.predict(Counts([50_000, 50_001]), alpha: 0.001) == nil)
  }

  @Test(
    "the smallest n that can certify is the first whose unanimous vote does",
    arguments: [
      (ExactDecimal(floatLiteral: 0.001), 0, 10), (ExactDecimal(floatLiteral: 0.5), 0, 2),
      (ExactDecimal(floatLiteral: 0.25), 0, 3),
      (ExactDecimal(floatLiteral: 1e-300), 0, 997), (ExactDecimal(floatLiteral: 0.001), 0.1, 14),
      (ExactDecimal(floatLiteral: 0.0009765625), 0, 11),
    ] as [(ExactDecimal, Double, Int)])
  func smallestDraws(alpha: ExactDecimal, slack: Double, expected: Int) {
    #expect(Certificate.smallestDraws(alpha: alpha, slack: slack) == expected)
    #expect(Certificate.firstCertifyingCount(draws: expected, alpha: alpha, slack: slack) == expected)
    #expect(Certificate.firstCertifyingCount(draws: expected - 1, alpha: alpha, slack: slack) == nil)
    #expect(Certificate.smallestDraws(alpha: alpha, slack: 0.5) == nil)
  }
}
