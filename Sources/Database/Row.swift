/// One row of a result: the server's text per column, read by name as the type the caller expects.
///
/// Every accessor throws ``DatabaseError`` with code `bad_row` that names the column, the type and the text found, when
/// the column is missing, is NULL where a value is needed, or does not read as that type. The `…OrNil` forms give nil for
/// NULL.
package struct Row: Sendable {
  /// What all rows of a result share.
  final class Layout: Sendable {
    let names: [String]
    let types: [UInt32]
    let places: [String: Int]

    init(names: [String], types: [UInt32]) {
      self.names = names
      self.types = types
      places = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }
  }

  let layout: Layout
  let values: [String?]

  /// Column names in the statement's order.
  package var columns: [String] { layout.names }

  package func isNull(_ column: String) throws -> Bool { try values[place(column)] == nil }

  /// The server's text as it came; nil for NULL.
  package func textOrNil(_ column: String) throws -> String? { try values[place(column)] }
  package func text(_ column: String) throws -> String { try require(column, textOrNil(column), "text") }

  package func intOrNil(_ column: String) throws -> Int64? { try read(column, "a 64-bit integer") { Int64($0) } }
  package func int(_ column: String) throws -> Int64 { try require(column, intOrNil(column), "a 64-bit integer") }

  package func doubleOrNil(_ column: String) throws -> Double? { try read(column, "a number") { Double($0) } }
  package func double(_ column: String) throws -> Double { try require(column, doubleOrNil(column), "a number") }

  package func boolOrNil(_ column: String) throws -> Bool? {
    try read(column, "a boolean") { $0 == "t" ? true : $0 == "f" ? false : nil }
  }
  package func bool(_ column: String) throws -> Bool { try require(column, boolOrNil(column), "a boolean") }

  /// `bytea` in the server's default output form, `bytea_output = hex`.
  package func bytesOrNil(_ column: String) throws -> [UInt8]? {
    try read(column, "bytes in hexadecimal") { Hexadecimal.bytes($0) }
  }
  package func bytes(_ column: String) throws -> [UInt8] { try require(column, bytesOrNil(column), "bytes") }

  /// `smallint[]` and `integer[]`, one dimension, no NULL elements.
  package func intsOrNil(_ column: String) throws -> [Int32]? { try array(column, "an integer array") { Int32($0) } }
  package func ints(_ column: String) throws -> [Int32] { try require(column, intsOrNil(column), "an integer array") }

  package func bigintsOrNil(_ column: String) throws -> [Int64]? { try array(column, "a bigint array") { Int64($0) } }
  package func bigints(_ column: String) throws -> [Int64] {
    try require(column, bigintsOrNil(column), "a bigint array")
  }

  package func doublesOrNil(_ column: String) throws -> [Double]? {
    try array(column, "an array of numbers") { Double($0) }
  }
  package func doubles(_ column: String) throws -> [Double] {
    try require(column, doublesOrNil(column), "an array of numbers")
  }

  package func textsOrNil(_ column: String) throws -> [String]? { try array(column, "a text array") { $0 } }
  package func texts(_ column: String) throws -> [String] { try require(column, textsOrNil(column), "a text array") }
}

extension Row {
  private func place(_ column: String) throws -> Int {
    guard let place = layout.places[column] else {
      throw badRow("the result has no column \"\(column)\", only \(columns.joined(separator: ", "))", column)
    }
    return place
  }

  private func read<T>(_ column: String, _ expected: String, _ parse: (String) -> T?) throws -> T? {
    guard let text = try values[place(column)] else { return nil }
    guard let value = parse(text) else { throw try mismatch(column, expected) }
    return value
  }

  private func array<T>(_ column: String, _ expected: String, _ parse: (String) -> T?) throws -> [T]? {
    try read(column, expected) { text in
      guard let elements = ArrayText.parse(text) else { return nil }
      var parsed: [T] = []
      parsed.reserveCapacity(elements.count)
      for element in elements {
        guard let element, let value = parse(element) else { return nil }
        parsed.append(value)
      }
      return parsed
    }
  }

  private func require<T>(_ column: String, _ value: T?, _ expected: String) throws -> T {
    guard let value else { throw try mismatch(column, expected) }
    return value
  }

  private func mismatch(_ column: String, _ expected: String) throws -> DatabaseError {
    let place = try place(column)
    let found = values[place].map { text in text.count > 60 ? "\"\(text.prefix(60))…\"" : "\"\(text)\"" } ?? "NULL"
    let type = Row.typeNames[layout.types[place]] ?? "type \(layout.types[place])"
    return badRow("column \"\(column)\" should hold \(expected), found \(found) of type \(type)", column)
  }

  private func badRow(_ message: String, _ column: String) -> DatabaseError {
    DatabaseError(code: "bad_row", message: message, disposition: .permanent, column: column)
  }

  /// Names of the built-in types we meet, by object id (PostgreSQL source, `pg_type.dat`).
  private static let typeNames: [UInt32: String] = [
    16: "boolean", 17: "bytea", 18: "char", 19: "name", 20: "bigint", 21: "smallint", 23: "integer", 25: "text",
    26: "oid", 114: "json", 700: "real", 701: "double precision", 1005: "smallint[]", 1007: "integer[]",
    1009: "text[]", 1016: "bigint[]", 1022: "double precision[]", 1043: "varchar", 1082: "date", 1114: "timestamp",
    1184: "timestamptz", 1186: "interval", 1700: "numeric", 2950: "uuid", 3802: "jsonb",
  ]
}
