internal import Foundation

/// Takes typed values out of merged settings by dotted path, collecting what is wrong.
final class SettingReader {
  private var settings: SettingValue
  private let defaults: SettingValue
  private(set) var problems: [String] = []

  /// - Parameter defaults: what stands in for a wrong value, so that reading goes on to the next one.
  init(_ settings: SettingValue, defaults: SettingValue) {
    self.settings = settings
    self.defaults = defaults
  }

  func value(_ path: String) -> SettingValue { settings.value(at: path) }

  /// What stands at `path` where a file says nothing; nil unless a whole number.
  func defaultInt(_ path: String) -> Int? {
    if case .int(let value) = defaults.value(at: path) { return Int(exactly: value) }
    return nil
  }

  /// Notes that the value at `path` is wrong; `sentence` goes on after "PATH is VALUE; ".
  func problem(_ path: String, _ sentence: String) {
    let value = value(path)
    let shown = value == .null ? "missing" : value.shown
    let line = "\(path) is \(shown); \(sentence.hasPrefix("must") ? "it " : "")\(sentence)"
    if !problems.contains(line) { problems.append(line) }
  }

  func text(_ path: String) -> String {
    switch value(path) {
    case .string(let text) where !text.isEmpty: return text
    case .int, .double: return value(path).shown
    default:
      problem(path, "must be a name")
      return ""
    }
  }

  func int(_ path: String, in range: ClosedRange<Int>) -> Int {
    if case .int(let value) = value(path), let number = Int(exactly: value), range.contains(number) { return number }
    let bounds =
      range.upperBound == Int.max
      ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
    problem(path, "must be a whole number \(bounds)")
    return range.lowerBound
  }

  func optionalInt(_ path: String, in range: ClosedRange<Int>) -> Int? {
    value(path) == .null ? nil : int(path, in: range)
  }

  func optionalInts(_ path: String) -> [Int]? {
    switch value(path) {
    case .null: return nil
    case .list(let list):
      let numbers = list.compactMap { if case .int(let number) = $0, number >= 0 { Int(number) } else { nil } }
      if numbers.count != list.count || Set(numbers).count != numbers.count || numbers.isEmpty {
        problem(path, "must be a list of different whole numbers")
      }
      return numbers
    default:
      problem(path, "must be a list of different whole numbers")
      return nil
    }
  }

  func double(_ path: String) -> Double {
    switch value(path) {
    case .double(let value) where value.isFinite: return value
    case .int(let value): return Double(value)
    default:
      problem(path, "must be a number")
      return .nan
    }
  }

  func bool(_ path: String) -> Bool {
    if case .bool(let value) = value(path) { return value }
    problem(path, "must be true or false")
    return false
  }

  func list(_ path: String) -> [SettingValue] {
    if case .list(let list) = value(path) { return list }
    return []
  }

  func texts(_ path: String) -> [String] {
    let list = list(path)
    let texts = list.compactMap { if case .string(let text) = $0, !text.isEmpty { text } else { nil } }
    if texts.count != list.count { problem(path, "must be a list of names") }
    return texts
  }

  func choice<T: RawRepresentable & CaseIterable>(_ path: String, _ type: T.Type) -> T? where T.RawValue == String {
    if case .string(let text) = value(path), let choice = T(rawValue: text) { return choice }
    problem(path, "must be one of \(T.allCases.map(\.rawValue).joined(separator: ", "))")
    return nil
  }

  /// Decodes a whole section.
  ///
  /// - Parameter choices: the words that are allowed, by key of the section.
  /// - Returns: the section, with defaults in place of what does not fit.
  func section<T: Decodable>(_ path: String, _ type: T.Type, choices: [String: [String]]) throws -> T {
    for (key, words) in choices.sorted(by: { $0.key < $1.key }) {
      if case .string(let word) = value("\(path).\(key)"), words.contains(word) { continue }
      refuse("\(path).\(key)", "must be one of \(words.joined(separator: ", "))")
    }
    // The template's 0 does not tell whether fractions fit. The type does, but says neither where nor of how many.
    guard case .map(let given) = value(path) else { return try value(path).decode(type) }
    for (key, value) in given.sorted(by: { $0.key < $1.key }) {
      guard case .double = value, case .int = defaults.value(at: "\(path).\(key)") else { continue }
      var probe = defaults.value(at: path)
      probe.set([key], to: value)
      if (try? probe.decode(type)) == nil { refuse("\(path).\(key)", "must be a whole number") }
    }
    return try value(path).decode(type)
  }

  /// Notes that a value is wrong and goes on with its default.
  private func refuse(_ path: String, _ sentence: String) {
    problem(path, sentence)
    settings.set(path.split(separator: ".").map(String.init), to: defaults.value(at: path))
  }
}
