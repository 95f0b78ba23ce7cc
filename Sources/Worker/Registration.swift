internal import Lifecycle
internal import Logging
internal import Store
internal import Synchronization

/// A worker's place in the fleet: registers, beats, and knows when it has lost its standing.
final class Registration: Sendable {
  private struct State {
    var identity: WorkerIdentity?
    var standing: Standing?
    var samplesPerSecond: Double?
    /// The fleet shares out what is left of a run by speed, so a first measurement does not wait for the next heartbeat.
    var speedIsNews = false
    var isDraining = false
  }

  private let store: Store
  private let settings: WorkerSettings
  private let device: String
  private let logger: Logger
  private let state = Mutex(State())

  init(store: Store, settings: WorkerSettings, device: String, logger: Logger) {
    self.store = store
    self.settings = settings
    self.device = device
    self.logger = logger
  }

  /// Time on the boot-time clock.
  private static let origin = ContinuousClock.now
  private static var now: Duration { ContinuousClock.now - origin }

  /// The present identity; registers when there is none or it was lost.
  ///
  /// - Throws: `Quarantined` while a person must release this worker.
  func identity() async throws -> WorkerIdentity {
    if let current { return current }
    let sentAt = Self.now
    let identity = try await store.register(
      name: settings.name, host: settings.host, pid: settings.pid, device: device, software: settings.software,
      processSeconds: sentAt.inSeconds)
    state.withLock {
      $0.identity = identity
      $0.standing = Standing(timings: settings.timings, registeredAt: sentAt)
      $0.speedIsNews = $0.samplesPerSecond != nil
    }
    logger.info("worker registered", metadata: ["worker_id": "\(identity.id)", "epoch": "\(identity.epoch)"])
    return identity
  }

  /// The identity while it is surely still good; nil once it must be taken as lost.
  var current: WorkerIdentity? {
    state.withLock { state in
      guard let identity = state.identity, let standing = state.standing else { return nil }
      if standing.verdict(at: Self.now) == .lost {
        state.identity = nil
        state.standing = nil
        return nil
      }
      return identity
    }
  }

  /// True while `identity` is the present one and surely still good.
  func isHeld(_ identity: WorkerIdentity) -> Bool { current == identity }

  /// Somebody asked this worker to drain, through the database.
  var isDraining: Bool { state.withLock { $0.isDraining } }

  func note(samplesPerSecond: Double?) {
    state.withLock {
      if $0.samplesPerSecond == nil { $0.speedIsNews = samplesPerSecond != nil }
      $0.samplesPerSecond = samplesPerSecond
    }
  }

  /// Beats until cancelled.
  func beat() async {
    while !Task.isCancelled {
      let due = state.withLock { $0.speedIsNews || $0.standing?.verdict(at: Self.now) == .beatDue }
      if due, let identity = current {
        let sentAt = Self.now
        do {
          let speed = state.withLock { $0.samplesPerSecond }
          let answer = try await store.beat(identity, samplesPerSecond: speed)
          state.withLock { state in
            guard state.identity == identity else { return }
            if answer == .lost {
              state.identity = nil
              state.standing = nil
            } else {
              state.standing?.renewed(sentAt: sentAt)
              state.speedIsNews = false
            }
            if answer == .drain { state.isDraining = true }
          }
          if answer == .lost {
            logger.warning("taken for dead; registering anew", metadata: ["worker_id": "\(identity.id)"])
          }
        } catch {
          logger.warning("heartbeat failed", metadata: ["error": "\(error)"])
        }
      }
      try? await Task.sleep(for: min(.seconds(1), settings.timings.beatEvery / 4))
    }
  }

  /// Says goodbye.
  func leave() async {
    guard let identity = current else { return }
    do { try await store.leave(identity) } catch {
      logger.warning("could not say goodbye; the sweep will notice", metadata: ["error": "\(error)"])
    }
  }
}
