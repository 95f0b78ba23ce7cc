internal import ArgumentParser
internal import Foundation

/// How a command prints its result.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table, json, csv, tsv
}

/// Option group of every command that prints rows.
struct OutputOptions: ParsableArguments {
  @Option(name: .long, help: "table for people; json, csv or tsv for programs.")
  var output: OutputFormat = .table
}

/// Rows for people and programs: columns keep their names and order in every format.
struct OutputTable {
  enum Cell: Encodable {
    case text(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)
    case none

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let value): try container.encode(value)
      case .int(let value): try container.encode(value)
      case .double(let value): try container.encode(value)
      case .bool(let value): try container.encode(value)
      case .none: try container.encodeNil()
      }
    }

    /// For people: numbers to three decimals, dashes for nothing.
    var shown: String {
      switch self {
      case .text(let value): value
      case .int(let value): String(value)
      case .double(let value): String(format: "%.3f", value)
      case .bool(let value): value ? "yes" : "no"
      case .none: "–"
      }
    }

    /// For programs: full precision, nothing for nothing.
    var exact: String {
      switch self {
      case .text(let value): value
      case .int(let value): String(value)
      case .double(let value): "\(value)"
      case .bool(let value): value ? "true" : "false"
      case .none: ""
      }
    }

    var isNumber: Bool {
      switch self {
      case .int, .double: true
      default: false
      }
    }
  }

  let columns: [String]
  var rows: [[Cell]] = []

  init(_ columns: [String]) { self.columns = columns }

  mutating func add(_ row: [Cell]) {
    precondition(row.count == columns.count)
    rows.append(row)
  }

  func text(_ format: OutputFormat) -> String {
    switch format {
    case .table: table
    case .json: json
    case .csv: separated(by: ",")
    case .tsv: separated(by: "\t")
    }
  }

  private var table: String {
    let shown = rows.map { $0.map(\.shown) }
    let widths = columns.indices.map { column in
      max(columns[column].count, shown.map { $0[column].count }.max() ?? 0)
    }
    let right = columns.indices.map { column in
      !rows.isEmpty && rows.allSatisfy { $0[column].isNumber || $0[column].shown == "–" }
    }
    func line(_ cells: [String]) -> String {
      let padded = cells.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - cells[column].count)
        return right[column] ? padding + cells[column] : cells[column] + padding
      }
      var text = padded.joined(separator: "  ")
      while text.last == " " { text.removeLast() }
      return text
    }
    return ([line(columns)] + shown.map(line)).joined(separator: "\n") + "\n"
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
        return text.replacing("\t", with: " ").replacing("\n", with: " ")
      }
      guard text.contains(where: { ",\"\n\r".contains($0) }) else { return text }
      return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
    return ([columns] + rows.map { $0.map(\.exact) })
      .map { $0.map(field).joined(separator: separator) + "\n" }.joined()
  }

  func print(_ options: OutputOptions) { Console.out(text(options.output)) }
}

/// Results go to standard output, talk to standard error.
enum Console {
  /// Ends the program with status 74 when the output cannot take it, for example a full disk.
  static func out(_ text: String) {
    do { try FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) } catch {
      say("rrcm: the output could not be written: \(error.localizedDescription)")
      exit(74)
    }
  }

  static func say(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8)) }
}

/// A failure a person should read, with the exit code that belongs to it.
struct CommandFailure: Error, CustomStringConvertible, LocalizedError {
  let description: String
  init(_ description: String) { self.description = description }
  var errorDescription: String? { description }
}
