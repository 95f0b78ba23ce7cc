internal import Smoothing

/// One or several runs in one report: one table, one plot.
///
/// Runs of this fleet and imported logs stand side by side and are never mixed: each row says which it is, and the best
/// of a column is marked among its own kind.
package struct ReportSet: Sendable {
  package let reports: [RunReport]
  /// Radii of the accuracy table.
  package let radii: [Double]

  /// - Parameter radii: those of the table; chosen to fit the runs when nil.
  package init(_ reports: [RunReport], radii: [Double]? = nil) {
    self.reports = reports
    self.radii = radii ?? Array(Self.radii(fitting: reports))
  }

  /// One line of the table and one curve: a run at one sigma.
  struct Series: Sendable {
    /// Place among all, which picks colour and line pattern.
    let index: Int
    let report: RunReport
    let level: RunReport.Level
    let accuracy: CertifiedAccuracy
    /// What a legend calls it: the sigma, with the run's name when there are several runs.
    let name: String

    var isImported: Bool { report.imported != nil }
    /// Of the six colours, and of the dash patterns for when those are used up.
    var color: Int { index % 6 }
    var dash: Int { index / 6 % 3 }
  }

  var series: [Series] {
    var series: [Series] = []
    for report in reports {
      for level in report.levels {
        let sigma = "sigma \(level.name)"
        let run = reports.count > 1 ? "\(report.name), " : ""
        series.append(
          Series(
            index: series.count, report: report, level: level, accuracy: level.accuracy,
            name: run + sigma + (report.imported == nil ? "" : " (imported)")))
      }
    }
    return series
  }

  var isFinished: Bool { reports.allSatisfy(\.isFinished) }
  var hasImported: Bool { reports.contains { $0.imported != nil } }
  var hasHeld: Bool { reports.contains { $0.held > 0 } }
  /// Whether any run has own certificates.
  var hasOwn: Bool { reports.contains { $0.fleet != nil } }

  /// What the report is about: the run's name, or the names of all.
  var title: String {
    let names = reports.map(\.name)
    return names.count <= 3 ? names.joined(separator: ", ") : "\(names.count) runs"
  }

  /// The radius at which every curve has reached zero, a little more than the furthest certified one.
  var span: Double {
    let furthest = series.map { $0.level.isFinished ? $0.accuracy.largestCertified ?? 0 : $0.level.reach }.max() ?? 0
    return furthest > 0 ? furthest * 1.05 : 1
  }

  /// 0 upwards in steps of 0.25, or coarser so that at most nine columns remain.
  private static func radii(fitting reports: [RunReport]) -> RadiusGrid {
    let furthest = reports.flatMap(\.levels).compactMap { $0.accuracy.largestCertified }.max() ?? 0
    for (unit, step) in [(4, 1), (2, 1), (1, 1), (1, 2), (1, 5)] {
      let last = Int(furthest * Double(unit)) / step * step
      if last / step <= 8 { return RadiusGrid(unit: unit, step: step, through: max(last, step)) }
    }
    let step = max(Int(furthest) / 8, 1)
    return RadiusGrid(unit: 1, step: step, through: 8 * step)
  }
}
