internal import Foundation

/// One trial with the runs it stands for, every setting resolved.
package struct TrialPlan: Sendable, Hashable {
  package var point: TrialPoint
  /// The runs by step. After a fine-tuning, `checkpoint` of the others is that run's name until it has made one.
  package var specs: [TrialStep: RunSpec]
}

extension SweepSpec {
  /// Name of a trial's run: `digits-007-finetune`, and `digits-007-finetune-2` when it is tried again.
  package static func runName(sweep: String, trial: Int, step: TrialStep, attempt: Int = 1) -> String {
    "\(sweep)-\(String(format: "%03d", trial))-\(step.rawValue)" + (attempt > 1 ? "-\(attempt)" : "")
  }

  /// Resolves a point into the trial's runs.
  ///
  /// - Throws: `RunFileError` with the problems of all its runs, each beginning with the step.
  package func plan(_ point: TrialPoint) throws -> TrialPlan {
    var specs: [TrialStep: RunSpec] = [:]
    var problems: [String] = []
    for step in steps {
      do { specs[step] = try RunSpec(settings: settings(of: step, at: point), freshSeed: { seed }) } catch {
        problems += ((error as? RunFileError)?.problems ?? ["\(error)"]).map { "\(step.rawValue): \($0)" }
      }
    }
    guard problems.isEmpty else { throw RunFileError(problems) }
    return TrialPlan(point: point, specs: specs)
  }

  /// Plans trials together.
  ///
  /// - Throws: `RunFileError`: each problem once, with the trials that have it unless all do.
  package func plan(_ points: [TrialPoint]) throws -> [TrialPlan] {
    var plans: [TrialPlan] = []
    var problems = TrialProblems(trials: points.count)
    for point in points {
      do { plans.append(try plan(point)) } catch let error as RunFileError { problems.add(error, trial: point) }
    }
    try problems.throwIfAny()
    return plans
  }

  /// A run's settings at a point: what all trials share, the parameters over it; for `confirm` those of `certify`, and
  /// its own over them.
  private func settings(of step: TrialStep, at point: TrialPoint) -> SettingValue {
    let base: TrialStep = step == .confirm ? .certify : step
    var settings = bases[base] ?? .map([:])
    for parameter in parameters where parameter.step == base {
      settings.set(parameter.key.split(separator: ".").map(String.init), to: value(of: parameter, at: point))
    }
    if step == .confirm, let own = bases[.confirm] { settings = settings.laid(under: own) }
    settings.set(["kind"], to: .string(step.kind.rawValue))
    settings.set(["name"], to: .string(Self.runName(sweep: name, trial: point.number, step: step)))
    if step != .finetune, bases[.finetune] != nil {
      settings.set(
        ["checkpoint"], to: .string(Self.runName(sweep: name, trial: point.number, step: .finetune)))
    }
    return settings
  }

  private func value(of parameter: SweepParameter, at point: TrialPoint) -> SettingValue {
    switch parameter.domain {
    case .scaled(let factor, let path):
      switch point.values[path] {
      case .int(let value): return .double(Self.tidy(Double(value) * factor))
      case .double(let value): return .double(Self.tidy(value * factor))
      default: return .null
      }
    case .paired(let values, let path):
      guard case .values(let list)? = parameters.first(where: { $0.path == path })?.domain,
        let value = point.values[path], let place = list.firstIndex(of: value)
      else { return .null }
      return values[place]
    default: return point.values[parameter.path] ?? .null
    }
  }

  /// A product without the dust of binary arithmetic: 3 · 0.1 is 0.3.
  private static func tidy(_ value: Double) -> Double { Double(String(format: "%.12g", value)) ?? value }
}

/// Problems of many trials, each told once.
package struct TrialProblems {
  private let trials: Int
  private var order: [String] = []
  private var points: [String: [TrialPoint]] = [:]

  package init(trials: Int) { self.trials = trials }

  package mutating func add(_ error: RunFileError, trial: TrialPoint) {
    for problem in error.problems {
      if points[problem] == nil { order.append(problem) }
      points[problem, default: []].append(trial)
    }
  }

  package func throwIfAny() throws {
    guard !order.isEmpty else { return }
    throw RunFileError(
      order.map { problem in
        let concerned = points[problem] ?? []
        guard concerned.count < trials, let first = concerned.first else { return problem }
        let values = first.values.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.shown)" }
        let others = concerned.count > 1 ? " and \(concerned.count - 1) more" : ""
        return "\(problem) (trial \(first.number): \(values.joined(separator: ", "))\(others))"
      })
  }
}

extension SettingValue {
  /// This value with `other` laid over it: groups are merged, anything else is replaced.
  func laid(under other: SettingValue) -> SettingValue {
    guard case .map(let mine) = self, case .map(let theirs) = other else { return other }
    return .map(mine.merging(theirs) { $0.laid(under: $1) })
  }
}
