import Foundation
import Smoothing
import Testing

@testable import Report

@Suite("Reports in every format") struct FormatTests {
  /// Two runs and a log, unfinished and with held items.
  static var mixed: ReportSet {
    var other = Sample.report(
      levels: [Sample.level(0.5, spread: 0.7), Sample.level(1.0, spread: 1, finished: 40, held: 2)], name: "second",
      sampler: .gaussian, otherRuns: 1)
    other.fleet?.runID = 13
    return ReportSet([Sample.finished, other, Sample.imported()], radii: [0, 0.5, 1])
  }

  /// Every format's text.
  static func texts(_ runs: ReportSet) -> [String: String] {
    [
      "terminal": TerminalReport(runs, usesColor: false, width: 100).text, "html": HTMLReport(runs).text,
      "markdown": MarkdownReport(runs, listsItems: true).text, "latex": LaTeXReport(runs).text,
      "csv": CSVReport.text(runs), "json": JSONReport.text(runs),
    ]
  }

  /// Compares a text with its golden file; writes the file when RRCM_REGENERATE is 1.
  static func expectGolden(_ text: String, _ name: String) throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/\(name)")
    if ProcessInfo.processInfo.environment["RRCM_REGENERATE"] == "1" {
      try FileManager.default.createDirectory(
        at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: path)
    }
    let golden = try String(contentsOf: path, encoding: .utf8)
    let difference = zip(golden.split(separator: "\n"), text.split(separator: "\n")).first { $0 != $1 }
    #expect(golden == text, "\(name): \(difference.map { "\($0.0)\nbecame\n\($0.1)" } ?? "lengths differ")")
  }

  @Test("three runs, one unfinished with held items, one imported: the texts are the golden files")
  func golden() throws {
    let texts = Self.texts(Self.mixed)
    try Self.expectGolden(texts["terminal"]!, "mixed.txt")
    try Self.expectGolden(texts["latex"]!, "mixed.tex")
    try Self.expectGolden(texts["csv"]!, "mixed.csv")
    try Self.expectGolden(texts["json"]!, "mixed.json")
    try Self.expectGolden(MarkdownReport(Self.mixed).text, "mixed.md")
    try Self.expectGolden(HTMLReport(Self.smallest).text, "small.html")
  }

  /// A run of five images: a page short enough to read.
  static var smallest: RunReport {
    var level = Sample.level(0.25, spread: 0.75, finished: 5)
    level.planned = 5
    return Sample.report(levels: [level], name: "five", classNames: ["zero", "one", "two", "three", "four"])
  }

  @Test("every format says what is imported, held, unfinished and sound in real arithmetic only")
  func labels() {
    for (format, text) in Self.texts(Self.mixed) {
      #expect(text.lowercased().contains("imported"), "\(format)")
      #expect(text.contains("held"), "\(format)")
      guard format != "csv" else { continue }
      #expect(text.lowercased().contains("sound in real arithmetic only"), "\(format)")
      #expect(text.contains("1 other run still on record certified"), "\(format)")
      #expect(text.contains("cpu-float32-b64-openblas-0.3.21-skylakex"), "\(format)")
      #expect(text.contains("For each image separately"), "\(format)")
    }
  }

  @Test("own runs and imported ones are not rivals: each kind has its own best")
  func bestOfKind() {
    let best = Self.texts(ReportSet([Sample.finished, Sample.imported(), Sample.imported(name: "other")], radii: [0]))
    let marked = best["markdown"]!.split(separator: "\n").filter { $0.contains("**") }
    #expect(marked.count == 2 && marked[0].contains("| fleet |") && marked[1].contains("| imported |"))
  }

  @Test("unfinished images are counted wrong and right, in every denominator")
  func unfinished() throws {
    let rows = CSVReport.text(Self.mixed).split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    let columns = Dictionary(uniqueKeysWithValues: rows[0].enumerated().map { (String($1), $0) })
    #expect(rows.allSatisfy { $0.count == CSVReport.columns.count || $0[1].hasPrefix("\"digits") })
    let open = try #require(
      rows.first { $0[columns["run"]!] == "second" && $0[columns["sigma"]!] == "1" && $0[columns["r"]!] == "0" })
    let low = try #require(Double(open[columns["accuracy_low"]!]))
    let high = try #require(Double(open[columns["accuracy_high"]!]))
    #expect(open[columns["images"]!] == "100" && open[columns["finished"]!] == "40" && open[columns["held"]!] == "2")
    #expect(abs(high - low - 0.6) < 1e-9)
    #expect(try #require(Double(open[columns["interval_low"]!])) < low)
    #expect(try #require(Double(open[columns["interval_high"]!])) > high)
    #expect(Self.texts(Self.mixed)["markdown"]!.contains("40 of 100") == false)
    #expect(Self.texts(Self.mixed)["markdown"]!.contains("140 of 200 certificates so far (2 held)"))
  }

  @Test("a class called <script> and a run called a&_%$#{}|b are themselves and harmless in every format")
  func hostileNames() throws {
    let runs = ReportSet([Sample.hostile()])
    let texts = Self.texts(runs)
    let html = texts["html"]!
    #expect(!html.contains("<script>alert") && html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
    #expect(html.contains("a&amp;_%$#{}|b") && !html.contains("\u{202E}"))
    let markdown = texts["markdown"]!
    #expect(!markdown.contains("<script") && markdown.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
    #expect(markdown.contains("a&amp;\\_%\\$\\#\\{\\}\\|b") && markdown.contains("x\\|y\\`z"))
    for table in markdown.split(separator: "\n\n") where table.hasPrefix("|") {
      let bars = table.split(separator: "\n").map { $0.replacing("\\|", with: "").count { $0 == "|" } }
      #expect(Set(bars).count == 1, "a cell breaks its row: \(table)")
    }
    let latex = texts["latex"]!
    #expect(latex.contains("a\\&\\_\\%\\$\\#\\{\\}\\textbar{}b"))
    // Outside comments nothing of the names is special any more.
    let code = latex.split(separator: "\n").filter { !$0.hasPrefix("%") }.joined(separator: "\n")
    #expect(!code.contains("<") && code.count { $0 == "{" } == code.count { $0 == "}" })
    for wrong in [/[^\\]&_/, /[^\\]%/, /[^\\]#/] { #expect(code.firstMatch(of: wrong) == nil) }
    let csv = CertificateExport.csv(Sample.hostile())
    let commas = csv.split(separator: "\n").map { $0.count { $0 == "," } }
    #expect(Set(commas) == [CertificateExport.csvColumns.count - 1])
    let object = try #require(try JSONSerialization.jsonObject(with: Data(texts["json"]!.utf8)) as? [String: Any])
    let run = try #require((object["runs"] as? [[String: Any]])?.first)
    #expect(run["name"] as? String == Sample.specials)
  }

  @Test(
    "text for each format",
    arguments: [
      ("plain 1.25", "plain 1.25", "plain 1.25", "plain 1.25"),
      ("a,b", "a,b", "a,b", "\"a,b\""),
      ("say \"x\"", "say \"x\"", "say \\char34{}x\\char34{}", "\"say \"\"x\"\"\""),
      ("=SUM(A1)", "=SUM(A1)", "=SUM(A1)", "'=SUM(A1)"),
      (" -1", " -1", " -1", "' -1"), ("+1", "\\+1", "+1", "'+1"), ("@x", "\\@x", "@x", "'@x"),
      ("a\nb\tc", "a b c", "a b c", "a b c"),
      ("\u{1B}[2J\u{202E}x", "\\[2Jx", "[2Jx", "[2Jx"),
      (
        "\\~^<>|`'", "\\\\\\~^&lt;&gt;\\|\\`'",
        "\\textbackslash{}\\textasciitilde{}\\textasciicircum{}\\textless{}\\textgreater{}\\textbar{}\\char96{}\\char39{}",
        "\\~^<>|`'"
      ),
      ("https://x.y", "https\\://x.y", "https://x.y", "https://x.y"),
    ])
  func escapes(text: String, markdown: String, latex: String, csv: String) {
    #expect(Escape.markdown(text) == markdown)
    #expect(Escape.latex(text) == latex)
    #expect(Escape.csv(text) == csv)
  }

  @Test("several runs share one plot: a legend names run and sigma")
  func legend() {
    let texts = Self.texts(Self.mixed)
    for name in ["digits, three noise levels, sigma 0.25", "second, sigma 1", "published, sigma 0.5 (imported)"] {
      #expect(texts["terminal"]!.contains(name) && texts["html"]!.contains(name), "\(name)")
    }
    #expect(texts["html"]!.split(separator: "class=\"curve wide\"").count == 2)
    #expect(texts["html"]!.split(separator: "<path class=\"line").count - 1 == 6 + 2 * 6)
    #expect(TerminalReport(Self.mixed, usesColor: false, width: 100).accuracyTable.allSatisfy { $0.count <= 100 })
  }
}
