internal import Smoothing

/// Runs laid out as papers print them: a row per pair of training and evaluation sigma, the best over both at each
/// radius with the pair named, and published figures beside.
///
/// All runs together are one method. The best over sigma is a selection made on these images; the text says so. Published
/// rows are marked and never mixed with own ones; imported logs are marked too.
package struct PaperTable: Sendable {
  private let runs: ReportSet
  private let method: String
  private let reference: PublishedResults?
  private let radii: [Double]
  private let rows: [Row]
  private let best: [Best]

  /// One pair of sigmas.
  struct Row {
    let train: String
    let eval: String
    let shares: [AccuracyInterval]
    let latency: String
    let isImported: Bool
  }

  /// The best of a column, the first on ties.
  struct Best {
    let row: Int
    let share: AccuracyInterval
  }

  /// - Parameters:
  ///   - runs: own ones and imported ones.
  ///   - trainSigmas: the noise level each run's network was trained at, one per run; nil where nobody knows.
  ///   - method: what the rows are called beside published methods.
  ///   - reference: published figures; those of the image set when its name tells.
  ///   - radii: default: the published ones, else those that fit.
  package init(
    _ runs: ReportSet, trainSigmas: [String?], method: String, reference: PublishedResults?, radii: [Double]?
  ) {
    precondition(trainSigmas.count == runs.reports.count)
    self.runs = runs
    self.method = method
    self.reference = reference
    let shown = radii ?? reference?.radii ?? runs.radii
    self.radii = shown
    var rows: [Row] = []
    for (report, train) in zip(runs.reports, trainSigmas) {
      for level in report.levels {
        let accuracy = level.accuracy
        rows.append(
          Row(
            train: train ?? report.name, eval: level.name, shares: shown.map { accuracy.at($0) },
            latency: LevelSummary(level).time, isImported: report.imported != nil))
      }
    }
    // Training sigmas ascend; runs whose training sigma nobody knows stand last, as they came.
    let order = rows.indices.sorted {
      let (a, b) = (ExactDecimal(rows[$0].train)?.value ?? .infinity, ExactDecimal(rows[$1].train)?.value ?? .infinity)
      return (a, $0) < (b, $1)
    }
    self.rows = order.map { rows[$0] }
    let sorted = self.rows
    // An imported log is no rival of own runs; alone it has bests of its own, named as what they are.
    let rivals = sorted.indices.filter { !sorted[$0].isImported }
    best = shown.indices.compactMap { column in
      (rivals.isEmpty ? Array(sorted.indices) : rivals).max {
        (sorted[$0].shares[column].lowShare, $1) < (sorted[$1].shares[column].lowShare, $0)
      }
      .map { Best(row: $0, share: sorted[$0].shares[column]) }
    }
  }

  // MARK: Cells

  /// Whether the method's own row rests on imported logs alone.
  private var isImported: Bool { rows.allSatisfy(\.isImported) }

  private func isBest(_ row: Int, _ column: Int) -> Bool {
    rows.count > 1 && best[column].row == row && best[column].share.low > 0
  }

  private func pair(_ column: Int) -> String {
    let row = rows[best[column].row]
    return best[column].share.low > 0 ? "\(row.train)/\(row.eval)" : "–"
  }

  private func permille(_ value: Int) -> String { "\(value / 10).\(value % 10)" }

  private func percent(_ value: Double?) -> String {
    value.map { NumberText.fixed($0, places: 1, towardZero: false) } ?? "–"
  }

  /// The published value of a method or grid cell at each radius shown; nil where the paper has no such column.
  private func published<Value>(_ values: [Value]) -> [Value?] {
    radii.map { radius in reference?.radii.firstIndex(of: radius).map { values[$0] } }
  }

  /// The time of an image at the pair that is best at the first radius: what Tables 1 and 2 print.
  private var latency: String { best.first.map { rows[$0.row].latency } ?? "–" }

  /// Best of each column of the method table, the first on ties; published rows come first.
  private var methodBests: [Int] {
    radii.indices.map { column in
      let others = (reference?.methods ?? []).compactMap { published($0.accuracy)[column] ?? nil }.map(Self.tenths)
      return (others + [Self.tenths(best[column].share.lowShare * 100)]).max() ?? 0
    }
  }

  /// A percentage as it is printed, in tenths: equal texts are ties.
  private static func tenths(_ percent: Double) -> Int { Int((percent * 10).rounded()) }

  // MARK: Notes

  private var notes: [String] {
    var notes = [
      "Certified accuracy in percent of all images; abstentions and mistakes count as not certified. Best over sigma is "
        + "taken for each radius separately, with training/evaluation sigma named: a selection made on these images, not the "
        + "result of one classifier. Bold: best of its column, the first on ties.",
      "Time per image: compute time of all draws, all workers together, at the pair that is best at the first radius.",
    ]
    let protocols = runs.reports.compactMap { report in
      report.fleet.map { fleet in
        let settings = fleet.settings
        return
          "\(report.name) n \(NumberText.grouped(settings.n)), alpha \(settings.alpha), mode \(settings.mode.rawValue), "
          + "\(settings.sampler.rawValue) noise"
          + (settings.sampler == .gaussian ? " (sound in real arithmetic only)" : "")
      }
    }
    if !protocols.isEmpty { notes.append("Protocols: \(protocols.joined(separator: "; ")).") }
    if !runs.isFinished { notes.append("Ranges: unfinished images all wrong to all right; bests count them wrong.") }
    if rows.contains(where: \.isImported) {
      notes.append(
        "Imported: read from logs; not computed by this fleet, not recomputable and no rival of own runs for a best.")
    }
    if let reference {
      notes.append(
        "Published (\(reference.images)): as printed in Lei et al., Robust Representation Consistency Model via Contrastive "
          + "Denoising, ICLR 2025; 500 images there, \(reference.protocolNote), times on the authors' GPU. Not "
          + "computed here.")
    }
    let others = runs.reports.compactMap { report in
      report.fleet.flatMap { $0.otherRuns > 0 ? "\(report.name) \($0.otherRuns)" : nil }
    }
    notes.append(
      others.isEmpty
        ? "No other run of this fleet still on record certified one of these checkpoints on any of the same images at one of these sigmas."
        : "Other runs still on record of the same checkpoint, some of the same images and one of these sigmas: \(others.joined(separator: "; "))."
    )
    return notes
  }

  // MARK: Formats

  package var markdown: String {
    func table(_ heads: [String], _ rows: [[String]], names: Int) -> String {
      let rule = heads.indices.map { $0 < names ? ":---" : "---:" }
      return ([heads, rule] + rows).map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
    }
    let columns = radii.map { "r = \(LevelSummary.head($0))" }
    var detail = rows.indices.map { place in
      let row = rows[place]
      return [Escape.markdown(row.train), row.eval, row.isImported ? "imported" : "ours"]
        + row.shares.indices.map { column in
          let text = LevelSummary.percent(row.shares[column])
          return isBest(place, column) ? "**\(text)**" : text
        } + [row.latency]
    }
    for grid in reference?.grids ?? [] {
      detail += grid.rows.map { row in
        [row.train, row.eval, "published: \(grid.name), \(grid.source)"]
          + published(row.accuracy).map { $0.map(permille) ?? "–" } + ["–"]
      }
    }
    let bests = methodBests
    var marked = Set<Int>()
    func cell(_ value: Double?, _ text: String, _ column: Int) -> String {
      guard let value, value > 0, Self.tenths(value) == bests[column], marked.insert(column).inserted else {
        return text
      }
      return "**\(text)**"
    }
    var methods = (reference?.methods ?? []).map { method in
      [Escape.markdown(method.name), "published, \(method.source)", method.latency ?? "–"]
        + published(method.accuracy).enumerated().map { cell($1 ?? nil, percent($1 ?? nil), $0) }
    }
    methods.append(
      ["\(Escape.markdown(method))", isImported ? "imported" : "ours", latency]
        + radii.indices.map { column in
          let text = LevelSummary.percent(best[column].share)
          return "\(cell(best[column].share.lowShare * 100, text, column)) (\(Escape.markdown(pair(column))))"
        })
    return [
      "# Certified accuracy of \(Escape.markdown(method))",
      "## Best over sigma",
      table(["method", "origin", "time per image"] + columns, methods, names: 2),
      "## Training sigma × evaluation sigma",
      table(["train sigma", "eval sigma", "origin"] + columns + ["time per image"], detail, names: 3),
      notes.joined(separator: "\n\n"),
    ].joined(separator: "\n\n") + "\n"
  }

  package var latex: String {
    let columns = radii.map { "$r = \(LevelSummary.head($0))$" }
    func tabular(_ heads: [String], names: Int, _ bodies: [[[String]]], caption: String) -> [String] {
      let shape = String(repeating: "l", count: names) + String(repeating: "r", count: heads.count - names)
      return [
        "\\begin{table}", "\\centering", "\\caption{\(caption)}", "\\begin{tabular}{\(shape)}", "\\toprule",
        heads.joined(separator: " & ") + " \\\\", "\\midrule",
      ]
        + bodies.filter { !$0.isEmpty }.map { $0.map { $0.joined(separator: " & ") + " \\\\" } }
        .joined(separator: ["\\midrule"]) + ["\\bottomrule", "\\end{tabular}", "\\end{table}"]
    }
    func ranges(_ text: String) -> String {
      text == "–" ? "--" : text.split(separator: "–", omittingEmptySubsequences: false).joined(separator: "--")
    }
    let bests = methodBests
    var marked = Set<Int>()
    func cell(_ value: Double?, _ text: String, _ column: Int) -> String {
      guard let value, value > 0, Self.tenths(value) == bests[column], marked.insert(column).inserted else {
        return ranges(text)
      }
      return "\\textbf{\(ranges(text))}"
    }
    let publishedMethods = (reference?.methods ?? []).map { method in
      [Escape.latex(method.name) + " (\(method.source))", method.latency ?? "--"]
        + published(method.accuracy).enumerated().map { cell($1 ?? nil, percent($1 ?? nil), $0) }
    }
    let ours = [
      [Escape.latex(method) + (isImported ? " (imported)" : ""), ranges(latency)]
        + radii.indices.map { column in
          cell(best[column].share.lowShare * 100, LevelSummary.percent(best[column].share), column)
            + "\\,{\\scriptsize (\(Escape.latex(pair(column))))}"
        }
    ]
    let detail = rows.indices.map { place in
      let row = rows[place]
      return [Escape.latex(row.train), Escape.latex(row.eval), row.isImported ? "imported" : "ours"]
        + row.shares.indices.map { column in
          let text = ranges(LevelSummary.percent(row.shares[column]))
          return isBest(place, column) ? "\\textbf{\(text)}" : text
        } + [ranges(row.latency)]
    }
    let grids = (reference?.grids ?? []).map { grid in
      grid.rows.map { row in
        [row.train, row.eval, "\(grid.name) (\(grid.source))"]
          + published(row.accuracy).map { $0.map(permille) ?? "--" }
          + ["--"]
      }
    }
    return
      (["% \\usepackage{booktabs}"]
      + tabular(
        ["method", "time"] + columns, names: 1, [publishedMethods, ours],
        caption: notes.map(Escape.latex).joined(separator: " "))
      + [""]
      + tabular(
        ["$\\sigma$ training", "$\\sigma$ evaluation", "origin"] + columns + ["time"], names: 3, [detail] + grids,
        caption: "Each pair of training and evaluation $\\sigma$. Notes as above."))
      .joined(separator: "\n") + "\n"
  }

  package static let columns = [
    "table", "origin", "source", "method", "train_sigma", "eval_sigma", "r", "accuracy_low", "accuracy_high", "best",
    "time_per_image",
  ]

  /// A row per cell of both tables; shares are fractions.
  package var csv: String {
    var text = Self.columns.joined(separator: ",") + "\n"
    func add(_ fields: [String]) { text += fields.joined(separator: ",") + "\n" }
    func number(_ share: Double) -> String { NumberText.share(share, places: 6) }
    func high(_ share: AccuracyInterval) -> Double { share.total == 0 ? 0 : Double(share.high) / Double(share.total) }
    for (place, row) in rows.enumerated() {
      for (column, radius) in radii.enumerated() {
        let share = row.shares[column]
        add([
          "pairs", row.isImported ? "imported" : "fleet", "", Escape.csv(method), Escape.csv(row.train),
          Escape.csv(row.eval), LevelSummary.head(radius), number(share.lowShare), number(high(share)),
          isBest(place, column) ? "1" : "0", Escape.csv(row.latency == "–" ? "" : row.latency),
        ])
      }
    }
    for (column, radius) in radii.enumerated() where best[column].share.low > 0 {
      let (row, share) = (rows[best[column].row], best[column].share)
      add([
        "best over sigma", row.isImported ? "imported" : "fleet", "", Escape.csv(method), Escape.csv(row.train),
        Escape.csv(row.eval), LevelSummary.head(radius), number(share.lowShare), number(high(share)), "1",
        Escape.csv(latency == "–" ? "" : latency),
      ])
    }
    for grid in reference?.grids ?? [] {
      for row in grid.rows {
        for (radius, value) in zip(radii, published(row.accuracy)) {
          guard let value else { continue }
          let share = number(Double(value) / 1000)
          add([
            "pairs", "published", grid.source, Escape.csv(grid.name), row.train, row.eval, LevelSummary.head(radius),
            share, share, "", "",
          ])
        }
      }
    }
    for method in reference?.methods ?? [] {
      for (radius, value) in zip(radii, published(method.accuracy)) {
        guard let value = value ?? nil else { continue }
        let share = number(value / 100)
        add([
          "best over sigma", "published", method.source, Escape.csv(method.name), "", "", LevelSummary.head(radius),
          share, share, "", method.latency ?? "",
        ])
      }
    }
    return text
  }
}
