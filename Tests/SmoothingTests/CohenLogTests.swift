import Foundation
import Smoothing
import Testing

private let header = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"

@Suite("Reading certification logs") struct CohenLogTests {
  static func read(_ text: String) throws -> CohenLog { try CohenLog.read(Array(text.utf8)) }

  /// The problems of a text that must be refused.
  static func problems(_ text: String) -> [String] {
    do throws(CohenLog.Failure) {
      _ = try CohenLog.read(Array(text.utf8))
      return []
    } catch { return error.problems.map(\.description) }
  }

  @Test("a log with a header: columns by name in any order, abstentions, both ways of writing time")
  func withHeader() throws {
    let log = try Self.read(header + "0\t3\t-1\t0.0\t0\t0:00:13.736080\n20\t7\t7\t0.0734\t1\t15.4\n")
    #expect(log.rows.map(\.index) == [0, 20] && log.rows.map(\.predicted) == [nil, 7])
    #expect(log.rows.map(\.seconds) == [13.73608, 15.4] && log.rows.map(\.isCorrect) == [false, true])
    #expect(log.rows[0].outcome.radius == nil && log.rows[1].outcome.radius == 0.0734)
    #expect(log.cutLine == nil && log.differingCorrect.isEmpty && log.hasIndices && !log.hasFullRadii)
    #expect(log.notes.count == 1 && log.notes[0].contains("as printed"))

    let other = try Self.read("Radius\tprediction\tLabel\tpABar\r\n1.22\t4\t5\t0.9\r\n")
    #expect(other.rows[0].radius == 1.22 && other.rows[0].predicted == 4 && other.rows[0].label == 5)
    #expect(other.ignoredColumns == ["pABar"] && !other.hasIndices && other.rows[0].seconds == nil)
  }

  @Test("logs without header: the rRCM authors' five columns, and six with an index")
  func headerless() throws {
    let five = try Self.read("3\t3\t0.953\t1\t0:00:16.500000\n8\t-1\t0.0\t0\t0:00:16.400000\n")
    #expect(five.rows.map(\.label) == [3, 8] && five.rows.map(\.index) == [nil, nil])
    #expect(five.rows.map(\.predicted) == [3, nil] && five.notes.contains { $0.contains("no image indices") })
    let six = try Self.read("40\t3\t3\t0.953\t1\t16.5\n")
    #expect(six.rows[0].index == 40 && six.rows[0].seconds == 16.5)
  }

