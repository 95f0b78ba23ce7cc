/// A noise level: standard deviation of the smoothing noise in the [0, 1] pixel range, as an exact decimal.
///
/// The decimal, not a float, enters the noise key and the table, so that 0.25, .250 and 0.25 from a database
/// are one level.
package struct Sigma: Sendable, Hashable, CustomStringConvertible {
  /// Canonical decimal: no exponent, no needless zeros, for example `0.25`, `1`.
  package let decimal: String
  /// Nearest double.
  package let value: Double

  /// Parses a positive decimal such as `0.25`, `.250`, `1`, `1.0` or `2.5e-1`; nil for anything else.
  package init?(_ text: String) {
    var mantissa = Substring(text.lowercased())
    var exponent = 0
    if let e = mantissa.firstIndex(of: "e") {
      guard let parsed = Int(mantissa[mantissa.index(after: e)...]), (-40...40).contains(parsed) else { return nil }
      exponent = parsed
      mantissa = mantissa[..<e]
    }
    if mantissa.first == "+" { mantissa = mantissa.dropFirst() }
    let parts = mantissa.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, mantissa.count <= 40, parts.contains(where: { !$0.isEmpty }),
      parts.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } })
    else { return nil }
    let fraction = parts.count == 2 ? parts[1] : ""
    var digits = Array(String(parts[0] + fraction))
    var point = parts[0].count + exponent
    if point < 0 {
      digits = Array(repeating: "0", count: -point) + digits
      point = 0
    }
    if point > digits.count { digits += Array(repeating: "0", count: point - digits.count) }
    let whole = String(digits[..<point].drop { $0 == "0" })
    var rest = digits[point...]
    while rest.last == "0" { rest.removeLast() }
    let canonical = (whole.isEmpty ? "0" : whole) + (rest.isEmpty ? "" : "." + String(rest))
    guard let value = Double(canonical), value > 0, value <= 1000 else { return nil }
    self.decimal = canonical
    self.value = value
  }

  /// The shortest decimal that reads back as `value`; nil unless 0 < value ≤ 1000.
  package init?(_ value: Double) { self.init("\(value)") }

  package var description: String { decimal }
}
