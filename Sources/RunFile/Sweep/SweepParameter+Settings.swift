internal import Foundation

extension SweepParameter {
  /// Reads the `parameters` of a sweep file.
  ///
  /// - Returns: the parameters, sorted by path, and everything that is wrong with them.
  static func read(
    _ given: SettingValue, bases: [TrialStep: SettingValue], method: SweepSpec.Method
  ) -> (parameters: [SweepParameter], problems: [String]) {
    guard case .map(let map) = given, !map.isEmpty else {
      let shown = given == .null ? "missing" : given.shown
      return (
        [], ["parameters is \(shown); it must name settings to try, for example training.eta: {values: [0.5, 1]}"]
      )
    }
    var parameters: [SweepParameter] = []
    var problems: [String] = []
    let places = Places(bases: bases)
    for (path, settings) in map.sorted(by: { $0.key < $1.key }) {
      do {
        let (step, key) = try places.find(path)
        let domain = try readDomain(settings, path: path, method: method)
        parameters.append(SweepParameter(path: path, step: step, key: key, domain: domain))
      } catch { problems += (error as? RunFileError)?.problems ?? ["\(error)"] }
    }
    for (place, same) in Dictionary(grouping: parameters, by: { "\($0.step.rawValue).\($0.key)" }) where same.count > 1
    {
      problems.append("parameters names \(place) twice: \(same.map(\.path).joined(separator: " and ")); keep one")
    }
    for parameter in parameters { problems += parameter.followingProblems(among: parameters, known: map.keys.sorted()) }
    if problems.isEmpty, !parameters.contains(where: \.isFree) {
      problems.append("parameters has only followers; give one of them values")
    }
    return (parameters, problems)
  }

  private static func readDomain(
    _ settings: SettingValue, path: String, method: SweepSpec.Method
  ) throws -> Domain {
    let place = "parameters.\(path)"
    guard case .map(let map) = settings else {
      throw RunFileError(["\(place) is \(settings.shown); it must be a group such as {values: [0.5, 1]}"])
    }
    let template = SettingTemplate(.map(Dictionary(uniqueKeysWithValues: domainKeys.map { ($0, .null) })))
    let (merged, unknown) = template.merged(with: settings)
    var problems = unknown.map { "\(place).\($0)" }
    let reader = SettingReader(merged, defaults: template.defaults)
    let allowed: (String, Set<String>) =
      map["follows"] != nil
      ? ("follows", ["follows", "times", "values"])
      : map["values"] != nil ? ("values", ["values"]) : ("distribution", ["min", "max", "distribution"])
    for key in map.keys.sorted() where merged[key] != nil && !allowed.1.contains(key) {
      problems.append("\(place).\(key) does not go with \(allowed.0); leave one of them out")
    }
    let domain = readDomain(reader, method: method)
    problems += reader.problems.map { "\(place).\($0)" }
    guard problems.isEmpty, let domain else { throw RunFileError(problems) }
    return domain
  }

  private static func readDomain(_ reader: SettingReader, method: SweepSpec.Method) -> Domain? {
    let values = reader.value("values")
    if reader.value("follows") != .null {
      let leader = reader.text("follows")
      if values != .null { return reader.different(values).map { .paired($0, with: leader) } }
      let factor = reader.value("times") == .null ? 1 : reader.double("times")
      return .scaled(by: factor, of: leader)
    }
    if values != .null { return reader.different(values).map { .values($0) } }
    guard reader.value("min") != .null || reader.value("max") != .null || reader.value("distribution") != .null else {
      reader.problem("values", "must be a list; a random search may take min, max and distribution instead")
      return nil
    }
    guard method == .random else {
      reader.problem("values", "must be a list: a grid has no distributions; write values, or method: random")
      return nil
    }
    guard let distribution = reader.choice("distribution", Distribution.self) else { return nil }
    if distribution == .intUniform {
      let low = reader.int("min", in: -(1 << 53)...(1 << 53))
      let high = reader.int("max", in: -(1 << 53)...(1 << 53))
      if high < low { reader.problem("max", "must be at least min (\(low))") }
      return high < low ? nil : .intUniform(min: Int64(low), max: Int64(high))
    }
    let (low, high) = (reader.double("min"), reader.double("max"))
    guard low.isFinite, high.isFinite else { return nil }
    if high < low { reader.problem("max", "must be at least min (\(low))") }
    if distribution == .logUniform, low <= 0 { reader.problem("min", "must be above 0 for log_uniform") }
    guard reader.problems.isEmpty else { return nil }
    return distribution == .uniform ? .uniform(min: low, max: high) : .logUniform(min: low, max: high)
  }

