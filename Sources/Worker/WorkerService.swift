package import Artifacts
package import Compute
internal import Database
package import Logging
internal import Lifecycle
internal import ServiceLifecycle
package import Store
package import Telemetry

/// Claims work, computes it, posts the results. Holds no state worth saving.
///
/// It drains on graceful shutdown, and when somebody asks for it through the database: the chunk in hand is finished and posted, everything else is handed back.
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
  var isStopping: Bool { Task.isShuttingDownGracefully || Task.isCancelled || registration.isDraining }

  /// - Throws: `LeftWork` when it stops idle and left something undone.
  package func run() async throws {
    let left = await withTaskGroup(of: Void.self) { group in
      group.addTask { await registration.beat() }
      let left = await work()
      group.cancelAll()
      return left
    }
    await registration.leave()
    logger.info("worker stopped")
    if let left { throw left }
  }

  /// Works until it is told to stop or, where it stops when idle, nothing is left to claim.
  ///
  /// - Returns: what an idle worker leaves undone.
  private func work() async -> LeftWork? {
    var failed: [Int64: LeftWork] = [:]
    var refusals = Refusals()
    var tasks: [Int64: CertifyTask] = [:]
    var share = FairShare(turn: settings.timings.turn)
    var random = SystemRandomNumberGenerator()
    var mayHoldJob = false
    var isQuarantined = false
    var workedAt = ContinuousClock.now
    while !isStopping {
      do {
        let identity = try await registration.identity()
        isQuarantined = false
        // Nothing is held between turns: what the database says is held was claimed without our hearing of it.
        try await store.returnLeases(store.leases(heldBy: identity))
        if mayHoldJob {
          try await store.releaseJobs(heldBy: identity)
          mayHoldJob = false
        }
        var worked = false
        let runs = try await store.readyRuns()
        tasks = tasks.filter { id, _ in runs.contains { $0.id == id } }
        var passedOver = runs.map(\.id).filter(refusals.holds)
        let mine = runs.filter { settings.kinds.contains($0.kind) && !passedOver.contains($0.id) }
        let ordered = share.order(
          mine.map { FairShare.Candidate(id: $0.id, priority: $0.priority, weight: $0.weight) }, using: &random
        ).compactMap { id in mine.first { $0.id == id } }
        // First what nobody holds. Only with nothing of that to do, parts of what slower workers hold.
        let attempts =
          ordered.filter(\.isReady).map { ($0, helps: false) }
          + ordered.filter { $0.kind == "certify" }.map { ($0, helps: true) }
        for (run, helps) in attempts where !refusals.holds(run.id) {
          let begunAt = ContinuousClock.now
          do {
            if run.kind == "certify" {
              worked = try await certify(
                run, task: &tasks[run.id], urgency: Urgency(kinds: settings.kinds, passedOver: passedOver),
                helps: helps,
                as: identity)
            } else {
              let attempt = try await train(run, as: identity)
              worked = attempt != .notClaimed
              switch attempt {
              case .failed: failed[run.id] = LeftWork(run: run, "its training failed", fault: .run)
              case .worked: failed[run.id] = nil
              case .notClaimed: break
              }
            }
          } catch let refusal as Refusal {
            refusals.add(run.id, LeftWork(run: run, "\(refusal)", fault: refusal.fault))
            logger.error("run refused by this worker", metadata: ["run_id": "\(run.id)", "reason": "\(refusal)"])
            try await store.recordEvent("run_refused", run: run.id, worker: identity.id, "\(settings.name): \(refusal)")
          }
          if worked {
            share.spent(ContinuousClock.now - begunAt, on: run.id)
            break  // look again: whose turn it is, and whether something more urgent came
          }
          passedOver.append(run.id)
        }
        if worked { workedAt = .now }
        if !worked {
          if settings.stopsWhenIdle {
            let (isComing, awaits) = try await store.workToCome(kinds: settings.kinds, worker: identity)
            // Audits are drawn with certificates: time for an aggregator, should there be one.
            let patience = min(settings.timings.deadAfter, .seconds(10))
            if !isComing, !(awaits && ContinuousClock.now - workedAt < patience) {
              return refusals.first(of: runs) ?? failed.values.first
            }
          }
          await waitForWork()
          for id in tasks.keys { tasks[id]?.floor.reset(at: Self.now) }
        }
      } catch let error as DatabaseError where error.code == "not_this_login" {
        return LeftWork(description: error.message, fault: .machine)
      } catch let error as Quarantined {
        if !isQuarantined {
          logger.error("set aside: this worker may neither claim nor post", metadata: ["reason": "\(error)"])
          tasks = [:]
          await engine.forget()
        }
        isQuarantined = true
        if settings.stopsWhenIdle { return LeftWork(description: "\(error)", fault: .machine) }
        try? await Task.sleep(for: settings.timings.beatEvery)
      } catch {
        guard !isStopping else { return nil }
        logger.warning("pausing after an error", metadata: ["error": "\(error)"])
        // A training that was given up, or a claim of one whose answer was lost.
        mayHoldJob = true
        try? await Task.sleep(for: .seconds(Double.random(in: 0.5...1.5)))
      }
    }
    return nil
  }

  /// Waits for an announcement of work, or until it is time to look anyway.
  private func waitForWork() async {
    // Heartbeats take the same connection, so a wait must not outlast the time between them.
    let pause = min(settings.timings.pollEvery, settings.timings.beatEvery) * Double.random(in: 0.5...1)
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
  /// Whose fault it is.
  var fault = LeftWork.Fault.machine
}

/// Work that a worker which stops when idle leaves behind, so that an orchestrator can tell a bad machine from a bad run.
package struct LeftWork: Error, CustomStringConvertible, Sendable {
  package enum Fault: Sendable {
    /// This machine lacks or garbles something; another may do it.
    case machine
    /// The run is at fault wherever it is computed.
    case run
  }

  package let description: String
  package let fault: Fault

  init(description: String, fault: Fault) {
    self.description = description
    self.fault = fault
  }

  init(run: ReadyRun, _ reason: String, fault: Fault) {
    description = "run \(run.id) (\(run.name)) is left undone: \(reason)"
    self.fault = fault
  }
}

/// Runs this worker will not look at for a while, and why.
private struct Refusals {
  private var known: [Int64: (until: ContinuousClock.Instant, reason: LeftWork)] = [:]

  func holds(_ run: Int64) -> Bool { known[run].map { ContinuousClock.now < $0.until } ?? false }

  mutating func add(_ run: Int64, _ reason: LeftWork) {
    known[run] = (ContinuousClock.now + .seconds(30), reason)
  }

  /// Why the first of these runs was refused; nil when none was.
  func first(of runs: [ReadyRun]) -> LeftWork? { runs.lazy.compactMap { known[$0.id]?.reason }.first }
}
