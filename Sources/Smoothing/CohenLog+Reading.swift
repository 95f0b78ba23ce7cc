extension CohenLog {
  /// Reads a log's bytes. Pure; takes time and memory in proportion to them, whatever they are.
  ///
  /// A last line without line end is kept when all its columns are there and a time stands last; else the writer was
  /// interrupted in it, and it is left out and noted. A log without rows is read as such.
  ///
  /// - Throws: `Failure` with every problem, each with its line, column and remedy.
  package static func read(_ bytes: some Collection<UInt8>) throws(Failure) -> CohenLog {
    var reader = Reader(bytes: Array(bytes))
    let log = reader.log()
    guard reader.problems.isEmpty else { throw Failure(problems: reader.problems) }
    return log
  }

  /// Seconds of `15.4`, `0:00:13.736080`, `1 day, 2:00:00`; nil for anything else.
  package static func seconds(_ text: String) -> Double? {
    var text = Substring(text)
    var days = 0.0
    if let comma = text.firstIndex(of: ",") {
      let words = text[..<comma].split(separator: " ")
      guard words.count == 2, words[1] == "day" || words[1] == "days", let count = UInt32(words[0]) else { return nil }
      days = Double(count)
      text = text[text.index(after: comma)...].drop { $0 == " " }
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3 || parts.count == 1 && days == 0 else { return nil }
    guard let last = ExactDecimal(parts[parts.count - 1])?.value, last >= 0 else { return nil }
    guard parts.count == 3 else { return last }
    guard let hours = UInt32(parts[0]), let minutes = UInt32(parts[1]), minutes < 60, last < 60 else { return nil }
    return days * 86_400 + Double(hours) * 3600 + Double(minutes) * 60 + last
  }

  /// Columns we know, under the names that headers give them.
  private enum Column: String, CaseIterable {
    case index = "idx"
    case label, predict, radius, correct, time
    case hits = "n_a"
    case draws = "n"
    case sigma
    case fullRadius = "radius_full"
  }

  private struct Reader {
    let bytes: [UInt8]
    var problems: [TableProblem] = []
    /// Place of each known column.
    var places: [Column: Int] = [:]
    var width = 0
    var ignored: [String] = []
    /// Last line that may not be whole.
    var unfinished: Int?

    mutating func log() -> CohenLog {
      var log = CohenLog(
        rows: [], hasIndices: false, hasFullRadii: false, cutLine: nil, differingCorrect: [], ignoredColumns: [])
      var lines = Self.lines(of: bytes)
      if let last = bytes.last, last != UInt8(ascii: "\n"), let line = lines.last { unfinished = line.number }
      guard let first = lines.first else {
        refuse(1, "the log is empty; its first line is the header idx, label, predict, radius, correct, time, or a row")
        return log
      }
      let before = problems.count
      if Int(first.fields[0]) == nil {
        findColumns(in: first)
        lines.removeFirst()
      } else {
        assumeColumns(of: first)
      }
      guard problems.count == before else { return log }
      log.hasIndices = places[.index] != nil
      log.hasFullRadii = places[.fullRadius] != nil
      log.ignoredColumns = ignored
      var seen: [Key: Int] = [:]
      for line in lines {
        let known = problems.count
        if let row = row(line), line.number != unfinished || places[.time] == width - 1 {
          if row.statedCorrect != row.isCorrect, places[.correct] != nil { log.differingCorrect.append(line.number) }
          if let index = row.index, let earlier = seen.updateValue(line.number, forKey: Key(index, row.sigma)) {
            refuse(line.number, "image \(index) stands in line \(earlier) already; keep one of the two", .index)
          }
          log.rows.append(row)
        } else if line.number == unfinished {
          problems.removeSubrange(known...)
          log.cutLine = line.number
        }
      }
      return log
    }

    private struct Key: Hashable {
      let index: Int
      let sigma: ExactDecimal?
      init(_ index: Int, _ sigma: ExactDecimal?) { (self.index, self.sigma) = (index, sigma) }
    }

    private struct Line {
      /// From 1.
      let number: Int
      let fields: [String]
    }

    /// Lines that hold anything, cut at tabs, without spaces around fields.
    private static func lines(of bytes: [UInt8]) -> [Line] {
      var lines: [Line] = []
      let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
      for (index, line) in content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
        let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false).map { field in
          let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\r") }
          var field = field.drop(while: isSpace)
          while let last = field.last, isSpace(last) { field.removeLast() }
          return String(decoding: field, as: UTF8.self)
        }
        if fields != [""] { lines.append(Line(number: index + 1, fields: fields)) }
      }
      return lines
    }

    private mutating func refuse(_ line: Int, _ message: String, _ column: Column? = nil) {
      problems.append(TableProblem(line: line, column: column?.rawValue ?? "", message: message))
    }

    private mutating func findColumns(in header: Line) {
      width = header.fields.count
      for (place, field) in header.fields.enumerated() {
        let name = field.lowercased()
        if let column = Column(rawValue: name == "prediction" ? "predict" : name) {
          if places.updateValue(place, forKey: column) != nil {
            refuse(header.number, "named twice; keep one", column)
          }
        } else {
          ignored.append(Self.shown(field))
        }
      }
      for column in [Column.label, .predict, .radius] where places[column] == nil {
        let found = header.fields.prefix(12).map(Self.shown).joined(separator: ", ")
        refuse(
          header.number,
          "missing; the header names \(found). Logs are tab separated and name label, predict and radius", column)
      }
    }

    private mutating func assumeColumns(of row: Line) {
      width = row.fields.count
      let bare: [Column] = [.label, .predict, .radius, .correct, .time]
      switch width {
      case 5: places = Dictionary(uniqueKeysWithValues: bare.enumerated().map { ($1, $0) })
      case 6: places = Dictionary(uniqueKeysWithValues: ([.index] + bare).enumerated().map { ($1, $0) })
      default:
        refuse(
          row.number,
          "\(width) columns and no header; a log without one has label, predict, radius, correct, time, or an idx before "
            + "them, separated by tabs. Add a header line that names the columns")
      }
    }

    /// One row; nil, with problems, unless all of it can be used.
    private mutating func row(_ line: Line) -> Row? {
      guard line.fields.count == width else {
        refuse(
          line.number, "\(line.fields.count) columns where the first line has \(width); complete or remove the line")
        return nil
      }
      let before = problems.count
      let label = number(.label, line, from: 0, "a class") ?? 0
      let predicted = number(.predict, line, from: -1, "a class, or -1 for an abstention") ?? 0
      let index = places[.index] == nil ? nil : number(.index, line, from: 0, "an image index")
      var radius = decimal(.radius, line, "a certified radius, for example 0.735") ?? 0
      if places[.fullRadius] != nil { radius = decimal(.fullRadius, line, "a certified radius") ?? 0 }
      if predicted == -1, radius != 0 {
        refuse(line.number, "\(radius) beside predict -1; an abstention has radius 0.0", .radius)
      }
      var seconds: Double?
      if let text = text(.time, line), !text.isEmpty {
        seconds = CohenLog.seconds(text)
        if seconds == nil {
          refuse(line.number, "\"\(Self.shown(text))\" is no time; write seconds, 15.4, or h:mm:ss, 0:00:13.7", .time)
        }
      }
      let draws = places[.draws] == nil ? nil : number(.draws, line, from: 1, "a number of draws")
      let hits = (text(.hits, line) ?? "").isEmpty ? nil : number(.hits, line, from: 0, "a number of votes")
      if let hits, let draws, hits > draws { refuse(line.number, "\(hits) votes of \(draws) draws", .hits) }
      var sigma: ExactDecimal?
      if let text = text(.sigma, line) {
        sigma = ExactDecimal(text).flatMap { $0.value > 0 && $0.value <= 1000 ? $0 : nil }
        if sigma == nil {
          refuse(
            line.number, "\"\(Self.shown(text))\" is no noise level; write a decimal above 0, at most 1000", .sigma)
        }
      }
      guard problems.count == before else { return nil }
      return Row(
        line: line.number, index: index, label: label, predicted: predicted == -1 ? nil : predicted, radius: radius,
        statedCorrect: text(.correct, line).flatMap { ["1": true, "True": true, "0": false, "False": false][$0] },
        seconds: seconds, hits: hits, draws: draws, sigma: sigma)
    }

    private func text(_ column: Column, _ line: Line) -> String? { places[column].map { line.fields[$0] } }

    private mutating func number(_ column: Column, _ line: Line, from least: Int, _ what: String) -> Int? {
      let text = text(column, line) ?? ""
      if let value = Int(text), (least...Int(Int32.max)).contains(value) { return value }
      refuse(line.number, "\"\(Self.shown(text))\" is not \(what); write a whole number from \(least)", column)
      return nil
    }

    private mutating func decimal(_ column: Column, _ line: Line, _ what: String) -> Double? {
      let text = text(column, line) ?? ""
      if let value = ExactDecimal(text)?.value, value >= 0, value <= 1e6 { return value }
      refuse(line.number, "\"\(Self.shown(text))\" is not \(what); write a decimal from 0 to 1000000", column)
      return nil
    }

    /// The beginning of a field without control characters, fit for a message.
    private static func shown(_ text: String) -> String {
      let plain = String(
        String.UnicodeScalarView(text.unicodeScalars.prefix(40).filter { $0.value >= 0x20 && $0.value != 0x7F }))
      return plain.unicodeScalars.count < text.unicodeScalars.count ? plain + "…" : plain
    }
  }
}
