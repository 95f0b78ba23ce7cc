internal import ArgumentParser
internal import Foundation
internal import Report
internal import Smoothing

/// How a command prints its result.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table, json, csv, tsv
}

/// Option group of every command that prints rows.
struct OutputOptions: ParsableArguments {
  @Option(name: .long, help: "table for people; json, csv or tsv for programs.")
  var output: OutputFormat = .table
}

/// The columns of one result: a contract with programs. They keep their names and order; new ones go to the end.
struct RowLayout: Sendable {
  /// The flag that asks for these rows; nil for the verb's usual ones.
  var option: String?
  var columns: [String]
  /// Those that people see, when not all.
  var shown: [String]?
  /// One thing with its fields, which people read from top to bottom.
  var isRecord = false
}

/// A verb that answers with rows.
protocol AnswersWithRows {
  static var layouts: [RowLayout] { get }
}

/// Rows for people and programs: columns keep their names and order in every format.
struct OutputTable {
  enum Cell: Encodable {
    case text(String)
    case int(Int64)
    case double(Double)
    /// A proven bound, radius or probability, not negative: people see it shortened, never above what is proven.
    case bound(Double)
    /// The same for programs too: digits cut toward zero.
    case atLeast(Double)
    /// An upper bound, not negative: digits rounded up, never below what is proven.
    case atMost(Double)
    case bool(Bool)
    /// A hash; people see its first twelve digits.
    case digest(String)
    case none

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let value), .digest(let value): try container.encode(value)
      case .int(let value): try container.encode(value)
      case .double(let value) where value.isFinite, .bound(let value) where value.isFinite: try container.encode(value)
      case .atLeast(let value), .atMost(let value): try container.encode(value)
      case .bool(let value): try container.encode(value)
      case .double, .bound, .none: try container.encodeNil()
      }
    }

    /// For people: numbers to three decimals, dashes for nothing.
    var shown: String {
      switch self {
      // Names come from outside: no escape sequence of theirs reaches a terminal.
      case .text(let value): Escape.plain(value)
      case .int(let value): String(value)
      // Three decimals; three digits where those would say too little.
      case .double(let value): String(format: value != 0 && abs(value) < 0.01 ? "%.3g" : "%.3f", value)
      case .bound(let value): value.isFinite && value >= 0 ? NumberText.radius(value) : "\(value)"
      case .atLeast(let value): NumberText.radius(value)
      case .atMost(let value): NumberText.fixedUp(value, places: 3)
      case .bool(let value): value ? "yes" : "no"
      case .digest(let value): String(value.prefix(12))
      case .none: "–"
      }
    }

    /// For programs: full precision, nothing for nothing and for what is no number.
    var exact: String {
      switch self {
      case .text(let value), .digest(let value): value
      case .int(let value): String(value)
      case .double(let value), .bound(let value): value.isFinite ? "\(value)" : ""
      case .atLeast(let value): NumberText.down17(value)
      case .atMost(let value): NumberText.up17(value)
      case .bool(let value): value ? "true" : "false"
      case .none: ""
      }
    }

    var isNumber: Bool {
      switch self {
      case .int, .double, .bound, .atLeast, .atMost: true
      default: false
      }
    }
  }

  let layout: RowLayout
  var columns: [String] { layout.columns }
  var rows: [[Cell]] = []

  init(_ layout: RowLayout) { self.layout = layout }
  init(_ columns: [String]) { self.init(RowLayout(columns: columns)) }

  /// - Precondition: a cell per column, in their order.
  mutating func add(_ row: [Cell]) {
    precondition(row.count == columns.count, "\(row.count) cells for the columns \(columns)")
    rows.append(row)
  }

  func text(_ format: OutputFormat) -> String {
    switch format {
    case .table: layout.isRecord ? records : table
    case .json: json
    case .csv: separated(by: ",")
    case .tsv: separated(by: "\t")
    }
  }

  /// Places of the columns that people see.
  private var visible: [Int] {
    layout.shown.map { shown in shown.map { columns.firstIndex(of: $0)! } } ?? Array(columns.indices)
  }

  private var table: String {
    let names = visible.map { columns[$0] }
    let cells = rows.map { row in visible.map { row[$0] } }
    let shown = cells.map { $0.map(\.shown) }
    let widths = names.indices.map { column in
      max(names[column].count, shown.map { $0[column].count }.max() ?? 0)
    }
    let right = names.indices.map { column in
      !cells.isEmpty && cells.allSatisfy { $0[column].isNumber || $0[column].shown == "–" }
    }
    func line(_ cells: [String]) -> String {
      let padded = cells.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - cells[column].count)
        return right[column] ? padding + cells[column] : cells[column] + padding
      }
      return Self.trimmed(padded.joined(separator: "  "))
    }
    return ([line(names)] + shown.map(line)).joined(separator: "\n") + "\n"
  }

  /// A line per field that has something; records are set apart by an empty line.
  private var records: String {
    let width = visible.map { columns[$0].count }.max() ?? 0
    return rows.map { row in
      visible.filter { if case .none = row[$0] { false } else { true } }.map { column in
        let name = columns[column].padding(toLength: width, withPad: " ", startingAt: 0)
        // A hash stands in full where there is room for it.
        let cell = if case .digest(let digest) = row[column] { digest } else { row[column].shown }
        return Self.trimmed("\(name)  \(cell)") + "\n"
      }.joined()
    }.joined(separator: "\n")
  }

  private static func trimmed(_ line: String) -> String {
    var line = line
    while line.last == " " { line.removeLast() }
    return line
  }

  private var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    func quoted(_ value: some Encodable) -> String {
      (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }
    let objects = rows.map { row in
      "{" + zip(columns, row).map { "\(quoted($0)): \(quoted($1))" }.joined(separator: ", ") + "}"
    }
    return objects.isEmpty ? "[]\n" : "[\n  " + objects.joined(separator: ",\n  ") + "\n]\n"
  }

  private func separated(by separator: String) -> String {
    func field(_ text: String) -> String {
      guard separator == "," else {
        return text.replacing("\t", with: " ").replacing("\r\n", with: " ").replacing("\n", with: " ")
          .replacing("\r", with: " ")
      }
      guard text.contains(where: { ",\"\r\n".contains($0) || $0 == "\r\n" }) else { return text }
      return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
    return ([columns] + rows.map { $0.map(\.exact) })
      .map { $0.map(field).joined(separator: separator) + "\n" }.joined()
  }

  func print(_ options: OutputOptions) { Console.out(text(options.output)) }
}

extension OutputTable.Cell {
  static func text(_ value: String?) -> Self { value.map { .text($0) } ?? .none }
  static func digest(_ value: String?) -> Self { value.map { .digest($0) } ?? .none }
  static func int(_ value: Int) -> Self { .int(Int64(value)) }
  static func int(_ value: Int?) -> Self { value.map { .int(Int64($0)) } ?? .none }
  static func int(_ value: Int64?) -> Self { value.map { .int($0) } ?? .none }
  static func double(_ value: Double?) -> Self { value.map { .double($0) } ?? .none }
  static func bound(_ value: Double?) -> Self { value.map { .bound($0) } ?? .none }
}
