internal import Smoothing

/// The figures of one sigma, formatted once for every kind of report.
struct LevelSummary {
  let sigma: String
  let progress: String
  /// Certified accuracy in percent at each radius of the table.
  let accuracies: [String]
  /// Clean accuracy of the smoothed classifier: certified at r = 0.
  let clean: String
  let abstained: String
  let mistaken: String
  /// Average certified radius, rounded down.
  let averageRadius: String
  /// Largest radius the run's n and alpha allow, rounded down.
  let reach: String

  init(_ level: RunReport.Level, of report: RunReport) {
    let accuracy = level.accuracy
    let reach = report.reach(level)
    sigma = "\(level.sigma)"
    progress = "\(NumberText.grouped(accuracy.finished))/\(NumberText.grouped(accuracy.planned))"
    accuracies = report.tableRadii.map { Self.percent(accuracy.at($0)) }
    clean = Self.percent(accuracy.at(0))
    abstained = Self.percent(accuracy.abstention)
    mistaken = Self.percent(
      AccuracyInterval(low: accuracy.mistakes, high: accuracy.mistakes + accuracy.unfinished, total: accuracy.planned))
    let average = accuracy.averageRadius(largestRadius: reach)
    let (low, high) = (NumberText.radius(average.low), NumberText.radius(average.high))
    averageRadius = low == high ? low : "\(low)–\(high)"
    self.reach = NumberText.radius(reach)
  }

  /// `81.4`, or `40–62` while images are unfinished: whole percents that hold every outcome.
  static func percent(_ share: AccuracyInterval) -> String {
    if share.isExact { return NumberText.percent(share.low, of: share.total) }
    return "\(share.low * 100 / share.total)–\((share.high * 100 + share.total - 1) / share.total)"
  }

  /// A radius of the table's head: 0, 0.25, 1.5.
  static func head(_ radius: Double) -> String { radius == radius.rounded() ? "\(Int(radius))" : "\(radius)" }
}
