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
        "m": .null, "mode": .string("fixed"),
      ])
      map["chunk_samples"] = .int(1000)
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
    if n0 > n {
      reader.problem("smoothing.n0", "must be at most smoothing.n (\(n)); lower it or raise n")
    }
    alpha = reader.double("smoothing.alpha")
    if !(alpha > 0 && alpha <= 0.5) {
      reader.problem("smoothing.alpha", "must be above 0 and at most 0.5; 0.001 is usual")
    }
    sampler = reader.choice("smoothing.sampler", SamplerName.self) ?? .grid
    m = reader.optionalInt("smoothing.m", in: 1...65_536)
    if m != nil && sampler == .gaussian {
      reader.problem("smoothing.m", "it belongs to the grid sampler; leave it out")
    }
    mode = reader.choice("smoothing.mode", Mode.self) ?? .fixed
    chunkSamples = reader.int("chunk_samples", in: 1...1_000_000)
    numerics = reader.texts("numerics")
    auditShare = reader.double("audit.share")
    if !(auditShare >= 0 && auditShare <= 1) {
      reader.problem("audit.share", "must be 0 (no audits) to 1 (every chunk); 0.005 is usual")
    }
    if n >= 1, alpha > 0, alpha <= 0.5, let exact = ExactDecimal(alpha),
      let smallest = Certificate.smallestDraws(alpha: exact), n < smallest
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
