internal import Artifacts
internal import Compute
internal import Lifecycle
internal import Logging
internal import Store
internal import Telemetry

extension WorkerService {
  /// Works on a certification run until it has nothing more to claim, its turn is over, or something more urgent waits.
  ///
  /// - Parameters:
  ///   - task: what an earlier call made ready, with the speed it measured; kept for the next.
  ///   - urgency: what should end the turn before its time.
  ///   - helps: also take over parts of what slower workers hold: there is nothing else to do.
  /// - Returns: whether anything was claimed.
  /// - Throws: `Refusal` when this worker cannot compute the run.
  func certify(
    _ run: ReadyRun, task known: inout CertifyTask?, urgency: Urgency, helps: Bool, as identity: WorkerIdentity
  ) async throws -> Bool {
    var task: CertifyTask
    if let known, known.identity == identity { task = known } else { task = try await open(run, as: identity) }
    task.run = run
    defer { known = task }
    let turn = Turn(
      store: store, identity: identity, weight: run.weight, urgency: urgency, helps: helps, logger: logger)
    let patience = ContinuousClock.now.advanced(by: settings.timings.turn)
    // A drain is seen while a chunk is being computed, too: what is not started does not wait for it.
    let watch = Task {
      while !Task.isCancelled && !isStopping { try? await Task.sleep(for: .milliseconds(50)) }
      if !Task.isCancelled { turn.release() }
    }
    defer { watch.cancel() }
    var posts = Posts()
    var worked = false
    do {
      worked = try await audit(task, as: identity) > 0
      var next = try await claim(&task, in: turn)
      while let lease = next {
        worked = true
        next = try await compute(lease, of: &task, in: turn, posts: &posts) { task in
          guard ContinuousClock.now < patience else { return nil }
          return try await claim(&task, in: turn)
        }
      }
      try await posts.settle()
      await turn.settleRelease()
    } catch {
      // Whatever went wrong, nothing stays held: all that has no votes goes back.
      try? await posts.settle()
      await turn.settleRelease()
      if registration.isHeld(identity) { _ = try? await store.returnLeases(turn.held) }
      sumUp(task)
      if error is ComputeError { throw Refusal(description: "\(error)", fault: .run) }
      throw error
    }
    if turn.isEnding || !registration.isHeld(identity) || ContinuousClock.now < patience { sumUp(task) }
    return worked
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
    var run: ReadyRun
    /// The registration under which canary and pinning were settled.
    let identity: WorkerIdentity
    let checkpointDigest: String
    let numericsID: String
    let units: UnitPlan
    /// The protocol's noise levels by sigma's decimal.
    let levels: [String: CertificationProtocol.Level]
    let time = WorkTime()
    var sizer = LeaseSizer()
    var floor = ClaimFloor(at: WorkerService.now)
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
    logger.info(
      "classifier ready",
      metadata: [
        "run_id": "\(run.id)", "numerics_id": "\(standing.numericsID)", "threads": "\(standing.arrangement)",
      ])
    func requireAllowed(_ allowed: [String]) throws {
      guard allowed.contains(standing.numericsID) else {
        throw Refusal(
          description: "the run takes votes of \(allowed.joined(separator: ", ")) and this worker computes "
            + standing.numericsID)
      }
    }
    if !run.numericsIDs.isEmpty {
      if !run.numericsIDs.contains(standing.numericsID) {
        try await store.noteNumerics(standing.numericsID, of: identity)
      }
      try requireAllowed(run.numericsIDs)
    }
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

  /// Time on a steady clock.
  static var now: Duration { ContinuousClock.now - clockOrigin }
  private static let clockOrigin = ContinuousClock.now

  /// Claims the next range of the turn's run, from the floor and, where that gives nothing, from the first item.
  private func claim(_ task: inout CertifyTask, in turn: Turn) async throws -> Lease? {
    let floor = task.floor.value(at: Self.now, priority: task.run.priority)
    if let lease = try await claim(task, floor: floor, in: turn) {
      task.floor.found(lease.itemID)
      return lease
    }
    task.floor.reset(at: Self.now)
    if floor > 0, let lease = try await claim(task, floor: 0, in: turn) {
      task.floor.found(lease.itemID)
      return lease
    }
    guard turn.helps else { return nil }
    return try await request(task, in: turn) { units, deadline in
      try await store.claimTail(
        run: task.run.id, worker: turn.identity, numericsID: task.numericsID, units: units, deadlineSeconds: deadline,
        samplesPerSecond: task.sizer.samplesPerSecond, chunkSamples: task.units.chunkSamples)
    }
  }

  private func claim(_ task: CertifyTask, floor: Int64, in turn: Turn) async throws -> Lease? {
    try await request(task, in: turn) { units, deadline in
      try await store.claim(
        run: task.run.id, worker: turn.identity, numericsID: task.numericsID, units: units, deadlineSeconds: deadline,
        floor: floor, samplesPerSecond: settings.leaseUnits == nil ? task.sizer.samplesPerSecond : nil)
    }
  }

  /// Asks for a lease of so many units and seconds, unless the turn is over.
  private func request(
    _ task: CertifyTask, in turn: Turn, _ ask: (_ units: Int, _ deadline: Double) async throws -> Lease?
  ) async throws -> Lease? {
    guard !isStopping, !turn.isEnding, registration.isHeld(turn.identity) else { return nil }
    let units =
      settings.leaseUnits
      ?? task.sizer.units(target: settings.timings.leaseTarget, chunkSamples: task.units.chunkSamples)
    let (sentAt, deadline) = (ContinuousClock.now, deadline(units: units, task: task))
    let lease = try await ask(units, deadline)
    if let lease {
      turn.claimed(lease, sentAt: sentAt - Self.clockOrigin, holdsFor: .seconds(deadline))
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
  /// be it of the next lease, which is claimed shortly before the last chunk is done: the device does not wait for the
  /// database, and nothing is held long before it is needed.
  ///
  /// - Parameters:
  ///   - posts: takes the posts; the lease's last one may still be on its way on return.
  ///   - claimNext: claims the lease to follow, with the speed measured so far.
  /// - Returns: that lease.
  private func compute(
    _ lease: Lease, of task: inout CertifyTask, in turn: Turn, posts: inout Posts,
    claimNext: @escaping @Sendable (inout CertifyTask) async throws -> Lease?
  ) async throws -> Lease? {
    guard let level = task.levels[lease.sigma] else {
      throw Refusal(description: "the run's protocol has no sigma \(lease.sigma)", fault: .run)
    }
    // A suspect must be the only thing in hand: what was computed before it is stored first, and nothing claimed ahead.
    if lease.isAlone { try await posts.settle() }
    turn.begin(lease)
    var finished: [ChunkPost] = []
    var ahead: Ahead?
    var postedAt = ContinuousClock.now
    var unit = lease.units.lowerBound
    do {
      while registration.isHeld(turn.identity), turn.take(unit, at: Self.now) {
        if ahead == nil, !lease.isAlone, unit + 1 >= turn.upperBound {
          let seconds = task.sizer.secondsPerUnit(chunkSamples: task.units.chunkSamples)
          let pause = task.sizer.samplesPerSecond == nil ? .zero : .seconds(seconds) - settings.timings.claimAhead
          ahead = Ahead(after: pause, task: task, claimNext)
        }
        let post = try await engine.votes(
          ChunkWork(
            itemID: lease.itemID, checkpointDigest: task.checkpointDigest, datasetDigest: task.run.datasetDigest,
            imageIndex: lease.imageIndex, seed: task.run.seed, level: level,
            chunk: task.units.chunk(ofUnit: unit)))
        unit += 1
        finished.append(post)
        task.sizer.record(samples: post.chunk.samples.count, seconds: post.computeMilliseconds / 1000)
        registration.note(samplesPerSecond: task.sizer.samplesPerSecond)
        metrics.record(post)
        if unit < turn.upperBound, ContinuousClock.now - postedAt >= settings.timings.postEvery {
          let left = deadline(units: turn.upperBound - unit, task: task)
          try await posts.send { [finished, unit, time = task.time] in
            try await self.post(
              finished, lease, in: turn, finishes: false, next: unit, deadlineSeconds: left, time: time)
          }
          finished = []
          postedAt = .now
        }
      }
      ahead?.claimNow()
      // What is handed back is settled before the lease is: its end must not cover units that were not computed.
      await turn.settleRelease()
      let isComplete = unit >= turn.upperBound
      if isComplete { turn.finishes(lease) }
      try await posts.send { [finished, unit, time = task.time] in
        try await self.post(
          finished, lease, in: turn, finishes: isComplete, next: unit, deadlineSeconds: 60, time: time)
      }
      if !isComplete {
        try await posts.settle()
        if registration.isHeld(turn.identity) { try await store.returnLeases([lease.id]) }
        turn.ended(lease.id)
      }
      if lease.isAlone { try await posts.settle() }
      // Where the rest was taken over meanwhile, or the lease was a suspect, nothing was claimed ahead.
      let (next, floor) = try await (ahead ?? Ahead(after: .zero, task: task, claimNext)).value
      task.floor = floor
      return next
    } catch {
      if let error = error as? ComputeError, registration.isHeld(turn.identity) {
        try? await posts.settle()
        try? await store.failLease(lease, worker: turn.identity, error: "\(settings.name): \(error)")
      }
      // The caller hands back everything, the lease claimed ahead too.
      ahead?.claimNow()
      _ = try? await ahead?.value
      throw error
    }
  }

  private func post(
    _ chunks: [ChunkPost], _ lease: Lease, in turn: Turn, finishes: Bool, next: Int, deadlineSeconds: Double,
    time: WorkTime
  ) async throws {
    let sentAt = Self.now
    let outcome = try await store.post(
      chunks, lease: lease, worker: turn.identity, finishes: finishes, deadlineSeconds: deadlineSeconds, next: next,
      urgency: turn.urgency)
    metrics.spanSeconds.increment(by: time.posted(chunks))
    metrics.record(outcome)
    turn.heard(outcome.lease, of: lease)
    if !finishes, outcome.leaseHeld {
      turn.renewed(lease, sentAt: sentAt, holdsFor: .seconds(deadlineSeconds))
    }
    if finishes || !outcome.leaseHeld { turn.ended(lease.id) }
    if outcome.disagreements > 0 {
      logger.critical(
        "votes differ from those stored: the item is held until arbitration",
        metadata: ["lease_id": "\(lease.id)", "item_id": "\(lease.itemID)", "chunks": "\(outcome.disagreements)"])
    }
    if !outcome.leaseHeld {
      logger.notice(
        "a lease had already ended; its votes are stored all the same", metadata: ["lease_id": "\(lease.id)"])
      if outcome.stored > 0 { try await store.dropVotedGaps(ofItem: lease.itemID) }
    }
  }

  /// The lease to follow, claimed after a pause or as soon as somebody cannot wait.
  private struct Ahead {
    private let pause: Task<Void, Never>
    private let claim: Task<(Lease?, ClaimFloor), any Error>

    init(
      after pause: Duration, task: CertifyTask,
      _ claimNext: @escaping @Sendable (inout CertifyTask) async throws -> Lease?
    ) {
      let waiting = Task<Void, Never> { if pause > .zero { try? await Task.sleep(for: pause) } }
      self.pause = waiting
      claim = Task {
        await waiting.value
        var task = task
        let lease = try await claimNext(&task)
        return (lease, task.floor)
      }
    }

    func claimNow() { pause.cancel() }

    var value: (Lease?, ClaimFloor) { get async throws { try await claim.value } }
  }
}
