internal import CPrecise

/// Decimal text of doubles, with the rounding each use asks for. Every digit is exact arithmetic on the double.
package enum NumberText {
  /// A radius for people: `places` decimals, rounded down, so that what is shown is certified. 0.9996 shows as 0.999.
  package static func radius(_ radius: Double, places: Int = 3) -> String {
    precondition(radius >= 0 && radius.isFinite)
    return fixed(radius, places: places, towardZero: true)
  }

  /// A share in percent or as a fraction, `places` decimals, to nearest.
  package static func share(_ share: Double, places: Int) -> String {
    precondition(share >= 0 && share.isFinite)
    return fixed(share, places: places, towardZero: false)
  }

  /// `count` out of `total` as a percentage to nearest with `places` decimals, halves up, by integers alone.
  package static func percent(_ count: Int, of total: Int, places: Int = 1) -> String {
    guard total > 0 else { return "0" + (places > 0 ? "." + String(repeating: "0", count: places) : "") }
    let unit = (0..<places).reduce(1) { value, _ in value * 10 }
    let scaled = (2 * count * 100 * unit + total) / (2 * total)
    guard places > 0 else { return "\(scaled)" }
    let fraction = String(scaled % unit)
    return "\(scaled / unit)." + String(repeating: "0", count: places - fraction.count) + fraction
  }

  /// Three significant digits to nearest, as the published logs print: Python's `format(x, '.3')`.
  ///
  /// `0.0`, `1.0`, `1.22`, `0.0125`, `7.11e-05`, `1e+02`. May round up: never use it for a claim.
  package static func threeDigits(_ value: Double) -> String {
    precondition(value >= 0 && value.isFinite)
    guard value > 0 else { return "0.0" }
    let (digits, exponent) = decimal(value, count: 3, .nearest)
    let significant = trimmed(digits)
    if exponent <= -4 || exponent > 2 {
      let power = exponent - 1
      let mantissa = significant.count > 1 ? significant.prefix(1) + "." + significant.dropFirst() : significant
      let size = "\(abs(power))"
      return mantissa + "e" + (power < 0 ? "-" : "+") + (size.count < 2 ? "0" + size : size)
    }
    return plain(significant, exponent: exponent, minimumPlaces: 1)
  }

  /// `places` decimals, rounded once.
  package static func fixed(_ value: Double, places: Int, towardZero: Bool) -> String {
    guard value > 0 else { return plain("0", exponent: 1, minimumPlaces: places) }
    // Digits of value up to the last place wanted: some before the point and `places` after it.
    let (_, exponent) = decimal(value, count: 1, .down)
    let count = exponent + places
    guard count >= 1 else {
      // Below the first place shown: 0, or 1 in that place when more than half of it is there (ties to even).
      let leading = trimmed(decimal(value, count: 40, .down).digits)
      let roundsUp = count == 0 && !towardZero && leading > "5"
      return plain(roundsUp ? "1" : "0", exponent: 1 - places, minimumPlaces: places)
    }
    precondition(count <= 40)
    let rounded = decimal(value, count: count, towardZero ? .down : .nearest)
    return plain(trimmed(rounded.digits), exponent: rounded.exponent, minimumPlaces: places)
  }

  /// Up to 17 significant digits, toward zero: never above the double. For CSV and TSV.
  package static func down17(_ value: Double) -> String { digits17(value, .down) }

  /// Up to 17 significant digits, away from zero: never below the double, which is not negative.
  package static func up17(_ value: Double) -> String {
    precondition(value >= 0)
    return digits17(value, .up)
  }

  /// `places` decimals, rounded up: never below the double, which is not negative.
  package static func fixedUp(_ value: Double, places: Int) -> String {
    precondition(value >= 0 && value.isFinite)
    guard value > 0 else { return plain("0", exponent: 1, minimumPlaces: places) }
    let count = decimal(value, count: 1, .down).exponent + places
    guard count >= 1 else { return plain("1", exponent: 1 - places, minimumPlaces: places) }
    precondition(count <= 40)
    let rounded = decimal(value, count: count, .up)
    return plain(trimmed(rounded.digits), exponent: rounded.exponent, minimumPlaces: places)
  }

  /// `count` of `total` as a fraction with six decimals, rounded down, by integers alone.
  package static func shareDown(_ count: Int, of total: Int) -> String {
    precondition(count >= 0 && count <= total)
    let millionths = total == 0 ? 0 : count * 1_000_000 / total
    let fraction = String(millionths % 1_000_000)
    return "\(millionths / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
  }

  /// Which way digits are cut, as `rrcm_decimal_digits` names it.
  private enum Direction: Int32 { case down = -1, nearest, up }

  private static func digits17(_ value: Double, _ direction: Direction) -> String {
    precondition(value.isFinite)
    guard value != 0 else { return "0" }
    let (digits, exponent) = decimal(abs(value), count: 17, direction)
    let significant = trimmed(digits)
    let sign = value < 0 ? "-" : ""
    if exponent < -5 || exponent > 17 {
      let mantissa = significant.count > 1 ? significant.prefix(1) + "." + significant.dropFirst() : significant
      return sign + mantissa + "e\(exponent - 1)"
    }
    return sign + plain(significant, exponent: exponent, minimumPlaces: 0)
  }

  /// x = 0.digits · 10^exponent.
  private static func decimal(_ x: Double, count: Int, _ direction: Direction) -> (digits: String, exponent: Int) {
    var exponent: Int64 = 0
    let digits = String(unsafeUninitializedCapacity: count + 2) { buffer in
      buffer.withMemoryRebound(to: CChar.self) {
        rrcm_decimal_digits(x, Int32(count), direction.rawValue, $0.baseAddress, &exponent)
      }
      return count
    }
    return (digits, Int(exponent))
  }

  private static func trimmed(_ digits: String) -> String {
    var digits = digits
    while digits.utf8.count > 1 && digits.last == "0" { digits.removeLast() }
    return digits
  }

  /// 0.digits · 10^exponent without an exponent, with at least `minimumPlaces` decimals.
  private static func plain(_ digits: String, exponent: Int, minimumPlaces: Int) -> String {
    let zeros = { (count: Int) in String(repeating: "0", count: max(count, 0)) }
    let whole = exponent > 0 ? digits.prefix(exponent) + zeros(exponent - digits.count) : "0"
    var fraction = exponent > 0 ? String(digits.dropFirst(exponent)) : zeros(-exponent) + digits
    if fraction.allSatisfy({ $0 == "0" }) { fraction = "" }
    fraction += zeros(minimumPlaces - fraction.count)
    return fraction.isEmpty ? String(whole) : "\(whole).\(fraction)"
  }
}
