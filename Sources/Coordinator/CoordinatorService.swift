internal import Database
package import Lifecycle
package import Logging
internal import RunFile
internal import ServiceLifecycle
package import Store
package import Telemetry

/// Turns submitted runs into work, leads sweeps' trials from run to run, rescues what dead workers held, and ends finished
/// runs.
///
/// Any number may run: one is elected for a term, the others stand by. Everything it does is one transaction at a time,
/// which is refused once its term is over; row locks would keep two leaders apart even so.
package struct CoordinatorService: Service {
  private var store: Store
  private let timings: FleetTimings
  private let presence: Presence
  private let logger: Logger
  private let metrics: CoordinatorMetrics

  package init(store: Store, timings: FleetTimings, presence: Presence, logger: Logger, metrics: Metrics) {
    self.store = store
    self.timings = timings
    self.presence = presence
    self.logger = logger
    self.metrics = CoordinatorMetrics(metrics)
  }

  package func run() async throws {
    logger.info("coordinator started")
    await withGracefulShutdownHandler {
      var election = Election(presence: presence, term: timings.term, logger: logger)
      var lookedAt: ContinuousClock.Instant?
      var strandedAt: ContinuousClock.Instant?
      while !Task.isShuttingDownGracefully && !Task.isCancelled {
        do {
          let term = try await election.attend(store)
          metrics.record(term: term)
          let now = ContinuousClock.now
          let looks = lookedAt.map { now - $0 >= timings.rescueEvery } ?? true
          if let term {
            let leader = leading(under: term)
            await leader.leadSweeps()
            try await leader.plan()
            if looks { try await leader.rescue() }
            // As patiently as workers are taken for dead: one that is started again takes a moment to show what it computes.
            if strandedAt.map({ now - $0 >= timings.deadAfter }) ?? true {
              try await leader.noteStranded()
              strandedAt = now
            }
          }
          if looks {
            try await metrics.record(queue: store.queueDepth())
            try await metrics.record(fleet: store.fleetNow())
            try await metrics.record(server: store.serverHorizon(), deadRows: store.deadRows())
            lookedAt = now
          }
        } catch let error as DatabaseError where error.code == "stale_term" {
          election.lost(error)
        } catch {
          logger.error("a pass of the coordinator failed; it goes on", metadata: ["error": "\(error)"])
        }
        try? await Task.sleep(for: min(.milliseconds(500), timings.term / 10))
      }
      await election.leave(store)
    } onGracefulShutdown: {
    }
    logger.info("coordinator stopped")
  }

  /// This coordinator as the leader of a term.
  private func leading(under term: Term) -> CoordinatorService {
    var leader = self
    leader.store = store.led(under: term)
    return leader
  }

  /// Plans what was submitted and ends what is finished.
  package func plan() async throws {
    let planned = try await planRuns(in: store)
    for (run, plan) in planned {
      switch plan {
      case .items(let units, _):
        logger.info("run planned", metadata: ["run_id": "\(run)", "units_per_item": "\(units)"])
      case .job(let steps): logger.info("training queued", metadata: ["run_id": "\(run)", "steps": "\(steps)"])
      case .refused(let reason): logger.warning("run refused", metadata: ["run_id": "\(run)", "reason": "\(reason)"])
      }
    }
    if !planned.isEmpty { try await store.announceWork() }
    for run in try await store.finishRuns() {
      logger.info("run done", metadata: ["run_id": "\(run)"])
    }
  }

  /// Leads sweeps on. What goes wrong there does not keep runs from being planned.
  package func leadSweeps() async {
    do {
      for note in try await advanceSweeps(in: store) {
        logger.log(level: note.level, "\(note.message)", metadata: note.metadata)
      }
    } catch {
      logger.error("sweeps could not be led on; the next pass tries again", metadata: ["error": "\(error)"])
    }
  }

  private func noteStranded() async throws {
    for run in try await store.noteStranded() {
      logger.warning("run stranded: no live worker of its numerics id", metadata: ["run_id": "\(run)"])
    }
  }

  private func rescue() async throws {
    let rescue = try await store.rescue(deadAfterSeconds: timings.deadAfter.inSeconds)
    metrics.record(rescue)
    if rescue != Store.Rescue() {
      logger.warning(
        "work rescued",
        metadata: [
          "lost_workers": "\(rescue.lostWorkers)", "leases": "\(rescue.leases)", "gaps": "\(rescue.gaps)",
          "jobs": "\(rescue.jobs)", "poisoned": "\(rescue.poisoned)",
        ])
      try await store.announceWork()
    }
    try await arbitrate()
  }

  /// Finds out who computed wrongly where results differ.
  package func arbitrate() async throws {
    let arbitration = try await store.arbitrate(patienceSeconds: timings.arbitrationPatience.inSeconds)
    metrics.record(arbitration)
    for quarantine in arbitration.quarantines {
      logger.error(
        "worker set aside: it computed wrongly",
        metadata: [
          "worker_id": "\(quarantine.worker)", "worker": "\(quarantine.name)", "host": "\(quarantine.host)",
          "reason": "\(quarantine.reason)", "voided_chunks": "\(quarantine.chunks)",
          "superseded_certificates": "\(quarantine.certificates)",
        ])
    }
    if arbitration.undecided > 0 {
      logger.error("disputes cannot be settled; items are held", metadata: ["count": "\(arbitration.undecided)"])
    }
    if !arbitration.quarantines.isEmpty || arbitration.settled > 0 { try await store.announceWork() }
  }
}

/// Plans every submitted run that is ready. Returns what was decided.
package func planRuns(in store: Store) async throws -> [(Int64, RunPlan)] {
  let submitted = try await store.submittedRuns()
  guard !submitted.isEmpty else { return [] }
  var images: [String: DatasetRecord] = [:]
  var trainingImages: [Int64: Int] = [:]
  for run in submitted {
    images[run.datasetDigest] = try await store.dataset(run.datasetDigest)
    trainingImages[run.id] = 0
    guard let spec = try? RunSpec(stored: run.spec) else { continue }
    let split = try await store.imageIndices(of: run.datasetDigest, split: spec.dataset.split)
    trainingImages[run.id] = (try? spec.dataset.choose(from: split).count) ?? 0
  }
  let known = images
  let counts = trainingImages
  return try await store.planSubmittedRuns { run in
    guard let trainingImages = counts[run.id] else { return nil }  // submitted meanwhile: the next pass has it
    return Planner.plan(run, images: known[run.datasetDigest], trainingImages: trainingImages)
  }
}
