internal import Smoothing

/// The accuracy table as a LaTeX table (packages booktabs and, for umlauts and the like, any modern engine).
///
/// The caption holds what a reader needs; facts and guarantee follow as comments, so that they travel with the table.
package struct LaTeXReport: Sendable {
  package let runs: ReportSet

  package init(_ runs: ReportSet) { self.runs = runs }

  package var text: String {
    let content = AccuracyTable(runs)
    let several = runs.reports.count > 1
    let names = (several ? ["run"] : []) + (runs.hasImported ? ["origin"] : []) + ["$\\sigma$"]
    let heads =
      names + runs.radii.map { "$r = \(LevelSummary.head($0))$" } + ["ACR", "abstain", "wrong"]
      + (runs.hasHeld ? ["held"] : []) + ["images"]
    var lines = [
      "% \\usepackage{booktabs}", "\\begin{table}", "\\centering", "\\caption{\(caption)}",
      "\\begin{tabular}{\(String(repeating: "l", count: names.count) + String(repeating: "r", count: heads.count - names.count))}",
      "\\toprule", heads.joined(separator: " & ") + " \\\\", "\\midrule",
    ]
    var previous: Bool?
    for row in content.rows {
      if let previous, previous != row.series.isImported { lines.append("\\midrule") }
      previous = row.series.isImported
      let cells =
        (several ? [Escape.latex(row.series.report.name)] : [])
        + (runs.hasImported ? [row.series.isImported ? "imported" : "fleet"] : []) + [row.summary.sigma]
        + row.cells.map { $0.isBest ? "\\textbf{\(Self.range($0.text))}" : Self.range($0.text) }
        + [row.summary.averageRadius, row.summary.abstained, row.summary.mistaken].map(Self.range)
        + (runs.hasHeld ? ["\(row.series.level.held)"] : []) + [row.summary.progress]
      lines.append(cells.joined(separator: " & ") + " \\\\")
    }
    lines += ["\\bottomrule", "\\end{tabular}", "\\end{table}"]
    for report in runs.reports {
      lines.append("% \(Escape.plain(report.name)): \(report.number), \(report.progress)")
      lines += ReportFacts(report).lines.map { "%   \($0.name): \(Escape.plain($0.value))" }
      lines += Guarantee(report).paragraphs.map { "%   \(Escape.plain($0))" }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private var caption: String {
    let listed = runs.reports.map { report in
      let basis =
        report.fleet.map { fleet in
          Escape.latex("\(fleet.images.dataset) (\(fleet.images.subset))")
            + ", $n = \(fleet.settings.n)$, $\\alpha = \(report.reading?.each ?? fleet.settings.alpha)$"
            + (report.reading == nil ? "" : ", read again after the votes were known")
            + (fleet.settings.sampler == .gaussian ? ", sound in real arithmetic only" : "")
        } ?? "imported from logs, not recomputable"
      return "\(Escape.latex(report.name)): \(basis)"
    }
    return (ReportNotes(runs).sentences.map(Escape.latex) + [listed.joined(separator: "; ") + "."]).joined(
      separator: " ")
  }

  /// A range with an en dash.
  private static func range(_ text: String) -> String {
    text.split(separator: "–", omittingEmptySubsequences: false).joined(separator: "--")
  }
}
