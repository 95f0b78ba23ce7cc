import CKernels
import Noise
import Testing

@Suite("The noise in every instruction set")
struct InstructionSetTests {
  static let counts = [1, 2, 15, 16, 17, 64, 3072]

  /// The i-th set that this processor runs, and every other.
  static var sets: [rrcm_kernels] {
    (0..<3).compactMap { rrcm_kernels_at(Int32($0))?.pointee }
  }

  private func place(_ sample: UInt32) -> rrcm_noise_place {
    rrcm_noise_place(key: (0x9E37_79B9, 42), sample: sample, image: 4_000_000_000, phase: 1)
  }

  /// The 64-bit uniform of one element, by the definition of the stream.
  private func uniform(_ element: Int, _ place: rrcm_noise_place) -> UInt64 {
    let bits = philox(counter: (UInt32(element / 2), place.sample, place.image, place.phase), key: place.key)
    return element % 2 == 0 ? UInt64(bits.1) << 32 | UInt64(bits.0) : UInt64(bits.3) << 32 | UInt64(bits.2)
  }

  @Test("grid integers are the number of thresholds at or under the uniform", arguments: counts)
  func grid(count: Int) {
    // Uneven thresholds: several in one cell of the guide, none in most, one at either end.
    var thresholds: [UInt64] = [0, 1, 2, 1 << 52, 1 << 52 + 1, 1 << 60, 1 << 63, .max - 1]
    thresholds += (1...300).map { UInt64($0) * 0x00D1_2345_6789_ABCD }
    thresholds += (1...40).map { (0x8100 << 48) + UInt64($0) << 41 }
    thresholds.sort()
    let guide = (0..<4096).map { i in UInt32(thresholds.count { $0 <= UInt64(i) << 52 }) }
    let packed: [UInt16] = (0...16_384).map { (i: Int) -> UInt16 in
      let first = UInt64(i % 16_384) << 50
      let isInside = thresholds.contains { $0 > first && $0 <= first + ((1 << 50) - 1) }
      return UInt16(thresholds.count { $0 <= first } << 1) | (isInside ? 1 : 0)
    }
    let padded = thresholds + [.max]
    var place = place(3)
    let expected = (0..<count).map { e in
      let u = uniform(e, place)
      return Int32(thresholds.count { $0 <= u }) - 150
    }
    let pixels = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37) }
    for (kernels, isPacked) in Self.sets.flatMap({ [($0, false), ($0, true)] }) {
      var found = [Int32](repeating: .min, count: count)
      var values = [Float](repeating: .nan, count: count)
      padded.withUnsafeBufferPointer { padded in
        guide.withUnsafeBufferPointer { guide in
          packed.withUnsafeBufferPointer { packed in
            var table = rrcm_grid_table(
              thresholds: padded.baseAddress, guide: guide.baseAddress, count: UInt32(thresholds.count), guide_bits: 12,
              lowest: -150, m: 3, packed: isPacked ? packed.baseAddress : nil, packed_bits: 14)
            kernels.grid_noise(&found, count, &place, &table)
            kernels.grid_pixels(&values, pixels, count, &place, &table)
          }
        }
      }
      #expect(found == expected, "\(String(cString: kernels.name)), packed: \(isPacked)")
      #expect(values == (0..<count).map { Float(3 * Int32(pixels[$0]) + expected[$0]) / Float(765) })
    }
  }

  @Test("float32 normals and noisy pixels have the same bits", arguments: counts)
  func gaussian(count: Int) {
    let pixels = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 91) }
    var place = place(7)
    var normals: [[UInt32]] = []
    for kernels in Self.sets {
      var z = [Float](repeating: .nan, count: count)
      var values = z
      kernels.normals(&z, count, &place)
      kernels.gaussian_pixels(&values, pixels, count, &place, 0.3)
      normals.append(z.map(\.bitPattern))
      #expect(values == (0..<count).map { Float(pixels[$0]) / 255 + Float(0.3) * z[$0] })
    }
    #expect(Set(normals).count == 1)
  }
}
