import Noise
import Testing

@Suite("Philox4x32-10")
struct PhiloxTests {
  @Test("known answers of the Random123 distribution (kat_vectors)")
  func knownAnswers() {
    let all = UInt32.max
    let cases: [([UInt32], [UInt32], [UInt32])] = [
      ([0, 0, 0, 0], [0, 0], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
      ([all, all, all, all], [all, all], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
      (
        [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0],
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
      ),
    ]
    for (counter, key, expected) in cases {
      let out = philox(counter: (counter[0], counter[1], counter[2], counter[3]), key: (key[0], key[1]))
      #expect([out.0, out.1, out.2, out.3] == expected)
    }
  }

  @Test("every counter word and both key words reach every output word")
  func avalanche() {
    let base = philox(counter: (1, 2, 3, 4), key: (5, 6))
    for word in 0..<6 {
      for bit in 0..<32 {
        var input: [UInt32] = [1, 2, 3, 4, 5, 6]
        input[word] ^= 1 << UInt32(bit)
        let out = philox(counter: (input[0], input[1], input[2], input[3]), key: (input[4], input[5]))
        for (a, b) in [(out.0, base.0), (out.1, base.1), (out.2, base.2), (out.3, base.3)] {
          // 32 bits, each flipped with probability 1/2: fewer than 3 changes would be a one-in-eight-million event.
          #expect((a ^ b).nonzeroBitCount >= 3)
        }
      }
    }
  }
}
