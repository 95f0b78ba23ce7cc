internal import CPrecise

/// A decimal number as a person wrote it: 0.001 is one thousandth, not the double nearest to it.
///
/// Noise levels and failure probabilities arrive as decimals. A double next to 0.001 lies above it, and a bound computed
/// from that double would lie above the true one; so decimals are kept as text and enter MPFR as such.
package struct ExactDecimal: Sendable, Hashable, CustomStringConvertible, ExpressibleByFloatLiteral {
  /// Canonical form `[-]digits e exponent`, for example `1e-3` for 0.001: equal numbers have equal text.
  let canonical: String
  /// The nearest double.
  package let value: Double

  /// Parses `0.25`, `.250`, `1`, `-1.5`, `2.5e-1`; nil for anything else, and for numbers beyond the doubles.
  package init?(_ text: some StringProtocol) {
    var digits: [UInt8] = []
    var exponent = 0
    var seenPoint = false
    var bytes = ArraySlice(text.utf8)
    let isNegative = bytes.first == UInt8(ascii: "-")
    if isNegative || bytes.first == UInt8(ascii: "+") { bytes.removeFirst() }
    var seenDigit = false
    scan: while let byte = bytes.first {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        seenDigit = true
        if seenPoint { exponent -= 1 }
        digits.append(byte)
      case UInt8(ascii: ".") where !seenPoint: seenPoint = true
      case UInt8(ascii: "e") where seenDigit, UInt8(ascii: "E") where seenDigit:
        guard let power = Int(String(decoding: bytes.dropFirst(), as: UTF8.self)), power.magnitude <= 1000 else {
          return nil
        }
        exponent += power
        bytes = []
        break scan
      default: return nil
      }
      bytes.removeFirst()
    }
    guard seenDigit, digits.count <= 100 else { return nil }
    while digits.last == UInt8(ascii: "0") {
      digits.removeLast()
      exponent += 1
    }
    let significant = digits.drop { $0 == UInt8(ascii: "0") }
    let mantissa = String(decoding: significant, as: UTF8.self)
    canonical = mantissa.isEmpty ? "0" : (isNegative ? "-" : "") + mantissa + "e\(exponent)"
    guard let value = Double(canonical), value.isFinite, mantissa.isEmpty || value != 0 else { return nil }
    self.value = value
  }

  /// The shortest decimal that reads back as `value`: 0.001 for the double nearest to 0.001. Nil unless finite.
  package init?(_ value: Double) { self.init("\(value)") }

  package init(floatLiteral value: Double) {
    guard let number = Self(value) else { preconditionFailure("a literal is finite") }
    self = number
  }

  /// Plain where that is short, `0.25`, `1`, `100000`; with an exponent otherwise, `1e-9`. Always a JSON number.
  package var description: String {
    guard canonical != "0", let e = canonical.firstIndex(of: "e"), let power = Int(canonical[e...].dropFirst()) else {
      return canonical
    }
    let sign = canonical.hasPrefix("-") ? "-" : ""
    let digits = canonical[..<e].drop { $0 == "-" }
    // value = 0.digits · 10^point
    let point = digits.count + power
    let zeros = { (count: Int) in String(repeating: "0", count: count) }
    switch point {
    case -3...0: return sign + "0." + zeros(-point) + digits
    case 1...digits.count:
      let fraction = digits.dropFirst(point)
      return sign + digits.prefix(point) + (fraction.isEmpty ? "" : "." + fraction)
    case 1...15: return sign + digits + zeros(point - digits.count)
    default:
      let fraction = digits.dropFirst()
      return sign + digits.prefix(1) + (fraction.isEmpty ? "" : "." + fraction) + "e\(point - 1)"
    }
  }

  /// Half of it.
  package var halved: Self { times(5, power: -1) }
  /// A quarter of it.
  package var quarter: Self { times(25, power: -2) }
  /// Three quarters of it.
  package var threeQuarters: Self { times(75, power: -2) }

  /// This number times `factor` · 10^`power`, exactly.
  private func times(_ factor: Int, power: Int) -> Self {
    guard let e = canonical.firstIndex(of: "e"), let exponent = Int(canonical[e...].dropFirst()) else { return self }
    var digits: [Int] = []
    var carry = 0
    for digit in canonical[..<e].utf8.reversed() where digit != UInt8(ascii: "-") {
      carry += Int(digit - UInt8(ascii: "0")) * factor
      digits.append(carry % 10)
      carry /= 10
    }
    while carry > 0 {
      digits.append(carry % 10)
      carry /= 10
    }
    let text = digits.reversed().map(String.init).joined()
    return Self(canonical: (canonical.hasPrefix("-") ? "-" : "") + Self.trimmed(text, exponent: exponent + power))
  }

  /// For numbers that arithmetic made: as many digits as it takes, never rounded.
  private init(canonical: String) {
    self.canonical = canonical
    value = Double(canonical) ?? .nan
  }

  private static func trimmed(_ digits: String, exponent: Int) -> String {
    let zeros = digits.reversed().prefix { $0 == "0" }.count
    return "\(digits.drop { $0 == "0" }.dropLast(zeros))e\(exponent + zeros)"
  }

  /// The smallest double not below this number.
  package var roundedUp: Double { isAbove(value) ? value.nextUp : value }

  /// Whether this number is less than `value`, decided exactly.
  package func isBelow(_ value: Double) -> Bool { rrcm_compare_decimal(value, canonical) == 1 }

  /// Whether this number is more than `value`, decided exactly.
  package func isAbove(_ value: Double) -> Bool { rrcm_compare_decimal(value, canonical) == -1 }

  /// This number `factor` times, exactly. - Precondition: 1 ≤ factor ≤ 2⁵⁰.
  package func multiplied(by factor: Int) -> ExactDecimal {
    precondition((1...(1 << 50)).contains(factor))
    return times(factor, power: 0)
  }

  /// This number divided by `divisor`, to 30 significant digits, rounded toward zero: a share of a failure probability
  /// that is never more than its share.
  ///
  /// - Precondition: divisor ≥ 1, at most 2⁵⁰.
  package func divided(by divisor: Int) -> ExactDecimal {
    precondition((1...(1 << 50)).contains(divisor))
    guard divisor > 1, let e = canonical.firstIndex(of: "e"), let power = Int(canonical[e...].dropFirst()) else {
      return self
    }
    let isNegative = canonical.hasPrefix("-")
    var digits = canonical[..<e].utf8.filter { $0 != UInt8(ascii: "-") }.map { Int($0) - 48 }[...]
    var quotient: [UInt8] = []
    var (rest, exponent) = (0, power)
    while !digits.isEmpty || (rest > 0 && quotient.count < 30) {
      if digits.isEmpty { exponent -= 1 }
      rest = rest * 10 + (digits.popFirst() ?? 0)
      let digit = rest / divisor
      rest %= divisor
      if digit > 0 || !quotient.isEmpty { quotient.append(UInt8(48 + digit)) }
    }
    guard
      let result = ExactDecimal((isNegative ? "-" : "") + String(decoding: quotient, as: UTF8.self) + "e\(exponent)")
    else { preconditionFailure("\(self) divided by \(divisor) is beyond the doubles") }
    return result
  }

  /// The largest double not above this number times `value`, which is not negative.
  func scaledDown(_ value: Double) -> Double { rrcm_scale_down(canonical, value) }
}
