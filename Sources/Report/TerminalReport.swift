internal import Smoothing

/// The report as text for a terminal: table, plot, guarantee.
package struct TerminalReport: Sendable {
  package let runs: ReportSet
  /// Whether escape codes for colour may be used: a terminal, and NO_COLOR unset.
  package let usesColor: Bool
  /// Columns of the terminal.
  package let width: Int

  package init(_ runs: ReportSet, usesColor: Bool, width: Int = 80) {
    self.runs = runs
    self.usesColor = usesColor
    self.width = width
  }

  package init(_ report: RunReport, usesColor: Bool, width: Int = 80) {
    self.init(ReportSet([report]), usesColor: usesColor, width: width)
  }

  package var text: String {
    let parts = [heading, accuracyTable, plot] + runs.reports.map(facts) + [guarantee]
    return parts.map { $0.joined(separator: "\n") }.filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n"
  }

  private var heading: [String] {
    runs.reports.map { report in
      bold(Escape.plain(report.name)) + "  \(report.number) · \(report.progress)"
        + (report.imported == nil ? "" : " (imported)")
    }
  }

  /// Certified accuracy per sigma and radius, with what is needed to read it.
  package var accuracyTable: [String] {
    let content = AccuracyTable(runs)
    // Every radius if the terminal is wide enough, else every second, third, ….
    let count = runs.radii.count
    let every =
      (1..<max(count, 2)).first { table(content, everyRadius: $0).allSatisfy { $0.count <= width } } ?? max(count, 1)
    var lines = ["Certified accuracy (% of all images; abstentions and mistakes count as not certified)"]
    lines += table(content, everyRadius: every)
    if !runs.isFinished { lines.append("Ranges: unfinished images all wrong … all right.") }
    if runs.hasHeld { lines.append("Held: votes disagree, a machine is at fault; counted as unfinished.") }
    if runs.hasImported { lines.append("Imported: read from logs; not computed by this fleet and not recomputable.") }
    return lines
  }

  private func table(_ content: AccuracyTable, everyRadius: Int) -> [String] {
    let columns = stride(from: 0, to: runs.radii.count, by: everyRadius)
    let heads = columns.map { "r=" + LevelSummary.head(runs.radii[$0]) }
    let several = runs.reports.count > 1
    let origin = runs.hasImported
    let held = runs.hasHeld
    var table = TextTable(
      header: (several ? ["run"] : []) + (origin ? ["origin"] : []) + ["sigma"] + heads
        + ["ACR", "abstain", "wrong"] + (held ? ["held"] : []) + ["images"],
      leading: Set(0..<(1 + (several ? 1 : 0) + (origin ? 1 : 0))))
    for row in content.rows {
      let summary = row.summary
      table.add(
        (several ? [Escape.plain(row.series.report.name)] : [])
          + (origin ? [row.series.isImported ? "imported" : "fleet"] : []) + [summary.sigma]
          + columns.map { row.cells[$0].text } + [summary.averageRadius, summary.abstained, summary.mistaken]
          + (held ? ["\(row.series.level.held)"] : []) + [summary.progress])
    }
    return table.lines
  }

  private var plot: [String] {
    guard runs.series.contains(where: { !$0.level.items.isEmpty }) else { return [] }
    return TerminalPlot(runs, usesColor: usesColor, width: min(width, 100)).lines
  }

  private func facts(_ report: RunReport) -> [String] {
    let lines = ReportFacts(report).lines.map { line in
      line.name + String(repeating: " ", count: max(12 - line.name.count, 1)) + Escape.plain(line.short)
    }
    return (runs.reports.count > 1 ? [bold(Escape.plain(report.name))] : []) + lines
  }

  private var guarantee: [String] {
    let sections = Guarantee.sections(runs)
    return sections.flatMap { section in
      (sections.count > 1 ? [bold(section.names.map(Escape.plain).joined(separator: ", "))] : [])
        + section.paragraphs.flatMap { TerminalText.wrapped($0, width: min(width, 100)) }
    }
  }

  /// Every item of one sigma: what was certified, from which counts.
  package func itemTable(_ level: RunReport.Level, of report: RunReport) -> [String] {
    var table = TextTable(
      header: ["image", "label", "class", "radius", "", "votes", "draws", "p lower"], leading: [1, 2, 4])
    for item in level.items {
      table.add([
        "\(item.imageIndex)", Escape.plain(report.className(item.label)),
        item.predicted.map { Escape.plain(report.className($0)) } ?? "abstains",
        item.radius.map { NumberText.radius($0, places: 4) } ?? "–",
        item.predicted == nil ? "" : item.isCorrect ? "correct" : "wrong",
        item.hits.map(NumberText.grouped) ?? "–", NumberText.grouped(item.draws),
        item.pLower.map { NumberText.fixed($0, places: 6, towardZero: true) } ?? "–",
      ])
    }
    return ["sigma \(level.name)" + (report.imported == nil ? "" : " (imported)")] + table.lines
  }

  private func bold(_ text: String) -> String { usesColor ? "\u{1B}[1m\(text)\u{1B}[0m" : text }
}

enum TerminalText {
  /// Lines of at most `width` characters, broken at spaces.
  static func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty && line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return line.isEmpty ? lines : lines + [line]
  }
}
