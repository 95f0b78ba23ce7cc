internal import Smoothing

/// The report's figures as CSV: a row per run, sigma and radius.
///
/// Shares are fractions of all images; while images are unfinished `…_low` counts them wrong and `…_high` right.
/// `interval_low` and `interval_high` bound the share among all such images (exact binomial, 95 %).
package enum CSVReport {
  package static let columns = [
    "origin", "run", "run_id", "sigma", "n", "alpha", "r", "images", "finished", "held", "certified", "accuracy_low",
    "accuracy_high", "interval_low", "interval_high", "abstained", "wrong", "acr_low", "acr_high", "seconds_per_image",
    "false_certificates", "certain_low", "mode", "sampler", "other_runs",
  ]

  package static func text(_ runs: ReportSet) -> String {
    var text = columns.joined(separator: ",") + "\n"
    for row in AccuracyTable(runs).rows {
      let level = row.series.level
      let accuracy = row.series.accuracy
      let average = accuracy.averageRadius(largestRadius: level.reach)
      let id = row.series.report.fleet?.runID ?? row.series.report.imported?.importID ?? 0
      let head = [
        row.series.report.origin, Escape.csv(row.series.report.name), "\(id)", Escape.csv(level.name),
        "\(level.draws)", "\(level.alpha)",
      ]
      let tail = [
        "\(accuracy.abstentions)", "\(accuracy.mistakes)", NumberText.down17(average.low),
        NumberText.up17(average.high),
        level.secondsPerImage.map { NumberText.fixed($0, places: 6, towardZero: false) } ?? "",
      ]
      let allowance = level.falseCertificates
      let fleet = row.series.report.fleet
      let protocolFields = [
        fleet?.settings.mode.rawValue ?? "", fleet?.settings.sampler.rawValue ?? "",
        fleet.map { "\($0.otherRuns)" } ?? "",
      ]
      for (radius, cell) in zip(runs.radii, row.cells) {
        let interval = SamplingInterval.bounds(cell.share)
        let body = [
          LevelSummary.head(radius), "\(accuracy.planned)", "\(accuracy.finished)", "\(level.held)",
          "\(cell.share.low)", share(cell.share.low, of: cell.share), share(cell.share.high, of: cell.share),
          NumberText.fixed(interval.low, places: 6, towardZero: true),
          NumberText.fixedUp(interval.high, places: 6),
        ]
        text +=
          (head + body + tail + [
            "\(allowance)",
            NumberText.shareDown(
              FalseCertificates.certainly(cell.share.low, allowance: allowance), of: cell.share.total),
          ] + protocolFields).joined(separator: ",") + "\n"
      }
    }
    return text
  }

  static func share(_ count: Int, of share: AccuracyInterval) -> String {
    share.total == 0 ? "0" : NumberText.share(Double(count) / Double(share.total), places: 6)
  }
}

/// The report as one JSON document: runs with their facts, figures per sigma and radius, guarantee.
package enum JSONReport {
  package static func text(_ runs: ReportSet) -> String {
    let table = AccuracyTable(runs)
    let listed = runs.reports.enumerated().map { place, report in
      // Rows of the table stand in the order of runs and their levels.
      let first = runs.reports.prefix(place).reduce(0) { $0 + $1.levels.count }
      return run(report, rows: Array(table.rows[first..<first + report.levels.count]), radii: runs.radii)
    }
    return JSONText.object([
      ("report", "1"), ("finished", "\(runs.isFinished)"), ("runs", JSONText.array(listed, indent: "  ")),
    ]) + "\n"
  }

  private static func run(_ report: RunReport, rows: [AccuracyTable.Row], radii: [Double]) -> String {
    let facts = ReportFacts(report).lines.map {
      JSONText.object([("name", JSONText.string($0.name)), ("value", JSONText.string($0.value))])
    }
    return JSONText.object([
      ("name", JSONText.string(report.name)),
      ("origin", JSONText.string(report.origin)),
      ("run_id", report.fleet.map { "\($0.runID)" } ?? "null"),
      ("import_id", report.imported.map { "\($0.importID)" } ?? "null"),
      ("state", report.fleet.map { JSONText.string($0.state) } ?? "null"),
      ("planned", "\(report.planned)"), ("finished", "\(report.finished)"), ("held", "\(report.held)"),
      ("other_runs", report.fleet.map { "\($0.otherRuns)" } ?? "null"),
      ("levels", JSONText.array(rows.map { level($0, radii: radii) }, indent: "    ")),
      ("facts", JSONText.array(facts, indent: "    ")),
      ("guarantee", JSONText.array(Guarantee(report).paragraphs.map(JSONText.string), indent: "    ")),
    ])
  }

  private static func level(_ row: AccuracyTable.Row, radii: [Double]) -> String {
    let level = row.series.level
    let accuracy = row.series.accuracy
    let average = accuracy.averageRadius(largestRadius: level.reach)
    let points = zip(radii, row.cells).map { radius, cell in
      let interval = SamplingInterval.bounds(cell.share)
      return JSONText.object([
        ("r", JSONText.number(radius)), ("certified", "\(cell.share.low)"),
        (
          "accuracy",
          "[" + CSVReport.share(cell.share.low, of: cell.share) + ", "
            + CSVReport.share(cell.share.high, of: cell.share) + "]"
        ),
        (
          "interval",
          "[\(NumberText.fixed(interval.low, places: 6, towardZero: true)), \(NumberText.fixedUp(interval.high, places: 6))]"
        ),
      ])
    }
    let bins = RadiusHistogram(level).bins.map { bin in
      JSONText.object([
        ("from", LevelSummary.head(bin.from)), ("below", LevelSummary.head(bin.below)), ("correct", "\(bin.correct)"),
        ("wrong", "\(bin.wrong)"),
      ])
    }
    return JSONText.object([
      ("sigma", level.label.map(JSONText.string) ?? "\(level.sigma)"), ("n", "\(level.draws)"),
      ("alpha", "\(level.alpha)"),
      ("images", "\(accuracy.planned)"), ("finished", "\(accuracy.finished)"), ("held", "\(level.held)"),
      ("correct", "\(accuracy.correctRadii.count)"), ("wrong", "\(accuracy.mistakes)"),
      ("abstained", "\(accuracy.abstentions)"),
      ("acr", "[\(JSONText.number(average.low)), \(JSONText.number(average.high))]"),
      ("false_certificates", "\(level.falseCertificates)"),
      ("seconds_per_image", level.secondsPerImage.map(JSONText.number) ?? "null"),
      ("accuracy", JSONText.array(points, indent: "      ")),
      ("histogram", JSONText.array(bins, indent: "      ")),
    ])
  }
}
