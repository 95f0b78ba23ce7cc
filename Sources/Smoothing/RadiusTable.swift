internal import Dispatch

/// Certificates for a table of counts: CSV in, the same CSV with `p_lower,radius,abstain` added out.
///
/// Columns `hits`, `draws`, `sigma` and `alpha` are found by name in any order, and so are `mode` and `runner_up_hits`
/// where there are any; all others are passed through as they stand. A row without a mode is `fixed`. `p_lower` and
/// `radius` have up to 17 digits, rounded toward zero; an abstention has radius 0 and abstain 1.
package enum RadiusTable {
  static let inputs = ["hits", "draws", "sigma", "alpha"]
  static let optional = ["mode", "runner_up_hits"]
  static let outputs = ["p_lower", "radius", "abstain"]

  package typealias Problem = TableProblem

  /// Everything wrong with the table; nothing was answered.
  package struct Failure: Error, Sendable, CustomStringConvertible {
    package let problems: [Problem]
    package var description: String { problems.map(\.description).joined(separator: "\n") }
  }

  /// Answers every row, or says everything that is wrong.
  ///
  /// - Complexity: about 0.2 ms per distinct (hits, draws, alpha), shared over the cores. Blocks its caller.
  package static func answer(_ text: String) throws(Failure) -> String {
    var problems: [Problem] = []
    var rows: [Row] = []
    var records = CSVRecords(Array(text.utf8))
    var columns: [Int]?
    var width = 0
    do throws(CSVRecords.Malformed) {
      if let header = try records.next() {
        width = header.fields.count
        columns = find(in: header, problems: &problems)
        rows.append(Row(record: header, question: nil))
      } else {
        problems.append(Problem(line: 1, column: "", message: "the table is empty; \(Self.wanted)"))
      }
      while let record = try records.next() {
        guard record.fields.count == width else {
          let message = "\(record.fields.count) fields where the header has \(width); quote fields that hold commas"
          problems.append(Problem(line: record.line, column: "", message: message))
          continue
        }
        guard let columns else { continue }
        if let question = question(record, columns: columns, problems: &problems) {
          rows.append(Row(record: record, question: question))
        }
      }
    } catch {
      problems.append(Problem(line: error.line, column: "", message: error.reason))
    }
    guard problems.isEmpty else { throw Failure(problems: problems) }
    return written(rows, of: records)
  }

  private struct Row {
    let record: CSVRecords.Record
    /// Nil for the header.
    let question: Question?
  }

  private struct Question: Hashable {
    let hits: Int
    let draws: Int
    let alpha: ExactDecimal
    let sigma: ExactDecimal
    var mode = CertificateQuestion.Mode.fixed
    var runnerUpHits = 0
  }

  private static let wanted =
    "its first line must name the columns hits, draws, sigma and alpha, for example "
    + "hits,draws,sigma,alpha"

  /// Where the inputs stand, the optional ones at -1 where they do not; nil, with problems, unless each stands once.
  private static func find(in header: CSVRecords.Record, problems: inout [Problem]) -> [Int]? {
    let names = header.fields.map { $0.drop { $0 == " " } }.map { name in
      var name = name
      while name.last == " " { name.removeLast() }
      return name.lowercased()
    }
    let before = problems.count
    var columns: [Int] = []
    for input in inputs {
      let places = names.indices.filter { names[$0] == input }
      if let place = places.first { columns.append(place) }
      if places.isEmpty {
        let message = "missing; the header is \(names.joined(separator: ",")), and \(Self.wanted)"
        problems.append(Problem(line: header.line, column: input, message: message))
      } else if places.count > 1 {
        problems.append(Problem(line: header.line, column: input, message: "named \(places.count) times; keep one"))
      }
    }
    for input in optional {
      let places = names.indices.filter { names[$0] == input }
      columns.append(places.first ?? -1)
      if places.count > 1 {
        problems.append(Problem(line: header.line, column: input, message: "named \(places.count) times; keep one"))
      }
    }
    for output in outputs where names.contains(output) {
      let message = "the answer adds a column of this name; rename or drop the one in the table"
      problems.append(Problem(line: header.line, column: output, message: message))
    }
    return problems.count == before ? columns : nil
  }

  /// One row's values; nil, with problems, unless all can be used.
  private static func question(
    _ record: CSVRecords.Record, columns: [Int], problems: inout [Problem]
  ) -> Question? {
    let before = problems.count
    func text(_ input: Int) -> Substring {
      guard columns[input] >= 0 else { return "" }
      var text = record.fields[columns[input]].drop { $0 == " " }
      while text.last == " " { text.removeLast() }
      return text
    }
    func refuse(_ input: Int, _ message: String) {
      problems.append(Problem(line: record.line, column: (inputs + optional)[input], message: message))
    }
    let draws = Int(text(1)).flatMap { (1...ClopperPearson.largestDraws).contains($0) ? $0 : nil }
    if draws == nil {
      refuse(
        1, "\"\(text(1))\" is not a number of draws; write a whole number from 1 to \(ClopperPearson.largestDraws)")
    }
    let hits = Int(text(0)).flatMap { $0 >= 0 && $0 <= draws ?? .max ? $0 : nil }
    if hits == nil {
      let most = draws.map { "the row's draws, \($0)" } ?? "the row's draws"
      refuse(0, "\"\(text(0))\" is not a number of hits; write a whole number from 0 to \(most)")
    }
    let sigma = ExactDecimal(text(2)).flatMap { $0.value > 0 && $0.value <= 1000 ? $0 : nil }
    if sigma == nil {
      refuse(2, "\"\(text(2))\" is not a noise level; write a decimal above 0 and at most 1000, for example 0.25")
    }
    let alpha = ExactDecimal(text(3))
    if let problem = alpha.map({ ClopperPearson.problem(alpha: $0) })
      ?? "\"\(text(3))\" is not a failure probability; write a decimal, for example 0.001"
    {
      refuse(3, problem)
    }
    let mode = text(4).isEmpty ? .fixed : CertificateQuestion.Mode(rawValue: text(4).lowercased())
    if mode == nil {
      refuse(
        4, "\"\(text(4))\" is not a mode; write one of \(CertificateQuestion.Mode.words), or leave it empty for fixed")
    }
    var runnerUpHits = 0
    if mode == .runnerUp {
      let most = draws.flatMap { draws in hits.map { draws - $0 } }
      if let given = Int(text(5)), given >= 0 && given <= most ?? .max {
        runnerUpHits = given
      } else {
        refuse(
          5,
          "\"\(text(5))\" is not the votes of the runner-up; write a whole number from 0 to "
            + (most.map { "the row's draws less its hits, \($0)" } ?? "the row's draws less its hits"))
      }
    }
    guard problems.count == before, let hits, let draws, let sigma, let alpha, let mode else { return nil }
    return Question(hits: hits, draws: draws, alpha: alpha, sigma: sigma, mode: mode, runnerUpHits: runnerUpHits)
  }

  private static func written(_ rows: [Row], of records: CSVRecords) -> String {
    let questions = Array(Set(rows.compactMap(\.question)))
    let answers = Dictionary(uniqueKeysWithValues: zip(questions, certificates(questions)))
    var out: [UInt8] = []
    for row in rows {
      out += records.bytes[row.record.text]
      let added = row.question.map { answers[$0]! } ?? outputs.joined(separator: ",")
      out += ("," + added + records.lineEnd).utf8
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The three added fields of every question, on all cores: bounds of one (hits, draws, alpha) are computed once.
  private static func certificates(_ questions: [Question]) -> [String] {
    struct Key: Hashable {
      let hits: Int
      let draws: Int
      let alpha: ExactDecimal
      let mode: CertificateQuestion.Mode
      let runnerUpHits: Int
    }
    func key(_ question: Question) -> Key {
      Key(
        hits: question.hits, draws: question.draws, alpha: question.alpha, mode: question.mode,
        runnerUpHits: question.runnerUpHits)
    }
    let keys = Array(Set(questions.map(key)))
    let answers = onAllCores(keys) {
      CertificateQuestion(mode: $0.mode, hits: $0.hits, draws: $0.draws, alpha: $0.alpha, runnerUpHits: $0.runnerUpHits)
        .unscaled()
    }
    let table = Dictionary(uniqueKeysWithValues: zip(keys, answers))
    return questions.map { question in
      let (bounds, z) = table[key(question)]!
      let radius = z.map { NumberText.down17(question.sigma.scaledDown($0)) }
      return "\(NumberText.down17(bounds.lower.value)),\(radius ?? "0"),\(radius == nil ? 1 : 0)"
    }
  }

  private static func onAllCores<Input: Sendable, Output: Sendable>(
    _ inputs: [Input], _ transform: @Sendable (Input) -> Output
  ) -> [Output] {
    let share = 64
    return [Output](unsafeUninitializedCapacity: inputs.count) { buffer, initialized in
      nonisolated(unsafe) let buffer = buffer
      DispatchQueue.concurrentPerform(iterations: (inputs.count + share - 1) / share) { part in
        for index in part * share..<min((part + 1) * share, inputs.count) {
          buffer.initializeElement(at: index, to: transform(inputs[index]))
        }
      }
      initialized = inputs.count
    }
  }
}
