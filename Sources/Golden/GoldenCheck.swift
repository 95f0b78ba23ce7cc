internal import Glibc
import Tensors

/// What one reference file is compared with: rows of largest error against tolerance.
struct GoldenCheck {
  /// One comparison.
  struct Row {
    let name: String
    /// The largest error, or the share or count that counts as one.
    let error: Double
    let tolerance: Double
    /// What kind of error.
    let measure: String
    /// Not a number is a failure.
    var holds: Bool { error <= tolerance }
  }

  /// The file or group of files, without extension.
  let name: String
  private(set) var rows: [Row] = []
  /// What ended the check early.
  private(set) var problem: String?
  /// Parts of the file that nothing was compared with, with the reason.
  private(set) var skipped: [(part: String, reason: String)] = []

  init(_ name: String) { self.name = name }

  var passes: Bool { problem == nil && !rows.isEmpty && rows.allSatisfy(\.holds) }

  mutating func fail(_ sentence: String) { problem = sentence }
  mutating func skip(_ part: String, _ reason: String) { skipped.append((part, reason)) }

  // MARK: Comparisons

  /// Largest absolute difference. Other shapes are an infinite error.
  mutating func absolute(
    _ name: String, _ ours: some Collection<Float>, _ reference: some Collection<Float>, _ tolerance: Double
  ) {
    absolute(name, ours.map(Double.init), reference.map(Double.init), tolerance)
  }

  mutating func absolute(_ name: String, _ ours: [Double], _ reference: [Double], _ tolerance: Double) {
    add(name, largest(ours, reference) { abs($0 - $1) }, tolerance, "absolute")
  }

  /// Largest difference divided by the reference's size, where that is above 1.
  mutating func scaled(_ name: String, _ ours: [Double], _ reference: [Double], _ tolerance: Double) {
    add(name, largest(ours, reference) { abs($0 - $1) / max(1, abs($1)) }, tolerance, "absolute or relative")
  }

  /// Largest relative difference; `floor` is the absolute difference that is forgiven near 0.
  mutating func relative(
    _ name: String, _ ours: [Double], _ reference: [Double], _ tolerance: Double, floor: Double = 0
  ) {
    let error = largest(ours, reference) { $0 == $1 || abs($0 - $1) <= floor ? 0 : abs($0 - $1) / abs($1) }
    add(name, error, tolerance, "relative")
  }

  /// Largest distance in units in the last place of float32.
  mutating func units(_ name: String, _ ours: [Float], _ reference: [Float], _ tolerance: Double) {
    let error = largest(ours.map(Double.init), reference.map(Double.init)) { abs($0 - $1) / Double(Float($1).ulp) }
    add(name, error, tolerance, "float32 ulp")
  }

  /// Root mean square of the difference over that of the reference.
  mutating func rms(_ name: String, _ ours: [Float], _ reference: [Float], _ tolerance: Double) {
    add(name, relativeRMS(ours, reference), tolerance, "relative RMS")
  }

  /// Number of places that differ.
  mutating func exact<T: Equatable>(_ name: String, _ ours: [T], _ reference: [T]) {
    let differing =
      ours.count == reference.count ? Double(zip(ours, reference).count { $0 != $1 }) : Double.infinity
    add(name, differing, 0, "differing")
  }

  /// A claim that either holds or does not.
  mutating func claim(_ name: String, _ holds: Bool) { add(name, holds ? 0 : 1, 0, "differing") }

  /// Parameters after training: nearly all close, every one within what the optimizer can move, and close on the whole.
  ///
  /// - Parameters:
  ///   - share: part of the elements that may be off by more than 1e-5.
  ///   - reach: 2 · learning rate · steps.
  mutating func parameters(_ name: String, _ ours: [Float], _ reference: [Float], share: Double, reach: Double) {
    guard ours.count == reference.count else {
      add(name, .infinity, share, "share off by > 1e-5")
      return
    }
    let off = zip(ours, reference).count { !(abs(Double($0) - Double($1)) <= 1e-5) }
    add(name, Double(off) / Double(max(1, ours.count)), share, "share off by > 1e-5")
    add(name, largest(ours.map(Double.init), reference.map(Double.init)) { abs($0 - $1) }, max(reach, 1e-5), "absolute")
    add(name, relativeRMS(ours, reference), 1e-3, "relative RMS")
  }

  private mutating func add(_ name: String, _ error: Double, _ tolerance: Double, _ measure: String) {
    rows.append(Row(name: name, error: error, tolerance: tolerance, measure: measure))
  }

  private func largest(_ ours: [Double], _ reference: [Double], _ error: (Double, Double) -> Double) -> Double {
    guard ours.count == reference.count else { return .infinity }
    var worst = 0.0
    for (a, b) in zip(ours, reference) {
      let e = error(a, b)
      if !(e <= worst) { worst = e }
      if worst.isNaN { return worst }
    }
    return worst
  }

  private func relativeRMS(_ ours: [Float], _ reference: [Float]) -> Double {
    guard ours.count == reference.count else { return .infinity }
    var (difference, size) = (0.0, 0.0)
    for (a, b) in zip(ours, reference) {
      difference += (Double(a) - Double(b)) * (Double(a) - Double(b))
      size += Double(b) * Double(b)
    }
    // Tensors that are zero in the reference but for rounding are judged absolutely.
    return difference == 0 ? 0 : (difference / max(size, 1e-12 * Double(ours.count))).squareRoot()
  }
}

// MARK: - Printing

extension GoldenCheck {
  func print(to print: (String) -> Void) {
    print("\(passes ? "pass" : "FAIL")  \(name)")
    if let problem { print("      \(problem)") }
    // Rows are many where a model has many tensors; equal measures are aligned for reading down the column.
    let width = min(56, rows.map(\.name.count).max() ?? 0)
    for row in rows {
      let padded = row.name + String(repeating: " ", count: max(0, width - row.name.count))
      print(
        "      \(padded)  \(Self.short(row.error)) of \(Self.short(row.tolerance)) \(row.measure)"
          + (row.holds ? "" : "  FAIL"))
    }
    for skip in skipped { print("      \(skip.part): not compared, \(skip.reason)") }
  }

  /// Three significant digits.
  static func short(_ value: Double) -> String {
    guard value.isFinite else { return "\(value)" }
    guard value != 0 else { return "0" }
    let exponent = Int(floor(log10(abs(value))))
    if (-3...3).contains(exponent) {
      let scale = pow(10, Double(2 - exponent))
      let rounded = (value * scale).rounded() / scale
      return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }
    let mantissa = (value / pow(10, Double(exponent)) * 10).rounded() / 10
    return "\(mantissa)e\(exponent)"
  }
}
