internal import Foundation

/// Takes typed values out of merged settings by dotted path, collecting what is wrong.
final class SettingReader {
  private let settings: SettingValue
  private(set) var problems: [String] = []

  init(_ settings: SettingValue) { self.settings = settings }

  func value(_ path: String) -> SettingValue {
    path.split(separator: ".").reduce(settings as SettingValue?) { $0?[String($1)] } ?? .null
  }

  /// Notes that the value at `path` is wrong; `sentence` goes on after "PATH is VALUE; it ".
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

  func choice<T: RawRepresentable & CaseIterable>(_ path: String, _ type: T.Type) -> T? where T.RawValue == String {
    if case .string(let text) = value(path), let choice = T(rawValue: text) { return choice }
    problem(path, "must be one of \(T.allCases.map(\.rawValue).joined(separator: ", "))")
    return nil
  }

  /// Decodes a whole section; its own type checks the values.
  func section<T: Decodable>(_ path: String, _ type: T.Type) -> T? {
    do { return try value(path).decode(type) } catch let error as DecodingError {
      let (context, what): (DecodingError.Context, String) =
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
          .dataCorrupted(let context):
          (context, context.debugDescription)
        @unknown default: (.init(codingPath: [], debugDescription: "\(error)"), "\(error)")
        }
      let place = ([path] + context.codingPath.map(\.stringValue)).joined(separator: ".")
      problem(place, "does not fit: \(what)")
    } catch {
      problem(path, "does not fit: \(error)")
    }
    return nil
  }
}
