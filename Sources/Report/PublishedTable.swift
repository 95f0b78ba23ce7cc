internal import Smoothing

/// The accuracy table exactly as locuslab/smoothing publishes it: a row per sigma, shares with two decimals, the best
/// of each column marked, the first on ties.
package struct PublishedTable: Sendable {
  package let runs: ReportSet

  package init(_ runs: ReportSet) { self.runs = runs }

  package var latex: String {
    let heads = runs.radii.map { "& $r = \($0)$" }.joined()
    let rows = AccuracyTable(runs).rows.map { row in
      "\(label(row.series, sigma: "$\\sigma = \(Self.sigma(row.series))$", escape: Escape.latex))"
        + row.cells.map { " & " + ($0.isBest ? "\\textbf{\(Self.share($0))}" : Self.share($0)) }.joined() + "\\\\\n"
    }
    return heads + "\\\\\n\\midrule\n" + rows.joined()
  }

  package var markdown: String {
    let heads = "|  | " + runs.radii.map { "r = \($0) |" }.joined() + "\n"
    let rule = "| --- | " + runs.radii.map { _ in " --- |" }.joined() + "\n"
    let rows = AccuracyTable(runs).rows.map { row in
      let name = label(row.series, sigma: "&sigma; = \(Self.sigma(row.series))", escape: Escape.markdown)
      return "<b> \(name) </b>| "
        + row.cells.map { Self.share($0) + ($0.isBest ? "<b>*</b>" : "") + " |" }.joined() + "\n"
    }
    return heads + rule + rows.joined()
  }

  /// The published tables have one run; several are told apart by name, and imported ones marked among own ones.
  private func label(_ series: ReportSet.Series, sigma: String, escape: (String) -> String) -> String {
    guard runs.reports.count > 1 else { return sigma }
    return "\(escape(series.report.name))\(runs.hasOwn && series.isImported ? " (imported)" : ""), \(sigma)"
  }

  /// Two decimals, or a range outwards while images are unfinished.
  private static func share(_ cell: AccuracyTable.Cell) -> String {
    let low = NumberText.share(cell.share.lowShare, places: 2)
    guard !cell.share.isExact else { return low }
    let hundredths = { (count: Int, up: Int) in Double((count * 100 + up) / cell.share.total) / 100 }
    let (from, to) = (hundredths(cell.share.low, 0), hundredths(cell.share.high, cell.share.total - 1))
    return NumberText.share(from, places: 2) + "–" + NumberText.share(to, places: 2)
  }

  /// At least two decimals: 0.50.
  private static func sigma(_ series: ReportSet.Series) -> String {
    let text = "\(series.level.sigma)"
    guard !text.contains("e") else { return text }
    let fraction = text.split(separator: ".").dropFirst().first?.count ?? 0
    return text + (fraction == 0 ? ".00" : String(repeating: "0", count: max(2 - fraction, 0)))
  }
}
