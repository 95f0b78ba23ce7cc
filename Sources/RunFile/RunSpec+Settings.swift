internal import Models
internal import Noise
internal import Smoothing
internal import Training

// Between a run file's settings and `RunSpec`.
extension RunSpec {
  /// Every key of a kind with its default; `null` where a default would be a guess.
  static func template(_ kind: Kind) throws -> SettingTemplate {
    var map: [String: SettingValue] = [
      "kind": .string(kind.rawValue), "name": .null, "seed": .null, "priority": .int(0), "weight": .int(100),
      "dataset": .map([
        "name": .null, "split": .string(kind == .certify ? "heldout" : "train"), "every": .int(1), "offset": .int(0),
        "limit": .null, "indices": .null,
      ]),
    ]
    if kind != .pretrain { map["checkpoint"] = .null }
    switch kind {
    case .pretrain:
      map["training"] = try SettingValue(encoding: PretrainConfiguration())
      map["model"] = .map([
        "patch": .null, "width": .null, "depth": .null, "heads": .null, "mlp_ratio": .int(4),
        "projector_hidden": .int(2048), "projector_output": .int(256),
      ])
    case .finetune:
      map["training"] = try SettingValue(encoding: FinetuneConfiguration())
      map["model"] = .map(["final_norm": .bool(false), "levels": .int(81)])
    case .certify:
      map["smoothing"] = .map([
        "sigma": .list([]), "n0": .int(100), "n": .int(100_000), "alpha": .double(0.001), "sampler": .string("grid"),
        "m": .null, "mode": .string("fixed"), "targets": .list([]), "epsilon": .null, "curtail": .bool(false),
        "runner_up": .bool(false),
      ])
      map["chunk_samples"] = .null
      map["numerics"] = .list([])
      map["audit"] = .map(["share": .double(0.005)])
    }
    return SettingTemplate(.map(map))
  }

  /// Reads settings: lays them over the defaults of their kind and checks everything.
  ///
  /// - Parameters:
  ///   - given: the parsed file, with environment and command line already laid over it.
  ///   - freshSeed: draws a seed when none is given.
  /// - Throws: `RunFileError` with every problem at once.
  package init(settings given: SettingValue, freshSeed: () -> Int64) throws {
    let kinds = Kind.allCases.map(\.rawValue).joined(separator: ", ")
    guard case .map = given else {
      throw RunFileError(["the run file is \(given.shown); it must be a group of settings beginning with kind: certify"]
      )
    }
    guard let kindValue = given["kind"] else {
      throw RunFileError(["kind is missing; add one of \(kinds)"])
    }
    if kindValue == .string("sweep") {
      throw RunFileError(["kind is \"sweep\"; a sweep file is not a run file: rrcm sweep create takes it"])
    }
    guard case .string(let kindName) = kindValue, let kind = Kind(rawValue: kindName) else {
      throw RunFileError(["kind is \(kindValue.shown); it must be one of \(kinds)"])
    }
    let template = try Self.template(kind)
    var (merged, problems) = template.merged(with: given)
    if merged["seed"] == .null { merged.set(["seed"], to: .int(freshSeed())) }
    let reader = SettingReader(merged, defaults: template.defaults)

    self.kind = kind
    name = reader.text("name")
    if name.count > 100 || !name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_.+".contains($0)) }) {
      reader.problem("name", "must be 1 to 100 letters, digits or -_.+")
    }
    if !name.isEmpty && name.allSatisfy(\.isNumber) {
      reader.problem("name", "must not be a number, which would read as a run's number")
    }
    seed = Int64(reader.int("seed", in: 0...Int.max))
    priority = reader.int("priority", in: -1_000_000...1_000_000)
    weight = reader.int("weight", in: 1...1_000_000)
    dataset = DatasetSelection(
      name: reader.text("dataset.name"), split: reader.text("dataset.split"),
      every: reader.int("dataset.every", in: 1...Int.max), offset: reader.int("dataset.offset", in: 0...Int.max),
      limit: reader.optionalInt("dataset.limit", in: 1...Int.max), indices: reader.optionalInts("dataset.indices"))
    checkpoint = kind == .pretrain ? nil : reader.text("checkpoint")

