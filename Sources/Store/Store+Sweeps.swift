internal import Database

/// A sweep about to be recorded.
package struct NewSweep: Sendable {
  package var name: String
  /// The complete sweep file, JSON.
  package var spec: String
  package var method: String
  package var metric: String
  /// Radius of a certified accuracy.
  package var radius: Double?
  /// Canonical decimal; nil for the one level that a trial certifies at.
  package var sigma: String?
  package var goal: String
  package var software: String
  package var trials: [NewTrial]

  package init(
    name: String, spec: String, method: String, metric: String, radius: Double?, sigma: String?, goal: String,
    software: String, trials: [NewTrial]
  ) {
    self.name = name
    self.spec = spec
    self.method = method
    self.metric = metric
    self.radius = radius
    self.sigma = sigma
    self.goal = goal
    self.software = software
    self.trials = trials
  }
}

/// A trial about to be recorded.
package struct NewTrial: Sendable {
  package var number: Int
  /// Free parameters by path, JSON.
  package var parameters: String
  /// Resolved run files by step (`finetune`, `certify`, `confirm`), JSON.
  package var specs: [String: String]

  package init(number: Int, parameters: String, specs: [String: String]) {
    self.number = number
    self.parameters = parameters
    self.specs = specs
  }
}

/// A stored sweep.
package struct SweepRecord: Sendable {
  package let id: Int64
  package let name: String
  package let state: String
  package let spec: String
  package let metric: String
  package let sigma: String?
  package let goal: String
  package let software: String

  init(_ row: Row) throws {
    id = try row.int("sweep_id")
    name = try row.text("name")
    state = try row.text("state")
    spec = try row.text("spec")
    metric = try row.text("metric")
    sigma = try row.textOrNil("sigma")
    goal = try row.text("goal")
    software = try row.text("software")
  }
}

/// How far a sweep is: a row of the view `sweep_progress`.
package struct SweepProgress: Sendable {
  package let id: Int64
  package let name: String
  package let state: String
  package let method: String
  package let metric: String
  package let trials: Int64
  package let done: Int64
  package let failed: Int64
  package let stopped: Int64
  package let open: Int64
  /// Runs under way.
  package let running: Int64
  /// Share of the work that is done, 0 to 1.
  package let share: Double
  package let createdAt: String
  package let elapsedSeconds: Double

  package var isFinished: Bool { state != "running" }

  init(_ row: Row) throws {
    id = try row.int("sweep_id")
    name = try row.text("name")
    state = try row.text("state")
    method = try row.text("method")
    metric = try row.text("metric")
    trials = try row.int("trials")
    done = try row.int("done")
    failed = try row.int("failed")
    stopped = try row.int("stopped")
    open = try row.int("open")
    running = try row.int("running")
    share = try row.double("share")
    createdAt = try row.text("created_at")
    elapsedSeconds = try row.double("elapsed_seconds")
  }
}

/// A trial with what it measured: a row of the view `sweep_trial`.
package struct TrialRecord: Sendable {
  package let number: Int
  /// 1 is best; nil until measured.
  package let rank: Int64?
  /// The sweep's metric, and what that is.
  package let value: Double?
  package let metric: String
  /// Free parameters by path, JSON.
  package let parameters: String
  package let state: String
  /// Latest run of an open trial.
  package let step: String?
  package let attempt: Int
  package let sigma: String?
  package let acr: Double?
  package let loss: Double?
  package let chosen: Bool
  package let certifiedAccuracy: Double?
  package let confirmedAccuracy: Double?
  package let confirmedACR: Double?
  package let finetuneRun: Int64?
  package let certifyRun: Int64?
  package let confirmRun: Int64?
  package let checkpointDigest: String?
  package let error: String?

  init(_ row: Row) throws {
    number = Int(try row.int("trial"))
    rank = try row.intOrNil("rank")
    value = try row.doubleOrNil("value")
    metric = try row.text("metric")
    parameters = try row.text("parameters")
    state = try row.text("state")
    step = try row.textOrNil("step")
    attempt = Int(try row.int("attempt"))
    sigma = try row.textOrNil("sigma")
    acr = try row.doubleOrNil("acr")
    loss = try row.doubleOrNil("loss")
    chosen = try row.bool("chosen")
    certifiedAccuracy = try row.doubleOrNil("certified_accuracy")
    confirmedAccuracy = try row.doubleOrNil("confirmed_accuracy")
    confirmedACR = try row.doubleOrNil("confirmed_acr")
    finetuneRun = try row.intOrNil("finetune_run_id")
    certifyRun = try row.intOrNil("certify_run_id")
    confirmRun = try row.intOrNil("confirm_run_id")
    checkpointDigest = try row.textOrNil("checkpoint_digest")
    error = try row.textOrNil("error")
  }
}

