/// PostgreSQL's text syntax of one-dimensional arrays, `{1,2}` and `{"a b",NULL}`
/// (PostgreSQL documentation, "Array Input and Output Syntax").
enum ArrayText {
  /// Numbers as an array literal.
  static func join(_ values: [some CustomStringConvertible]) -> String {
    var text = "{"
    for (index, value) in values.enumerated() {
      if index > 0 { text += "," }
      text += value.description
    }
    return text + "}"
  }

  /// Strings as an array literal, every one quoted, so that `NULL`, commas and blanks stay themselves.
  static func quote(_ values: [String]) -> String {
    var text = "{"
    for (index, value) in values.enumerated() {
      text += index > 0 ? ",\"" : "\""
      for scalar in value.unicodeScalars {
        if scalar == "\"" || scalar == "\\" { text.unicodeScalars.append("\\") }
        text.unicodeScalars.append(scalar)
      }
      text += "\""
    }
    return text + "}"
  }

  /// The elements of a one-dimensional array literal; nil elements are NULLs.
  ///
  /// - Returns: nil when the text is no such literal, nested arrays and explicit bounds included.
  static func parse(_ text: String) -> [String?]? {
    var rest = Substring(text).utf8
    guard rest.popFirst() == UInt8(ascii: "{"), rest.popLast() == UInt8(ascii: "}") else { return nil }
    var elements: [String?] = []
    if rest.isEmpty { return elements }
    while true {
      guard let element = element(from: &rest) else { return nil }
      elements.append(element.value)
      guard let next = rest.popFirst() else { return elements }
      guard next == UInt8(ascii: ",") else { return nil }
    }
  }

  private static func element(from rest: inout Substring.UTF8View) -> (value: String?, ())? {
    var bytes: [UInt8] = []
    if rest.first == UInt8(ascii: "\"") {
      rest.removeFirst()
      while let byte = rest.popFirst() {
        switch byte {
        case UInt8(ascii: "\""): return (String(decoding: bytes, as: UTF8.self), ())
        case UInt8(ascii: "\\"):
          guard let escaped = rest.popFirst() else { return nil }
          bytes.append(escaped)
        default: bytes.append(byte)
        }
      }
      return nil
    }
    while let byte = rest.first, byte != UInt8(ascii: ",") {
      if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "\"") { return nil }
      bytes.append(byte)
      rest.removeFirst()
    }
    if bytes.isEmpty { return nil }
    let value = String(decoding: bytes, as: UTF8.self)
    return (value == "NULL" ? nil : value, ())
  }
}

/// PostgreSQL's `\x…` syntax of `bytea`.
enum Hexadecimal {
  static func text(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(unsafeUninitializedCapacity: 2 + 2 * bytes.count) { buffer in
      buffer[0] = UInt8(ascii: "\\")
      buffer[1] = UInt8(ascii: "x")
      for (index, byte) in bytes.enumerated() {
        buffer[2 + 2 * index] = digits[Int(byte >> 4)]
        buffer[3 + 2 * index] = digits[Int(byte & 15)]
      }
      return 2 + 2 * bytes.count
    }
  }

  /// The bytes of a `\x…` literal; nil when the text is none.
  static func bytes(_ text: String) -> [UInt8]? {
    var rest = text.utf8.makeIterator()
    guard rest.next() == UInt8(ascii: "\\"), rest.next() == UInt8(ascii: "x") else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity((text.utf8.count - 2) / 2)
    while let high = rest.next() {
      guard let low = rest.next(), let top = nibble(high), let bottom = nibble(low) else { return nil }
      bytes.append(top << 4 | bottom)
    }
    return bytes
  }

  private static func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
