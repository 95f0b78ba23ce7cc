internal import Foundation
internal import Yams

/// A value of a run file: what YAML and JSON have in common.
package indirect enum SettingValue: Sendable, Hashable, Codable {
  case null
  case bool(Bool)
  case int(Int64)
  case double(Double)
  case string(String)
  case list([SettingValue])
  case map([String: SettingValue])

  package init(from decoder: any Decoder) throws {
    if let keyed = try? decoder.container(keyedBy: Key.self) {
      var map: [String: SettingValue] = [:]
      for key in keyed.allKeys { map[key.stringValue] = try keyed.decode(SettingValue.self, forKey: key) }
      self = .map(map)
      return
    }
    if var list = try? decoder.unkeyedContainer() {
      var values: [SettingValue] = []
      while !list.isAtEnd { values.append(try list.decode(SettingValue.self)) }
      self = .list(values)
      return
    }
    let single = try decoder.singleValueContainer()
    if single.decodeNil() {
      self = .null
    } else if let value = try? single.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? single.decode(Int64.self) {
      self = .int(value)
    } else if let value = try? single.decode(Double.self) {
      self = .double(value)
    } else {
      self = .string(try single.decode(String.self))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    switch self {
    case .map(let map):
      var container = encoder.container(keyedBy: Key.self)
      for (key, value) in map { try container.encode(value, forKey: Key(stringValue: key)!) }
    case .list(let list):
      var container = encoder.unkeyedContainer()
      for value in list { try container.encode(value) }
    default:
      var container = encoder.singleValueContainer()
      switch self {
      case .bool(let value): try container.encode(value)
      case .int(let value): try container.encode(value)
      case .double(let value): try container.encode(value)
      case .string(let value): try container.encode(value)
      default: try container.encodeNil()
      }
    }
  }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}

extension SettingValue {
  /// Parses one YAML document (JSON is YAML).
  package init(yaml text: String) throws {
    guard let node = try Yams.compose(yaml: text) else {
      self = .null
      return
    }
    var room = Self.largestDocument
    self = try SettingValue(node, room: &room)
  }

  /// YAML scalars by the core schema's types; anything else is text. So is a number with needless zeros before it: it
  /// is the beginning of a digest, not octal.
  ///
  /// - Parameter room: values that may still follow. Aliases of aliases make a document of a few lines endless.
  private init(_ node: Node, room: inout Int) throws {
    room -= 1
    guard room >= 0 else { throw TooLarge() }
    switch node {
    case .mapping(let mapping):
      var map: [String: SettingValue] = [:]
      for (key, value) in mapping { map[key.string ?? "\(key)"] = try SettingValue(value, room: &room) }
      self = .map(map)
    case .sequence(let sequence):
      self = .list(try sequence.map { try SettingValue($0, room: &room) })
    default:
      if node.null != nil {
        self = .null
      } else if let text = node.scalar?.string, text.wholeMatch(of: /0[0-9]+/) != nil || text.contains(":") {
        // Nor are times numbers to base 60, as in YAML 1.1; reading them as such overflows in Yams.
        self = .string(text)
      } else if let value = node.bool {
        self = .bool(value)
      } else if let value = node.int {
        self = .int(Int64(value))
      } else if let value = node.float {
        self = .double(value)
      } else {
        self = .string(node.string ?? "")
      }
    }
  }

  private static let largestDocument = 100_000

  private struct TooLarge: Error, CustomStringConvertible {
    var description: String {
      "it holds more than \(SettingValue.largestDocument) values, those of aliases counted; write fewer"
    }
  }

  /// The value an `Encodable` writes; whole doubles become integers.
  package init(encoding value: some Encodable) throws {
    self = try JSONDecoder().decode(SettingValue.self, from: JSONEncoder().encode(value))
  }

  /// Reads a `Decodable` back.
  package func decode<T: Decodable>(_ type: T.Type) throws -> T {
    try JSONDecoder().decode(type, from: JSONEncoder().encode(self))
  }

  /// JSON with sorted keys: the form that is stored.
  package var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
  }

  /// For messages: what a person wrote.
  package var shown: String {
    switch self {
    case .string(let text): "\"\(text)\""
    case .double(let value) where !value.isFinite: "\(value)"
    case .list(let list): "[" + list.map(\.shown).joined(separator: ", ") + "]"
    default: json
    }
  }

  /// The value at a dotted path; null where there is none.
  func value(at path: String) -> SettingValue {
    path.split(separator: ".").reduce(self as SettingValue?) { $0?[String($1)] } ?? .null
  }

  package subscript(key: String) -> SettingValue? {
    if case .map(let map) = self { return map[key] }
    return nil
  }

  /// Sets the value at a dotted path, making maps on the way.
  package mutating func set(_ path: [String], to value: SettingValue) {
    guard let first = path.first else {
      self = value
      return
    }
    var map: [String: SettingValue] = [:]
    if case .map(let present) = self { map = present }
    var child = map[first] ?? .map([:])
    child.set(Array(path.dropFirst()), to: value)
    map[first] = child
    self = .map(map)
  }
}
