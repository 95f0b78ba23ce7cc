internal import Artifacts
internal import Compute
internal import Lifecycle
internal import Logging
internal import Store
internal import Telemetry

extension WorkerService {
  /// Works on a certification run until it has nothing more to claim, or for about five leases' time.
  ///
  /// - Parameter task: what an earlier call made ready, with the speed it measured; kept for the next.
  /// - Returns: whether anything was claimed.
  /// - Throws: `Refusal` when this worker cannot compute the run.
  func certify(_ run: ReadyRun, task known: inout CertifyTask?, as identity: WorkerIdentity) async throws -> Bool {
    var task: CertifyTask
    if let known, known.identity == identity { task = known } else { task = try await open(run, as: identity) }
    defer { known = task }
    let patience = ContinuousClock.now.advanced(by: settings.timings.leaseTarget * 5)
    var posts = Posts()
    // Leases that may still be held: the one whose last votes are on their way, the present one, the one claimed ahead.
    var leases: [Int64] = []
    do {
      var next = try await claim(task, floor: 0, as: identity)
      while let lease = next {
        leases = leases.suffix(2) + [lease.id]
        next = try await compute(lease, of: &task, as: identity, posts: &posts) { task in
          guard ContinuousClock.now < patience else { return nil }
          return try await claim(task, floor: lease.itemID, as: identity)
        }
      }
      try await posts.settle()
    } catch {
      // Whatever went wrong, nothing stays held: all that has no votes goes back.
      try? await posts.settle()
      if registration.isHeld(identity) { _ = try? await store.returnLeases(leases) }
      sumUp(task)
      if error is ComputeError { throw Refusal(description: "\(error)", fault: .run) }
      throw error
    }
    if isStopping || !registration.isHeld(identity) || ContinuousClock.now < patience { sumUp(task) }
    return !leases.isEmpty
  }

