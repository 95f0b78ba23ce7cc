/// A certification log as published codes write it: tab separated, a row per image, one noise level a file.
///
/// Two kinds are read. With a header (locuslab/smoothing and what descends from it): `idx label predict radius correct
/// time`, columns found by name; our own exports add `n_a n sigma radius_full`. Without one: `label predict radius
/// correct time` (the rRCM authors' code, which writes no index), or the six columns above.
///
/// A log holds neither n nor alpha nor votes: who reads one has to state the first two and can never recompute a radius.
/// Denominators are the rows that are there, abstentions and mistakes among them; a log that was cut short says so.
package struct CohenLog: Sendable, Hashable {
  /// One image.
  package struct Row: Sendable, Hashable {
    /// Line in the log, from 1.
    package var line: Int
    /// Image index; nil in logs that hold none.
    package var index: Int?
    package var label: Int
    /// The certified class; nil for an abstention, which logs write as -1.
    package var predicted: Int?
    /// Certified radius, 0 for an abstention: the full one where the log holds it, else as printed.
    ///
    /// - Note: three significant digits may have been rounded up, so that 0.9996 reads 1.0.
    package var radius: Double
    /// What the column `correct` says; nil where there is none, or where it is neither 0 nor 1.
    package var statedCorrect: Bool?
    /// Time spent on the image, seconds.
    package var seconds: Double?
    /// Estimation votes for the top class; in our own exports alone.
    package var hits: Int?
    /// Estimation draws; in our own exports alone.
    package var draws: Int?
    /// Noise level; in our own exports alone.
    package var sigma: ExactDecimal?

    /// Recomputed from label and prediction: published columns of that name are not always it.
    package var isCorrect: Bool { predicted == label }

    package var outcome: Outcome {
      Outcome(isCorrect: isCorrect, radius: predicted == nil ? nil : radius)
    }
  }

  package var rows: [Row]
  /// Whether rows name their images.
  package var hasIndices: Bool
  /// Whether radii are full ones, not rounded for print.
  package var hasFullRadii: Bool
  /// The line that was left out because the log ends in the middle of it.
  package var cutLine: Int?
  /// Lines whose `correct` column is not (label == predict). Recomputed values are used.
  package var differingCorrect: [Int]
  /// Columns that mean nothing to us.
  package var ignoredColumns: [String]

  /// Everything wrong with a log; nothing of it is used.
  package struct Failure: Error, Sendable, CustomStringConvertible {
    package let problems: [TableProblem]
    package static let shown = 20

    package var description: String {
      let more = problems.count - Self.shown
      return problems.prefix(Self.shown).map(\.description).joined(separator: "\n")
        + (more > 0 ? "\n… and \(more) more" : "")
    }
  }

  /// What a reader of the log's figures should know of it, one sentence each; empty for most logs.
  package var notes: [String] {
    var notes: [String] = []
    if let cutLine { notes.append("the log ends in the middle of line \(cutLine), which is left out") }
    if !differingCorrect.isEmpty {
      let lines = differingCorrect.prefix(5).map(String.init).joined(separator: ", ")
      let isOne = differingCorrect.count == 1
      notes.append(
        "column correct differs from (label == predict) in \(differingCorrect.count) row\(isOne ? "" : "s") "
          + "(line\(isOne ? "" : "s") \(lines)\(differingCorrect.count > 5 ? ", …" : "")); recomputed values are used")
    }
    if !ignoredColumns.isEmpty { notes.append("columns not read: \(ignoredColumns.joined(separator: ", "))") }
    if !hasIndices { notes.append("the log holds no image indices; images are numbered by row") }
    if !hasFullRadii { notes.append("radii are as printed: rounded to nearest, so some lie above the certified ones") }
    return notes
  }

  /// What contradicts a noise level, a number of draws and an alpha: radii that those cannot reach, other counts.
  package func problems(sigma: ExactDecimal, draws: Int, alpha: ExactDecimal) -> [TableProblem] {
    var problems: [TableProblem] = []
    let reach = Certificate.largestRadius(draws: draws, sigma: sigma, alpha: alpha)
    // Published radii are float32 products, printed with three digits or four decimals.
    let limit = reach.map {
      max(
        $0 * (1 + 1e-6), Double(NumberText.threeDigits($0)) ?? 0,
        Double(NumberText.fixed($0, places: 4, towardZero: false)) ?? 0)
    }
    for row in rows {
      if row.predicted != nil, row.radius > limit ?? -1 {
        problems.append(
          TableProblem(
            line: row.line, column: "radius",
            message: "\(row.radius) cannot be certified with sigma \(sigma), n \(draws) and alpha \(alpha), "
              + (reach.map { "which reach \(NumberText.radius($0, places: 4))" } ?? "which certify nothing")
              + "; state those the log was made with"))
      }
      if let stated = row.sigma, stated != sigma {
        problems.append(
          TableProblem(line: row.line, column: "sigma", message: "\(stated), where sigma \(sigma) is stated"))
      }
      if let stated = row.draws, stated != draws {
        problems.append(TableProblem(line: row.line, column: "n", message: "\(stated), where n \(draws) is stated"))
      }
    }
    return problems
  }

  /// The rows of one noise level of a log that names levels.
  package func level(_ sigma: ExactDecimal) -> CohenLog {
    var part = self
    part.rows.removeAll { $0.sigma != sigma }
    return part
  }

  /// The noise levels that rows name, in order of appearance; empty for logs that name none.
  package var sigmas: [ExactDecimal] {
    var seen: [ExactDecimal] = []
    for row in rows {
      if let sigma = row.sigma, seen.last != sigma, !seen.contains(sigma) { seen.append(sigma) }
    }
    return seen
  }
}
