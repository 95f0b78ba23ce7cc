import Foundation
import Noise
import Testing

/// The attack of Voráček and Hein (2023): float noise added to float pixels leaves the pixel's own low bits in the sum,
/// so that a classifier which reads them tells two close images apart under any noise.
@Suite("The floating-point attack") struct FloatAttackTests {
  static let elements = 3072
  /// Float(128)/255 is a multiple of 2⁻²⁴, float(127)/255 an odd multiple of 2⁻²⁵.
  static let image = [UInt8](repeating: 128, count: elements)
  static let neighbour = [UInt8](repeating: 127, count: elements)
  static let sigma = "0.5"

  /// The base classifier of the attack: class 0 unless a value just below 0 has a bit that pixel 128 cannot leave there.
  ///
  /// From pixel 128 such a value is the sum of two multiples of 2⁻²⁴; from 127 of one odd multiple of 2⁻²⁵ and one of 2⁻²⁴. It is an honest function of its input, and knows
  /// neither image nor noise.
  static func attackersClass(_ values: [Float]) -> Int {
    values.contains { $0 < -0.002 && $0 > -0.12 && (Double($0) * 0x1p24).rounded() != Double($0) * 0x1p24 } ? 1 : 0
  }

  static func votes(_ sampler: Sampler, _ image: [UInt8], draws: UInt32 = 400) throws -> [Int] {
    let stream = try NoiseStream(seed: 11, sigma: Sigma(sigma)!, sampler: sampler)
    var votes = [0, 0]
    for sample in 0..<draws { votes[attackersClass(stream.pixels(image, image: 0, sample: sample))] += 1 }
    return votes
  }

  @Test("gaussian: every draw certifies one class, and a neighbour far inside the radius has the other in every draw")
  func gaussianFalls() throws {
    #expect(try Self.votes(.gaussian, Self.image) == [400, 0])
    #expect(try Self.votes(.gaussian, Self.neighbour) == [0, 400])
    // 400 hits of 400 at alpha 0.001 bound p by 0.001^(1/400) = 0.98288, whose quantile is above 2.11.
    let distance = Double(Self.elements).squareRoot() / 255
    #expect(distance < 0.218 && 0.5 * 2.11 > 4 * distance, "the certified radius is more than four times the distance")
  }

  @Test("grid: the same classifier cannot tell the neighbour, for both images give the same inputs")
  func gridHolds() throws {
    let (here, there) = (try Self.votes(.grid(m: 1), Self.image), try Self.votes(.grid(m: 1), Self.neighbour))
    #expect(here == there)
    // Whatever a classifier reads from a value, it reads the same for every pixel that the value can come from.
    let stream = try NoiseStream(seed: 11, sigma: Sigma(Self.sigma)!, sampler: .grid(m: 1))
    var (fromHere, fromThere): (Set<Float>, Set<Float>) = ([], [])
    for sample in UInt32(0)..<200 {
      fromHere.formUnion(stream.pixels(Self.image, image: 0, sample: sample))
      fromThere.formUnion(stream.pixels(Self.neighbour, image: 1, sample: sample))
    }
    let window: (Float) -> Bool = { abs($0) < 1 }
    #expect(fromHere.count(where: window) == 2 * 255 - 1, "every integer of the window was drawn")
    #expect(fromHere.filter(window) == fromThere.filter(window))
  }

  @Test("gaussian: the values just below 0 that two pixels leave have nothing in common")
  func gaussianValues() throws {
    let stream = try NoiseStream(seed: 11, sigma: Sigma(Self.sigma)!, sampler: .gaussian)
    var (fromHere, fromThere): (Set<Float>, Set<Float>) = ([], [])
    for sample in UInt32(0)..<200 {
      fromHere.formUnion(stream.pixels(Self.image, image: 0, sample: sample).filter { $0 < -0.002 && $0 > -0.12 })
      fromThere.formUnion(stream.pixels(Self.neighbour, image: 1, sample: sample).filter { $0 < -0.002 && $0 > -0.12 })
    }
    #expect(fromHere.count > 10_000 && fromThere.count > 10_000)
    #expect(fromHere.isDisjoint(with: fromThere))
  }

  @Test("integers first, one division after: one input per sum, where float sums have several")
  func oneInputPerSum() throws {
    var several = 0
    for sum in -600...600 {
      // Pixels b and noise k with b + k = sum: the same real input.
      let floats = Set((0...255).map { Float($0) / 255 + Float(sum - $0) / 255 })
      if floats.count > 1 { several += 1 }
    }
    #expect(several > 1000, "float noise on float pixels: \(several) of 1201 sums have more than one float32")
    let stream = try NoiseStream(seed: 3, sigma: Sigma(Self.sigma)!, sampler: .grid(m: 1))
    let k = try #require(stream.gridNoise(count: 256, imageIndex: 0, phase: .estimation, sample: 0))
    let values = stream.pixels((0...255).map { UInt8($0) }, image: 0, sample: 0)
    for b in 0...255 { #expect(values[b] == Float(Int32(b) + k[b]) / 255) }
  }
}
