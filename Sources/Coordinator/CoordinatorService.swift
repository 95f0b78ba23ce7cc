package import Lifecycle
package import Logging
internal import RunFile
internal import ServiceLifecycle
package import Store
package import Telemetry

/// Turns submitted runs into work, leads sweeps' trials from run to run, rescues what dead workers held, and ends finished
/// runs.
///
/// Everything it does is one transaction at a time under row locks, so any number may run at once.
package struct CoordinatorService: Service {
  private let store: Store
  private let timings: FleetTimings
  private let logger: Logger
  private let metrics: CoordinatorMetrics

  package init(store: Store, timings: FleetTimings, logger: Logger, metrics: Metrics) {
    self.store = store
    self.timings = timings
    self.logger = logger
    self.metrics = CoordinatorMetrics(metrics)
  }

  package func run() async throws {
    logger.info("coordinator started")
    await withGracefulShutdownHandler {
      var rescuedAt: ContinuousClock.Instant?
      while !Task.isShuttingDownGracefully && !Task.isCancelled {
        do {
          await leadSweeps()
          try await plan()
          let now = ContinuousClock.now
          if rescuedAt.map({ now - $0 >= timings.rescueEvery }) ?? true {
            try await rescue()
            rescuedAt = now
          }
        } catch {
          logger.error("a pass of the coordinator failed; it goes on", metadata: ["error": "\(error)"])
        }
        try? await Task.sleep(for: .milliseconds(500))
      }
    } onGracefulShutdown: {
    }
    logger.info("coordinator stopped")
  }

  /// Plans what was submitted and ends what is finished.
  package func plan() async throws {
    let planned = try await planRuns(in: store)
    for (run, plan) in planned {
      switch plan {
      case .items(let units): logger.info("run planned", metadata: ["run_id": "\(run)", "units_per_item": "\(units)"])
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

  private func rescue() async throws {
    let rescue = try await store.rescue(deadAfterSeconds: timings.deadAfter.inSeconds)
    metrics.record(rescue)
    if rescue != Store.Rescue() {
      logger.warning(
        "work rescued",
        metadata: [
          "lost_workers": "\(rescue.lostWorkers)", "leases": "\(rescue.leases)", "gaps": "\(rescue.gaps)",
          "jobs": "\(rescue.jobs)",
        ])
      try await store.announceWork()
    }
    try await metrics.record(queue: store.queueDepth())
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
