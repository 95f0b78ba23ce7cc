package import Logging
package import RunFile
package import Store

/// Something that became of a sweep or trial, for the log.
package struct SweepNote: Sendable {
  package let level: Logger.Level
  package let message: String
  package let metadata: Logger.Metadata
}

/// Leads every running sweep on: submits the runs that trials need next, ends trials whose runs have ended, chooses the
/// best one to be confirmed, and ends the sweep.
///
/// Each step is one transaction that another coordinator, or the same one after a crash, repeats without effect. What it
/// decides on is rows alone.
///
/// - Parameter limit: runs submitted at most, so that a large sweep does not hold up the planning of other runs.
package func advanceSweeps(in store: Store, submitting limit: Int = 32) async throws -> [SweepNote] {
  var notes: [SweepNote] = []
  var budget = limit
  for sweep in try await store.runningSweeps() {
    let leader = SweepLeader(store: store, sweep: sweep)
    let open = try await store.openTrials(ofSweep: sweep.id)
    for trial in open {
      if let note = try await leader.advance(trial, budget: &budget) { notes.append(note) }
    }
    if open.isEmpty, let note = try await leader.conclude() { notes.append(note) }
  }
  if budget < limit { try await store.announceWork() }
  return notes
}

/// One sweep's next steps.
struct SweepLeader {
  let store: Store
  let sweep: SweepRecord

  func advance(_ trial: OpenTrial, budget: inout Int) async throws -> SweepNote? {
    switch TrialMove.next(for: trial) {
    case .wait: return nil
    case .done:
      return try await end(trial, "done", nil) ? note("trial done", trial) : nil
    case .failed(let reason):
      return try await end(trial, "failed", reason)
        ? note("trial failed", trial, ["reason": "\(reason)"], level: .warning) : nil
    case .stopped(let reason):
      return try await end(trial, "stopped", reason) ? note("trial stopped", trial, ["reason": "\(reason)"]) : nil
    case .submit(let step, let checkpoint, let maker):
      guard budget > 0 else { return nil }
      budget -= 1
      do {
        let run = try await run(of: trial, step: step, checkpoint: checkpoint, after: maker)
        guard let id = try await store.submit(run, step: step.rawValue, of: trial) else { return nil }
        return note("run of a trial submitted", trial, ["run_id": "\(id)", "step": "\(step.rawValue)"])
      } catch let error as RunFileError {
        let reason = "\(step.rawValue) cannot be submitted: \(error)"
        return try await end(trial, "failed", reason)
          ? note("trial failed", trial, ["reason": "\(reason)"], level: .warning) : nil
      }
    }
  }

  /// What is left to do when no trial is open: more trials, the confirmation of the best, the end.
  func conclude() async throws -> SweepNote? {
    if let spec = try? SweepSpec(stored: sweep.spec) {
      let known = try await store.trials(ofSweep: sweep.id).map {
        TrialResult(
          point: TrialPoint(number: $0.number, values: SettingValue.map(json: $0.parameters)),
          isFinished: $0.state != "open", metric: $0.value)
      }
      let next = spec.nextTrials(given: known)
      if !next.isEmpty {
        let submission = Submission(store: store, software: sweep.software)
        let added = try await store.add(submission.prepare(spec, points: next).trials, toSweep: sweep.id)
        return note("trials added", nil, ["trials": "\(added)"])
      }
    }
    if let best = try await store.chooseBestTrial(ofSweep: sweep.id) {
      return note("the best trial is certified on other images", nil, ["trial": "\(best)"])
    }
    return try await store.endSweep(sweep.id) ? note("sweep done", nil) : nil
  }

  /// The run of a trial's step, checked against what is stored now.
  private func run(
    of trial: OpenTrial, step: TrialStep, checkpoint: String?, after maker: Int64?
  ) async throws -> NewRun {
    var spec = try RunSpec(stored: trial.specs[step.rawValue] ?? "null")
    spec.name = SweepSpec.runName(sweep: sweep.name, trial: trial.number, step: step, attempt: trial.attempt)
    // By digest, so that no run or checkpoint of the same name can be meant.
    if let checkpoint { spec.checkpoint = checkpoint }
    var run = try await Submission(store: store, software: sweep.software).prepare([spec])[0].run
    if let maker { run.dependsOn = maker }
    return run
  }

  private func end(_ trial: OpenTrial, _ state: String, _ error: String?) async throws -> Bool {
    try await store.end(trial, of: sweep, state: state, error: error)
  }

  private func note(
    _ message: String, _ trial: OpenTrial?, _ more: Logger.Metadata = [:], level: Logger.Level = .info
  ) -> SweepNote {
    var metadata = more
    metadata["sweep_id"] = "\(sweep.id)"
    if let trial { metadata["trial"] = "\(trial.number)" }
    return SweepNote(level: level, message: message, metadata: metadata)
  }
}

extension SettingValue {
  /// The entries of a stored JSON object; none when it is something else.
  package static func map(json: String) -> [String: SettingValue] {
    guard case .map(let map)? = try? SettingValue(yaml: json) else { return [:] }
    return map
  }
}
