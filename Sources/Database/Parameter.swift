/// One bound value of a statement, sent as text with its type left to the server.
///
/// Because the type comes from the place where `$1` stands, `.int` fits any integer, float or numeric column; write a
/// cast (`$1::bigint`) where the server has nothing to infer from.
package enum Parameter: Sendable, Equatable {
  case null
  case bool(Bool)
  case int(Int64)
  /// Shortest text that reads back as the same float64; NaN and both infinities included.
  case double(Double)
  /// UTF-8 without U+0000, which PostgreSQL cannot store.
  case text(String)
  /// `bytea`, sent as hexadecimal.
  case bytes([UInt8])
  /// A complete JSON document, for `json` and `jsonb`.
  case json(String)
  /// `smallint[]` or `integer[]`.
  case ints([Int32])
  case bigints([Int64])
  case doubles([Double])
  case texts([String])
  /// `text[]` of `smallint[]` or `integer[]` literals, for lists of unequal length: `unnest($1::text[])`, then a cast of each.
  case intLists([[Int32]])

  package static func int(_ value: Int) -> Parameter { .int(Int64(value)) }

  /// The value, or SQL NULL when there is none: `.optional(deadline.map { .double($0) })`.
  package static func optional(_ value: Parameter?) -> Parameter { value ?? .null }
}

extension Parameter: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral
{
  package init(nilLiteral: ()) { self = .null }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(integerLiteral value: Int64) { self = .int(value) }
  package init(floatLiteral value: Double) { self = .double(value) }
  package init(stringLiteral value: String) { self = .text(value) }
}

extension Parameter {
  /// The value in PostgreSQL's text input syntax; nil for NULL.
  var wireText: String? {
    switch self {
    case .null: nil
    case .bool(let value): value ? "t" : "f"
    case .int(let value): String(value)
    case .double(let value): value.description
    case .text(let value), .json(let value): value
    case .bytes(let value): Hexadecimal.text(value)
    case .ints(let values): ArrayText.join(values)
    case .bigints(let values): ArrayText.join(values)
    case .doubles(let values): ArrayText.join(values)
    case .texts(let values): ArrayText.quote(values)
    case .intLists(let lists): ArrayText.quote(lists.map { ArrayText.join($0) })
    }
  }

  /// ``wireText``, refusing U+0000, which would silently cut the value short.
  ///
  /// - Parameter place: what the message calls the value, for example `$3` or `row 7, column "name"`.
  /// - Throws: ``DatabaseError`` with code `bad_parameter`.
  func checkedText(_ place: @autoclosure () -> String) throws -> String? {
    guard let text = wireText else { return nil }
    switch self {
    case .text, .json, .texts:
      if text.utf8.contains(0) {
        throw DatabaseError(
          code: "bad_parameter",
          message: "\(place()) holds the character U+0000, which PostgreSQL text cannot store. Remove it or use bytes",
          disposition: .permanent)
      }
    default: break
    }
    return text
  }
}

/// Calls `body` with the parameters laid out as libpq wants them: pointers to NUL-ended text, nil for NULL.
func withWireParameters<R>(
  _ parameters: [Parameter], _ body: (UnsafePointer<UnsafePointer<CChar>?>?, Int32) throws -> R
) throws -> R {
  if parameters.count > 65_535 {
    throw DatabaseError(
      code: "bad_parameter",
      message: "a statement takes at most 65535 parameters, \(parameters.count) given. Use arrays or COPY",
      disposition: .permanent)
  }
  var bytes: [CChar] = []
  var offsets: [Int?] = []
  offsets.reserveCapacity(parameters.count)
  for (index, parameter) in parameters.enumerated() {
    guard let text = try parameter.checkedText("parameter $\(index + 1)") else {
      offsets.append(nil)
      continue
    }
    offsets.append(bytes.count)
    bytes.append(contentsOf: text.utf8.lazy.map { CChar(bitPattern: $0) })
    bytes.append(0)
  }
  return try bytes.withUnsafeBufferPointer { buffer in
    let pointers: [UnsafePointer<CChar>?] = offsets.map { offset in offset.map { buffer.baseAddress! + $0 } }
    return try pointers.withUnsafeBufferPointer { try body($0.baseAddress, Int32(parameters.count)) }
  }
}
