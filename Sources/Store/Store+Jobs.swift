internal import Database

/// A training job held by one worker. Every write carries `runLease`, and is refused once it has risen.
package struct JobLease: Sendable, Hashable {
  package let jobID: Int64
  package let runLease: Int64
  package let steps: Int
  /// Stored state to resume from, if any.
  package let snapshotDigest: String?
  package let snapshotStep: Int
  package let attempts: Int
}

/// What the database makes of a report of progress.
package enum JobStanding: Sendable, Hashable {
  /// Go on.
  case held
  /// Its run was paused: store the state and hand the job back.
  case paused
  /// The fence has risen, or the run was cancelled: stop.
  case lost
}

// What a worker does with a training job.
extension Store {
  package func claimJob(
    run: Int64, worker: WorkerIdentity, deadlineSeconds: Double
  ) async throws -> JobLease? {
    try await connection.rows(
      PackageResources.claim_job_sql,
      [.int(run), .int(worker.id), .int(worker.epoch), .double(deadlineSeconds)]
    ).first.map {
      JobLease(
        jobID: try $0.int("job_id"), runLease: try $0.int("run_lease"), steps: Int(try $0.int("steps")),
        snapshotDigest: try $0.textOrNil("snapshot_digest"), snapshotStep: Int(try $0.int("snapshot_step")),
        attempts: Int(try $0.int("attempts")))
    }
  }

  /// Reports progress with metrics, all or nothing.
  package func reportJob(
    _ job: JobLease, step: Int, metrics: [(String, Double)], deadlineSeconds: Double
  ) async throws -> JobStanding {
    let fence: [Parameter] = [.int(job.jobID), .int(job.runLease), .int(step)]
    var statements = [statement(PackageResources.report_job_sql, fence + [.double(deadlineSeconds)])]
    for (name, value) in metrics {
      statements.append(statement(PackageResources.record_metric_sql, fence + [.text(name), .double(value)]))
    }
    // Without BEGIN and COMMIT of their own: a trainer frozen between round trips would keep its job's row locked.
    guard let row = try await connection.pipeline(statements)[0].first else { return .lost }
    return try row.bool("paused") ? .paused : .held
  }

  /// Names the state from which the job resumes. False when the fence has risen.
  package func saveSnapshot(_ job: JobLease, digest: String, step: Int) async throws -> Bool {
    try await fenced(PackageResources.save_snapshot_sql, job, [.text(digest), .int(step)])
  }

  /// Hands a job back. False when the fence has risen.
  @discardableResult
  package func releaseJob(_ job: JobLease) async throws -> Bool {
    try await fenced(PackageResources.release_job_sql, job, [])
  }

  /// Hands back every job that the database has under a worker's registration: after an error it works on none.
  package func releaseJobs(heldBy worker: WorkerIdentity) async throws {
    _ = try await connection.rows(PackageResources.release_jobs_sql, [.int(worker.id), .int(worker.epoch)])
  }

  /// Records the checkpoint a job made and ends job and run, in one transaction. False when the fence has risen: nothing
  /// was written.
  package func finishJob(
    _ job: JobLease, run: Int64, checkpointDigest: String, name: String, kind: String, configuration: String
  ) async throws -> Bool {
    try await connection.transaction { connection in
      let ended = try connection.rows(
        PackageResources.finish_job_sql, [.int(job.jobID), .int(job.runLease), .text(checkpointDigest)])
      guard !ended.isEmpty else { return false }
      _ = try connection.rows(
        PackageResources.insert_checkpoint_sql,
        [
          .text(checkpointDigest), .text(name), .text(kind), .json(configuration), .int(run), .text("run \(run)"),
        ])
      return true
    }
  }

  /// Counts a failed attempt; the run fails after `limit` of them. False when the fence has risen.
  @discardableResult
  package func failJob(_ job: JobLease, error: String, limit: Int) async throws -> Bool {
    try await fenced(PackageResources.fail_job_sql, job, [.text(error), .int(limit)])
  }

  private func fenced(_ sql: [UInt8], _ job: JobLease, _ more: [Parameter]) async throws -> Bool {
    try await !connection.rows(sql, [.int(job.jobID), .int(job.runLease)] + more).isEmpty
  }
}
