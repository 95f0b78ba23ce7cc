import Foundation
import Smoothing
import Testing

@Suite("Published certification logs", .enabled(if: Reference.isPresent))
struct PublishedLogTests {
  /// What one log prints for a count: the radius in the log's format, nil for an abstention.
  struct Printer {
    let sigma: ExactDecimal
    let alpha: ExactDecimal
    let draws: Int
    let isThreeDigits: Bool
    var printed: [Int: String?] = [:]

    mutating func callAsFunction(_ hits: Int) -> String? {
      if let known = printed[hits] { return known }
      let certificate = Certificate.certify(hits: hits, draws: draws, sigma: sigma, alpha: alpha)
      let text = certificate.radius.map {
        isThreeDigits ? NumberText.threeDigits($0) : NumberText.fixed($0, places: 4, towardZero: false)
      }
      printed[hits] = text
      return text
    }
  }

  static func logs() throws -> [Substring: [[Substring: Substring]]] {
    Dictionary(grouping: Reference.rows(try Reference.text("golden/cohen/rows.csv"))) { $0["source_file"]! }
  }

  @Test("every published row prints as the log does at both ends of its counts, and not one count further")
  func rows() throws {
    let sources = Reference.rows(
      // One note holds no comma; columns before it are plain.
      try Reference.text("golden/cohen/sources.csv"))
    let formats = Dictionary(uniqueKeysWithValues: sources.map { ($0["source_file"]!, $0["radius_format"]!) })
    var certified = 0
    for (source, rows) in try Self.logs() {
      let first = rows[0]
      var printer = Printer(
        sigma: try #require(ExactDecimal(first["sigma"]!)), alpha: try #require(ExactDecimal(first["alpha"]!)),
        draws: try #require(Int(first["n"]!)), isThreeDigits: formats[source] == ".3")
      for row in rows {
        let low = try #require(Int(row["nA_lo"]!))
        let high = try #require(Int(row["nA_hi"]!))
        if row["predict"] == "-1" {
          #expect(printer(high) == nil && printer(high + 1) != nil, "\(source) \(row)")
          continue
        }
        let text = String(row["radius_printed"]!)
        #expect(printer(low) == text && printer(high) == text, "\(source) \(row)")
        #expect(printer(low - 1) != text, "\(source) \(row)")
        if high < printer.draws { #expect(printer(high + 1) != text, "\(source) \(row)") }
        certified += 1
      }
    }
    #expect(certified == 17_395)
  }

  /// One log's outcomes with the radii as printed, from label and prediction.
  static func outcomes(_ rows: [[Substring: Substring]]) -> [Outcome] {
    rows.map { row in
      let radius = row["predict"] == "-1" ? nil : Double(String(row["radius_printed"]!))
      return Outcome(isCorrect: row["predict"] == row["label"], radius: radius)
    }
  }

  @Test("certified accuracy of each log is the published table's, count by count")
  func certifiedAccuracy() throws {
    let logs = try Self.logs()
    let curves = logs.mapValues { CertifiedAccuracy(Self.outcomes($0)) }
    let table = Reference.rows(try Reference.text("golden/cohen/certified_accuracy.csv"))
    #expect(table.count > 100)
    for row in table {
      let curve = try #require(curves[row["source_file"]!])
      let share = curve.at(try Reference.double(row["radius"]!))
      #expect(share.isExact && share.low == Int(row["correct_count"]!) && share.total == Int(row["images"]!), "\(row)")
      #expect(NumberText.share(share.lowShare, places: 6) == String(row["certified_accuracy"]!), "\(row)")
    }
  }

  @Test("the published curves follow, point by point")
  func curves() throws {
    let curves = try Self.logs().mapValues { CertifiedAccuracy(Self.outcomes($0)) }
    let rows = Reference.rows(try Reference.text("golden/cohen/published_curve.csv"))
    #expect(rows.count > 500)
    for row in rows {
      let curve = try #require(curves[row["source_file"]!])
      let share = curve.at(try Reference.double(row["radius_double"]!))
      let printed = String(row["certified_accuracy_printed"]!)
      let places = printed.split(separator: ".").last!.count
      #expect(NumberText.share(share.lowShare, places: places) == printed, "\(row)")
    }
  }

  @Test("average radius and abstention of each log are those of its printed columns")
  func averages() throws {
    let logs = try Self.logs()
    for source in Reference.rows(try Reference.text("golden/cohen/sources.csv")) {
      guard let rows = logs[source["source_file"]!] else { continue }
      let accuracy = CertifiedAccuracy(Self.outcomes(rows))
      #expect(accuracy.abstentions == Int(source["abstain"]!))
      let average = accuracy.averageRadius(largestRadius: 4)
      let expected = try Reference.double(source["acr_from_printed"]!)
      #expect(abs(average.low - expected) < 1e-8 && average.high == average.low, "\(source)")
    }
  }
}
