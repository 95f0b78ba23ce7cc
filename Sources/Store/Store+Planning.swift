internal import Database

/// A submitted run whose dependency, if any, has ended.
package struct SubmittedRun: Sendable {
  package let id: Int64
  package let kind: String
  package let name: String
  package let spec: String
  package let datasetDigest: String
  /// Checkpoint it names, or the newest its dependency made.
  package let checkpointDigest: String?
  /// That checkpoint's configuration, JSON.
  package let configuration: String?
  /// That checkpoint's kind.
  package let checkpointKind: String?
  package let dependency: Int64?
  package let dependencyState: String?

  init(_ row: Row) throws {
    id = try row.int("run_id")
    kind = try row.text("kind")
    name = try row.text("name")
    spec = try row.text("spec")
    datasetDigest = try row.text("dataset_digest")
    checkpointDigest = try row.textOrNil("checkpoint_digest")
    configuration = try row.textOrNil("configuration")
    checkpointKind = try row.textOrNil("checkpoint_kind")
    dependency = try row.intOrNil("dependency")
    dependencyState = try row.textOrNil("dependency_state")
  }
}

/// What the coordinator makes of a submitted run.
package enum RunPlan: Sendable {
  /// Items of that many units, one per image and sigma, of which `claimable` may be claimed at first; nil for all.
  case items(units: Int, claimable: Int? = nil)
  /// One training job of that many steps.
  case job(steps: Int)
  /// It cannot run: why, and what to do.
  case refused(String)
}

// What the coordinator does.
extension Store {
  /// Submitted runs whose dependency, if any, has ended; as they are now, not locked.
  package func submittedRuns() async throws -> [SubmittedRun] {
    try await connection.rows(PackageResources.submitted_runs_sql).map { try SubmittedRun($0) }
  }

  /// Plans every submitted run that is ready, in one transaction of the leader. Two coordinators never plan one run: rows are
  /// locked.
  ///
  /// - Parameter decide: a pure decision; called once per run, nil to leave the run for later.
  /// - Returns: the numbers of the runs that were started or refused.
  package func planSubmittedRuns(_ decide: @Sendable (SubmittedRun) -> RunPlan?) async throws -> [(Int64, RunPlan)] {
    try await leading { connection in
      try connection.rows(PackageResources.submitted_runs_sql).compactMap { row in
        let run = try SubmittedRun(row)
        guard let plan = decide(run) else { return nil }
        switch plan {
        case .items(let units, let claimable):
          _ = try connection.rows(
            PackageResources.plan_items_sql, [.int(run.id), .int(units), .optional(claimable.map { .int($0) })])
        case .job(let steps):
          _ = try connection.rows(PackageResources.plan_job_sql, [.int(run.id), .int(steps)])
        case .refused(let reason):
          _ = try connection.rows(PackageResources.fail_run_sql, [.int(run.id), .text(reason)])
          return (run.id, plan)
        }
        _ = try connection.rows(
          PackageResources.start_run_sql, [.int(run.id), .optional(run.checkpointDigest.map { .text($0) })])
        return (run.id, plan)
      }
    }
  }

  /// What one rescue did.
  package struct Rescue: Sendable, Hashable {
    /// Workers declared gone.
    package var lostWorkers = 0
    /// Leases ended.
    package var leases = 0
    /// Gaps their units went to.
    package var gaps = 0
    /// Training jobs put back in the queue.
    package var jobs = 0
    /// Items set aside because their workers died again and again.
    package var poisoned = 0

    package init() {}
  }

  /// Hands back what dead workers, old epochs and expired leases hold. Safe to run from several coordinators at once.
  package func rescue(deadAfterSeconds: Double) async throws -> Rescue {
    try await leading { connection in
      var rescue = Rescue()
      for row in try connection.rows(PackageResources.lost_workers_sql, [.double(deadAfterSeconds)]) {
        rescue.lostWorkers += 1
        try connection.event(
          "worker_lost", worker: try row.int("worker_id"), "worker \(try row.text("name")) went silent")
      }
      let orphans = try connection.rows(PackageResources.orphaned_leases_sql).map { try $0.int("lease_id") }
      if !orphans.isEmpty {
        let ends = try connection.rows(PackageResources.record_lease_ends_sql, [.bigints(orphans)])
        rescue.leases = orphans.count
        rescue.gaps = Int(
          try connection.rows(PackageResources.return_leases_sql, [.bigints(orphans)])[0].int("gaps"))
        try connection.event("leases_rescued", "\(orphans.count) leases ended, \(rescue.gaps) ranges put back")
        rescue.poisoned = try connection.suspect(ends)
      }
      for row in try connection.rows(PackageResources.requeue_orphaned_jobs_sql) {
        rescue.jobs += 1
        try connection.event(
          "job_rescued", run: try row.int("run_id"), worker: try row.int("worker_id"),
          "training goes on from its last snapshot")
      }
      return rescue
    }
  }

  /// Ends certification runs whose every item is certified.
  package func finishRuns() async throws -> [Int64] {
    try await leading { connection in
      let ending = try connection.rows(PackageResources.lock_ending_runs_sql).map { try $0.int("run_id") }
      guard !ending.isEmpty else { return [] }
      return try connection.rows(PackageResources.finish_certify_runs_sql, [.bigints(ending)])
        .map { try $0.int("run_id") }
    }
  }
}

extension Connection {
  /// Writes a line into the event log.
  func event(_ kind: String, run: Int64? = nil, worker: Int64? = nil, _ detail: String) throws {
    _ = try rows(
      PackageResources.record_event_sql,
      [.text(kind), .optional(run.map { .int($0) }), .optional(worker.map { .int($0) }), .text(detail)])
  }
}