/// A run of a trial.
package struct TrialRun: Sendable, Hashable {
  /// `finetune`, `certify` or `confirm`.
  package let step: String
  package let attempt: Int
  package let runID: Int64
  package let state: String
  package let error: String?
  /// Checkpoint that a fine-tuning made, or that a certification uses.
  package let checkpointDigest: String?

  package init(step: String, attempt: Int, runID: Int64, state: String, error: String?, checkpointDigest: String?) {
    self.step = step
    self.attempt = attempt
    self.runID = runID
    self.state = state
    self.error = error
    self.checkpointDigest = checkpointDigest
  }

  init(_ row: Row) throws {
    step = try row.text("step")
    attempt = Int(try row.int("attempt"))
    runID = try row.int("run_id")
    state = try row.text("state")
    error = try row.textOrNil("error")
    checkpointDigest = try row.textOrNil("checkpoint_digest")
  }
}

// Sweeps, as people handle them.
extension Store {
  /// Records a sweep with its first trials, all or nothing. Returns its number; nil when the name is taken.
  package func insertSweep(_ sweep: NewSweep) async throws -> Int64? {
    try await connection.transaction { connection in
      let inserted = try connection.rows(
        PackageResources.insert_sweep_sql,
        [
          .text(sweep.name), .json(sweep.spec), .text(sweep.method), .text(sweep.metric),
          .optional(sweep.radius.map { .double($0) }), .optional(sweep.sigma.map { .text($0) }), .text(sweep.goal),
          .text(sweep.software),
        ])
      guard let id = try inserted.first?.int("sweep_id") else { return nil }
      for trial in sweep.trials { try connection.insert(trial, sweep: id) }
      return id
    }
  }

  /// The sweep of that number or name.
  package func sweep(_ reference: String) async throws -> SweepRecord? {
    try await connection.rows(PackageResources.find_sweep_sql, [.text(reference)]).first.map { try SweepRecord($0) }
  }

  /// Progress of all sweeps, or of one.
  package func sweepProgress(of id: Int64? = nil) async throws -> [SweepProgress] {
    try await connection.rows(PackageResources.list_sweeps_sql, [.optional(id.map { .int($0) })])
      .map { try SweepProgress($0) }
  }

  /// A sweep's trials, the best first, those without a rank last.
  package func trials(ofSweep id: Int64) async throws -> [TrialRecord] {
    try await connection.rows(PackageResources.sweep_trials_sql, [.int(id)]).map { try TrialRecord($0) }
  }

  /// Every run of a sweep's trials, failed attempts included, with its trial's number and its own name.
  package func runs(ofSweep id: Int64) async throws -> [(trial: Int, name: String, run: TrialRun)] {
    try await connection.rows(PackageResources.sweep_runs_sql, [.int(id)])
      .map { (Int(try $0.int("trial")), try $0.text("run_name"), try TrialRun($0)) }
  }

  /// Stops a sweep: open trials end, their runs are cancelled. What is stored stays.
  ///
  /// - Returns: how many trials and runs ended; nil when the sweep was not running.
  package func stopSweep(_ id: Int64) async throws -> (trials: Int, runs: Int)? {
    try await connection.transaction { connection in
      guard try connection.rows(PackageResources.lock_sweep_sql, [.int(id)]).first?.text("state") == "running" else {
        return nil
      }
      let trials = try connection.rows(PackageResources.stop_sweep_sql, [.int(id)])
      let runs = try connection.rows(PackageResources.unfinished_trial_runs_sql, [.int(id)])
      for run in runs { _ = try connection.rows(PackageResources.cancel_run_sql, [.int(try run.int("run_id"))]) }
      return (trials.count, runs.count)
    }
  }

  /// Opens failed trials once more; what failed of them is run anew. Returns their numbers.
  ///
  /// - Parameter stopped: stopped trials too.
  package func retryTrials(ofSweep id: Int64, stopped: Bool) async throws -> [Int] {
    try await connection.transaction { connection in
      _ = try connection.rows(PackageResources.lock_sweep_sql, [.int(id)])
      return try connection.rows(PackageResources.retry_trials_sql, [.int(id), .bool(stopped)])
        .map { Int(try $0.int("number")) }
    }
  }
}

extension Connection {
  /// Adds a trial. False when it was there, or the sweep has ended.
  @discardableResult
  func insert(_ trial: NewTrial, sweep: Int64) throws -> Bool {
    func spec(_ step: String) -> Parameter { .optional(trial.specs[step].map { .json($0) }) }
    return try !rows(
      PackageResources.insert_trial_sql,
      [
        .int(sweep), .int(trial.number), .json(trial.parameters), spec("finetune"), spec("certify"), spec("confirm"),
      ]
    ).isEmpty
  }
}
