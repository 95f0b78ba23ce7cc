import Foundation
import Smoothing
import Testing

@testable import Report

@Suite("Tables and plots for papers") struct PaperTableTests {
  /// Three runs, one per training sigma, as the paper has them.
  static func runs(finished: Int = 100) -> ReportSet {
    ReportSet(
      [(0.7, "low"), (0.8, "middle"), (0.95, "high")].map { spread, name in
        Sample.report(
          levels: [
            Sample.level(0.25, spread: spread), Sample.level(0.5, spread: spread + 0.1),
            Sample.level(1.0, spread: spread + 0.2, finished: finished),
          ], name: name)
      }, radii: [0, 0.25, 0.5, 0.75, 1])
  }

  static func table(_ runs: ReportSet = runs(), reference: PublishedResults? = .cifar10) -> PaperTable {
    PaperTable(runs, trainSigmas: ["0.25", "0.5", "1"], method: "ours & theirs", reference: reference, radii: nil)
  }

  /// The rows of a CSV text as dictionaries.
  static func rows(_ csv: String) -> [[String: String]] {
    let lines = csv.split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
  }

  @Test("every pair of sigmas has a row, each column one best, and the best over sigma names its pair")
  func pairs() throws {
    let runs = Self.runs()
    let rows = Self.rows(Self.table(runs).csv)
    let own = rows.filter { $0["table"] == "pairs" && $0["origin"] == "fleet" }
    #expect(own.count == 9 * 5)
    for radius in ["0", "0.25", "0.5", "0.75", "1"] {
      let column = own.filter { $0["r"] == radius }
      let best = column.filter { $0["best"] == "1" }
      let highest = column.map { Double($0["accuracy_low"]!)! }.max()!
      // The first of equals: rows ascend by training, then evaluation sigma.
      let first = try #require(column.first { Double($0["accuracy_low"]!)! == highest })
      #expect(best == (highest > 0 ? [first] : []))
      let summary = rows.filter { $0["table"] == "best over sigma" && $0["origin"] == "fleet" && $0["r"] == radius }
      #expect(summary.count == (highest > 0 ? 1 : 0))
      #expect(
        summary.allSatisfy { $0["train_sigma"] == first["train_sigma"] && $0["eval_sigma"] == first["eval_sigma"] })
    }
    // Figures are the report's.
    let report = Self.rows(CSVReport.text(runs))
    for row in own {
      let run = ["0.25": "low", "0.5": "middle", "1": "high"][row["train_sigma"]!]!
      let same = try #require(
        report.first { $0["run"] == run && $0["sigma"] == row["eval_sigma"] && $0["r"] == row["r"] })
      #expect(same["accuracy_low"] == row["accuracy_low"])
    }
  }

  @Test("trap 17: bests over sigma are called a selection on these images, in text and in LaTeX")
  func labelled() {
    let table = Self.table()
    for text in [table.markdown, table.latex] {
      #expect(text.contains("a selection made on these images, not the result of one classifier"))
      #expect(text.contains("Published (CIFAR-10)") && text.contains("ICLR 2025"))
    }
    #expect(table.markdown.contains("(0.25/0.25)") && table.markdown.contains("| ours | 14.2 s |"))
    #expect(table.latex.contains("ours \\& theirs") && table.latex.contains("\\scriptsize"))
    let open = PaperTable(
      Self.runs(finished: 40), trainSigmas: [nil, nil, nil], method: "ours", reference: nil, radii: nil)
    #expect(open.markdown.contains("Ranges: unfinished") && open.markdown.contains("| low | 1 | ours |"))
    #expect(!open.markdown.contains("ublished"))
  }

  @Test("published rows are the paper's: Tables 1 and 2 are the best over sigma of Tables 7 to 9")
  func published() throws {
    for (results, grid, method) in [
      (PublishedResults.cifar10, 0, "rRCM-B"), (.imageNet, 0, "rRCM-B, n=100000"),
      (.imageNet, 1, "rRCM-B-Deep, n=100000"),
    ] {
      let best = results.radii.indices.map { column in results.grids[grid].rows.map { $0.accuracy[column] }.max()! }
      let printed = try #require(results.methods.first { $0.name == method })
      #expect(best.map { Double($0) / 10 } == printed.accuracy)
      #expect(results.grids[grid].rows.count == 9)
      #expect(results.methods.allSatisfy { $0.accuracy.count == results.radii.count })
    }
    #expect(PublishedResults.matching(dataset: "CIFAR-10 test")?.images == "CIFAR-10")
    #expect(PublishedResults.matching(dataset: "imagenet-val")?.images == "ImageNet")
    #expect(
      PublishedResults.matching(dataset: "cifar100") == nil && PublishedResults.matching(dataset: "digits") == nil)
  }

  @Test("ties go to the first row, published ones first")
  func ties() throws {
    // One image in a thousand decides nothing that one decimal shows: 83.6 against 83.6.
    let items = (0..<500).map { image in
      RunReport.Item(
        imageIndex: image, label: 0, topClass: image < 418 ? 0 : 1, radius: 0.1, pLower: 0.9, hits: 9990, draws: 10_000)
    }
    let level = RunReport.Level(sigma: 0.25, draws: 10_000, alpha: 0.001, planned: 500, items: items)
    let table = PaperTable(
      ReportSet([Sample.report(levels: [level, level], name: "one")]), trainSigmas: ["0.25"], method: "one",
      reference: .cifar10, radii: [0])
    let lines = table.markdown.split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("| rRCM-B | published, Table 2 | 16s | **83.6** |") })
    #expect(lines.contains { $0.hasPrefix("| one | ours | – | 83.6 (0.25/0.25) |") })
    #expect(lines.filter { $0.contains("| ours | **83.6** |") }.count == 1)
  }

  @Test(
    "plots are SVG files of their own: no style of a page, every series in the legend", arguments: PlotSVG.Kind.allCases
  )
  func plots(kind: PlotSVG.Kind) throws {
    let runs = ReportSet([Sample.finished, Sample.imported(), Sample.hostile()])
    let svg = PlotSVG(runs, kind: kind).text
    #expect(svg.hasPrefix("<?xml") && svg.contains("xmlns=\"http://www.w3.org/2000/svg\"") && !svg.contains("var("))
    for series in runs.series { #expect(svg.contains(Escape.html(series.name))) }
    let parser = XMLChecker()
    #expect(parser.accepts(svg), "\(parser.error)")
  }

  @Test("draws used per image fall into steps of 1, 2, 5, and every image is counted once")
  func samples() {
    var level = Sample.level(0.25, spread: 0.75)
    for place in level.items.indices { level.items[place].draws = [250, 999, 1000, 4999, 10_000][place % 5] }
    let bins = SamplesHistogram(level).bins
    #expect(bins.reduce(0) { $0 + $1.count } == 100)
    #expect(bins.filter { $0.count > 0 }.map(\.from) == [200, 500, 1000, 2000, 10_000])
    #expect(SamplesHistogram(Sample.level(0.25, spread: 0.5)).bins.filter { $0.count > 0 }.map(\.from) == [10_000])
    #expect(SamplesHistogram(Sample.level(0.25, spread: 0.5, finished: 0)).bins.isEmpty)
  }
}

/// Whether a text is well-formed XML.
private final class XMLChecker {
  var error = ""

  func accepts(_ text: String) -> Bool {
    // Names nest, quotes close, and every & is an entity.
    var open: [Substring] = []
    for match in text.matches(of: #/<(/?)([A-Za-z]+)((?:[^<>"]|"[^"<]*")*?)(/?)>|&(?!amp;|lt;|gt;|quot;|#\d+;)/#) {
      guard let name = match.2 else {
        error = "a bare &"
        return false
      }
      if match.1 == "/" {
        guard open.popLast() == name else {
          error = "</\(name)> closes nothing"
          return false
        }
      } else if match.4 != "/" {
        open.append(name)
      }
    }
    error = open.joined(separator: ", ")
    return open.isEmpty
  }
}
