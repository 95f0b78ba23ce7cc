import Foundation
import Smoothing
import TestSupport
import Testing

@testable import Report

@Suite(
  "Published logs in reports",
  .enabled(if: ReferenceData.has("golden/cohen/rows.csv", "golden/cohen/sources.csv"), ReferenceData.absent))
struct PublishedTableTests {
  static func rows(_ name: String) throws -> [[Substring: Substring]] {
    let text = try String(contentsOfFile: ReferenceData.path("golden/cohen/\(name)"), encoding: .utf8)
    let lines = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
  }

  /// The named logs as one imported run, through the reader.
  static func imported(_ names: [Substring]) throws -> RunReport {
    let all = Dictionary(grouping: try rows("rows.csv")) { $0["source_file"]! }
    let sources = Dictionary(uniqueKeysWithValues: try rows("sources.csv").map { ($0["source_file"]!, $0) })
    let levels = try names.map { name in
      let columns: [Substring] = ["idx", "label", "predict", "radius_printed", "correct", "time_printed"]
      let text =
        "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
        + all[name, default: []].map { row in columns.map { row[$0]! }.joined(separator: "\t") + "\n" }.joined()
      let log = try CohenLog.read(Array(text.utf8))
      let source = sources[name]!
      return RunReport.Level(
        sigma: ExactDecimal(source["sigma"]!)!, draws: Int(source["n"]!)!, alpha: ExactDecimal(source["alpha"]!)!,
        planned: log.rows.count,
        items: log.rows.enumerated().map { place, row in
          RunReport.Item(
            imageIndex: row.index ?? place, label: row.label, topClass: row.predicted,
            radius: row.predicted == nil ? nil : row.radius, pLower: nil, hits: nil, draws: 100_000,
            seconds: row.seconds)
        })
    }
    return RunReport(
      name: names.joined(separator: "+"), basis: .imported(.init(importID: 1, source: "s", files: [], notes: [])),
      levels: levels)
  }

  @Test("the published tables come out byte for byte")
  func tables() throws {
    let runs = ReportSet(
      [try Self.imported(["GL01", "GL02", "GL03", "GL04"])], radii: [0.25, 0.5, 0.75, 1, 1.25, 1.5])
    for (name, text) in [("latex", PublishedTable(runs).latex), ("markdown", PublishedTable(runs).markdown)] {
      let path = ReferenceData.path("golden/cohen/published_vary_noise_cifar10.\(name).txt")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }
  }

  @Test("certified accuracy and average radius of every log are those of the reference, and print as tables do")
  func accuracies() throws {
    let table = Dictionary(grouping: try Self.rows("certified_accuracy.csv")) { $0["source_file"]! }
    for source in try Self.rows("sources.csv") where source["rows"] != "0" {
      let name = source["source_file"]!
      let expected = table[name, default: []]
      let radii = expected.map { Double($0["radius"]!)! }
      let runs = ReportSet([try Self.imported([name])], radii: radii.isEmpty ? nil : radii)
      let lines = CSVReport.text(runs).split(separator: "\n").dropFirst().map {
        $0.split(separator: ",", omittingEmptySubsequences: false)
      }
      for (line, row) in zip(lines, expected) {
        #expect(line[7] == row["images"]! && line[10] == row["correct_count"]!)
        #expect(line[11] == row["certified_accuracy"]! && line[12] == line[11])
      }
      let average = try #require(Double(lines[0][17]))
      #expect(abs(average - Double(source["acr_from_printed"]!)!) < 1e-8 && lines[0][15] == source["abstain"]!)
    }
  }

  @Test("the published curve follows at all its radii")
  func curve() throws {
    let points = try Self.rows("published_curve.csv")
    let runs = ReportSet(
      [try Self.imported([points[0]["source_file"]!])], radii: points.map { Double($0["radius_double"]!)! })
    let cells = AccuracyTable(runs).rows[0].cells
    for (cell, point) in zip(cells, points) {
      #expect(NumberText.share(cell.share.lowShare, places: 5) == point["certified_accuracy_printed"]!)
    }
    #expect(cells.count == points.count && cells.count > 500)
  }

  @Test("the best of each column is the published envelope's, the first on ties")
  func envelope() throws {
    let names: [Substring] = (1...9).map { "GS0\($0)" }
    let points = try Self.rows("envelope_golden_imagenet.csv")
    let runs = ReportSet(try names.map { try Self.imported([$0]) }, radii: points.map { Double($0["radius"]!)! })
    let rows = AccuracyTable(runs).rows
    for (column, point) in points.enumerated() {
      let best = rows.filter { $0.cells[column].isBest }
      let accuracy = NumberText.share(rows.map { $0.cells[column].share.lowShare }.max()!, places: 3)
      #expect(accuracy == point["best_certified_accuracy"]!)
      if accuracy != "0.000" {
        #expect(best.map(\.series.report.name) == [String(point["best_source_file"]!)], "\(point)")
      }
    }
  }
}
