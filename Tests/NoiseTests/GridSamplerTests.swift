import Foundation
import Noise
import Tensors
import Testing

@Suite("The grid sampler")
struct GridSamplerTests {
  static let levels: [(sigma: String, m: Int)] = [
    ("0.25", 1), ("0.12", 2), ("0.5", 1), ("1", 1), ("0.01", 16), ("0.25", 4),
  ]

  static func table(_ sigma: String, _ m: Int) throws -> GridTable {
    try GridTable(sigma: try #require(Sigma(sigma)), m: m)
  }

  /// P(k = j) by the table, exactly the probability with which 64 fair bits give it.
  static func probability(_ table: GridTable, _ j: Int32) -> Double {
    let index = Int(j - table.lowest)
    let low = index == 0 ? 0 : table.thresholds[index - 1]
    let high = index == table.thresholds.count ? 0 : table.thresholds[index]
    return Double(high &- low) * 0x1p-64
  }

  @Test("tables never fall, are symmetric, and end where a tail rounds to nothing", arguments: levels)
  func shape(sigma: String, m: Int) throws {
    let table = try Self.table(sigma, m)
    let count = table.thresholds.count
    #expect(count == 2 * Int(-table.lowest) && table.cells == count + 1)
    for i in 1..<count { #expect(table.thresholds[i - 1] <= table.thresholds[i]) }
    for i in 0..<count { #expect(table.thresholds[i] &+ table.thresholds[count - 1 - i] == 0) }
    let deviation = Double(255 * m) * table.sigma.value
    let first = (Double(table.lowest) + 0.5) / deviation
    // Φ(-9.0) = 1.1e-19 is more than 2^-64 = 5.4e-20, which is more than Φ(-9.2) = 1.8e-20.
    #expect(first > -9.2 && first - 1 / deviation < -9.0)
    #expect((1...4).contains(table.thresholds[0]) || deviation < 16)
  }

  @Test("thresholds are Φ of the half-way points, to the last bit a double can check", arguments: levels)
  func thresholds(sigma: String, m: Int) throws {
    let table = try Self.table(sigma, m)
    let deviation = Double(255 * m) * table.sigma.value
    for (i, threshold) in table.thresholds.prefix(table.thresholds.count / 2).enumerated() {
      let y = (Double(Int(table.lowest) + i) + 0.5) / deviation
      let expected = erfc(-y / 2.0.squareRoot()) / 2
      // erfc amplifies the argument's rounding by y²; one unit of 2^-64 remains on top.
      #expect(abs(Double(threshold) * 0x1p-64 - expected) <= expected * (1 + y * y) * 4e-16 + 0x1p-64)
    }
  }

  @Test("the default m is the smallest power of two with at least 32 grid steps per sigma")
  func defaultM() throws {
    for (sigma, m) in [("0.25", 1), ("0.12", 2), ("0.1255", 1), ("0.125", 2), ("1", 1), ("0.01", 16)] {
      let level = try #require(Sigma(sigma))
      #expect(GridTable.defaultM(for: level) == m, "\(sigma)")
    }
  }

  @Test("slack is elements times cells times 2^-64")
  func slack() throws {
    let table = try Self.table("0.25", 1)
    #expect(table.cells == 1169)
    #expect(table.slack(elements: 3072) == 3072 * 1169 * 0x1p-64)
    #expect(table.slack(elements: 150_528) < 1e-11)
  }

  @Test("impossible settings are refused with the setting and the remedy")
  func refusals() throws {
    let sigma = try #require(Sigma("0.25"))
    for m in [0, -1, 65_537] {
      #expect(throws: NoiseError.self) { try GridTable(sigma: sigma, m: m) }
    }
    let error = #expect(throws: NoiseError.self) { try GridTable(sigma: Sigma("1000")!, m: 64) }
    #expect(error?.description.contains("lower m") == true)
  }

  @Test("drawn integers follow the table: chi-square over all cells", arguments: levels)
  func chiSquare(sigma: String, m: Int) throws {
    let stream = try NoiseStream(seed: 2024, sigma: try #require(Sigma(sigma)), sampler: .grid(m: m))
    let table = try #require(stream.table)
    var observed = [Int](repeating: 0, count: table.cells)
    let draws = 400_000
    let k = try #require(stream.gridNoise(count: draws, imageIndex: 1, phase: .estimation, sample: 2))
    for value in k { observed[Int(value - table.lowest)] += 1 }
    // Neighbouring cells are joined until ten draws are expected in each group.
    var statistic = 0.0
    var groups = 0
    var expectedSum = 0.0
    var observedSum = 0
    for cell in 0..<table.cells {
      expectedSum += Self.probability(table, table.lowest + Int32(cell)) * Double(draws)
      observedSum += observed[cell]
      if expectedSum >= 10 || cell == table.cells - 1 {
        if expectedSum > 0 {
          statistic += (Double(observedSum) - expectedSum) * (Double(observedSum) - expectedSum) / expectedSum
        }
        groups += 1
        (expectedSum, observedSum) = (0, 0)
      }
    }
    let freedom = Double(groups - 1)
    #expect(abs(statistic - freedom) < 4.5 * (2 * freedom).squareRoot() + 5, "\(statistic) for \(groups) groups")
  }

  @Test("each integer is the number of thresholds at or under its own 64-bit uniform", arguments: levels)
  func definition(sigma: String, m: Int) throws {
    let stream = try NoiseStream(seed: 77, sigma: try #require(Sigma(sigma)), sampler: .grid(m: m))
    let table = try #require(stream.table)
    let k = try #require(stream.gridNoise(count: 2001, imageIndex: 4, phase: .selection, sample: 9))
    for (element, value) in k.enumerated() {
      let bits = philox(counter: (UInt32(element / 2), 9, 4, 0), key: stream.key)
      let u = element % 2 == 0 ? UInt64(bits.1) << 32 | UInt64(bits.0) : UInt64(bits.3) << 32 | UInt64(bits.2)
      #expect(Int(value - table.lowest) == table.thresholds.count { $0 <= u })
    }
  }

  @Test("pixels are (m·b + k)/(255·m): one float32 division of exact integers, never clipped", arguments: levels)
  func pixels(sigma: String, m: Int) throws {
    let stream = try NoiseStream(seed: 8, sigma: try #require(Sigma(sigma)), sampler: .grid(m: m))
    let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 * 37) }
    let values = stream.pixels(bytes, image: 6, sample: 5)
    let k = try #require(stream.gridNoise(count: bytes.count, imageIndex: 6, phase: .estimation, sample: 5))
    for (index, value) in values.enumerated() {
      #expect(value == Float(Int32(m) * Int32(bytes[index]) + k[index]) / Float(255 * m))
    }
    #expect(values.contains { $0 < 0 } && values.contains { $0 > 1 })
  }

  @Test("two pixels that differ by one grid step under the same noise are the same input shifted by one step")
  func shift() throws {
    // What makes the certificate one about real perturbations: noise does not know the pixel it lands on.
    let stream = try NoiseStream(seed: 8, sigma: try #require(Sigma("0.25")), sampler: .grid(m: 1))
    let low = stream.pixels([UInt8](repeating: 100, count: 500))
    let high = stream.pixels([UInt8](repeating: 101, count: 500))
    for (a, b) in zip(low, high) { #expect((b * 255).rounded() - (a * 255).rounded() == 1) }
  }

  @Test("a table's text is what its digest is of, and reads back as the same table; any other text is refused")
  func tableText() throws {
    let sigma = Sigma("0.25")!
    let table = try GridTable(sigma: sigma, m: 1)
    #expect(SHA256(hashing: table.text.utf8).hex == table.digest)
    let read = try #require(GridTable(parsing: table.text, sigma: sigma, m: 1))
    #expect(read.lowest == table.lowest && read.thresholds == table.thresholds && read.digest == table.digest)
    #expect(GridTable(parsing: table.text, sigma: sigma, m: 2) == nil)
    #expect(GridTable(parsing: table.text, sigma: Sigma("0.5")!, m: 1) == nil)
    for text in [
      "", "|", table.text + "\n", table.text + ",", table.text.replacingOccurrences(of: ",", with: ",,"),
      String(table.text.dropLast(20)) + ",1", table.text.replacingOccurrences(of: "table-1", with: "table-2"),
    ] {
      let refused = GridTable(parsing: text, sigma: sigma, m: 1) == nil
      #expect(refused)
    }
  }
}
