import Smoothing
import Testing

@testable import Report

@Suite("The report in a terminal")
struct TerminalReportTests {
  @Test("the accuracy table is the one below, digit for digit")
  func table() {
    let expected = [
      "Certified accuracy (% of all images; abstentions and mistakes count as not certified)",
      "sigma   r=0  r=0.5   r=1  r=1.5   r=2  r=2.5  r=3    ACR  abstain  wrong   images",
      "─────  ────  ─────  ────  ─────  ────  ─────  ───  ─────  ───────  ─────  ───────",
      "0.25   95.0   34.0   0.0    0.0   0.0    0.0  0.0  0.392      0.0    5.0  100/100",
      "0.5    88.0   61.0  30.0    9.0   0.0    0.0  0.0  0.695      7.0    5.0  100/100",
      "1      74.0   65.0  51.0   37.0  25.0   16.0  8.0  1.189     21.0    5.0  100/100",
    ]
    #expect(TerminalReport(Sample.finished, usesColor: false, width: 90).accuracyTable == expected)
  }

  @Test("an unfinished run shows ranges that hold every outcome, and says what they are")
  func ranges() {
    let lines = TerminalReport(Sample.unfinished, usesColor: false, width: 90).accuracyTable
    #expect(lines[3].hasPrefix("0.25    95.0") && lines[3].hasSuffix("100/100"))
    #expect(lines[4].contains("52–92") && lines[4].hasSuffix("60/100"))
    #expect(lines[5].contains("0–100") && lines[5].hasSuffix("0/100"))
    #expect(lines[6].contains("unfinished images all wrong … all right"))
    let text = TerminalReport(Sample.unfinished, usesColor: false).text
    #expect(text.contains("160 of 300 certificates so far"))
  }

  @Test("a narrow terminal gets fewer radii, not broken lines", arguments: [50, 60, 80, 120])
  func widths(width: Int) {
    for report in [Sample.finished, Sample.unfinished] {
      let table = TerminalReport(report, usesColor: false, width: width).accuracyTable.dropFirst()
      #expect(table.allSatisfy { $0.count <= max(width, 66) })
      #expect(table.first?.contains("r=0") == true)
      let guarantee = TerminalReport(report, usesColor: false, width: width).text.split(separator: "\n")
      #expect(guarantee.contains { $0.hasPrefix("For each image separately") })
    }
  }

  @Test("without colour the output has no escape codes; with colour every code is reset")
  func color() {
    #expect(!TerminalReport(Sample.finished, usesColor: false).text.contains("\u{1B}"))
    let colored = TerminalReport(Sample.finished, usesColor: true).text
    let codes = colored.split(separator: "\u{1B}", omittingEmptySubsequences: false).dropFirst()
    #expect(codes.count > 10 && codes.count % 2 == 0)
    #expect(codes.enumerated().allSatisfy { $0.offset % 2 == 0 || $0.element.hasPrefix("[0m") })
  }

  @Test("control characters in stored names cannot steer the terminal")
  func control() {
    let report = Sample.report(levels: [Sample.level(0.5, spread: 0.5, finished: 3)], name: "a\u{1B}[2Jb\u{9B}c\nd")
    let text = TerminalReport(report, usesColor: false).text
    #expect(text.hasPrefix("a[2Jbc d  run 12"))
  }

  @Test("the plot steps where the table says: above each radius stands the certified accuracy")
  func plot() {
    // All images certified at one radius: a horizontal line at 100 %, a fall, nothing beyond.
    var level = Sample.level(1.0, spread: 0)
    level.items = level.items.map { item in
      var item = item
      item.topClass = item.label
      item.radius = 2
      return item
    }
    let lines = TerminalPlot(ReportSet([Sample.report(levels: [level])]), usesColor: false, width: 88).lines
    let rows = lines.prefix(14).map { $0.drop { $0 != "┤" }.dropFirst() }
    #expect(lines[0].hasPrefix(" 100%┤") && lines[13].hasPrefix("   0%┤") && lines[14].hasPrefix("     └"))
    // The fall is at r = 2 of a span of 2 · 1.04, that is in column 80 · 2/2.08 = 76.9, counted from 0.
    #expect(rows[0].count == 78 && rows[0].allSatisfy { ("⠁"..."⣿").contains($0) })
    for row in rows[1..<13] { #expect(row.count == 78 && row.filter { $0 != " " }.count == 1) }
    #expect(lines[16].contains("sigma 1"))
  }

  @Test("every item is listed with its counts; abstentions and mistakes say so")
  func items() {
    let report = Sample.report(
      levels: Sample.finished.levels, classNames: ["zero", "one", "two", "three", "four", "five", "six", "seven"])
    let lines = TerminalReport(report, usesColor: false).itemTable(report.levels[1], of: report)
    #expect(lines.count == 103 && lines[0] == "sigma 0.5")
    #expect(lines[3] == "    0  zero   zero      1.4302  correct   9,992  10,000  0.997885")
    #expect(lines[8] == "   25  five   abstains       –            4,567  10,000  0.441290")
    #expect(lines[10].contains("seven  8 ") && lines[10].contains("wrong"))
  }

  @Test("Braille dots are numbered as Unicode numbers them")
  func braille() {
    var canvas = BrailleCanvas(columns: 4, rows: 1)
    canvas.set(x: 0, y: 0, series: 0)
    canvas.set(x: 1, y: 3, series: 0)
    for y in 0..<4 { for x in 4..<6 { canvas.set(x: x, y: y, series: 1) } }
    #expect(canvas.line(0) { text, _ in text } == "\u{2881} \u{28FF}")
    #expect(canvas.line(0) { text, series in "<\(series)\(text)>" } == "<0\u{2881}> <1\u{28FF}>")
  }
}
