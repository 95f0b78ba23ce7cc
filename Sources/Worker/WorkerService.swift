package import Artifacts
package import Compute
package import Logging
internal import Lifecycle
internal import ServiceLifecycle
package import Store
package import Telemetry

/// Claims work, computes it, posts the results. Holds no state worth saving.
///
/// It drains on graceful shutdown: the chunk in hand is finished and posted, everything else is handed back.
package struct WorkerService: Service {
  let store: Store
  let engine: ComputeEngine
  let settings: WorkerSettings
  let registration: Registration
  let logger: Logger
  let metrics: WorkerMetrics

  package init(
    store: Store, device: any Device, artifacts: ArtifactStore, settings: WorkerSettings, logger: Logger,
    metrics: Metrics
  ) {
    var logger = logger
    logger[metadataKey: "worker"] = "\(settings.name)"
    self.store = store
    self.settings = settings
    self.logger = logger
    self.metrics = WorkerMetrics(metrics)
    engine = ComputeEngine(device: device, artifacts: artifacts, batch: settings.batch)
    registration = Registration(store: store, settings: settings, device: device.summary, logger: logger)
  }

  /// Draining or cancelled: claim nothing more.
  var isStopping: Bool { Task.isShuttingDownGracefully || Task.isCancelled }

  package func run() async throws {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await registration.beat() }
      await work()
      group.cancelAll()
    }
    await registration.leave()
    logger.info("worker stopped")
  }

  private func work() async {
    var refusals = Refusals()
    var tasks: [Int64: CertifyTask] = [:]
    while !isStopping {
      do {
        let identity = try await registration.identity()
        var worked = false
        let ready = try await store.readyRuns()
        tasks = tasks.filter { id, _ in ready.contains { $0.id == id } }
        for run in ready where settings.kinds.contains(run.kind) && !refusals.holds(run.id) {
          do {
            worked =
              try await run.kind == "certify"
              ? certify(run, task: &tasks[run.id], as: identity) : train(run, as: identity)
          } catch let refusal as Refusal {
            refusals.add(run.id)
            logger.error("run refused by this worker", metadata: ["run_id": "\(run.id)", "reason": "\(refusal)"])
            try await store.recordEvent("run_refused", run: run.id, worker: identity.id, "\(settings.name): \(refusal)")
          }
          if worked { break }  // look again: something more urgent may have come
        }
        if !worked {
          if settings.stopsWhenIdle { return }
          await waitForWork()
        }
      } catch {
        guard !isStopping else { return }
        logger.warning("pausing after an error", metadata: ["error": "\(error)"])
        try? await Task.sleep(for: .seconds(Double.random(in: 0.5...1.5)))
      }
    }
  }

  /// Waits for an announcement of work, or until it is time to look anyway.
  private func waitForWork() async {
    let pause = settings.timings.pollEvery * Double.random(in: 0.5...1)
    do {
      try await store.waitForWork(timeout: pause)
    } catch {
      try? await Task.sleep(for: pause)
    }
  }
}

/// Why this worker will not compute a run, though another may.
struct Refusal: Error, CustomStringConvertible {
  let description: String
}

/// Runs this worker will not look at for a while.
private struct Refusals {
  private var until: [Int64: ContinuousClock.Instant] = [:]

  func holds(_ run: Int64) -> Bool { until[run].map { ContinuousClock.now < $0 } ?? false }

  mutating func add(_ run: Int64) { until[run] = ContinuousClock.now + .seconds(30) }
}
