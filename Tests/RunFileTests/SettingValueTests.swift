import Foundation
import TestSupport
import Testing

@testable import RunFile

@Suite("Settings") struct SettingValueTests {
  @Test("aliases of aliases are refused before they fill the memory")
  func aliases() throws {
    let levels = (1...12).map {
      "a\($0): &a\($0) [" + Array(repeating: "*a\($0 - 1)", count: 9).joined(separator: ", ") + "]"
    }
    let error = #expect(throws: (any Error).self) {
      try SettingValue(yaml: "a0: &a0 [x]\n" + levels.joined(separator: "\n"))
    }
    #expect("\(error!)".contains("more than 100000 values"))
    #expect(try SettingValue(yaml: "base: &b {n: 1}\nother: *b")["other"]?["n"] == .int(1))
  }

  @Test("YAML scalars become what they look like; a digest of digits keeps its zeros")
  func scalars() throws {
    let value = try SettingValue(
      yaml: """
        int: -3
        double: 2.5e-1
        whole: 1e3
        yes: true
        nothing: ~
        empty:
        text: plain text
        quoted: "17"
        digest: 01234567
        zero: 0
        list: [1, a, 0.5]
        """)
    #expect(value["int"] == .int(-3) && value["zero"] == .int(0))
    #expect(value["double"] == .double(0.25) && value["whole"] == .double(1000))
    #expect(value["nothing"] == .null && value["empty"] == .null)
    #expect(value["text"] == .string("plain text") && value["quoted"] == .string("17"))
    #expect(value["digest"] == .string("01234567"))
    #expect(value["list"] == .list([.int(1), .string("a"), .double(0.5)]))
  }

  @Test("a key given twice is an error, not a choice")
  func duplicateKeys() {
    #expect(throws: (any Error).self) { try SettingValue(yaml: "a: 1\na: 2") }
    #expect(throws: (any Error).self) { try SettingValue(yaml: "a: {b: 1, b: 2}") }
  }

  @Test(
    "a double's JSON is its shortest decimal and reads back as the same double",
    arguments: [
      (0.1, "0.1"), (0.12, "0.12"), (0.25, "0.25"), (1e-3, "0.001"), (3e-4, "0.0003"), (1.5e-5, "1.5e-05"),
      (0.30000000000000004, "0.30000000000000004"), (1.0 / 3, "0.3333333333333333"),
      (Double.leastNonzeroMagnitude, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"),
    ])
  func doubles(value: Double, text: String) throws {
    #expect(SettingValue.double(value).json == text)
    #expect(try SettingValue(yaml: text) == .double(value))
    #expect(try JSONDecoder().decode(SettingValue.self, from: Data(text.utf8)) == .double(value))
  }

  @Test("any double survives JSON and YAML to the bit")
  func randomDoubles() throws {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      let value = Double(bitPattern: generator.next())
      guard value.isFinite, value != value.rounded() else { continue }
      let json = SettingValue.double(value).json
      guard case .double(let back) = try SettingValue(yaml: json) else {
        Issue.record("\(json) is not read as a double")
        continue
      }
      #expect(back.bitPattern == value.bitPattern, "\(json)")
    }
  }

  @Test("the stored JSON has sorted keys, so that one run file has one text")
  func sortedKeys() {
    let value = SettingValue.map([
      "b": .int(1), "a": .list([.bool(true), .null]), "c": .map(["z": .int(1), "y": .int(2)]),
    ])
    #expect(value.json == #"{"a":[true,null],"b":1,"c":{"y":2,"z":1}}"#)
  }

  @Test("setting a path makes the groups on the way and leaves the rest")
  func paths() throws {
    var value = try SettingValue(yaml: "a: {b: 1, c: 2}")
    value.set(["a", "b"], to: .int(5))
    value.set(["x", "y"], to: .bool(true))
    #expect(value.json == #"{"a":{"b":5,"c":2},"x":{"y":true}}"#)
    #expect(value.value(at: "a.c") == .int(2) && value.value(at: "a.z.q") == .null)
  }

  @Test("what a type encodes keeps every double to the bit")
  func encoding() throws {
    struct Sample: Codable, Equatable {
      var whole = -1.0
      var third = 1.0 / 3
      var tiny = 1e-8
      var count = 300_000
      var word = "none"
      var flag = false
    }
    let value = try SettingValue(encoding: Sample())
    #expect(value["whole"] == .int(-1) && value["third"] == .double(1.0 / 3) && value["tiny"] == .double(1e-8))
    #expect(value["count"] == .int(300_000) && value["word"] == .string("none") && value["flag"] == .bool(false))
    #expect(try value.decode(Sample.self) == Sample())
  }
}
