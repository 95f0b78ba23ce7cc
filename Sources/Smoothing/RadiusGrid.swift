/// Radii start/unit, (start+1)/unit, … end/unit, each one correctly rounded division of integers.
///
/// Adding a step repeatedly drifts from the decimals people write: at a step of 0.005, dozens of 801 points differ.
package struct RadiusGrid: Sendable, Hashable, RandomAccessCollection {
  /// Integer numerators of the radii.
  package let numerators: [Int]
  /// Common denominator.
  package let unit: Int

  /// - Parameters:
  ///   - unit: points per 1, for example 4 for steps of 0.25, or 1000 with `step` 5 for steps of 0.005.
  ///   - step: distance of neighbours in units.
  ///   - last: largest numerator, included when a step lands on it.
  package init(unit: Int, step: Int = 1, through last: Int) {
    precondition(unit > 0 && step > 0 && last >= 0)
    self.unit = unit
    self.numerators = Array(stride(from: 0, through: last, by: step))
  }

  /// A grid in steps of 1/unit from 0 to the first point at or past `radius`: where a curve has reached zero.
  package init(unit: Int, covering radius: Double) {
    precondition(radius >= 0 && radius.isFinite)
    self.init(unit: unit, through: Int((radius * Double(unit)).rounded(.up)))
  }

  package var startIndex: Int { 0 }
  package var endIndex: Int { numerators.count }
  package subscript(index: Int) -> Double { Double(numerators[index]) / Double(unit) }
}
