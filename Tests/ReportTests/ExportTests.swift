import Foundation
import Smoothing
import Testing

@testable import Report

@Suite("Exported certificates and the guarantee")
struct ExportTests {
  @Test("the tab-separated table starts with the six published columns and prints as the published logs do")
  func tsv() {
    let lines = CertificateExport.tsv(Sample.finished).split(separator: "\n")
    #expect(lines.count == 301)
    #expect(lines[0] == "idx\tlabel\tpredict\tradius\tcorrect\ttime\tn_a\tn\tsigma\tradius_full\tmode\tplanned_n")
    #expect(lines[1].hasPrefix("0\t0\t0\t0.735\t1\t0:00:13.736080\t9995\t10000\t0.25\t0.7348"))
    #expect(lines[8].hasPrefix("35\t7\t8\t0.253\t0\t0:00:13.806080\t8553\t10000\t0.25\t0.25"))
    #expect(lines[106] == "25\t5\t-1\t0.0\t0\t0:00:13.786080\t4567\t10000\t0.5\t0\tfixed\t10000")
  }

  @Test("CSV radii are never above the certified ones and the counts give them back")
  func csv() throws {
    let lines = CertificateExport.csv(Sample.finished).split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    #expect(lines.count == 301 && lines.allSatisfy { $0.count == CertificateExport.csvColumns.count })
    let items = Sample.finished.levels.flatMap(\.items)
    for (line, item) in zip(lines.dropFirst(), items) {
      let radius = try #require(ExactDecimal(line[4]))
      #expect(!radius.isAbove(item.radius ?? 0))
      #expect(radius.value >= (item.radius ?? 0).nextDown)
      let again = Certificate.certify(
        hits: try #require(Int(line[8])), draws: try #require(Int(line[9])), sigma: try #require(ExactDecimal(line[0])),
        alpha: try #require(ExactDecimal(line[10])), slack: Sample.finished.levels[0].slack)
      #expect(again.radius == item.radius)
      #expect((line[3] == "-1") == (line[6] == "1") && (line[6] == "1") == (item.radius == nil))
    }
  }

  struct Exported: Decodable {
    struct Level: Decodable {
      let sigma: Double
      let slack: Double
      let finished: Int
      let certificates: [Item]
    }
    struct Item: Decodable {
      let idx: Int
      let predict: Int?
      let radius: Double
      let abstain: Bool
      let p_lower: Double
      let n_a: Int
    }
    let n: Int
    let alpha: Double
    let sampler: String
    let levels: [Level]
  }

  @Test("JSON reads back to the same doubles and holds the run's facts")
  func json() throws {
    let run = try JSONDecoder().decode(Exported.self, from: Data(CertificateExport.json(Sample.finished).utf8))
    #expect(run.n == 10_000 && run.sampler == "grid" && run.alpha == 0.001)
    #expect(run.levels.map(\.sigma) == [0.25, 0.5, 1] && run.levels.map(\.finished) == [100, 100, 100])
    for (level, expected) in zip(run.levels, Sample.finished.levels) {
      #expect(level.slack == expected.slack)
      for (certificate, item) in zip(level.certificates, expected.items) {
        #expect(certificate.radius == item.radius ?? 0 && certificate.p_lower == item.pLower)
        #expect(certificate.predict == item.predicted && certificate.idx == item.imageIndex)
        #expect(certificate.abstain == (item.radius == nil) && certificate.n_a == item.hits)
      }
    }
  }

  @Test("JSON strings escape quotes, backslashes and control characters")
  func jsonStrings() throws {
    let report = Sample.report(levels: [], name: "a\"b\\c\n\t\u{1}ü😀")
    let text = CertificateExport.json(report)
    let run = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(run["run"] as? String == "a\"b\\c\n\t\u{1}ü😀")
  }

  @Test("exports are ordered by image whatever order the items came in, and do not depend on it")
  func order() {
    var shuffled = Sample.finished
    shuffled.levels = shuffled.levels.map { level in
      RunReport.Level(
        sigma: level.sigma, draws: level.draws, alpha: level.alpha, m: level.m, slack: level.slack,
        tableDigest: level.tableDigest, planned: level.planned,
        items: level.items.reversed())
    }
    #expect(CertificateExport.tsv(shuffled) == CertificateExport.tsv(Sample.finished))
    #expect(CertificateExport.csv(shuffled) == CertificateExport.csv(Sample.finished))
    #expect(CertificateExport.json(shuffled) == CertificateExport.json(Sample.finished))
  }

  @Test("logs of other projects: six columns with a header, five without, both ways of writing time")
  func logColumns() throws {
    let cohen = CertificateExport.tsv(Sample.finished, columns: .cohen, sigma: 0.25).split(separator: "\n")
    #expect(cohen.count == 101 && cohen[0] == "idx\tlabel\tpredict\tradius\tcorrect\ttime")
    #expect(cohen[1] == "0\t0\t0\t0.735\t1\t0:00:13.736080")
    let rrcm = CertificateExport.tsv(Sample.finished, columns: .rrcm, time: .seconds, sigma: 0.5).split(separator: "\n")
    #expect(rrcm.count == 100 && rrcm[0] == "0\t0\t1.43\t1\t13.7")
    #expect(rrcm[5] == "5\t-1\t0.0\t0\t13.8")
  }

  @Test(
    "trap 12: round trip: what is exported is read back as the same table",
    arguments: CertificateExport.Columns.allCases)
  func roundTrip(columns: CertificateExport.Columns) throws {
    for report in [Sample.finished, Sample.unfinished] {
      for (level, time) in zip(report.levels, [CertificateExport.Time.clock, .seconds, .clock])
      where !level.items.isEmpty {
        let text = CertificateExport.tsv(report, columns: columns, time: time, sigma: level.sigma)
        let log = try CohenLog.read(Array(text.utf8))
        #expect(log.problems(sigma: level.sigma, draws: level.draws, alpha: level.alpha).isEmpty)
        #expect(log.differingCorrect.isEmpty && log.cutLine == nil && log.rows.count == level.items.count)
        for (row, item) in zip(log.rows, level.items) {
          #expect(row.label == item.label && row.predicted == item.predicted)
          #expect(columns == .rrcm ? row.index == nil : row.index == item.imageIndex)
          #expect(abs(try #require(row.seconds) - item.seconds!) < (time == .clock ? 1e-6 : 0.06))
          // Never above the certified radius, and below it only by the digits that print.
          if columns == .ours {
            #expect(row.radius <= item.radius ?? 0 && row.radius >= (item.radius ?? 0).nextDown)
            #expect(row.hits == item.hits && row.draws == item.draws && row.sigma == level.sigma)
          } else {
            #expect(abs(row.radius - (item.radius ?? 0)) <= 0.005 * max(item.radius ?? 0, 1e-9))
          }
        }
        let radii = ReportSet([report]).radii
        let again = CertifiedAccuracy(log.rows.map(\.outcome), planned: level.planned)
        if columns == .ours { #expect(radii.map { again.at($0) } == radii.map { level.accuracy.at($0) }) }
      }
    }
  }

  @Test("durations print as the published logs print them")
  func clock() {
    #expect(CertificateExport.clock(13.73608) == "0:00:13.736080")
    #expect(CertificateExport.clock(3725.5) == "1:02:05.500000")
    #expect(CertificateExport.clock(0) == "0:00:00.000000" && CertificateExport.clock(59.9999999) == "0:01:00.000000")
  }

  @Test("trap 21: the guarantee counts other runs, says per image, not simultaneous, and which arithmetic is covered")
  func guarantee() {
    let grid = Guarantee(Sample.finished).paragraphs.joined(separator: "\n")
    for claim in [
      "For each image separately", "decided before data are seen", "at least 0.999 over the noise",
      "Not simultaneous over images", "one image in 1,000", "covers floating-point", "at most 4.06e-15 per draw",
      "fair coins",
    ] { #expect(grid.contains(claim), "\(claim)") }
    let gaussian = Sample.report(levels: Sample.finished.levels, sampler: .gaussian, otherRuns: 2)
    let text = Guarantee(gaussian).paragraphs.joined(separator: "\n")
    #expect(text.contains("Sound in real arithmetic only") && !text.contains("covers floating-point"))
    #expect(text.contains("2 other runs still on record certified the same checkpoint"))
    #expect(grid.contains("No other run still on record certified the same checkpoint"))
    // Every kind of report prints it.
    for paragraph in Guarantee(gaussian).paragraphs {
      #expect(HTMLReport(gaussian).text.contains(Escape.html(paragraph)))
      #expect(CertificateExport.json(gaussian).contains(JSONText.string(paragraph)))
    }
    let terminal = TerminalReport(gaussian, usesColor: false).text.split(separator: "\n").joined(separator: " ")
    for paragraph in Guarantee(gaussian).paragraphs { #expect(terminal.contains(paragraph)) }
  }

  @Test("up to one image in so many: rounded down, so that it never promises more than alpha does")
  func oneIn() {
    for (alpha, shown) in [
      (0.001, "1,000"), (0.0005, "2,000"), (0.1, "10"), (0.15, "6"), (0.4, "2"), (0.5, "2"), (0.3, "3"),
      (1e-50, "1,125,899,906,842,624"),
    ] as [(ExactDecimal, String)] {
      #expect(NumberText.oneIn(alpha) == shown, "\(alpha)")
    }
  }

  @Test("a certificate chosen among three levels is false with probability up to three times its alpha")
  func choices() {
    let levels = [ExactDecimal(floatLiteral: 0.25), 0.5, 1.0].map {
      RunReport.Level(
        sigma: $0, draws: 10_000, alpha: ExactDecimal(floatLiteral: 0.001).divided(by: 3), planned: 10_000, items: [])
    }
    #expect(levels[0].falseCertificates == 10)
    #expect(RunReport.Level(bestOf: levels).falseCertificates == 21)
    let text = Guarantee(Sample.report(levels: levels)).paragraphs.joined()
    #expect(text.contains("All at once, for each noise level separately: with probability at least 0.999"))
  }

  @Test("seventeen digits and six places go the way they are asked to")
  func directions() {
    #expect(NumberText.up17(0.25) == "0.25" && NumberText.up17(0) == "0" && NumberText.up17(1) == "1")
    #expect(NumberText.down17(0.1) == "0.1" && NumberText.up17(0.1) == "0.10000000000000001")
    #expect(NumberText.fixedUp(0.9999991, places: 6) == "1.000000" && NumberText.fixedUp(1e-9, places: 6) == "0.000001")
    #expect(NumberText.shareDown(2, of: 3) == "0.666666" && NumberText.shareDown(3, of: 10) == "0.300000")
  }

  @Test("confidences, slacks and large numbers are written as people write them")
  func numbers() {
    for (alpha, text) in [
      (ExactDecimal(floatLiteral: 0.001), "0.999"), (0.05, "0.95"), (0.0005, "0.9995"), (0.5, "0.5"),
    ] {
      #expect(NumberText.confidence(failure: alpha) == text)
    }
    #expect(NumberText.roundedUp(0) == "0" && NumberText.roundedUp(4.0558e-15) == "4.06e-15")
    #expect(NumberText.roundedUp(4.054e-15) == "4.06e-15" || NumberText.roundedUp(4.054e-15) == "4.07e-15")
    #expect(NumberText.grouped(0) == "0" && NumberText.grouped(1234567) == "1,234,567")
    #expect(NumberText.grouped(-1000) == "-1,000" && NumberText.grouped(100) == "100")
  }

  @Test("table radii reach the furthest certified radius in at most nine columns")
  func radii() {
    #expect(ReportSet([Sample.finished]).radii == [0, 0.5, 1, 1.5, 2, 2.5, 3])
    #expect(ReportSet([Sample.unfinished]).radii == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5])
    #expect(ReportSet([Sample.report(levels: [])]).radii == [0, 0.25])
    var level = Sample.level(1.0, spread: 0, finished: 2)
    level.items[0].topClass = level.items[0].label
    for furthest in [0.1, 3.9, 7.5, 16, 39, 100, 1000] {
      level.items[0].radius = furthest
      let radii = ReportSet([Sample.report(levels: [level])]).radii
      #expect((2...9).contains(radii.count), "\(furthest)")
    }
  }
}
