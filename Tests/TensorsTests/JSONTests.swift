import Testing

import Tensors

@Suite struct JSONTests {
  private func parse(_ text: String) throws -> JSON { try JSON(parsing: Bytes(Array(text.utf8)), file: "test") }

  @Test("a document is read with member order, escapes and number text kept")
  func reads() throws {
    let value = try parse(" {\"b\": [1, -2.50e+3, true, null], \"a\": \"\\u00e9\\ud83d\\ude00\\n\\/\"} ")
    #expect(
      value
        == .object([
          .init("b", .array([.number("1"), .number("-2.50e+3"), .bool(true), .null])),
          .init("a", .string("é😀\n/")),
        ]))
    #expect(value["b"]?.array?[1].double == -2500)
    #expect(value["b"]?.array?[1].int == nil)
  }

  @Test("text that was written is read back equal, compact or indented", arguments: [nil, 2])
  func roundTrip(indent: Int?) throws {
    let value = JSON.object([
      .init("text", .string("\u{1}\"\\\t é")), .init("list", .array([.number(3), .array([]), .object([])])),
    ])
    #expect(try parse(value.text(indent: indent)) == value)
  }

  @Test(
    "text that is not exactly one JSON document is refused",
    arguments: [
      "", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "01", "1.", ".5", "+1", "1e", "nul", "\"a", "\"\\x\"", "\"\\ud800\"",
      "\"\\udc00\\ud800\"", "\"\n\"", "{} {}", "'a'", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "NaN",
      String(repeating: "[", count: 100_000),
    ])
  func refused(text: String) {
    #expect(throws: FormatError.self) { try parse(text) }
  }

  @Test("bytes that are not UTF-8 are refused")
  func notUTF8() {
    #expect(throws: FormatError.self) { try JSON(parsing: Bytes([0x22, 0xFF, 0x22]), file: "test") }
  }
}
