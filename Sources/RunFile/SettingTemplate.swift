/// Lays given settings over a template of defaults. The template names every key there is; `null` marks a key without a
/// default. Everything wrong is reported at once.
package struct SettingTemplate {
  package let defaults: SettingValue

  package init(_ defaults: SettingValue) { self.defaults = defaults }

  /// The template with `given` laid over it, and what is wrong with `given`, one sentence each.
  package func merged(with given: SettingValue) -> (value: SettingValue, problems: [String]) {
    var problems: [String] = []
    let value = Self.merge(defaults, given, path: "", problems: &problems)
    return (value, problems)
  }

  private static func merge(
    _ template: SettingValue, _ given: SettingValue, path: String, problems: inout [String]
  ) -> SettingValue {
    switch (template, given) {
    case (_, .double(let value)) where !value.isFinite:
      problems.append("\(path) is \(given.shown); it must be a finite number")
      return template
    case (.map(let known), .map(let present)):
      var merged = known
      for (key, value) in present.sorted(by: { $0.key < $1.key }) {
        let place = path.isEmpty ? key : "\(path).\(key)"
        guard let expected = known[key] else {
          let hint = nearest(to: key, among: known.keys).map { "did you mean \"\($0)\"?" }
          let all = "known keys: \(known.keys.sorted().joined(separator: ", "))"
          problems.append("\(place) is not a setting; \(hint ?? all)")
          continue
        }
        merged[key] = merge(expected, value, path: place, problems: &problems)
      }
      return .map(merged)
    case (.null, _), (.list, .list), (.bool, .bool), (.int, .int), (.string, .string), (.double, .double):
      return given
    case (.double, .int(let value)): return .double(Double(value))
    case (.string, .int), (.string, .double): return .string(given.shown)
    case (.list, .int), (.list, .double), (.list, .string): return .list([given])
    case (.int, .double(let value)):
      // A default of 0 does not tell whether fractions fit; whoever reads the value knows.
      return value == value.rounded() && abs(value) < 1e15 ? .int(Int64(value)) : given
    case (.map, .null), (.list, .null): return template
    default:
      problems.append("\(path.isEmpty ? "the run file" : path) is \(given.shown); it must be \(template.kind)")
      return template
    }
  }

  /// The known name with the fewest edits, when it is close enough to be meant.
  static func nearest(to name: String, among known: some Sequence<String>) -> String? {
    known.map { ($0, editDistance(name.lowercased(), $0)) }
      .filter { $0.1 <= max(1, min(3, name.count / 2)) }
      .min { ($0.1, $0.0) < ($1.1, $1.0) }?.0
  }

  /// Levenshtein distance.
  static func editDistance(_ a: String, _ b: String) -> Int {
    let b = Array(b)
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let substituted = diagonal + (x == y ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}

extension SettingValue {
  fileprivate var kind: String {
    switch self {
    case .null: "empty"
    case .bool: "true or false"
    case .int: "a whole number"
    case .double: "a number"
    case .string: "text"
    case .list: "a list"
    case .map: "a group of settings"
    }
  }
}