    switch kind {
    case .pretrain:
      let shape = EncoderShape(
        patch: reader.int("model.patch", in: 1...4096), width: reader.int("model.width", in: 1...65_536),
        depth: reader.int("model.depth", in: 1...256), heads: reader.int("model.heads", in: 1...1024),
        mlpRatio: reader.int("model.mlp_ratio", in: 1...16),
        projectorHidden: reader.int("model.projector_hidden", in: 1...1_000_000),
        projectorOutput: reader.int("model.projector_output", in: 1...1_000_000))
      if shape.heads > 0, shape.width % shape.heads != 0 {
        reader.problem("model.width", "must be a multiple of model.heads (\(shape.heads))")
      }
      let training = try reader.section("training", PretrainConfiguration.self, choices: PretrainConfiguration.choices)
      work = .pretrain(training, shape)
      problems += reader.problems + training.problems
    case .finetune:
      let training = try reader.section("training", FinetuneConfiguration.self, choices: FinetuneConfiguration.choices)
      work = .finetune(
        training,
        ClassifierShape(
          finalNorm: reader.bool("model.final_norm"), levels: reader.int("model.levels", in: 2...100_000)))
      problems += reader.problems + training.problems
    case .certify:
      let smoothing = Smoothing(reader)
      work = .certify(smoothing)
      problems += reader.problems
    }
    if !problems.isEmpty { throw RunFileError(problems) }
  }

  /// The settings of this run, complete: reading them again gives an equal value.
  package var settings: SettingValue {
    get throws {
      var value = try Self.template(kind).defaults
      value.set(["name"], to: .string(name))
      value.set(["seed"], to: .int(seed))
      value.set(["priority"], to: .int(Int64(priority)))
      value.set(["weight"], to: .int(Int64(weight)))
      value.set(["dataset"], to: try SettingValue(encoding: dataset))
      if let checkpoint { value.set(["checkpoint"], to: .string(checkpoint)) }
      switch work {
      case .pretrain(let training, let shape):
        value.set(["training"], to: try SettingValue(encoding: training))
        value.set(["model"], to: try SettingValue(encoding: shape))
      case .finetune(let training, let shape):
        value.set(["training"], to: try SettingValue(encoding: training))
        value.set(["model"], to: try SettingValue(encoding: shape))
      case .certify(let smoothing):
        value.set(
          ["smoothing"],
          to: .map([
            "sigma": .list(smoothing.sigmas.map { .double($0.value) }), "n0": .int(Int64(smoothing.n0)),
            "n": .int(Int64(smoothing.n)), "alpha": .double(smoothing.alpha),
            "sampler": .string(smoothing.sampler.rawValue), "m": smoothing.m.map { .int(Int64($0)) } ?? .null,
            "mode": .string(smoothing.mode.rawValue),
            "targets": .list(smoothing.targets.map { .double($0.value) }),
            "epsilon": smoothing.epsilon.map { .double($0) } ?? .null, "curtail": .bool(smoothing.curtail),
            "runner_up": .bool(smoothing.runnerUp),
          ]))
        value.set(["chunk_samples"], to: .int(Int64(smoothing.chunkSamples)))
        value.set(["numerics"], to: .list(smoothing.numerics.map { .string($0) }))
        value.set(["audit", "share"], to: .double(smoothing.auditShare))
      }
      return value
    }
  }
}

extension Smoothing {
  fileprivate init(_ reader: SettingReader) {
    sigmas = []
    for value in reader.list("smoothing.sigma") {
      guard let sigma = Sigma(value.shown) else {
        reader.problem("smoothing.sigma", "must be positive numbers up to 1000, in the [0, 1] pixel range")
        break
      }
      sigmas.append(sigma)
    }
    if reader.list("smoothing.sigma").isEmpty {
      reader.problem("smoothing.sigma", "must name at least one noise level, for example [0.25, 0.5, 1.0]")
    }
    if Set(sigmas).count != sigmas.count { reader.problem("smoothing.sigma", "must not name a level twice") }
    n0 = reader.int("smoothing.n0", in: 1...1_000_000)
    n = reader.int("smoothing.n", in: 1...2_000_000_000)
    // Estimation is what certifies; more draws for choosing a class than for bounding it are a mistake.
    if n0 > n && reader.value("smoothing.mode").shown != Mode.predict.rawValue {
      reader.problem("smoothing.n0", "must be at most smoothing.n (\(n)); lower it or raise n")
    }
    alpha = reader.double("smoothing.alpha")
    if !(alpha >= ClopperPearson.smallestAlpha && alpha <= 0.5) {
      let limit = alpha > 0 && alpha < 0.5 ? ", and at least \(ClopperPearson.smallestAlpha)" : ""
      reader.problem("smoothing.alpha", "must be above 0 and at most 0.5\(limit); 0.001 is usual")
    }
    sampler = reader.choice("smoothing.sampler", SamplerName.self) ?? .grid
    m = reader.optionalInt("smoothing.m", in: 1...65_536)
    if m != nil && sampler == .gaussian {
      reader.problem("smoothing.m", "it belongs to the grid sampler; leave it out")
    }
    mode = reader.choice("smoothing.mode", Mode.self) ?? .fixed
    (targets, epsilon, curtail, runnerUp) = Self.modeSettings(mode, reader)
    // PREDICT tests the estimation votes alone; the selection chunk, which every item has, is kept as small as it can be.
    if mode == .predict {
      if n0 != 1 && n0 != reader.defaultInt("smoothing.n0") {
        reader.problem("smoothing.n0", "mode predict tests the estimation draws alone; leave it out")
      }
      n0 = 1
    }
    let stopsEarly = mode == .sequential || mode == .epsilon || curtail
    chunkSamples = reader.optionalInt("chunk_samples", in: 1...1_000_000) ?? (stopsEarly ? 250 : 1000)
    numerics = reader.texts("numerics")
    auditShare = reader.double("audit.share")
    if !(auditShare >= 0 && auditShare <= 1) {
      reader.problem("audit.share", "must be 0 (no audits) to 1 (every chunk); 0.005 is usual")
    }
    if n >= 1, alpha > 0, alpha <= 0.5, let exact = ExactDecimal(alpha),
      let smallest = Certificate.smallestDraws(alpha: certificateMode.share(of: exact)), n < smallest
    {
      reader.problem(
        "smoothing.n",
        "it is too small: with alpha \(alpha) even a unanimous vote of fewer than \(smallest) draws cannot certify;"
          + " raise n to \(smallest) or more, or raise alpha")
    }
    if sampler == .grid, alpha > 0 {
      for sigma in sigmas {
        do { try GridTable.requireUsable(sigma: sigma, m: m ?? GridTable.defaultM(for: sigma)) } catch {
          reader.problem("smoothing.sigma", "\(error)")
        }
      }
    }
  }
}

