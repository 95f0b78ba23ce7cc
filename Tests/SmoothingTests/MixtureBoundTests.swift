import Foundation
import Smoothing
import Testing

@Suite("Mixture bounds")
struct MixtureBoundTests {
  @Test("bounds and radii are those of an independent program with 60 digits, to the last bit")
  func fixture() throws {
    let text = try String(
      contentsOf: Reference.package.appending(path: "Tests/Fixtures/mixture-bounds.csv"), encoding: .utf8)
    let rows = Reference.rows(text)
    #expect(rows.count > 25)
    for row in rows {
      let (draws, hits) = (try #require(Int(row["draws"]!)), try #require(Int(row["hits"]!)))
      let (alpha, sigma) = (try #require(ExactDecimal(row["alpha"]!)), try #require(ExactDecimal(row["sigma"]!)))
      let bound = MixtureBound.lowerBound(hits: hits, draws: draws, alpha: alpha)
      #expect(bound.value == (try Reference.double(row["value"]!)), "\(row)")
      #expect(bound.complement == (try Reference.double(row["complement"]!)), "\(row)")
      // 40 digits: never above the true bound, nor below it by more than a unit of the last place or two.
      let (p, q) = (try #require(ExactDecimal(row["p"]!)), try #require(ExactDecimal(row["q"]!)))
      #expect(!p.isBelow(bound.value) && !q.isAbove(bound.complement), "\(row)")
      #expect(bound.complement <= q.value * (1 + 1e-15) || bound.value >= p.value * (1 - 1e-15), "\(row)")
      let radius = Certificate.sequential(hits: hits, draws: draws, sigma: sigma, alpha: alpha).radius
      let expected = row["radius"]!
      #expect(expected.isEmpty ? radius == nil : radius == (try Reference.double(expected)), "\(row)")
    }
  }

  @Test("bounds agree with published ones to the ten digits those have", .enabled(if: Reference.isPresent))
  func tenDigits() throws {
    let rows = Reference.rows(try Reference.text("golden/cohen/seq_reference.csv"))
    #expect(rows.count > 20)
    for row in rows {
      let bound = MixtureBound.lowerBound(
        hits: try #require(Int(row["S"]!)), draws: try #require(Int(row["n"]!)),
        alpha: try #require(ExactDecimal(row["alpha"]!)))
      let published = try Reference.double(row["one_sided_mixture_lower"]!)
      #expect(abs(bound.value - published) <= 1e-10 * max(published, 1e-300) + 1e-12 * published, "\(row)")
    }
  }

  @Test("the bound rises with hits and alpha, falls with misses, and the upper bound mirrors it")
  func monotone() throws {
    let alphas = try ["1e-9", "0.00025", "0.001", "0.1", "0.5"].map { try #require(ExactDecimal($0)) }
    for alpha in alphas {
      for draws in [1, 2, 3, 7, 30, 101] {
        var previous = -1.0
        for hits in 0...draws {
          let bound = MixtureBound.lowerBound(hits: hits, draws: draws, alpha: alpha)
          #expect(bound.value > previous && bound.value < max(Double(hits), 1e-300) / Double(draws))
          previous = bound.value
          let more = MixtureBound.lowerBound(hits: hits, draws: draws + 1, alpha: alpha)
          #expect(more.value < bound.value || hits == 0, "one more miss")
          let upper = MixtureBound.upperBound(hits: draws - hits, draws: draws, alpha: alpha)
          #expect(upper.value == bound.complement && upper.complement == bound.value)
        }
      }
    }
    for (hits, draws) in [(1, 1), (10, 10), (31, 60), (999, 1000), (90_000, 100_000)] {
      let bounds = alphas.map { MixtureBound.lowerBound(hits: hits, draws: draws, alpha: $0).value }
      #expect(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 })
      let exact = ClopperPearson.lowerBound(hits: hits, draws: draws, alpha: 0.001).value
      #expect(bounds[2] < exact, "what holds at every look is less than what holds at one")
    }
  }

  @Test(
    "relative to Clopper–Pearson at n = 100,000 the radius keeps the known share",
    arguments: [(100_000, 0.990), (99_000, 0.993), (90_000, 0.993), (55_000, 0.936)])
  func efficiency(hits: Int, share: Double) throws {
    // The mixture at the quarter of alpha that sequential mode gives it.
    let mixture = try #require(
      Certificate.sequential(hits: hits, draws: 100_000, sigma: 1.0, alpha: 0.00025).radius)
    let fixed = try #require(Certificate.certify(hits: hits, draws: 100_000, sigma: 1.0, alpha: 0.001).radius)
    #expect(mixture / fixed > share - 0.0006 - (hits == 100_000 ? 0.03 : 0.02) && mixture < fixed)
    let terminal = try #require(
      Certificate.certify(hits: hits, draws: 100_000, sigma: 1.0, alpha: 0.00075).radius)
    #expect(terminal / fixed > 0.9965)
  }

  @Test("two thousand million draws cost no more than a few, at any share of hits")
  func largeCounts() {
    for hits in [1, 1 << 20, 1 << 30, (1 << 31) - 5000, 1 << 31] {
      let bound = MixtureBound.lowerBound(hits: hits, draws: 1 << 31, alpha: 0.001)
      let exact = ClopperPearson.lowerBound(hits: hits, draws: 1 << 31, alpha: 0.001)
      #expect(bound.complement >= exact.complement && bound.value <= exact.value && bound.value > 0)
    }
  }

  @Test("half, quarter and three quarters of a decimal are exact")
  func decimalShares() throws {
    let cases = [("0.001", "0.0005", "0.00025", "0.00075"), ("0.3", ".15", "0.075", "0.225"), ("4", "2", "1", "3")]
    for (number, half, quarter, most) in cases {
      let number = try #require(ExactDecimal(number))
      #expect(number.halved == ExactDecimal(half) && number.quarter == ExactDecimal(quarter))
      #expect(number.threeQuarters == ExactDecimal(most))
    }
    let long = try #require(ExactDecimal("0." + String(repeating: "7", count: 99)))
    #expect(long.halved.description.count > 99)
    #expect(Certificate.runnerUp(hits: 90, runnerUpHits: 5, draws: 100, sigma: 1.0, alpha: long.halved).radius != nil)
  }
}

@Suite("Runner-up certificates")
struct RunnerUpTests {
  @Test("with every other vote in one class the radius is that of one bound at alpha/2; spread votes certify more")
  func against() throws {
    let two = try #require(
      Certificate.runnerUp(hits: 900, runnerUpHits: 100, draws: 1000, sigma: 0.5, alpha: 0.001).radius)
    let one = try #require(Certificate.certify(hits: 900, draws: 1000, sigma: 0.5, alpha: 0.0005).radius)
    #expect(abs(two - one) <= 2e-16)
    let spread = Certificate.runnerUp(hits: 400, runnerUpHits: 100, draws: 1000, sigma: 0.5, alpha: 0.001)
    #expect(try #require(spread.radius) > 0.1 && spread.pLower < 0.5)
    #expect(Certificate.certify(hits: 400, draws: 1000, sigma: 0.5, alpha: 0.001).abstains)
    #expect(try #require(spread.upperBound).value > 0.1)
    #expect(Certificate.runnerUp(hits: 400, runnerUpHits: 390, draws: 1000, sigma: 0.5, alpha: 0.001).abstains)
    #expect(Certificate.runnerUp(hits: 0, runnerUpHits: 0, draws: 5, sigma: 0.5, alpha: 0.001).abstains)
  }

  @Test("slack is subtracted from the top class and added to the runner-up")
  func slack() throws {
    let plain = try #require(
      Certificate.runnerUp(hits: 700, runnerUpHits: 200, draws: 1000, sigma: 1.0, alpha: 0.001).radius)
    let less = Certificate.runnerUp(hits: 700, runnerUpHits: 200, draws: 1000, sigma: 1.0, alpha: 0.001, slack: 0.01)
    let unslacked = ClopperPearson.upperBound(hits: 200, draws: 1000, alpha: 0.0005).value
    #expect(try #require(less.upperBound).value >= unslacked + 0.01 - 1e-15)
    // φ at both quantiles is about 0.35 and 0.3: some 0.03 less.
    #expect(try #require(less.radius) < plain - 0.02)
  }
}