  /// Says where the time went, once work on a run ends for now.
  private func sumUp(_ task: CertifyTask) {
    let sums = task.time.sums
    guard let share = sums.share else { return }
    func rounded(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
    logger.info(
      "work on a run pauses",
      metadata: [
        "run_id": "\(task.run.id)", "samples": "\(sums.samples)", "compute_seconds": "\(rounded(sums.computeSeconds))",
        "span_seconds": "\(rounded(sums.spanSeconds))", "compute_share": "\(rounded(share))",
      ])
  }

  /// A run made ready for claiming.
  struct CertifyTask: Sendable {
    let run: ReadyRun
    /// The registration under which canary and pinning were settled.
    let identity: WorkerIdentity
    let checkpointDigest: String
    let numericsID: String
    let units: UnitPlan
    /// The protocol's noise levels by sigma's decimal.
    let levels: [String: CertificationProtocol.Level]
    let time = WorkTime()
    var sizer = LeaseSizer()
  }

  private func open(_ run: ReadyRun, as identity: WorkerIdentity) async throws -> CertifyTask {
    guard let checkpoint = run.checkpointDigest else {
      throw Refusal(description: "the run has no checkpoint", fault: .run)
    }
    guard let rules = try await store.certification(ofRun: run.id) else {
      throw Refusal(description: "the run has no protocol", fault: .run)
    }
    let standing: ComputeEngine.Standing
    do {
      standing = try await engine.load(
        checkpoint: checkpoint, dataset: run.datasetDigest, seed: run.seed, levels: rules.levels)
    } catch let error as ArtifactError where error.code == .stopped {
      throw error
    } catch {
      throw Refusal(description: "\(error)", fault: error is ComputeError ? .run : .machine)
    }
    func requireAllowed(_ allowed: [String]) throws {
      guard allowed.contains(standing.numericsID) else {
        throw Refusal(
          description: "the run takes votes of \(allowed.joined(separator: ", ")) and this worker computes "
            + standing.numericsID)
      }
    }
    if !run.numericsIDs.isEmpty { try requireAllowed(run.numericsIDs) }
    // The canary comes before the pin: a worker that computes wrongly must not give a run its id.
    guard
      try await store.canaryAgrees(
        checkpointDigest: checkpoint, numericsID: standing.numericsID, logitsDigest: standing.canaryDigest,
        worker: identity)
    else {
      throw Refusal(
        description: "its logits for the canary batch differ from those recorded for \(standing.numericsID);"
          + " one of the machines computes wrongly, or the id does not tell them apart")
    }
    try requireAllowed(await store.pinRun(run.id, numericsID: standing.numericsID, worker: identity))
    return CertifyTask(
      run: run, identity: identity, checkpointDigest: checkpoint, numericsID: standing.numericsID,
      units: UnitPlan(n0: rules.n0, n: rules.n, chunkSamples: rules.chunkSamples),
      levels: Dictionary(uniqueKeysWithValues: rules.levels.map { ($0.sigma, $0) }))
  }

  private func claim(
    _ task: CertifyTask, floor: Int64, as identity: WorkerIdentity
  ) async throws -> Lease? {
    guard !isStopping, registration.isHeld(identity) else { return nil }
    let chunkSamples = task.units.chunkSamples
    let units =
      settings.leaseUnits ?? task.sizer.units(target: settings.timings.leaseTarget, chunkSamples: chunkSamples)
    let sentAt = ContinuousClock.now
    let lease = try await store.claim(
      run: task.run.id, worker: identity, numericsID: task.numericsID, units: units,
      deadlineSeconds: deadline(units: units, task: task), floor: floor)
    if lease != nil {
      metrics.leases.increment()
      task.time.claimed(sentAt: sentAt)
    }
    return lease
  }

  private func deadline(units: Int, task: CertifyTask) -> Double {
    settings.timings.leaseDeadline(
      units: units, secondsPerUnit: task.sizer.secondsPerUnit(chunkSamples: task.units.chunkSamples)
    ).inSeconds
  }

  /// Computes a lease chunk by chunk. Votes are posted about once a second and at the end while the next chunk is computed,
  /// be it of the next lease, which is claimed while the last chunk is: the device does not wait for the database.
  ///
  /// - Parameters:
  ///   - posts: takes the posts; the lease's last one may still be on its way on return.
  ///   - claimNext: claims the lease to follow, with the speed measured so far.
  /// - Returns: that lease.
  private func compute(
    _ lease: Lease, of task: inout CertifyTask, as identity: WorkerIdentity, posts: inout Posts,
    claimNext: @escaping @Sendable (CertifyTask) async throws -> Lease?
  ) async throws -> Lease? {
    guard let level = task.levels[lease.sigma] else {
      throw Refusal(description: "the run's protocol has no sigma \(lease.sigma)", fault: .run)
    }
    var finished: [ChunkPost] = []
    var claiming: Task<Lease?, any Error>?
    var postedAt = ContinuousClock.now
    do {
      for unit in lease.units {
        guard !isStopping, registration.isHeld(identity) else { break }
        if unit == lease.units.upperBound - 1 {
          claiming = Task { [task] in try await claimNext(task) }
        }
        let post = try await engine.votes(
          ChunkWork(
            itemID: lease.itemID, checkpointDigest: task.checkpointDigest, datasetDigest: task.run.datasetDigest,
            imageIndex: lease.imageIndex, seed: task.run.seed, level: level,
            chunk: task.units.chunk(ofUnit: unit)))
        finished.append(post)
        task.sizer.record(samples: post.chunk.samples.count, seconds: post.computeMilliseconds / 1000)
        metrics.record(post)
        if unit + 1 < lease.units.upperBound, ContinuousClock.now - postedAt >= .seconds(1) {
          let left = deadline(units: lease.units.upperBound - unit - 1, task: task)
          try await posts.send { [finished, time = task.time] in
            try await self.post(finished, lease, as: identity, finishes: false, deadlineSeconds: left, time: time)
          }
          finished = []
          postedAt = .now
        }
      }
      registration.note(samplesPerSecond: task.sizer.samplesPerSecond)
      let isComplete = finished.last?.chunk == task.units.chunk(ofUnit: lease.units.upperBound - 1)
      try await posts.send { [finished, time = task.time] in
        try await self.post(finished, lease, as: identity, finishes: isComplete, deadlineSeconds: 60, time: time)
      }
      if !isComplete {
        try await posts.settle()
        if registration.isHeld(identity) { try await store.returnLeases([lease.id]) }
      }
      return try await claiming?.value
    } catch {
      // The caller hands back this lease; the one claimed ahead is not yet known to it.
      if let ahead = try? await claiming?.value, registration.isHeld(identity) {
        _ = try? await store.returnLeases([ahead.id])
      }
      throw error
    }
  }

  private func post(
    _ chunks: [ChunkPost], _ lease: Lease, as identity: WorkerIdentity, finishes: Bool, deadlineSeconds: Double,
    time: WorkTime
  ) async throws {
    let outcome = try await store.post(
      chunks, lease: lease, worker: identity, finishes: finishes, deadlineSeconds: deadlineSeconds)
    metrics.spanSeconds.increment(by: time.posted(chunks))
    metrics.record(outcome)
    if outcome.disagreements > 0 {
      logger.critical(
        "votes differ from those stored: the item is held",
        metadata: ["lease_id": "\(lease.id)", "item_id": "\(lease.itemID)", "chunks": "\(outcome.disagreements)"])
    }
    if !outcome.leaseHeld {
      logger.notice(
        "a lease had already ended; its votes are stored all the same", metadata: ["lease_id": "\(lease.id)"])
    }
  }
}
