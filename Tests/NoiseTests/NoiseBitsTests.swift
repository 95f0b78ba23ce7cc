import Foundation
import Noise
import Testing

/// The fixture that scripts/noise-reference.py writes with integers, SHA-256 and 70-digit arithmetic.
struct NoiseReference: Decodable {
  struct Draw: Decodable {
    let sample: UInt32
    let image: UInt32
    let phase: Int16
    let k: [Int32]
    let z_bits: [UInt32]
  }
  struct Stream: Decodable {
    let seed: Int64
    let sigma: String
    let m: Int
    let key: [UInt32]
    let lowest: Int32
    let thresholds: Int
    let table_sha256: String
    let draws: [Draw]
  }
  struct Other: Decodable {
    let purpose: String
    let seed: Int64
    let key: [UInt32]
    let place: [UInt32]
    let words: [UInt64]
    let z_bits: [UInt32]
  }
  let streams: [Stream]
  let other: Other

  static func load() throws -> Self {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/noise.json")
    return try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
  }
}

extension NoiseStream {
  /// The noisy pixels of one sample.
  func pixels(_ bytes: [UInt8], image: UInt32 = 0, phase: Phase = .estimation, sample: UInt32 = 0) -> [Float] {
    var values = [Float](repeating: .nan, count: bytes.count)
    values.withUnsafeMutableBufferPointer { values in
      bytes.withUnsafeBufferPointer {
        noisyPixels(into: values, pixels: $0, imageIndex: image, phase: phase, sample: sample)
      }
    }
    return values
  }
}

