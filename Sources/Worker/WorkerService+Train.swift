internal import Artifacts
internal import Lifecycle
internal import Logging
internal import RunFile
internal import Store

extension WorkerService {
  /// A training job's failed attempts before its run has failed.
  private static let attemptLimit = 3

  /// What became of a training run's job.
  enum Attempt: Sendable { case notClaimed, worked, failed }

  /// Takes a training run's job and works on it until it is done, lost or handed back.
  func train(_ run: ReadyRun, as identity: WorkerIdentity) async throws -> Attempt {
    let deadline = settings.timings.jobDeadline.inSeconds
    guard let job = try await store.claimJob(run: run.id, worker: identity, deadlineSeconds: deadline) else {
      return .notClaimed
    }
    logger.info(
      "training", metadata: ["run_id": "\(run.id)", "run_lease": "\(job.runLease)", "from_step": "\(job.snapshotStep)"])
    do {
      let outcome = try await advance(job, run, as: identity)
      logger.info("training \(outcome.rawValue)", metadata: ["run_id": "\(run.id)", "run_lease": "\(job.runLease)"])
    } catch {
      await engine.endTraining()
      // A broken connection is not the job's fault: the sweep gives it to the next worker.
      if let trouble = error as? DatabaseTrouble { throw trouble.cause }
      if error is ArtifactError {
        // This worker's store lacks something: no fault of the training's, and another worker may have it.
        try await store.releaseJob(job)
        throw Refusal(description: "\(error)")
      }
      logger.error("training failed", metadata: ["run_id": "\(run.id)", "error": "\(error)"])
      try await store.failJob(job, error: "\(error)", limit: Self.attemptLimit)
      return .failed
    }
    return .worked
  }

  private enum Outcome: String {
    case done = "done"
    case lost = "lost to a newer holder"
    case handedBack = "handed back"
  }

  private func advance(_ job: JobLease, _ run: ReadyRun, as identity: WorkerIdentity) async throws -> Outcome {
    let spec = try RunFile.parse(run.spec)
    try await engine.begin(
      spec, datasetDigest: run.datasetDigest, checkpointDigest: run.checkpointDigest, snapshotDigest: job.snapshotDigest
    )
    let reportEvery = max(1, job.steps / 100)
    let evaluateEvery = max(1, job.steps / 10 / reportEvery) * reportEvery
    var snapshot = job.snapshotDigest
    var savedAt = ContinuousClock.now
    var reportedAt = ContinuousClock.now
    var isPaused = false

    while true {
      guard registration.isHeld(identity) else { return .lost }
      let progress = try await engine.train(reportingEvery: reportEvery, stretch: .seconds(1))
      var metrics = progress.metrics
      if progress.isFinished || (!metrics.isEmpty && progress.step % evaluateEvery == 0) {
        metrics += try await engine.evaluate(
          datasetDigest: run.datasetDigest, split: "heldout", trainSplit: spec.dataset.split)
      }
      // Which steps have metrics depends on the number of steps alone; in between, progress keeps the job's deadline off.
      if !metrics.isEmpty || ContinuousClock.now - reportedAt >= .seconds(5) {
        reportedAt = .now
        let standing = try await talking {
          try await store.reportJob(
            job, step: progress.step, metrics: metrics, deadlineSeconds: settings.timings.jobDeadline.inSeconds)
        }
        guard standing != .lost else { return .lost }
        isPaused = standing == .paused
      }
      if progress.isFinished { break }
      if isStopping || isPaused || ContinuousClock.now - savedAt >= settings.timings.snapshotEvery {
        let digest = try await engine.saveSnapshot(ofRun: run.id)
        guard try await talking({ try await store.saveSnapshot(job, digest: digest, step: progress.step) }) else {
          return .lost
        }
        if let snapshot, snapshot != digest { await engine.discard(snapshot) }
        snapshot = digest
        savedAt = .now
      }
      if isStopping || isPaused {
        try await note(run, job, upTo: progress.step, as: identity)
        try await talking { try await store.releaseJob(job) }
        await engine.endTraining()
        return .handedBack
      }
    }
    let product = try await engine.saveCheckpoint()
    let ended = try await talking {
      try await store.finishJob(
        job, run: run.id, checkpointDigest: product.digest, name: run.name, kind: product.kind,
        configuration: product.configuration)
    }
    guard ended else { return .lost }
    try await note(run, job, upTo: job.steps, as: identity)
    if let snapshot { await engine.discard(snapshot) }
    await engine.endTraining()
    try await talking { try await store.announceWork() }
    return .done
  }

  /// Records which steps this worker made, and in which numerics: what a training's bits depend on beside its run.
  private func note(_ run: ReadyRun, _ job: JobLease, upTo step: Int, as identity: WorkerIdentity) async throws {
    guard step > job.snapshotStep else { return }
    let numerics = try await engine.trainingNumerics()
    logger.info(
      "steps made",
      metadata: [
        "run_id": "\(run.id)", "from_step": "\(job.snapshotStep)", "to_step": "\(step)", "numerics_id": "\(numerics)",
      ])
    try await talking {
      try await store.recordEvent(
        "steps_made", run: run.id, worker: identity.id, "steps \(job.snapshotStep + 1) to \(step) with \(numerics)")
    }
  }

  /// Marks errors of the database as such, to tell them from errors of the training.
  @discardableResult
  private func talking<T: Sendable>(_ body: () async throws -> T) async throws -> T {
    do { return try await body() } catch { throw DatabaseTrouble(cause: error) }
  }
}

private struct DatabaseTrouble: Error {
  let cause: any Error
}
