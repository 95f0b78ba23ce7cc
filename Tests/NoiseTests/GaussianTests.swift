import Foundation
import Noise
import Testing

@Suite("Float32 normals")
struct GaussianTests {
  @Test("moments are those of the standard normal")
  func moments() {
    let count = 400_000
    let z = RandomStream(seed: 11, purpose: "moments").normals(count: count, at: 0).map(Double.init)
    let n = Double(count)
    func moment(_ power: Int) -> Double {
      z.reduce(0) { sum, value in sum + (0..<power).reduce(1) { product, _ in product * value } } / n
    }
    // Means of z, z², z³, z⁴ with variances 1, 2, 15, 96.
    for (power, mean, variance) in [(1, 0.0, 1.0), (2, 1, 2), (3, 0, 15), (4, 3, 96)] {
      #expect(abs(moment(power) - mean) < 4.5 * (variance / n).squareRoot(), "moment \(power)")
    }
  }

  @Test("the empirical distribution is Φ: Kolmogorov–Smirnov")
  func kolmogorovSmirnov() {
    let count = 200_000
    let z = RandomStream(seed: 12, purpose: "ks").normals(count: count, at: 3, 1, 4).map(Double.init).sorted()
    var distance = 0.0
    for (index, value) in z.enumerated() {
      let phi = erfc(-value / 2.0.squareRoot()) / 2
      distance = max(distance, abs(phi - Double(index) / Double(count)), abs(phi - Double(index + 1) / Double(count)))
    }
    // P(distance·√n > 2.2) is about 1.3e-4.
    #expect(distance * Double(count).squareRoot() < 2.2)
  }

  @Test("each normal is Box–Muller of its own 53-bit uniforms, rounded once to float32")
  func definition() {
    let stream = RandomStream(seed: 13, purpose: "definition")
    let z = stream.normals(count: 20_001, at: 5, 6, 7)
    var differing = 0
    for pair in 0..<10_000 {
      let bits = philox(counter: (UInt32(pair), 5, 6, 7), key: stream.key)
      let u = UInt64(bits.1) << 32 | UInt64(bits.0)
      let v = UInt64(bits.3) << 32 | UInt64(bits.2)
      let r = (-2 * log(Double((u >> 11) + 1) * 0x1p-53)).squareRoot()
      let angle = 2 * Double.pi * (Double(v >> 11) * 0x1p-53)
      let (first, second) = (r * cos(angle), r * sin(angle))
      // The C library's last bits differ; after rounding to float32 that shows about once in 10^8.
      #expect(abs(Double(z[2 * pair]) - first) <= abs(first) * 0x1p-24 + 1e-15)
      #expect(abs(Double(z[2 * pair + 1]) - second) <= abs(second) * 0x1p-24 + 1e-15)
      if z[2 * pair] != Float(first) || z[2 * pair + 1] != Float(second) { differing += 1 }
    }
    #expect(differing <= 2)
  }

  @Test("noise is added to b/255 in float32, with no clipping", arguments: ["0.25", "1"])
  func pixels(sigma: String) throws {
    let stream = try NoiseStream(seed: 4, sigma: try #require(Sigma(sigma)), sampler: .gaussian)
    let bytes = (0..<2000).map { UInt8(truncatingIfNeeded: $0) }
    let values = stream.pixels(bytes, image: 2, sample: 3)
    let zero = stream.pixels([UInt8](repeating: 0, count: bytes.count), image: 2, sample: 3)
    for (index, value) in values.enumerated() { #expect(value == Float(bytes[index]) / 255 + zero[index]) }
    #expect(values.contains { $0 < 0 } && values.contains { $0 > 1 })
    let mean = zip(values, bytes).reduce(0.0) { $0 + Double($1.0) - Double($1.1) / 255 } / Double(values.count)
    #expect(abs(mean) < 5 * stream.sigma.value / Double(values.count).squareRoot())
    #expect(stream.gridNoise(count: 4, imageIndex: 0, phase: .estimation, sample: 0) == nil)
  }

  @Test("uniform doubles fill [0, 1) evenly and shuffles are permutations that repeat")
  func uniforms() {
    var generator = RandomStream(seed: 1, purpose: "uniform").generator(at: 9)
    var histogram = [Int](repeating: 0, count: 64)
    for _ in 0..<64_000 { histogram[Int(generator.uniform() * 64)] += 1 }
    let statistic = histogram.reduce(0.0) { $0 + (Double($1) - 1000) * (Double($1) - 1000) / 1000 }
    #expect(abs(statistic - 63) < 4.5 * (2.0 * 63).squareRoot())
    func shuffled(_ epoch: UInt32) -> [Int] {
      var generator = RandomStream(seed: 1, purpose: "shuffle").generator(at: epoch)
      return Array(0..<1000).shuffled(using: &generator)
    }
    #expect(shuffled(0) == shuffled(0) && shuffled(0) != shuffled(1) && shuffled(1).sorted() == Array(0..<1000))
  }
}