@Suite("The noise bits, rrcm-noise-1")
struct NoiseBitsTests {
  @Test("frozen values: seed 17, sigma 0.25, grid m 1")
  func frozen() throws {
    let stream = try NoiseStream(seed: 17, sigma: try #require(Sigma("0.25")), sampler: .grid(m: 1))
    #expect(stream.key == (477_187_888, 3_332_863_184))
    let selection = stream.gridNoise(count: 9, imageIndex: 0, phase: .selection, sample: 0)
    #expect(selection == [-25, 6, -38, -45, -51, -32, -70, -69, -37])
    let estimation = stream.gridNoise(count: 9, imageIndex: 0, phase: .estimation, sample: 0)
    #expect(estimation == [-43, 58, -4, 138, 87, 86, 186, 33, -56])
    #expect(stream.table?.digest == "fe92a6ac181235a0dc6d12626a4ce4a6cd99d9a51ed52fad31ccb073c9bdfd66")
  }

  @Test("keys, tables, integers and normals equal those of an independent program, bit for bit")
  func independent() throws {
    let reference = try NoiseReference.load()
    #expect(reference.streams.count == 4)
    for expected in reference.streams {
      let sigma = try #require(Sigma(expected.sigma))
      let stream = try NoiseStream(seed: expected.seed, sigma: sigma, sampler: .grid(m: expected.m))
      #expect([stream.key.0, stream.key.1] == expected.key)
      let table = try #require(stream.table)
      // The digest covers every threshold: each is the nearest integer to 2^64·Φ, evaluated with 70 digits.
      #expect(table.digest == expected.table_sha256)
      #expect(table.lowest == expected.lowest && table.thresholds.count == expected.thresholds)
      let gaussian = try NoiseStream(seed: expected.seed, sigma: sigma, sampler: .gaussian)
      let unit = Float(sigma.value)
      for draw in expected.draws {
        let phase = try #require(Phase(rawValue: draw.phase))
        let k = stream.gridNoise(count: draw.k.count, imageIndex: draw.image, phase: phase, sample: draw.sample)
        #expect(k == draw.k)
        let values = gaussian.pixels(
          [UInt8](repeating: 51, count: draw.z_bits.count), image: draw.image, phase: phase, sample: draw.sample)
        #expect(values == draw.z_bits.map { Float(51) / 255 + unit * Float(bitPattern: $0) })
      }
    }
  }

  @Test("bits for everything else: words and normals of a purpose are frozen too")
  func otherPurposes() throws {
    let expected = try NoiseReference.load().other
    let stream = RandomStream(seed: expected.seed, purpose: expected.purpose)
    #expect([stream.key.0, stream.key.1] == expected.key)
    let (a, b, c) = (expected.place[0], expected.place[1], expected.place[2])
    var generator = stream.generator(at: a, b, c)
    #expect(expected.words.map { _ in generator.next() } == expected.words)
    #expect(stream.normals(count: 5, at: a, b, c).map(\.bitPattern) == expected.z_bits)
    #expect(RandomStream(seed: 17, purpose: "shuffle").key != stream.key)
  }

  @Test("an element's noise does not depend on how many elements follow", arguments: [1, 2, 7, 8, 63])
  func prefixes(count: Int) throws {
    let sigma = try #require(Sigma("0.5"))
    for sampler in [Sampler.grid(m: 1), .gaussian] {
      let stream = try NoiseStream(seed: 5, sigma: sigma, sampler: sampler)
      let long = stream.pixels([UInt8](repeating: 9, count: 64), image: 3, sample: 11)
      #expect(stream.pixels([UInt8](repeating: 9, count: count), image: 3, sample: 11) == Array(long.prefix(count)))
    }
  }

  @Test("another seed, sigma, sampler, m, image, phase or sample is another stream")
  func independence() throws {
    func noise(
      seed: Int64 = 1, sigma: String = "0.25", m: Int = 1, image: UInt32 = 0, phase: Phase = .estimation,
      sample: UInt32 = 0
    ) throws -> [Double] {
      let stream = try NoiseStream(seed: seed, sigma: try #require(Sigma(sigma)), sampler: .grid(m: m))
      let k = try #require(stream.gridNoise(count: 20_000, imageIndex: image, phase: phase, sample: sample))
      return k.map { Double($0) / (255 * Double(m) * stream.sigma.value) }
    }
    let base = try noise()
    #expect(try noise() == base)
    let others: [(String, [Double])] = [
      ("seed", try noise(seed: 2)), ("negative seed", try noise(seed: -1)), ("sigma", try noise(sigma: "0.5")),
      ("m", try noise(m: 2)), ("image", try noise(image: 1)), ("phase", try noise(phase: .selection)),
      ("sample", try noise(sample: 1)),
    ]
    for (name, other) in others {
      let correlation = zip(base, other).reduce(0) { $0 + $1.0 * $1.1 } / Double(base.count)
      // Standard deviation 1/√20,000 = 0.0071 when independent.
      #expect(abs(correlation) < 0.035, "\(name)")
      #expect(zip(base, other).count { $0 == $1 } < 400, "\(name)")
    }
    let grid = try NoiseStream(seed: 1, sigma: try #require(Sigma("0.25")), sampler: .grid(m: 1))
    let gaussian = try NoiseStream(seed: 1, sigma: try #require(Sigma("0.25")), sampler: .gaussian)
    #expect(grid.key != gaussian.key)
  }

  @Test("samples next to each other, and elements next to each other, are uncorrelated")
  func serialCorrelation() throws {
    let stream = try NoiseStream(seed: 3, sigma: try #require(Sigma("1")), sampler: .grid(m: 1))
    var elements = 0.0
    var samples = 0.0
    var previous: [Double]?
    let (count, draws) = (64, 2000)
    for sample in 0..<UInt32(draws) {
      let k = try #require(stream.gridNoise(count: count, imageIndex: 0, phase: .estimation, sample: sample))
      let z = k.map { Double($0) / 255 }
      elements += zip(z, z.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
      if let previous { samples += zip(z, previous).reduce(0) { $0 + $1.0 * $1.1 } }
      previous = z
    }
    let scale = 1 / Double(count * draws).squareRoot()
    #expect(abs(elements) * scale < 5 && abs(samples) * scale < 5)
  }

  @Test("seeds at the ends of their range and the last image and sample index work")
  func extremes() throws {
    let sigma = try #require(Sigma("0.25"))
    var keys: Set<UInt64> = []
    for seed in [Int64.min, -1, 0, 1, Int64.max] {
      let stream = try NoiseStream(seed: seed, sigma: sigma, sampler: .gaussian)
      keys.insert(UInt64(stream.key.0) << 32 | UInt64(stream.key.1))
      #expect(stream.pixels([0, 255, 7], image: .max, sample: .max).allSatisfy { $0.isFinite })
    }
    #expect(keys.count == 5)
  }
}
