internal import Smoothing

/// Certified accuracy per series and radius with what is needed to read it: the one table behind every format.
struct AccuracyTable {
  struct Row {
    let series: ReportSet.Series
    /// One per radius of the set.
    let cells: [Cell]
    let summary: LevelSummary
  }

  struct Cell {
    let share: AccuracyInterval
    /// Percent, `81.4`, or `40–62` while images are unfinished.
    let text: String
    /// Best of its column among series of the same origin, the first on ties.
    let isBest: Bool
  }

  let radii: [Double]
  let rows: [Row]
  /// Whether bests are marked: several finished series of one origin.
  let marksBest: Bool

  init(_ runs: ReportSet) {
    let series = runs.series
    radii = runs.radii
    let counts = [false, true].map { imported in series.count { $0.isImported == imported } }
    let marks = runs.isFinished && counts.contains { $0 > 1 }
    marksBest = marks
    let shares = series.map { series in runs.radii.map { series.accuracy.at($0) } }
    rows = series.map { one in
      let cells = runs.radii.indices.map { column in
        let share = shares[one.index][column]
        let rivals = series.filter { $0.isImported == one.isImported }.map { shares[$0.index][column].lowShare }
        let isFirstBest =
          rivals.max() == share.lowShare
          && !series.prefix(one.index).contains {
            $0.isImported == one.isImported && shares[$0.index][column].lowShare == share.lowShare
          }
        return Cell(
          share: share, text: LevelSummary.percent(share),
          isBest: marks && rivals.count > 1 && share.low > 0 && isFirstBest)
      }
      return Row(series: one, cells: cells, summary: LevelSummary(one.level))
    }
  }
}
