import Foundation
import Models
import Testing

@Suite("Noise levels")
struct NoiseLevelsTests {
  @Test(
    "smoothing noise is told to the network as the level of the specification's table",
    arguments: [
      (0.5, 53, 0.49270707), (1.0, 48, 0.96541661), (2.0, 42, 2.00364709), (0, 80, 0.0019999996), (100, 0, 79.99998),
    ] as [(Double, Int, Float)])
  func classifierLevel(value: Double, index: Int, level: Float) {
    let grid = NoiseLevels(count: 81)
    #expect(grid.classifierIndex(noiseLevel: value) == index)
    #expect(abs(grid.levels[index] - level) <= 2 * level.ulp)
  }

  @Test("both tables fall from 80 to 0.002 and agree with the double-precision formula", arguments: [2, 21, 41, 81])
  func grid(count: Int) {
    let grid = NoiseLevels(count: count)
    for i in 0..<count {
      let root = pow(80, 1 / 7.0) + Double(i) / Double(count - 1) * (pow(0.002, 1 / 7.0) - pow(80, 1 / 7.0))
      let exact = Float(pow(root, 7))
      // v is a difference of terms near 1.9, whose rounding grows sevenfold, and more where v is small.
      #expect(abs(grid.levels[i] - exact) <= 48 * exact.ulp)
      #expect(abs(grid.search[i] - exact) <= 12 * exact.ulp)
      if i > 0 { #expect(grid.levels[i] < grid.levels[i - 1] && grid.search[i] < grid.search[i - 1]) }
    }
  }

  @Test("input scale and time follow their formulas")
  func scales() {
    #expect(abs(NoiseLevels.rescaledTime(80) - 1095.51) < 0.01)
    #expect(abs(NoiseLevels.rescaledTime(0.002) - -1553.65) < 0.01)
    #expect(NoiseLevels.inputScale(0) == 2)
    #expect(abs(NoiseLevels.inputScale(1) - 0.894427) < 1e-6)
  }

  @Test("the time embedding is cosines, then sines, then a zero where the width is odd", arguments: [8, 9])
  func embedding(width: Int) {
    let values = timeEmbedding(-140.25, width: width)
    #expect(values.count == width)
    for j in 0..<4 {
      let argument = -140.25 * pow(10_000, -Double(j) / 4)
      #expect(abs(Double(values[j]) - cos(argument)) < 5e-5)
      #expect(abs(Double(values[4 + j]) - sin(argument)) < 5e-5)
    }
    if width == 9 { #expect(values[8] == 0) }
  }
}
