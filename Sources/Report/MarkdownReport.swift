internal import Smoothing

/// The report as GitHub-flavoured Markdown: table, guarantee, facts.
package struct MarkdownReport: Sendable {
  package let runs: ReportSet
  /// Whether every item is listed.
  package let listsItems: Bool

  package init(_ runs: ReportSet, listsItems: Bool = false) {
    self.runs = runs
    self.listsItems = listsItems
  }

  package var text: String {
    var parts = ["# Certified accuracy: \(Escape.markdown(runs.title))", progress, table, notes]
    for section in Guarantee.sections(runs) {
      let names = section.names.map(Escape.markdown).joined(separator: ", ")
      parts.append("## What is guaranteed" + (runs.reports.count > 1 ? ": \(names)" : ""))
      parts += section.paragraphs
    }
    for report in runs.reports {
      parts.append("## What it rests on" + (runs.reports.count > 1 ? ": \(Escape.markdown(report.name))" : ""))
      let facts = ReportFacts(report).lines.map { [Escape.markdown($0.name), Escape.markdown($0.value)] }
      parts.append(Self.table(["fact", "value"], facts, numbers: []))
    }
    if listsItems {
      for report in runs.reports {
        for level in report.levels where !level.items.isEmpty { parts.append(items(level, of: report)) }
      }
    }
    return parts.filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n"
  }

  private var progress: String {
    runs.reports.map { "- \(Escape.markdown($0.name)): \($0.number), \($0.progress)" }.joined(separator: "\n")
  }

  private var table: String {
    let content = AccuracyTable(runs)
    let several = runs.reports.count > 1
    let names = (several ? ["run"] : []) + (runs.hasImported ? ["origin"] : []) + ["sigma"]
    let heads =
      names + runs.radii.map { "r = \(LevelSummary.head($0))" } + ["ACR", "abstain", "wrong"]
      + (runs.hasHeld ? ["held"] : []) + ["images", "time per image"]
    let rows = content.rows.map { row in
      (several ? [Escape.markdown(row.series.report.name)] : [])
        + (runs.hasImported ? [row.series.isImported ? "imported" : "fleet"] : []) + [row.summary.sigma]
        + row.cells.map { $0.isBest ? "**\($0.text)**" : $0.text }
        + [row.summary.averageRadius, row.summary.abstained, row.summary.mistaken]
        + (runs.hasHeld ? ["\(row.series.level.held)"] : []) + [row.summary.progress, row.summary.time]
    }
    return Self.table(heads, rows, numbers: Set(names.count..<heads.count))
  }

  private var notes: String { ReportNotes(runs).sentences.joined(separator: "\n") }

  private func items(_ level: RunReport.Level, of report: RunReport) -> String {
    let heads = ["image", "label", "certified class", "radius", "result", "votes", "draws", "p lower", "time"]
    let rows = level.items.map { item in
      [
        "\(item.imageIndex)", Escape.markdown(report.className(item.label)),
        item.predicted.map { Escape.markdown(report.className($0)) } ?? "–",
        item.radius.map { NumberText.radius($0, places: 4) } ?? "–",
        item.predicted == nil ? "abstains" : item.isCorrect ? "correct" : "wrong",
        item.hits.map(NumberText.grouped) ?? "–", NumberText.grouped(item.draws),
        item.pLower.map { NumberText.fixed($0, places: 6, towardZero: true) } ?? "–",
        item.seconds.map(LevelSummary.seconds) ?? "–",
      ]
    }
    let run = runs.reports.count > 1 ? "\(Escape.markdown(report.name)), " : ""
    return "## Image by image: \(run)sigma \(level.name)\(report.imported == nil ? "" : " (imported)")\n\n"
      + Self.table(heads, rows, numbers: [0, 3, 5, 6, 7, 8])
  }

  /// - Parameter numbers: columns set to the right.
  private static func table(_ heads: [String], _ rows: [[String]], numbers: Set<Int>) -> String {
    let rule = heads.indices.map { numbers.contains($0) ? "---:" : ":---" }
    return ([heads, rule] + rows).map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
  }
}

/// Sentences that say how to read the accuracy table, the same in every format.
struct ReportNotes {
  let sentences: [String]

  init(_ runs: ReportSet) {
    var sentences = [
      "Certified accuracy in percent of all images: classified correctly and certified at radius r or more. Abstentions "
        + "and mistakes count as not certified. Radii are L2 distances in the [0, 1] pixel range."
    ]
    if !runs.isFinished { sentences.append("Ranges: unfinished images all wrong to all right.") }
    if runs.hasHeld {
      sentences.append("Held: votes of the image disagree, so a machine is at fault; counted as unfinished.")
    }
    if AccuracyTable(runs).marksBest {
      sentences.append(
        "Bold: best at that radius\(runs.hasImported ? " among its own kind" : ""), the first on ties; choosing it per "
          + "radius is a selection made on these images.")
    }
    sentences.append("ACR: average certified radius, mistakes and abstentions counting 0.")
    if runs.reports.contains(where: { $0.fleet?.settings.mode.stopsEarly ?? false }) {
      sentences.append("ACR of runs that stop early says where drawing stopped: not to be compared with other runs.")
    }
    if runs.hasImported {
      sentences.append("Imported: read from logs; not computed by this fleet and not recomputable.")
    }
    self.sentences = sentences
  }
}
