internal import CCrypto
internal import CKernels
internal import CPrecise

/// The rounded normal on a grid of step 1/(255·m): thresholds of a 64-bit uniform.
///
/// P(k ≤ j) = Φ((j + ½)/(255·m·sigma)) up to 2⁻⁶⁵ per threshold; the table ends where a tail rounds to nothing.
/// Computed once per (sigma, m) with 256-bit arithmetic.
package final class GridTable: Sendable {
  package let sigma: Sigma
  /// Grid points per 1/255 of pixel value.
  package let m: Int
  /// Smallest k the sampler can return; by symmetry the largest is −lowest.
  package let lowest: Int32
  /// Ascending; k = lowest + number of thresholds at or under the uniform.
  package let thresholds: [UInt64]
  /// guide[i] = number of thresholds at or under i·2^(64 − guideBits).
  package let guide: [UInt32]
  /// The thresholds and one element more: the kernels look at the one after the last before they ask whether it counts.
  private let padded: [UInt64]
  package static let guideBits: UInt32 = 12
  /// The processor's finer guide, as `rrcm_grid_table` says; empty where a count does not fit.
  private let packedGuide: [UInt16]
  private static let packedBits: UInt32 = 14

  /// The smallest power of two with 255·m·sigma ≥ 32, at most 65,536. Affects fidelity to the continuous normal, never soundness.
  package static func defaultM(for sigma: Sigma) -> Int {
    var m = 1
    while m < largestM, Double(255 * m) * sigma.value < 32 { m *= 2 }
    return m
  }

  /// - Throws: `NoiseError` as `requireUsable` does.
  /// - Complexity: about 20 µs per threshold; 2·9.1·255·m·sigma of them.
  package convenience init(sigma: Sigma, m: Int) throws {
    let reach = try Self.requireUsable(sigma: sigma, m: m)
    func threshold(_ k: Int64) -> UInt64? { Self.threshold(k, sigma: sigma, m: m) }
    // Φ(-y) = 1 - Φ(y): the upper half is the lower half's complement.
    var lower: [UInt64] = []
    var first: Int64?
    for k in -reach...(-1) {
      guard let value = threshold(k) else { continue }
      first = first ?? k
      lower.append(value)
    }
    self.init(sigma: sigma, m: m, lowest: Int32(first!), thresholds: lower + lower.reversed().map { 0 &- $0 })
  }

  /// Reads what `text` wrote. The caller has compared the text's SHA-256 with the `digest` that it trusts.
  ///
  /// - Returns: nil for any other text.
  package convenience init?(parsing text: String, sigma: Sigma, m: Int) {
    let parts = text.split(separator: "|", omittingEmptySubsequences: false)
    guard parts.count == 5, parts[0] == Self.format, parts[1] == sigma.decimal, parts[2] == String(m),
      let lowest = Int32(parts[3])
    else { return nil }
    let thresholds = parts[4].split(separator: ",").compactMap { UInt64($0) }
    guard !thresholds.isEmpty, zip(thresholds, thresholds.dropFirst()).allSatisfy({ $0 <= $1 }) else { return nil }
    self.init(sigma: sigma, m: m, lowest: lowest, thresholds: thresholds)
    guard self.text == text else { return nil }
  }

  private init(sigma: Sigma, m: Int, lowest: Int32, thresholds: [UInt64]) {
    self.sigma = sigma
    self.m = m
    self.lowest = lowest
    self.thresholds = thresholds
    self.padded = thresholds + [.max]
    guide = Self.counts(thresholds, bits: Self.guideBits)
    let fine = Self.counts(thresholds, bits: Self.packedBits)
    let width = UInt64(1) << (64 - UInt64(Self.packedBits))
    packedGuide =
      thresholds.count >= 1 << 15
      ? []
      : fine.enumerated().map { i, below in
        let last = UInt64(i) * width + (width - 1)
        let isInside = Int(below) < thresholds.count && thresholds[Int(below)] <= last
        return UInt16(below << 1) | (isInside ? 1 : 0)
      } + [0]
  }

  /// At i, how many thresholds are at or under i·2^(64 − bits).
  private static func counts(_ thresholds: [UInt64], bits: UInt32) -> [UInt32] {
    var below = 0
    return (0..<(1 << Int(bits))).map { i in
      let edge = UInt64(i) << (64 - UInt64(bits))
      while below < thresholds.count && thresholds[below] <= edge { below += 1 }
      return UInt32(below)
    }
  }

  /// Checks a table without computing it.
  ///
  /// - Returns: an integer beyond every k the sampler can return.
  /// - Throws: `NoiseError` when m is not in 1…65,536, when the table would take minutes to compute or its sums
  ///   m·255 + k could reach 2²⁴, beyond exact float32, and when it would have no threshold.
  @discardableResult
  package static func requireUsable(sigma: Sigma, m: Int) throws -> Int64 {
    guard (1...largestM).contains(m) else {
      throw NoiseError("grid m is \(m); it must be 1 to 65536. Leave it out for the default.")
    }
    let deviation = Double(255 * m) * sigma.value
    // 9.2 deviations lie beyond the last threshold above 2⁻⁶⁴ (at about 9.08).
    let reach = Int64(9.2 * deviation) + 2
    guard reach + Int64(255 * m) < 1 << 24 else {
      throw NoiseError(
        "sigma \(sigma) with grid m \(m) needs integers beyond 2^24, which float32 does not hold; lower m")
    }
    guard reach <= largestReach else {
      throw NoiseError(
        "sigma \(sigma) with grid m \(m) needs a table of \(2 * reach) thresholds, more than \(2 * largestReach);"
          + " lower m or sigma")
    }
    guard threshold(-1, sigma: sigma, m: m) != nil else {
      throw NoiseError("sigma \(sigma) is too small for grid m \(m); raise \(m < largestM ? "m" : "sigma")")
    }
    return reach
  }

  /// Ten seconds' work; the default m needs it for no sigma under 100.
  private static let largestM = 65_536
  private static let largestReach: Int64 = 1 << 18

  private static func threshold(_ k: Int64, sigma: Sigma, m: Int) -> UInt64? {
    var value: UInt64 = 0
    return sigma.decimal.withCString { rrcm_grid_threshold(k, Int64(m), $0, &value) } == 1 ? value : nil
  }

  /// Number of values k can take, T.
  package var cells: Int { thresholds.count + 1 }

  /// Bound on the total variation between the sampled and the exact rounded normal over an image of `elements`
  /// elements: d·T·2⁻⁶⁴ (design: subtracted from every lower bound).
  package func slack(elements: Int) -> Double { Double(elements) * Double(cells) * 0x1p-64 }

  private static let format = "rrcm-grid-table-1"

  /// The whole table as text: what is stored under `digest`.
  package var text: String {
    "\(Self.format)|\(sigma)|\(m)|\(lowest)|" + thresholds.map { String($0) }.joined(separator: ",")
  }

  /// SHA-256, in hexadecimal, of the table's text: what certificates record.
  package var digest: String {
    sha256(text).map { byte in
      let hex = String(byte, radix: 16)
      return hex.count == 1 ? "0" + hex : hex
    }.joined()
  }

  func withTable<R>(_ body: (UnsafePointer<rrcm_grid_table>) -> R) -> R {
    padded.withUnsafeBufferPointer { padded in
      guide.withUnsafeBufferPointer { guide in
        packedGuide.withUnsafeBufferPointer { packed in
          var table = rrcm_grid_table(
            thresholds: padded.baseAddress, guide: guide.baseAddress, count: UInt32(thresholds.count),
            guide_bits: Self.guideBits, lowest: lowest, m: Int32(m), packed: packed.isEmpty ? nil : packed.baseAddress,
            packed_bits: Self.packedBits)
          return body(&table)
        }
      }
    }
  }
}

/// What is wrong with a noise setting, and the remedy.
package struct NoiseError: Error, CustomStringConvertible, Sendable {
  package let description: String
  init(_ description: String) { self.description = description }
}

func sha256(_ text: String) -> [UInt8] {
  var digest = [UInt8](repeating: 0, count: 32)
  _ = SHA256(Array(text.utf8), text.utf8.count, &digest)
  return digest
}
