internal import Smoothing

/// The report as text for a terminal: table, plot, guarantee.
package struct TerminalReport: Sendable {
  package let report: RunReport
  /// Whether escape codes for colour may be used: a terminal, and NO_COLOR unset.
  package let usesColor: Bool
  /// Columns of the terminal.
  package let width: Int

  package init(_ report: RunReport, usesColor: Bool, width: Int = 80) {
    self.report = report
    self.usesColor = usesColor
    self.width = width
  }

  package var text: String {
    let parts = [heading, accuracyTable, plot, facts, guarantee]
    return parts.map { $0.joined(separator: "\n") }.filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n"
  }

  private var heading: [String] {
    let state =
      report.isFinished
      ? "\(NumberText.grouped(report.finished)) certificates"
      : "\(NumberText.grouped(report.finished)) of \(NumberText.grouped(report.planned)) certificates so far"
    return [bold(TerminalText.printable(report.name)) + "  run \(report.runID) · \(state)"]
  }

  /// Certified accuracy per sigma and radius, with what is needed to read it.
  package var accuracyTable: [String] {
    // Every radius if the terminal is wide enough, else every second, third, ….
    let count = report.tableRadii.count
    let every = (1..<max(count, 2)).first { table(everyRadius: $0).allSatisfy { $0.count <= width } } ?? count
    let title = "Certified accuracy (% of all images; abstentions and mistakes count as not certified)"
    let note = report.isFinished ? [] : ["Ranges: unfinished images all wrong … all right."]
    return [title] + table(everyRadius: every) + note
  }

  private func table(everyRadius: Int) -> [String] {
    let columns = stride(from: 0, to: report.tableRadii.count, by: everyRadius)
    let heads = columns.map { "r=" + LevelSummary.head(report.tableRadii[$0]) }
    var table = TextTable(header: ["sigma"] + heads + ["ACR", "abstain", "wrong", "images"], leading: [0])
    for level in report.levels {
      let summary = LevelSummary(level, of: report)
      table.add(
        [summary.sigma] + columns.map { summary.accuracies[$0] }
          + [summary.averageRadius, summary.abstained, summary.mistaken, summary.progress])
    }
    return table.lines
  }

  private var plot: [String] {
    guard report.levels.contains(where: { !$0.items.isEmpty }) else { return [] }
    return TerminalPlot(report, usesColor: usesColor, width: min(width, 100)).lines
  }

  private var facts: [String] {
    let settings = report.settings
    var lines = [
      "checkpoint  \(TerminalText.printable(report.checkpoint.name))  \(report.checkpoint.digest.prefix(12))",
      "images      \(TerminalText.printable(report.images.dataset)), \(TerminalText.printable(report.images.subset))  "
        + "\(report.images.digest.prefix(12))",
      "draws       n0 \(NumberText.grouped(settings.n0)), n \(NumberText.grouped(settings.n)), alpha \(settings.alpha), "
        + "mode \(settings.mode), seed \(settings.seed)",
    ]
    let noise = report.levels.map { level in "\(level.sigma)" + (level.m.map { " (m \($0))" } ?? "") }
    lines.append("noise       \(settings.sampler.rawValue), sigma \(noise.joined(separator: ", "))")
    lines += settings.numerics.map { "numerics    \(TerminalText.printable($0))" }
    let reach = report.levels.map { "\(NumberText.radius(report.reach($0))) at sigma \($0.sigma)" }
    lines.append("reach       no radius beyond \(reach.joined(separator: ", "))")
    return lines
  }

  private var guarantee: [String] {
    Guarantee(report).paragraphs.flatMap { TerminalText.wrapped($0, width: min(width, 100)) }
  }

  /// Every item of one sigma: what was certified, from which counts.
  package func itemTable(_ level: RunReport.Level) -> [String] {
    var table = TextTable(
      header: ["image", "label", "class", "radius", "", "votes", "draws", "p lower"], leading: [1, 2, 4])
    for item in level.items {
      table.add([
        "\(item.imageIndex)", className(item.label), item.predicted.map(className) ?? "abstains",
        item.radius.map { NumberText.radius($0, places: 4) } ?? "–",
        item.predicted == nil ? "" : item.isCorrect ? "correct" : "wrong", NumberText.grouped(item.hits),
        NumberText.grouped(item.draws), NumberText.fixed(item.pLower, places: 6, towardZero: true),
      ])
    }
    return ["sigma \(level.sigma)"] + table.lines
  }

  private func className(_ label: Int) -> String {
    report.images.classNames.indices.contains(label)
      ? TerminalText.printable(report.images.classNames[label]) : "\(label)"
  }

  private func bold(_ text: String) -> String { usesColor ? "\u{1B}[1m\(text)\u{1B}[0m" : text }
}

enum TerminalText {
  /// The text without control characters, so that a stored name cannot steer the terminal.
  static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }))
  }

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