  /// The keys of one parameter.
  static let domainKeys: Set<String> = ["values", "min", "max", "distribution", "follows", "times"]

  enum Distribution: String, CaseIterable {
    case uniform
    case logUniform = "log_uniform"
    case intUniform = "int_uniform"
  }

  /// What is wrong with a follower's leader.
  private func followingProblems(among parameters: [SweepParameter], known: [String]) -> [String] {
    let path: String
    switch domain {
    case .scaled(_, let leader), .paired(_, let leader): path = leader
    default: return []
    }
    let place = "parameters.\(self.path).follows is \"\(path)\""
    guard let leader = parameters.first(where: { $0.path == path }) else {
      if known.contains(path) { return [] }  // it has problems of its own
      let hint = SettingTemplate.nearest(to: path, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
      return ["\(place); it must be another parameter" + hint]
    }
    guard leader.isFree else { return ["\(place); that one follows another itself: follow the one with values"] }
    switch (domain, leader.domain) {
    case (.paired(let mine, _), .values(let theirs)) where mine.count != theirs.count:
      return ["\(place), which has \(theirs.count) values; parameters.\(self.path).values has \(mine.count): pair them"]
    case (.paired, .values): return []
    case (.paired, _): return ["\(place), which has no values to pair with; write times"]
    case (_, .values(let theirs)) where !theirs.allSatisfy(\.isNumber):
      return ["\(place), whose values are not all numbers; write one value for each in values"]
    default: return []
    }
  }
}

extension SettingReader {
  /// A list of at least one value, all different.
  fileprivate func different(_ value: SettingValue) -> [SettingValue]? {
    guard case .list(let list) = value, !list.isEmpty else {
      problem("values", "must be a list of at least one value")
      return nil
    }
    // A follower may give one value twice.
    // 1 and 1.0 are one number.
    let canonical = list.map { value in
      if case .int(let number) = value { SettingValue.double(Double(number)) } else { value }
    }
    if self.value("follows") == .null, Set(canonical).count != list.count {
      problem("values", "must not name a value twice")
      return nil
    }
    return list
  }
}

extension SettingValue {
  fileprivate var isNumber: Bool {
    switch self {
    case .int, .double: true
    default: false
    }
  }
}

/// The settings that a sweep may try: keys of its runs, and how a sweep file may write them.
struct Places {
  private var places: [String: [(step: TrialStep, key: String)]] = [:]

  /// - Parameter bases: the runs of a trial.
  init(bases: [TrialStep: SettingValue]) {
    for step in [TrialStep.finetune, .certify] where bases[step] != nil {
      for key in Self.keys(of: step.kind) {
        if step == .certify && key == "checkpoint" && bases[.finetune] != nil { continue }
        places[key, default: []].append((step, key))
        places["\(step.rawValue).\(key)"] = [(step, key)]
      }
    }
  }

  /// The setting that a path means.
  func find(_ path: String) throws -> (step: TrialStep, key: String) {
    guard let found = places[path] else {
      let hint = SettingTemplate.nearest(to: path, among: places.keys).map { "; did you mean \"\($0)\"?" }
      throw RunFileError([
        "parameters.\(path) is not a setting of these runs" + (hint ?? "; docs/run-files.md lists them")
      ])
    }
    guard found.count == 1 else {
      throw RunFileError([
        "parameters.\(path) is a setting of both runs; write finetune.\(path) or certify.\(path)"
      ])
    }
    return found[0]
  }

  /// Every setting of a kind of run, but for what a sweep decides itself.
  static func keys(of kind: RunSpec.Kind) -> [String] {
    var keys: [String] = []
    func collect(_ value: SettingValue, _ path: String) {
      guard case .map(let map) = value else {
        keys.append(path)
        return
      }
      for (key, value) in map { collect(value, path.isEmpty ? key : "\(path).\(key)") }
    }
    if let template = try? RunSpec.template(kind) { collect(template.defaults, "") }
    return keys.filter { $0 != "kind" && $0 != "name" }.sorted()
  }
}