  @Test(
    "times",
    arguments: [
      ("15.4", 15.4), ("0:00:13.736080", 13.73608), ("0:00:13", 13), ("1:02:05.5", 3725.5),
      ("1 day, 0:00:01", 86_401), ("2 days, 1:00:00.5", 176_400.5), ("0", 0),
    ])
  func times(text: String, seconds: Double) { #expect(CohenLog.seconds(text) == seconds) }

  @Test(
    "what is no time",
    arguments: [
      "", "-1", "1:2", "0:61:00", "0:00:60", "a:b:c", "1 day", "1 day, 5", "1 week, 0:00:01", "nan", "inf", ":", "::",
      "1:00:00:00", "99999999999:00:00", "-1:00:00", "day, 0:00:01",
    ])
  func noTimes(text: String) { #expect(CohenLog.seconds(text) == nil) }

  @Test("trap 3: the correct column is recomputed, and where it differs the rows are counted and named")
  func correctIsRecomputed() throws {
    let log = try Self.read(
      header + "0\t3\t3\t0.5\t1\t1\n1\t3\t3\t0.5\t2\t1\n2\t3\t4\t0.5\t1\t1\n3\t3\t-1\t0.0\t0\t1\n")
    #expect(log.rows.map(\.isCorrect) == [true, true, false, false])
    #expect(log.differingCorrect == [3, 4] && log.rows.map(\.statedCorrect) == [true, nil, true, false])
    #expect(log.notes[0].contains("in 2 rows (lines 3, 4)"))
    #expect(CertifiedAccuracy(log.rows.map(\.outcome)).at(0).low == 2)
  }

  @Test("trap 2: a log that was cut short keeps its whole lines, says where it ends, and counts what is there")
  func partial() throws {
    let whole = header + "0\t3\t3\t0.735\t1\t0:00:13.7\n5\t3\t3\t0.0125\t1\t0:00:13.7"
    for length in whole.utf8.indices.map({ whole.utf8.distance(from: whole.utf8.startIndex, to: $0) })
    where length > header.utf8.count {
      let log = try CohenLog.read(Array(whole.utf8.prefix(length)))
      // A radius is never taken from a line that may go on: 7.11 of 7.11e-05.
      for row in log.rows { #expect([0.735, 0.0125].contains(row.radius)) }
      #expect(log.rows.count <= 2)
    }
    let cut = try Self.read(header + "0\t3\t3\t0.735\t1\t1\n5\t3\t3\t0.01")
    #expect(cut.rows.count == 1 && cut.cutLine == 3 && cut.notes[0].contains("middle of line 3"))
    let withoutTime = try Self.read("label\tpredict\tradius\n1\t1\t7.1e-05\n1\t1\t7.11")
    #expect(withoutTime.rows.count == 1 && withoutTime.cutLine == 3)
    #expect(try Self.read(header).rows.isEmpty, "begun, but nothing written yet")
  }

  @Test("trap 8: a printed radius may be rounded up, and is taken as printed unless the log holds the full one")
  func roundedRadii() throws {
    let printed = try Self.read(header + "0\t1\t1\t1.0\t1\t1\n")
    #expect(CertifiedAccuracy(printed.rows.map(\.outcome)).at(1).low == 1)
    let full = try Self.read("idx\tlabel\tpredict\tradius\tradius_full\n0\t1\t1\t1.0\t0.99960000000000004\n")
    #expect(full.hasFullRadii && full.rows[0].radius == 0.9996)
    #expect(CertifiedAccuracy(full.rows.map(\.outcome)).at(1).low == 0)
    #expect(!full.notes.contains { $0.contains("as printed") })
  }

  @Test(
    "malformed logs are refused with line, column, value and remedy",
    arguments: [
      ("", "line 1: the log is empty"),
      ("\n\n", "line 1: the log is empty"),
      ("idx,label,predict,radius,correct,time\n0,1,1,0.5,1,1\n", "line 1, column label: missing"),
      ("idx\tlabel\tlabel\tpredict\tradius\n", "line 1, column label: named twice; keep one"),
      ("1\t2\t3\n", "line 1: 3 columns and no header"),
      (header + "0\t1\t1\t0.5\t1\n1\t1\t1\t0.5\t1\t1\n", "line 2: 5 columns where the first line has 6"),
      (header + "0\t1\t1\t0.5\t1\t1\n0\t1\t1\t0.5\t1\t1\n", "line 3, column idx: image 0 stands in line 2 already"),
      (header + "-5\t1\t1\t0.5\t1\t1\n", "line 2, column idx: \"-5\" is not an image index"),
      (header + "0\tcat\t1\t0.5\t1\t1\n", "line 2, column label: \"cat\" is not a class"),
      (header + "0\t99999999999\t1\t0.5\t1\t1\n", "line 2, column label: \"99999999999\" is not a class"),
      (header + "0\t1\t-2\t0.5\t1\t1\n", "line 2, column predict: \"-2\" is not a class, or -1 for an abstention"),
      (header + "0\t1\t1\tnan\t1\t1\n", "line 2, column radius: \"nan\" is not a certified radius"),
      (header + "0\t1\t1\tinf\t1\t1\n", "line 2, column radius: \"inf\""),
      (header + "0\t1\t1\t-0.5\t1\t1\n", "line 2, column radius: \"-0.5\""),
      (header + "0\t1\t1\t1e-9223372036854775808\t1\t1\n", "line 2, column radius: \"1e-9223372036854775808\""),
      (header + "0\t1\t-1\t0.5\t0\t1\n", "line 2, column radius: 0.5 beside predict -1"),
      (header + "0\t1\t1\t0.5\t1\tsoon\n", "line 2, column time: \"soon\" is no time"),
      ("label\tpredict\tradius\tn_a\tn\n1\t1\t0.5\t11\t10\n", "line 2, column n_a: 11 votes of 10 draws"),
      ("label\tpredict\tradius\tsigma\n1\t1\t0.5\tmuch\n", "line 2, column sigma: \"much\" is no noise level"),
    ])
  func refusals(text: String, expected: String) {
    let problems = Self.problems(text)
    #expect(problems.contains { $0.hasPrefix(expected) }, "\(problems)")
  }

  @Test("every problem is told at once, with at most twenty printed")
  func allProblems() {
    let text = header + (0..<30).map { "\($0)\tx\t1\ty\t1\t1\n" }.joined()
    let problems = Self.problems(text)
    #expect(problems.count == 60)
    do throws(CohenLog.Failure) { _ = try CohenLog.read(Array(text.utf8)) } catch {
      #expect(error.description.split(separator: "\n").count == 21 && error.description.hasSuffix("… and 40 more"))
    }
  }

  @Test("any bytes are read or refused, never a crash")
  func anyBytes() {
    var seed = SystemRandomNumberGenerator()
    let alphabet = Array("\t\t\t\n\n0123456789.-+e:, \r\u{FEFF}idxlabelpredictradius1 day\u{0}".utf8) + [0xFF, 0xC3]
    for _ in 0..<2000 {
      let bytes = (0..<Int.random(in: 0...120, using: &seed)).map { _ in alphabet.randomElement(using: &seed)! }
      for text in [bytes, Array(header.utf8) + bytes] {
        if let log = try? CohenLog.read(text) { for row in log.rows { #expect(row.radius.isFinite) } }
      }
    }
  }

  @Test("a stated sigma, n or alpha that the radii contradict is told")
  func contradictions() throws {
    let log = try Self.read(header + "0\t1\t1\t0.953\t1\t1\n1\t1\t1\t0.5\t1\t1\n2\t1\t-1\t0.0\t0\t1\n")
    #expect(log.problems(sigma: 0.25, draws: 100_000, alpha: 0.001).isEmpty, "0.9528… prints as 0.953")
    let small = log.problems(sigma: 0.25, draws: 10_000, alpha: 0.001).map(\.description)
    #expect(small.count == 1 && small[0].contains("line 2, column radius: 0.953 cannot be certified with sigma 0.25"))
    #expect(log.problems(sigma: 0.12, draws: 100_000, alpha: 0.001).count == 2)
    #expect(log.problems(sigma: 0.25, draws: 5, alpha: 0.001).count == 2, "five draws certify nothing")
    let ours = try Self.read("label\tpredict\tradius\tn\tsigma\n1\t1\t0.1\t100\t0.25\n1\t1\t0.1\t100\t0.50\n")
    #expect(ours.sigmas == [0.25, 0.5] && ours.level(0.5).rows.count == 1)
    let stated = ours.level(0.5).problems(sigma: 0.25, draws: 1000, alpha: 0.001).map(\.column)
    #expect(stated == ["sigma", "n"])
  }
}

@Suite("Published logs, read from text", .enabled(if: Reference.isPresent)) struct PublishedLogTextTests {
  /// The logs as their repositories hold them, put together from the reference table.
  static func texts() throws -> [Substring: String] {
    let rows = Reference.rows(try Reference.text("golden/cohen/rows.csv"))
    let names: [Substring] = ["idx", "label", "predict", "radius_printed", "correct", "time_printed"]
    return Dictionary(grouping: rows) { $0["source_file"]! }.mapValues { rows in
      header + rows.map { row in names.map { row[$0]! }.joined(separator: "\t") + "\n" }.joined()
    }
  }

  @Test("all 19,259 published rows are read, agree with their stated n and alpha, and give the published accuracies")
  func all() throws {
    let sources = Reference.rows(try Reference.text("golden/cohen/sources.csv"))
    let stated = Dictionary(uniqueKeysWithValues: sources.map { ($0["source_file"]!, $0) })
    let expected = Dictionary(
      grouping: Reference.rows(try Reference.text("golden/cohen/certified_accuracy.csv"))
    ) { $0["source_file"]! }
    var rows = 0
    for (name, text) in try Self.texts() {
      let log = try CohenLogTests.read(text)
      let source = try #require(stated[name])
      #expect(log.rows.count == Int(source["rows"]!) && log.hasIndices && log.cutLine == nil)
      let problems = log.problems(
        sigma: try #require(ExactDecimal(source["sigma"]!)), draws: try #require(Int(source["n"]!)),
        alpha: try #require(ExactDecimal(source["alpha"]!)))
      #expect(problems.isEmpty, "\(name): \(problems.prefix(3))")
      let accuracy = CertifiedAccuracy(log.rows.map(\.outcome))
      for row in expected[name] ?? [] {
        #expect(accuracy.at(try #require(Double(row["radius"]!))).low == Int(row["correct_count"]!))
      }
      rows += log.rows.count
    }
    #expect(rows == 19_259)
  }
}
