internal import Models
package import Noise
package import RunFile
package import Store

// Turning sweep files into sweeps: every run of every trial is checked, and only then is anything written.
extension Submission {
  /// A sweep ready to be recorded.
  package struct PreparedSweep: Sendable {
    package let spec: SweepSpec
    /// Its trials, where checkpoints are pinned: by digest, or by the number of the run that will make them.
    package let plans: [TrialPlan]
    package let trials: [NewTrial]
    /// Noise tables of its certifications, each once.
    package let tables: [GridTable]
  }

  /// Checks a sweep and the runs of its trials.
  ///
  /// - Throws: `RunFileError` with every problem, each told once.
  package func prepare(_ sweep: SweepSpec) async throws -> PreparedSweep {
    var problems: [String] = []
    if let taken = try await store.sweep(sweep.name) {
      problems.append(
        "name is \"\(sweep.name)\"; sweep \(taken.id), \(taken.state), has that name: choose another, or go on with that"
          + " one: rrcm sweep watch \(sweep.name)")
    }
    do {
      let prepared = try await prepare(sweep, points: sweep.nextTrials(given: []))
      if problems.isEmpty { return prepared }
    } catch let error as RunFileError { problems += error.problems }
    throw RunFileError(problems)
  }

  /// Checks some of a sweep's trials.
  func prepare(_ sweep: SweepSpec, points: [TrialPoint]) async throws -> PreparedSweep {
    var plans = try sweep.plan(points)
    var problems = TrialProblems(trials: plans.count)
    var tables: [String: GridTable] = [:]
    let imageSets = ImageSets(store)
    for place in plans.indices {
      do {
        for table in try await pin(&plans[place], imageSets) { tables["\(table.sigma) \(table.m)"] = table }
      } catch let error as RunFileError {
        problems.add(error, trial: plans[place].point)
      }
    }
    try problems.throwIfAny()
    return PreparedSweep(
      spec: sweep, plans: plans,
      trials: try plans.map { plan in
        NewTrial(
          number: plan.point.number, parameters: SettingValue.map(plan.point.values).json,
          specs: Dictionary(
            uniqueKeysWithValues: try plan.specs.map { ($0.key.rawValue, try $0.value.settings.json) }))
      }, tables: tables.sorted { $0.key < $1.key }.map(\.value))
  }

  /// Leaves a sweep's noise tables in the artifact store; see `storeTables(of:)`. Blocks.
  package func storeTables(of prepared: PreparedSweep) throws { try store(tables: prepared.tables) }

  /// Records a prepared sweep, all or nothing, and wakes the coordinator. Returns its number.
  package func submit(_ prepared: PreparedSweep) async throws -> Int64 {
    let spec = prepared.spec
    let id = try await store.insertSweep(
      NewSweep(
        name: spec.name, spec: spec.settings.json, method: spec.method.rawValue, metric: spec.metric.name,
        radius: spec.metric.radius, sigma: spec.metric.sigma?.decimal, goal: spec.metric.goal.rawValue,
        software: software, trials: prepared.trials))
    guard let id else { throw RunFileError(["name is \"\(spec.name)\"; a sweep of that name was just created"]) }
    try await store.announceWork()
    return id
  }

  /// Checks a trial's runs, and replaces a checkpoint's name, which may come to mean another, by what it means now.
  ///
  /// - Returns: the noise tables of its certifications.
  private func pin(_ plan: inout TrialPlan, _ imageSets: ImageSets) async throws -> [GridTable] {
    var problems: [String] = []
    var prepared: [TrialStep: Prepared] = [:]
    var made: [(name: String, kind: RunSpec.Kind, model: ViTConfiguration?)] = []
    for step in TrialStep.allCases {
      guard let spec = plan.specs[step] else { continue }
      do {
        if step == .finetune { made = [(spec.name, spec.kind, nil)] }
        let ready = try await prepare(spec, earlier: step == .finetune ? [] : made, imageSets: imageSets)
        prepared[step] = ready
        if step == .finetune { made = [(spec.name, spec.kind, ready.model)] }
        if let digest = ready.run.checkpointDigest ?? ready.run.dependsOn.map({ "\($0)" }) {
          plan.specs[step]?.checkpoint = digest
        }
      } catch let error as RunFileError { problems += error.problems.map { "\(step.rawValue): \($0)" } }
    }
    if let ranking = prepared[.certify]?.run, let confirming = prepared[.confirm]?.run,
      ranking.datasetDigest == confirming.datasetDigest
    {
      let shared = Set(ranking.imageIndices ?? []).intersection(confirming.imageIndices ?? []).count
      if shared > 0 {
        problems.append(
          "confirm.dataset has \(shared) of its \(confirming.imageIndices?.count ?? 0) images in common with those that"
            + " rank the trials; choose others")
      }
    }
    if !problems.isEmpty { throw RunFileError(problems) }
    return prepared.values.flatMap(\.tables)
  }
}
