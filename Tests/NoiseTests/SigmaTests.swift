import Noise
import Testing

@Suite("Noise levels")
struct SigmaTests {
  @Test("one level has one canonical decimal, however it is written")
  func canonical() throws {
    for text in ["0.25", ".25", ".250", "0.250", "2.5e-1", "25e-2", "+0.25", "00.25", "0.0025E2"] {
      let sigma = try #require(Sigma(text), "\(text)")
      #expect(sigma.decimal == "0.25" && sigma.value == 0.25 && "\(sigma)" == "0.25")
    }
    for (text, canonical) in [("1", "1"), ("1.0", "1"), ("1.", "1"), ("10", "10"), ("1e2", "100"), ("0.10", "0.1")] {
      #expect(Sigma(text)?.decimal == canonical, "\(text)")
    }
    #expect(Sigma("0.25") == Sigma(".250") && Sigma("0.25") != Sigma("0.2500001"))
    #expect(Sigma(0.12)?.decimal == "0.12" && Sigma(1.0)?.decimal == "1" && Sigma(1e-5)?.decimal == "0.00001")
  }

  @Test(
    "anything but a positive decimal up to 1000 is refused",
    arguments: [
      "", ".", "0", "0.0", "-0.25", "abc", "0,25", "1e", "e1", "nan", "inf", "0x1", "1.2.3", "1001", "1e99", " 1", "٣",
    ])
  func refused(text: String) { #expect(Sigma(text) == nil) }

  @Test("equal levels give equal keys and tables")
  func keys() throws {
    let one = try NoiseStream(seed: 1, sigma: try #require(Sigma("0.50")), sampler: .grid(m: 1))
    let other = try NoiseStream(seed: 1, sigma: try #require(Sigma(0.5)), sampler: .grid(m: 1))
    #expect(one.key == other.key && one.table?.digest == other.table?.digest)
  }
}
