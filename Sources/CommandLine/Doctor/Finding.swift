/// What one of the doctor's checks found.
struct Finding: Sendable {
  /// The ten commonest troubles and two more, in the order in which they are looked for: the first ones explain the later.
  enum Check: String, CaseIterable {
    case database, pooling, readOnly = "read_only", connections, horizon, schema, parts, workers, numerics, refusals,
      held,
      store, files
  }

  enum State: String {
    case fine = "ok"
    case trouble
    /// It could not be looked at, because of an earlier trouble.
    case skipped
    /// A version, not a check.
    case info
  }

  let check: String
  let state: State
  /// What is seen, with names and numbers.
  let symptom: String
  /// Why that is so, as far as it can be known.
  var cause: String?
  /// What to do, beginning with the command where there is one.
  var remedy: String?

  static func fine(_ check: Check, _ symptom: String) -> Finding {
    Finding(check: check.rawValue, state: .fine, symptom: symptom)
  }

  static func trouble(_ check: Check, _ symptom: String, cause: String, remedy: String) -> Finding {
    Finding(check: check.rawValue, state: .trouble, symptom: symptom, cause: cause, remedy: remedy)
  }

  static func skipped(_ check: Check, because reason: String) -> Finding {
    Finding(check: check.rawValue, state: .skipped, symptom: reason)
  }

  static func version(_ name: String, _ value: String) -> Finding {
    Finding(check: name, state: .info, symptom: value)
  }

  /// Names in a sentence: the first five and how many more there are.
  static func names(_ names: [String]) -> String {
    names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
  }
}
