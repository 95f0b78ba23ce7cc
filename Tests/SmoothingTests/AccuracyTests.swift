import Smoothing
import Testing

@Suite("Certified accuracy and numbers as text")
struct AccuracyTests {
  @Test("abstentions and mistakes stay in the denominator at every radius")
  func denominators() {
    let accuracy = CertifiedAccuracy([
      Outcome(isCorrect: true, radius: 0.5), Outcome(isCorrect: true, radius: 0.25),
      Outcome(isCorrect: false, radius: 2), Outcome(isCorrect: false, radius: nil),
      Outcome(isCorrect: true, radius: nil),
    ])
    #expect(accuracy.at(0) == AccuracyInterval(low: 2, high: 2, total: 5))
    #expect(accuracy.at(0.25).low == 2 && accuracy.at(0.25.nextUp).low == 1)
    #expect(accuracy.at(0.5).low == 1 && accuracy.at(1).low == 0)
    #expect(accuracy.abstentions == 2 && accuracy.mistakes == 1)
    #expect(accuracy.abstention == AccuracyInterval(low: 2, high: 2, total: 5))
    #expect(accuracy.averageRadius(largestRadius: 9).low == 0.15)
    #expect(accuracy.largestCertified == 0.5)
  }

  @Test("an unfinished run gives an interval: unfinished images wrong at one end, right at the other")
  func unfinished() {
    let accuracy = CertifiedAccuracy(
      [Outcome(isCorrect: true, radius: 1), Outcome(isCorrect: false, radius: nil)], planned: 4)
    #expect(accuracy.at(0.5) == AccuracyInterval(low: 1, high: 3, total: 4))
    #expect(accuracy.at(2) == AccuracyInterval(low: 0, high: 2, total: 4))
    #expect(accuracy.abstention == AccuracyInterval(low: 1, high: 3, total: 4))
    let average = accuracy.averageRadius(largestRadius: 3)
    #expect(average.low == 0.25 && average.high == 1.75)
    let nothing = CertifiedAccuracy([], planned: 0)
    #expect(nothing.at(0).lowShare == 0 && nothing.averageRadius(largestRadius: 1).low == 0)
  }

  @Test("trap 9: grid radii are the decimals people write, unlike repeated addition")
  func grid() {
    let grid = RadiusGrid(unit: 1000, step: 5, through: 4000)
    #expect(grid.count == 801 && grid[35] == 0.175 && grid.last == 4)
    var sum = 0.0
    var differing = 0
    for radius in grid {
      #expect(radius == Double("\(radius)"))
      if sum != radius { differing += 1 }
      sum += 0.005
    }
    #expect(differing > 10)
    #expect(Array(RadiusGrid(unit: 4, covering: 0.95)) == [0, 0.25, 0.5, 0.75, 1])
  }

  @Test("radii for people are rounded down to the places shown, exactly")
  func radii() {
    let cases: [(Double, String)] = [
      (0.9996, "0.999"), (1, "1.000"), (0.25, "0.250"), (0.3, "0.299"), (0.5.nextDown, "0.499"), (12.3456, "12.345"),
      (0, "0.000"), (0.0004, "0.000"), (0.0012, "0.001"), (1e-300, "0.000"), (100, "100.000"), (0.95286, "0.952"),
    ]
    for (radius, text) in cases { #expect(NumberText.radius(radius) == text) }
    #expect(NumberText.radius(0.99, places: 0) == "0")
    #expect(NumberText.radius(0.125, places: 2) == "0.12")
  }

  @Test("three significant digits print as the published logs print them")
  func threeDigits() {
    let cases: [(Double, String)] = [
      (0, "0.0"), (1e-9, "1e-09"), (1.0 / 3, "0.333"), (0.9996, "1.0"), (0.99949999, "0.999"), (1.225, "1.23"),
      (1.235, "1.24"), (0.0125, "0.0125"), (7.114e-5, "7.11e-05"), (99.95, "1e+02"), (99.94, "99.9"), (100, "1e+02"),
      (123.4, "1.23e+02"), (12345, "1.23e+04"), (0.1, "0.1"), (0.001, "0.001"), (0.0001, "0.0001"), (0.00001, "1e-05"),
      (2.5, "2.5"), (0.125, "0.125"), (9.996, "10.0"), (0.405, "0.405"),
    ]
    for (value, text) in cases { #expect(NumberText.threeDigits(value) == text) }
  }

  @Test("shares and four-decimal radii round to nearest, once, from the double's own digits")
  func nearest() {
    let cases: [(Double, Int, String)] = [
      (0.5, 0, "0"), (1.5, 0, "2"), (0.125, 2, "0.12"), (0.375, 2, "0.38"), (0.814, 6, "0.814000"), (0, 2, "0.00"),
      (0.0049, 2, "0.00"), (0.0051, 2, "0.01"), (0.005, 2, "0.01"), (0.996, 2, "1.00"), (0.00004, 4, "0.0000"),
      (0.00006, 4, "0.0001"), (0.9533, 4, "0.9533"),
    ]
    for (value, places, text) in cases { #expect(NumberText.share(value, places: places) == text, "\(value)") }
    #expect(NumberText.percent(407, of: 500) == "81.4")
    #expect(NumberText.percent(1, of: 3) == "33.3" && NumberText.percent(2, of: 3) == "66.7")
    #expect(NumberText.percent(0, of: 7) == "0.0" && NumberText.percent(7, of: 7) == "100.0")
    #expect(NumberText.percent(1, of: 8, places: 0) == "13" && NumberText.percent(0, of: 0) == "0.0")
  }

  @Test("seventeen digits toward zero are never above the double, and within one unit of their last place")
  func seventeen() throws {
    #expect(NumberText.down17(0.25) == "0.25" && NumberText.down17(0) == "0" && NumberText.down17(-1.5) == "-1.5")
    #expect(NumberText.down17(0.1) == "0.1" && NumberText.down17(1e-7) == "9.9999999999999995e-8")
    for step in 1...2000 {
      let value = 4 / (1 + Double(step) * 0.0137).squareRoot()
      let text = NumberText.down17(value)
      let decimal = try #require(ExactDecimal(text))
      #expect(!decimal.isAbove(value), "\(value)")
      #expect(decimal.value >= value.nextDown)
    }
  }
}
