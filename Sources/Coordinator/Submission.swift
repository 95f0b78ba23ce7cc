package import Artifacts
internal import Tensors
internal import Training
internal import Foundation
internal import Lifecycle
package import Models
package import Noise
internal import Smoothing
package import RunFile
package import Store

/// Turning run files into submitted runs: names are resolved, everything that can be checked is checked, and only then is
/// anything written.
package struct Submission: Sendable {
  let store: Store
  let artifacts: ArtifactStore?
  let software: String

  /// - Parameter artifacts: where noise tables are left for the workers.
  package init(store: Store, artifacts: ArtifactStore? = nil, software: String) {
    self.store = store
    self.artifacts = artifacts
    self.software = software
  }

  /// A run ready to be recorded.
  package struct Prepared: Sendable {
    package let spec: RunSpec
    package let run: NewRun
    /// Name of an earlier run of this submission that makes its checkpoint.
    package let dependsOnEarlier: String?
    /// Tables of its noise levels.
    package let tables: [GridTable]
    /// For people: what it will do.
    package let summary: String
    /// Images that it reads: those to certify, or those to train on.
    package let imageCount: Int
    /// Shape of the network it computes with; nil when that cannot be told before another run is done.
    package let model: ViTConfiguration?
  }

  /// Checks run files together; they may name one another's checkpoints, whatever their order.
  ///
  /// - Returns: the runs, each after those it waits for.
  /// - Throws: `RunFileError` with the problems of all of them.
  package func prepare(_ given: [RunSpec]) async throws -> [Prepared] {
    var prepared: [Prepared] = []
    var problems = Dictionary(grouping: given, by: \.name).filter { $1.count > 1 }.sorted { $0.key < $1.key }.map {
      "name is \"\($0.key)\" in \($0.value.count) of these run files; give each run a name of its own"
    }
    let specs = Self.ordered(given)
    let imageSets = ImageSets(store)
    for (place, spec) in specs.enumerated() {
      do {
        prepared.append(
          try await prepare(
            spec,
            earlier: specs[..<place].map { spec in
              (spec.name, spec.kind, prepared.last { $0.spec.name == spec.name }?.model)
            }, imageSets: imageSets))
      } catch let error as RunFileError {
        problems += error.problems.map { "\(spec.name): \($0)" }
      }
    }
    guard problems.isEmpty else { throw RunFileError(problems) }
    return prepared
  }

  /// What makes a checkpoint goes before what uses it; otherwise the order stays.
  private static func ordered(_ specs: [RunSpec]) -> [RunSpec] {
    var waiting = specs
    var ordered: [RunSpec] = []
    while !waiting.isEmpty {
      let makers = waiting.filter { $0.kind != .certify }.map(\.name)
      let next = waiting.firstIndex { spec in
        !makers.contains { $0 == spec.checkpoint && $0 != spec.name }
      }
      // Without a next one they wait for each other; the first is then told that its checkpoint is not known.
      ordered.append(waiting.remove(at: next ?? 0))
    }
    return ordered
  }

  /// Leaves the noise tables of prepared runs in the artifact store, under the digests that their protocols record. Blocks.
  ///
  /// Workers that cannot have them compute them, so a failure need not stop anybody.
  package func storeTables(of prepared: [Prepared]) throws { try store(tables: prepared.flatMap(\.tables)) }

  func store(tables: [GridTable]) throws {
    guard let artifacts else { return }
    for table in tables { _ = try artifacts.put(Bytes(Array(table.text.utf8))) }
  }

  /// Records prepared runs, all or none, and wakes the coordinator. Returns their numbers.
  package func submit(_ prepared: [Prepared]) async throws -> [Int64] {
    let places = Dictionary(uniqueKeysWithValues: prepared.enumerated().map { ($0.element.run.name, $0.offset) })
    let ids = try await store.insertRuns(
      prepared.map { ($0.run, dependsOnPlace: $0.dependsOnEarlier.flatMap { places[$0] }) })
    try await store.announceWork()
    return ids
  }

  /// Checks one run file.
  ///
  /// - Parameter earlier: runs of the same submission that go before it, whose checkpoints it may name, with the shape of
  ///   the network they make where it is known.
  func prepare(
    _ spec: RunSpec, earlier: [(name: String, kind: RunSpec.Kind, model: ViTConfiguration?)], imageSets: ImageSets
  ) async throws -> Prepared {
    guard let images = try await imageSets.dataset(spec.dataset.name) else {
      let known = try await store.datasets().map(\.name).joined(separator: ", ")
      throw RunFileError([
        "dataset.name is \"\(spec.dataset.name)\"; no image set of that name or digest is imported"
          + (known.isEmpty ? ". Import one: rrcm dataset import" : ". Known: \(known)")
      ])
    }
    let split = try await imageSets.indices(of: images.digest, split: spec.dataset.split)
    if split.isEmpty {
      let known = try await store.splits(of: images.digest).map(\.split).joined(separator: ", ")
      throw RunFileError([
        "dataset.split is \"\(spec.dataset.split)\"; image set \"\(images.name)\" has the splits \(known)"
      ])
    }
    let chosen = try spec.dataset.choose(from: split)
    let origin = try await resolveCheckpoint(spec, images: images, earlier: earlier)

    var numerics: [String] = []
    var certification: CertificationProtocol?
    var tables: [GridTable] = []
    var summary = "\(chosen.count) images"
    switch spec.work {
    case .pretrain(let training, let shape):
      let model = shape.configuration(imageSize: images.height, channels: images.channels)
      var problems = model.problems
      if images.height != images.width {
        problems.append("dataset.name is \"\(images.name)\" of \(images.height)×\(images.width); images must be square")
      }
      if training.batch > chosen.count {
        problems.append("training.batch is \(training.batch) but \(chosen.count) images are chosen; lower it")
      }
      if !problems.isEmpty { throw RunFileError(problems) }
      summary += ", \(training.steps) steps"
    case .finetune(let training, _):
      if training.batch > chosen.count {
        throw RunFileError(["training.batch is \(training.batch) but \(chosen.count) images are chosen; lower it"])
      }
      summary += ", \(training.epochs) epochs"
    case .certify(let smoothing):
      numerics = smoothing.numerics
      tables = try Self.tables(of: smoothing)
      certification = try Self.checkedProtocol(
        smoothing, tables: tables, elements: images.channels * images.height * images.width)
      let draws = chosen.count * smoothing.sigmas.count * (smoothing.n0 + smoothing.n)
      summary += " at sigma \(smoothing.sigmas.map(\.decimal).joined(separator: ", ")), \(draws) samples"
    }
    return Prepared(
      spec: spec,
      run: NewRun(
        kind: spec.kind.rawValue, name: spec.name, spec: try spec.settings.json, seed: spec.seed,
        priority: spec.priority, datasetDigest: images.digest, checkpointDigest: origin.digest, dependsOn: origin.run,
        imageIndices: spec.kind == .certify ? chosen : nil, numericsIDs: numerics, software: software,
        certification: certification, weight: spec.weight),
      dependsOnEarlier: origin.earlier, tables: tables, summary: summary, imageCount: chosen.count,
      model: Self.shape(of: spec, from: origin, images: images))
  }

  private struct Origin {
    var digest: String?
    var run: Int64?
    var earlier: String?
    var shape: ViTConfiguration?
  }

  /// Where a run's checkpoint comes from: an earlier file of this command, an unfinished run, or a stored checkpoint.
  private func resolveCheckpoint(
    _ spec: RunSpec, images: DatasetRecord, earlier: [(name: String, kind: RunSpec.Kind, model: ViTConfiguration?)]
  ) async throws -> Origin {
    guard let reference = spec.checkpoint else { return Origin() }
    if let made = earlier.last(where: { $0.name == reference && $0.kind != .certify }) {
      return Origin(earlier: reference, shape: made.model)
    }
    if let run = try await store.run(reference), run.kind != "certify", ["submitted", "running"].contains(run.state) {
      return Origin(run: run.id)
    }
    guard let checkpoint = try await store.checkpoint(reference) else {
      let known = Set(try await store.checkpoints().map(\.name)).sorted().joined(separator: ", ")
      throw RunFileError([
        "checkpoint is \"\(reference)\"; no checkpoint or training run of that name or digest is known"
          + (known.isEmpty ? ". Import one: rrcm checkpoint import" : ". Known: \(known)")
      ])
    }
    guard let model = try? JSONDecoder().decode(ViTConfiguration.self, from: Data(checkpoint.configuration.utf8)) else {
      throw RunFileError(["checkpoint is \"\(reference)\"; its configuration cannot be read by this version"])
    }
    if let misfit = Planner.misfit(
      model: model, kind: checkpoint.kind, images: images, needsHead: spec.kind == .certify)
    {
      throw RunFileError(["checkpoint is \"\(reference)\"; \(misfit)"])
    }
    return Origin(digest: checkpoint.digest, shape: model)
  }

  /// The stored protocol of a certification of images with `elements` elements.
  ///
  /// - Throws: `RunFileError` when nothing could ever be certified under it.
  static func checkedProtocol(
    _ smoothing: Smoothing, tables: [GridTable], elements: Int
  ) throws -> CertificationProtocol {
    let rules = protocolOf(smoothing, tables: tables, elements: elements)
    try refuseHopeless(rules)
    return rules
  }

  /// Refuses a protocol under which nothing can ever be certified, the sampler's slack counted in.
  private static func refuseHopeless(_ rules: CertificationProtocol) throws {
    guard let given = ExactDecimal(rules.alpha), let mode = CertificateMode(rawValue: rules.mode) else { return }
    let alpha = mode.share(of: given)
    for level in rules.levels
    where Certificate.firstCertifyingCount(draws: rules.n, alpha: alpha, slack: level.slack) == nil {
      let smallest = Certificate.smallestDraws(alpha: alpha, slack: level.slack)
      throw RunFileError([
        "smoothing.n is \(rules.n); at sigma \(level.sigma) with alpha \(rules.alpha) and slack \(level.slack) even a"
          + " unanimous vote cannot certify; "
          + (smallest.map { "raise n to \($0) or more" } ?? "lower smoothing.m, which makes the slack")
      ])
    }
  }

  /// Shape of the network that a run computes with, as far as its files and the database tell.
  private static func shape(of spec: RunSpec, from origin: Origin, images: DatasetRecord) -> ViTConfiguration? {
    switch spec.work {
    case .pretrain(_, let shape): return shape.configuration(imageSize: images.height, channels: images.channels)
    case .certify: return origin.shape
    case .finetune(_, let shape):
      guard var model = origin.shape else { return nil }
      model.classes = images.classes.count
      model.finalNorm = shape.finalNorm
      model.levels = shape.levels
      return model
    }
  }

  /// The noise table of each grid level.
  static func tables(of smoothing: Smoothing) throws -> [GridTable] {
    try smoothing.sigmas.compactMap { sigma in
      guard case .grid(let m) = smoothing.sampler(for: sigma) else { return nil }
      return try GridTable.shared(sigma: sigma, m: m)
    }
  }

  /// The stored protocol of a certification of images with `elements` elements.
  static func protocolOf(_ smoothing: Smoothing, tables: [GridTable], elements: Int) -> CertificationProtocol {
    let byLevel = Dictionary(tables.map { ($0.sigma, $0) }, uniquingKeysWith: { first, _ in first })
    let units = UnitPlan(n0: smoothing.n0, n: smoothing.n, chunkSamples: smoothing.chunkSamples)
    return CertificationProtocol(
      mode: smoothing.certificateMode.rawValue, n0: smoothing.n0, n: smoothing.n, alpha: smoothing.alpha,
      sampler: smoothing.sampler.rawValue, chunkSamples: smoothing.chunkSamples,
      auditShare: smoothing.auditShare,
      levels: smoothing.sigmas.map { sigma in
        guard let table = byLevel[sigma] else {
          return CertificationProtocol.Level(sigma: sigma.decimal, gridM: 0, slack: 0, tableDigest: nil)
        }
        return CertificationProtocol.Level(
          sigma: sigma.decimal, gridM: table.m, slack: table.slack(elements: elements), tableDigest: table.digest)
      }, targets: smoothing.targets.map(\.description), epsilon: smoothing.epsilon,
      looks: smoothing.certificateMode.stopsEarly ? LookPlan.looks(chunks: units.unitCount - 1) : [])
  }
}

/// Image sets and splits that one submission looks up, each asked for once.
final class ImageSets {
  private let store: Store
  private var records: [String: DatasetRecord?] = [:]
  private var splits: [String: [Int32]] = [:]

  init(_ store: Store) { self.store = store }

  func dataset(_ reference: String) async throws -> DatasetRecord? {
    if let known = records[reference] { return known }
    let record = try await store.dataset(reference)
    records[reference] = .some(record)
    return record
  }

  func indices(of digest: String, split: String) async throws -> [Int32] {
    let key = "\(digest) \(split)"
    if let known = splits[key] { return known }
    let indices = try await store.imageIndices(of: digest, split: split)
    splits[key] = indices
    return indices
  }
}
