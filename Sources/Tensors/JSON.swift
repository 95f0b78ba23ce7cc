/// A JSON document, with members in the order of the text and numbers as they were written.
///
/// Used where a file's bytes are named by their hash, or where a hostile file must be refused for a repeated key:
/// both are outside what general decoders promise.
package indirect enum JSON: Sendable, Equatable {
  case null
  case bool(Bool)
  /// The number's text, for example `17` or `1e-3`.
  case number(String)
  case string(String)
  case array([JSON])
  /// Members in order; keys are unique.
  case object([Member])

  package struct Member: Sendable, Equatable {
    package let key: String
    package let value: JSON
    package init(_ key: String, _ value: JSON) {
      self.key = key
      self.value = value
    }
  }

  package static func number(_ value: Int) -> JSON { .number(String(value)) }

  /// The member of an object under `key`; nil where there is none or this is not an object.
  package subscript(key: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  package var string: String? { if case .string(let text) = self { text } else { nil } }
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var array: [JSON]? { if case .array(let values) = self { values } else { nil } }
  package var members: [Member]? { if case .object(let members) = self { members } else { nil } }
  /// The number as an integer; nil when it has a fraction, an exponent or is out of range.
  package var int: Int? { if case .number(let text) = self { Int(text) } else { nil } }
  package var double: Double? { if case .number(let text) = self { Double(text) } else { nil } }
}

// MARK: - Writing

extension JSON {
  /// The document as text; the same value always gives the same bytes.
  ///
  /// - Parameter indent: nil for one line without spaces; otherwise the number of spaces per level.
  package func text(indent: Int? = nil) -> String {
    var out = ""
    write(to: &out, indent: indent, level: 0)
    return out
  }

  private func write(to out: inout String, indent: Int?, level: Int) {
    func newline(_ level: Int) {
      guard let indent else { return }
      out += "\n" + String(repeating: " ", count: indent * level)
    }
    switch self {
    case .null: out += "null"
    case .bool(let value): out += value ? "true" : "false"
    case .number(let text): out += text
    case .string(let text): Self.quote(text, to: &out)
    case .array(let values):
      out += "["
      for (i, value) in values.enumerated() {
        if i > 0 { out += "," }
        newline(level + 1)
        value.write(to: &out, indent: indent, level: level + 1)
      }
      if !values.isEmpty { newline(level) }
      out += "]"
    case .object(let members):
      out += "{"
      for (i, member) in members.enumerated() {
        if i > 0 { out += "," }
        newline(level + 1)
        Self.quote(member.key, to: &out)
        out += indent == nil ? ":" : ": "
        member.value.write(to: &out, indent: indent, level: level + 1)
      }
      if !members.isEmpty { newline(level) }
      out += "}"
    }
  }

  private static func quote(_ text: String, to out: inout String) {
    out += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20:
        let hex = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: out.unicodeScalars.append(scalar)
      }
    }
    out += "\""
  }
}
