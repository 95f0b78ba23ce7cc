internal import Noise

// Between a sweep file's settings and `SweepSpec`.
extension SweepSpec {
  /// Every key of a sweep file with its default; `null` where there is none.
  static let template: SettingValue = .map([
    "kind": .string("sweep"), "name": .null, "method": .null,
    "metric": .map(["name": .null, "goal": .null, "sigma": .null]), "parameters": .map([:]), "run_cap": .null,
    "seed": .null, "finetune": .null, "certify": .null, "confirm": .null,
  ])

  /// Reads a sweep file's settings, the runs' settings in place of file names, and checks everything that can be checked
  /// without a database: the sweep, and every trial's runs.
  ///
  /// - Parameter freshSeed: draws a seed when none is given.
  /// - Throws: `RunFileError` with every problem at once.
  package init(settings given: SettingValue, freshSeed: () -> Int64) throws {
    guard case .map = given else {
      throw RunFileError(["the sweep file is \(given.shown); it must be a group of settings"])
    }
    // The parameters are keyed by paths, not by settings of a template.
    let parameterSettings = given["parameters"] ?? .null
    var checked = given
    checked.set(["parameters"], to: .map([:]))
    var (merged, problems) = SettingTemplate(Self.template).merged(with: checked)
    if merged["seed"] == .null { merged.set(["seed"], to: .int(freshSeed())) }
    merged.set(["parameters"], to: parameterSettings)
    let reader = SettingReader(merged, defaults: Self.template)

    if merged["kind"] != .string("sweep") { reader.problem("kind", "must be sweep, or left out") }
    let method = reader.choice("method", Method.self) ?? .grid
    self.method = method
    name = reader.text("name")
    if name.count > 80 || !name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_.+".contains($0)) }) {
      reader.problem("name", "must be 1 to 80 letters, digits or -_.+")
    }
    if !name.isEmpty && name.allSatisfy(\.isNumber) {
      reader.problem("name", "must not be a number, which would read as a sweep's number")
    }
    seed = Int64(reader.int("seed", in: 0...Int.max))
    runCap = reader.optionalInt("run_cap", in: 1...Self.trialLimit)

    bases = Self.readBases(reader, problems: &problems)
    if bases[.finetune] == nil && bases[.certify] == nil && problems.isEmpty {
      reader.problem("certify", "must hold the settings of a run or name its file; so may finetune")
    }
    metric = Self.readMetric(reader, bases: bases)
    let (parameters, wrong) = SweepParameter.read(parameterSettings, bases: bases, method: method)
    self.parameters = parameters
    problems += reader.problems + wrong
    settings = merged

    if wrong.isEmpty {
      if method == .random, runCap == nil {
        problems.append("run_cap is missing; say how many trials a random search may try")
      } else if runCap == nil, let count = pointCount, count > Self.trialLimit {
        problems.append("run_cap is missing and the grid has \(count) points; name at most \(Self.trialLimit)")
      } else if !parameters.isEmpty {
        do { try checkSigmas(of: plan(nextTrials(given: []))) } catch let error as RunFileError {
          problems += error.problems.filter { !problems.contains($0) }
        }
      }
    }
    if !problems.isEmpty { throw RunFileError(problems) }
  }

  /// The settings that a sweep gives its runs; each must be a group, and know its keys.
  private static func readBases(_ reader: SettingReader, problems: inout [String]) -> [TrialStep: SettingValue] {
    var bases: [TrialStep: SettingValue] = [:]
    for step in TrialStep.allCases {
      let base = reader.value(step.rawValue)
      if base == .null { continue }
      guard case .map(let map) = base else {
        reader.problem(
          step.rawValue, "must be a group of settings" + (step == .confirm ? "" : " or the name of a file"))
        continue
      }
      bases[step] = base
      if let kind = map["kind"], kind != .string(step.kind.rawValue) {
        problems.append("\(step.rawValue).kind is \(kind.shown); it must be \(step.kind.rawValue)")
        continue
      }
      guard let template = try? RunSpec.template(step.kind) else { continue }
      problems += template.merged(with: base).problems.map { "\(step.rawValue): \($0)" }
    }
    if bases[.confirm] != nil && bases[.certify] == nil {
      problems.append("confirm needs certify, whose settings it changes; add certify")
    }
    for step in [TrialStep.certify, .confirm] where bases[.finetune] != nil {
      if let own = bases[step]?["checkpoint"], own != .null, bases[step]?["name"] == nil {
        problems.append(
          "\(step.rawValue).checkpoint is \(own.shown); it is what the trial's fine-tuning makes: leave it out")
      }
    }
    return bases
  }

  private static func readMetric(_ reader: SettingReader, bases: [TrialStep: SettingValue]) -> SweepMetric {
    let fallback = SweepMetric(name: "acr", sigma: nil)!
    var sigma: Sigma?
    if reader.value("metric.sigma") != .null {
      sigma = Sigma(reader.value("metric.sigma").shown)
      if sigma == nil {
        reader.problem("metric.sigma", "must be a positive number up to 1000, in the [0, 1] pixel range")
      }
    }
    let name = reader.text("metric.name")
    guard !name.isEmpty else { return fallback }
    guard let metric = SweepMetric(name: name, sigma: sigma) else {
      let names = ["certified_accuracy@0.5", "acr", "loss"]
      let hint = SettingTemplate.nearest(to: name, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
      reader.problem("metric.name", "must be certified_accuracy@R with a radius R, acr or loss" + hint)
      return fallback
    }
    if reader.value("metric.goal") != .null, let goal = reader.choice("metric.goal", SweepMetric.Goal.self),
      goal != metric.goal
    {
      reader.problem("metric.goal", "must be \(metric.goal.rawValue) for \(name); leave it out")
    }
    if metric.quantity == .loss {
      if bases[.finetune] == nil { reader.problem("metric.name", "needs finetune, which these trials do not do") }
      if sigma != nil { reader.problem("metric.sigma", "belongs to a certified metric; leave it out") }
    } else if bases[.certify] == nil {
      reader.problem("metric.name", "needs certify, which these trials do not do; loss would do without")
    }
    return metric
  }

  /// The metric must be measured at one noise level in every trial.
  private func checkSigmas(of plans: [TrialPlan]) throws {
    guard metric.quantity != .loss else { return }
    var problems = TrialProblems(trials: plans.count)
    for plan in plans {
      for (step, spec) in plan.specs.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
        guard case .certify(let smoothing) = spec.work else { continue }
        let levels = smoothing.sigmas.map(\.decimal).joined(separator: ", ")
        if let sigma = metric.sigma, !smoothing.sigmas.contains(sigma) {
          problems.add(
            RunFileError(["metric.sigma is \(sigma); \(step.rawValue) certifies at \(levels): name one of these"]),
            trial: plan.point)
        } else if metric.sigma == nil, smoothing.sigmas.count > 1 {
          problems.add(
            RunFileError([
              "metric.sigma is missing; \(step.rawValue) certifies at \(levels): say which of these ranks the trials"
            ]), trial: plan.point)
        }
      }
    }
    try problems.throwIfAny()
  }
}
