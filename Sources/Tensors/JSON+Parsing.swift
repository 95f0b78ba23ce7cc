extension JSON {
  /// Reads one JSON document (RFC 8259), with nothing but white space after it.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8 text.
  ///   - file: name for error messages.
  /// - Throws: `FormatError` with the byte position for malformed text, invalid UTF-8, a key that occurs twice in one
  ///   object, or nesting deeper than 64 levels.
  package init(parsing bytes: Bytes, file: String) throws(FormatError) {
    self = try bytes.withUnsafeBytes { (region) throws(FormatError) in
      var parser = JSONParser(text: region, file: file)
      return try parser.document()
    }
  }
}

private struct JSONParser {
  let text: UnsafeRawBufferPointer
  let file: String
  var position = 0
  static let maximumDepth = 64

  init(text: UnsafeRawBufferPointer, file: String) {
    self.text = text
    self.file = file
  }

  mutating func document() throws(FormatError) -> JSON {
    let value = try value(depth: 0)
    skipSpace()
    guard position == text.count else { throw problem("text after the end of the document") }
    return value
  }

  func problem(_ what: String) -> FormatError {
    FormatError(
      file: file, field: "JSON at byte \(position)", value: what, remedy: "the text must be one valid JSON document")
  }

  var next: UInt8? { position < text.count ? text[position] : nil }

  mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  mutating func expect(_ character: Unicode.Scalar) throws(FormatError) {
    guard let byte = next, byte == UInt8(ascii: character) else {
      throw problem(next == nil ? "the end of the text where \"\(character)\" belongs" : "not a \"\(character)\"")
    }
    position += 1
  }

  mutating func value(depth: Int) throws(FormatError) -> JSON {
    guard depth < Self.maximumDepth else { throw problem("nested deeper than \(Self.maximumDepth) levels") }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case nil: throw problem("the end of the text where a value belongs")
    default: return try number()
    }
  }

  mutating func word(_ word: StaticString, _ value: JSON) throws(FormatError) -> JSON {
    let matches = word.withUTF8Buffer { expected in
      position + expected.count <= text.count && text[position..<position + expected.count].elementsEqual(expected)
    }
    guard matches else { throw problem("not a JSON value") }
    position += word.utf8CodeUnitCount
    return value
  }

  mutating func object(depth: Int) throws(FormatError) -> JSON {
    try expect("{")
    var members: [JSON.Member] = []
    var seen: Set<String> = []
    skipSpace()
    if next == UInt8(ascii: "}") {
      position += 1
      return .object([])
    }
    while true {
      skipSpace()
      let key = try string()
      guard seen.insert(key).inserted else { throw problem("the key \"\(key)\" for the second time") }
      skipSpace()
      try expect(":")
      members.append(JSON.Member(key, try value(depth: depth + 1)))
      skipSpace()
      if next == UInt8(ascii: ",") {
        position += 1
        continue
      }
      try expect("}")
      return .object(members)
    }
  }

  mutating func array(depth: Int) throws(FormatError) -> JSON {
    try expect("[")
    var values: [JSON] = []
    skipSpace()
    if next == UInt8(ascii: "]") {
      position += 1
      return .array([])
    }
    while true {
      values.append(try value(depth: depth + 1))
      skipSpace()
      if next == UInt8(ascii: ",") {
        position += 1
        continue
      }
      try expect("]")
      return .array(values)
    }
  }

  mutating func number() throws(FormatError) -> JSON {
    let start = position
    func digits() -> Int {
      let from = position
      while let byte = next, byte >= 0x30 && byte <= 0x39 { position += 1 }
      return position - from
    }
    if next == UInt8(ascii: "-") { position += 1 }
    let leadingZero = next == UInt8(ascii: "0")
    let whole = digits()
    guard whole > 0, !(leadingZero && whole > 1) else { throw problem("not a JSON value") }
    if next == UInt8(ascii: ".") {
      position += 1
      guard digits() > 0 else { throw problem("a number without digits after its point") }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      guard digits() > 0 else { throw problem("a number without digits in its exponent") }
    }
    return .number(String(decoding: text[start..<position], as: UTF8.self))
  }

  mutating func string() throws(FormatError) -> String {
    try expect("\"")
    var units: [UInt8] = []
    while true {
      guard let byte = next else { throw problem("the end of the text inside a string") }
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let result = String(validating: units, as: UTF8.self) else { throw problem("not valid UTF-8") }
        return result
      case UInt8(ascii: "\\"): units.append(contentsOf: try escape())
      case 0..<0x20: throw problem("a raw control character inside a string")
      default: units.append(byte)
      }
    }
  }

  mutating func escape() throws(FormatError) -> [UInt8] {
    guard let byte = next else { throw problem("the end of the text inside a string") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      var units = [try hexUnit()]
      if UTF16.isLeadSurrogate(units[0]) {
        try expect("\\")
        try expect("u")
        units.append(try hexUnit())
      }
      guard let text = String(validating: units, as: UTF16.self) else { throw problem("an unpaired surrogate") }
      return Array(text.utf8)
    default: throw problem("an unknown escape in a string")
    }
  }

  mutating func hexUnit() throws(FormatError) -> UInt16 {
    guard position + 4 <= text.count else { throw problem("the end of the text inside a string") }
    var unit: UInt16 = 0
    for byte in text[position..<position + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw problem("not a hex digit") }
      unit = unit << 4 | UInt16(digit)
    }
    position += 4
    return unit
  }
}