extension Smoothing {
  /// What belongs to some modes only; each is refused where it would do nothing.
  private static func modeSettings(
    _ mode: Mode, _ reader: SettingReader
  ) -> (targets: [ExactDecimal], epsilon: Double?, curtail: Bool, runnerUp: Bool) {
    let (curtail, runnerUp) = (reader.bool("smoothing.curtail"), reader.bool("smoothing.runner_up"))
    for (key, isSet) in [("curtail", curtail), ("runner_up", runnerUp)] where isSet && mode != .fixed {
      reader.problem("smoothing.\(key)", "it belongs to mode fixed; leave it out")
    }
    if curtail && runnerUp {
      reader.problem("smoothing.runner_up", "it cannot go with smoothing.curtail; leave one of them out")
    }
    var targets: [ExactDecimal] = []
    for value in reader.list("smoothing.targets") {
      guard let target = ExactDecimal(value.shown), target.value >= 0, target.value <= 1000 else {
        reader.problem("smoothing.targets", "must be radii from 0 to 1000, for example [0, 0.25, 0.5]")
        break
      }
      targets.append(target)
    }
    if Set(targets).count != targets.count { reader.problem("smoothing.targets", "must not name a radius twice") }
    let needsTargets = mode == .sequential || curtail
    if needsTargets && reader.list("smoothing.targets").isEmpty {
      reader.problem(
        "smoothing.targets", "must name the radii to decide, for example [0, 0.25, 0.5]: they are what stops the draws")
    }
    if !needsTargets && !targets.isEmpty {
      reader.problem("smoothing.targets", "it belongs to mode sequential and to curtail: true; leave it out")
    }
    var epsilon: Double?
    if reader.value("smoothing.epsilon") != .null {
      epsilon = reader.double("smoothing.epsilon")
      if mode != .epsilon {
        reader.problem("smoothing.epsilon", "it belongs to mode epsilon; leave it out")
      } else if !(epsilon! > 0 && epsilon! < 1) {
        reader.problem("smoothing.epsilon", "must be above 0 and below 1; 0.05 gives up a twentieth of the radius")
      }
    } else if mode == .epsilon {
      reader.problem("smoothing.epsilon", "must say which share of the radius may be given up, for example 0.05")
    }
    return (targets.sorted { $0.value < $1.value }, epsilon, curtail, runnerUp)
  }
}

extension PretrainConfiguration {
  /// Words that a run file may give, by key.
  static var choices: [String: [String]] {
    [
      "schedule": words(LearningRateSchedule.Shape.self), "scale_mode": words(LevelSchedule.Mode.self),
      "target_ema_mode": words(AverageSchedule.Mode.self), "initialization": words(Initialization.self),
      "augmentation": words(Augmentation.Recipe.self),
    ]
  }
}

extension FinetuneConfiguration {
  /// Words that a run file may give, by key.
  static var choices: [String: [String]] {
    [
      "task": words(Task.self), "schedule": words(LearningRateSchedule.Shape.self),
      "schedule_unit": words(ScheduleUnit.self), "variant": words(ConsistencyLoss.Variant.self),
      "head": words(Head.self), "augmentation": words(Augmentation.Recipe.self),
    ]
  }
}

private func words<T: RawRepresentable & CaseIterable>(_: T.Type) -> [String] where T.RawValue == String {
  T.allCases.map(\.rawValue)
}
