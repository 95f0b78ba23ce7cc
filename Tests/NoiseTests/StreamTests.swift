import Noise
import Testing

@Suite("Streams of different keys and counters") struct StreamTests {
  /// 64 streams: images, phases and samples, near each other and far apart.
  static let places: [(image: UInt32, phase: Phase, sample: UInt32)] = {
    let numbers: [UInt32] = [0, 1, 2, 255, 256, 65_536, 1 << 31, .max]
    return numbers.flatMap { image in
      [0, 1, 7, 1 << 20].flatMap { (sample: UInt32) in Phase.allCases.map { (image, $0, sample) } }
    }
  }()

  @Test("trap 15: no two images, phases or samples share noise: every pair of 64 streams is uncorrelated")
  func pairwise() throws {
    let stream = try NoiseStream(seed: 29, sigma: Sigma("0.25")!, sampler: .grid(m: 1))
    let count = 4096
    let deviation = 255 * 0.25
    let z = try Self.places.map { place in
      try #require(
        stream.gridNoise(count: count, imageIndex: place.image, phase: place.phase, sample: place.sample)
      ).map { Double($0) / deviation }
    }
    var (sum, largest, pairs) = (0.0, 0.0, 0)
    for i in z.indices {
      for j in z.indices where j < i {
        var product = 0.0
        for e in 0..<count { product += z[i][e] * z[j][e] }
        let score = product / Double(count).squareRoot()
        sum += score * score
        largest = max(largest, abs(score))
        pairs += 1
      }
    }
    #expect(pairs == 64 * 63 / 2)
    // Scores are standard normal when independent: 2,016 of them exceed 5 with probability 0.0012; their mean square is 1.
    #expect(largest < 5, "\(largest)")
    #expect(abs(sum / Double(pairs) - 1) < 4.5 * (2 / Double(pairs)).squareRoot(), "\(sum / Double(pairs))")
  }

  @Test("no 64-bit word of a million comes twice, over images, phases, samples and elements")
  func collisions() {
    let key: (UInt32, UInt32) = (477_187_888, 3_332_863_184)
    var seen: Set<UInt64> = []
    seen.reserveCapacity(1 << 20)
    var drawn = 0
    for place in Self.places {
      for pair in UInt32(0)..<8192 {
        let bits = philox(counter: (pair, place.sample, place.image, UInt32(place.phase.rawValue)), key: key)
        seen.insert(UInt64(bits.1) << 32 | UInt64(bits.0))
        seen.insert(UInt64(bits.3) << 32 | UInt64(bits.2))
        drawn += 2
      }
    }
    // Two equal among 2²⁰ fair words: probability 3·10⁻⁸.
    #expect(drawn == 1 << 20 && seen.count == drawn)
  }
}
