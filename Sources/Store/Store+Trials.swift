internal import Database

/// A trial that has not ended, with its runs.
package struct OpenTrial: Sendable {
  package let id: Int64
  package let number: Int
  package let attempt: Int
  /// The best one, certified once more.
  package let chosen: Bool
  /// Free parameters by path, JSON.
  package let parameters: String
  /// Resolved run files by step, JSON.
  package let specs: [String: String]
  /// Oldest attempt first.
  package var runs: [TrialRun]

  package init(
    id: Int64, number: Int, attempt: Int, chosen: Bool, parameters: String, specs: [String: String], runs: [TrialRun]
  ) {
    self.id = id
    self.number = number
    self.attempt = attempt
    self.chosen = chosen
    self.parameters = parameters
    self.specs = specs
    self.runs = runs
  }
}

// What the leader does with sweeps. Every step is one transaction, and doing it twice changes nothing.
extension Store {
  package func runningSweeps() async throws -> [SweepRecord] {
    try await connection.rows(PackageResources.running_sweeps_sql).map { try SweepRecord($0) }
  }

  /// A sweep's open trials with their runs, as they are now.
  package func openTrials(ofSweep id: Int64) async throws -> [OpenTrial] {
    // Trials before runs: a run that ends in between is only seen earlier.
    let rows = try await connection.rows(PackageResources.open_trials_sql, [.int(id)])
    let runs = Dictionary(
      grouping: try await connection.rows(PackageResources.trial_runs_sql, [.int(id)]), by: { try? $0.int("trial_id") })
    return try rows.map { row in
      let trial = try row.int("trial_id")
      var specs: [String: String] = [:]
      for step in ["finetune", "certify", "confirm"] { specs[step] = try row.textOrNil("\(step)_spec") }
      return OpenTrial(
        id: trial, number: Int(try row.int("number")), attempt: Int(try row.int("attempt")),
        chosen: try row.bool("chosen"), parameters: try row.text("parameters"), specs: specs,
        runs: try (runs[trial] ?? []).map { try TrialRun($0) })
    }
  }

  /// Submits a step of a trial: the run, and what ties it to the trial, or neither.
  ///
  /// - Returns: the run's number; nil when another coordinator was there first, or the trial has moved on.
  package func submit(_ run: NewRun, step: String, of trial: OpenTrial) async throws -> Int64? {
    try await leading { connection in
      guard !(try connection.rows(PackageResources.lock_trial_sql, [.int(trial.id), .int(trial.attempt)])).isEmpty
      else {
        return nil
      }
      let place: [Parameter] = [.int(trial.id), .text(step), .int(trial.attempt)]
      guard try connection.rows(PackageResources.trial_step_run_sql, place).isEmpty else { return nil }
      let id = try connection.insert(run)
      _ = try connection.rows(PackageResources.insert_trial_run_sql, place + [.int(id)])
      return id
    }
  }

  /// Ends a trial. False when it had ended or moved on.
  ///
  /// - Parameter state: `done`, `failed` or `stopped`; the last two with a reason.
  package func end(_ trial: OpenTrial, of sweep: SweepRecord, state: String, error: String?) async throws -> Bool {
    try await leading { connection in
      let ended = try connection.rows(
        PackageResources.end_trial_sql,
        [.int(trial.id), .int(trial.attempt), .text(state), .optional(error.map { .text($0) })])
      guard !ended.isEmpty else { return false }
      if state == "failed" {
        try connection.event(
          "trial_failed", run: trial.runs.last?.runID, "trial \(trial.number) of sweep \(sweep.name): \(error ?? "")")
      }
      return true
    }
  }

  /// Adds trials to a running sweep. Returns how many were new.
  package func add(_ trials: [NewTrial], toSweep id: Int64) async throws -> Int {
    try await whileRunning(id, otherwise: 0) { connection in
      try trials.count { try connection.insert($0, sweep: id) }
    }
  }

  /// Opens the best trial once more when all have ended and it is to be certified on other images. Returns its number.
  package func chooseBestTrial(ofSweep id: Int64) async throws -> Int? {
    try await whileRunning(id, otherwise: nil) { connection in
      try connection.rows(PackageResources.choose_trial_sql, [.int(id)]).first.map { Int(try $0.int("number")) }
    }
  }

  /// Ends a sweep that has no open trial. False when it has one.
  package func endSweep(_ id: Int64) async throws -> Bool {
    try await whileRunning(id, otherwise: false) { connection in
      try !connection.rows(PackageResources.end_sweep_sql, [.int(id)]).isEmpty
    }
  }

  /// One transaction in which the sweep's state does not change under the statements' eyes.
  private func whileRunning<T: Sendable>(
    _ id: Int64, otherwise ended: T, _ body: @Sendable (isolated Connection) throws -> T
  ) async throws -> T {
    try await leading { connection in
      // A statement that waited for a lock would still look at other tables as they were before: lock first, then look.
      guard try connection.rows(PackageResources.lock_sweep_sql, [.int(id)]).first?.text("state") == "running" else {
        return ended
      }
      return try body(connection)
    }
  }
}
