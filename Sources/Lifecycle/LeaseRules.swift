/// How long things may take before others act. Every figure can be set; these defaults detect a dead worker in under 45 s.
package struct FleetTimings: Sendable, Hashable {
  /// Between a worker's heartbeats.
  package var beatEvery: Duration = .seconds(10)
  /// A worker silent for longer is gone, and what it held is handed back.
  package var deadAfter: Duration = .seconds(35)
  /// Between the coordinator's looks for dead workers.
  package var rescueEvery: Duration = .seconds(5)
  /// Between polls of a worker or aggregator without work, before jitter. NOTIFY only shortens the wait.
  package var pollEvery: Duration = .seconds(2)
  /// Work a lease should hold.
  package var leaseTarget: Duration = .seconds(5)
  /// Between a worker's posts, chunks permitting.
  package var postEvery: Duration = .seconds(1)
  /// How long before its last chunk should be done a worker claims the next range.
  package var claimAhead: Duration = .milliseconds(250)
  /// Between stored states from which a training job resumes.
  package var snapshotEvery: Duration = .seconds(15)
  /// A training job without progress for longer is taken back.
  package var jobDeadline: Duration = .seconds(600)
  /// A coordinator leads for so long after each of its writes; then another may be elected.
  package var term: Duration = .seconds(10)

  /// An audit that nobody took for longer may be done by the worker that posted the votes, though others are there.
  package var auditPatience: Duration = .seconds(600)
  /// How long arbitration waits for a third worker, and then for a canary.
  package var arbitrationPatience: Duration = .seconds(60)

  package init() {}

  /// How long a worker stays with a run before it looks again which one is next: long enough that loading a checkpoint
  /// does not count.
  package var turn: Duration { leaseTarget * 5 }

  /// The longest that a dead worker can go unnoticed.
  package var longestSilence: Duration { deadAfter + rescueEvery }

  /// A lease's time limit: four times what it should take, at least a minute. It catches hung devices, not slow ones.
  package func leaseDeadline(units: Int, secondsPerUnit: Double) -> Duration {
    .seconds(max(60, 4 * Double(units) * secondsPerUnit))
  }
}

/// Sizes a lease in time: how many units a worker of a measured speed should claim at once.
package struct LeaseSizer: Sendable {
  /// Smoothed speed on the present run; nil until the first chunk is done.
  package private(set) var samplesPerSecond: Double?

  package init() {}

  /// Takes a finished chunk into the average.
  package mutating func record(samples: Int, seconds: Double) {
    guard samples > 0, seconds > 0 else { return }
    let speed = Double(samples) / seconds
    samplesPerSecond = samplesPerSecond.map { 0.7 * $0 + 0.3 * speed } ?? speed
  }

  /// Units to claim: `target` of work, at least 1, at most `limit`. One unit until the speed is known.
  package func units(target: Duration, chunkSamples: Int, limit: Int = 4096) -> Int {
    guard let samplesPerSecond else { return 1 }
    return Self.units(target: target, chunkSamples: chunkSamples, samplesPerSecond: samplesPerSecond, limit: limit)
  }

  /// Units that hold `target` of work at a known speed.
  package static func units(
    target: Duration, chunkSamples: Int, samplesPerSecond: Double, limit: Int = 4096
  ) -> Int {
    let units = target.inSeconds * samplesPerSecond / Double(chunkSamples)
    return units < Double(limit) ? max(1, Int(units)) : limit
  }

  /// Expected seconds for one unit; a quarter of an hour while the speed is unknown: heartbeats tell the dead, this only
  /// the hung.
  package func secondsPerUnit(chunkSamples: Int) -> Double {
    samplesPerSecond.map { Double(chunkSamples) / $0 } ?? 900
  }
}

/// A worker's own watch over its standing: the database's clock decides, so the worker counts from *sending* its last
/// successful renewal, on a clock that runs through suspend, and stops by itself before the others would act.
package struct Standing: Sendable {
  package enum Verdict: Sendable, Hashable {
    /// Nothing to do.
    case good
    /// A heartbeat is due.
    case beatDue
    /// Too long without a successful heartbeat: what is held may already be somebody else's. Register anew.
    case lost
  }

  private let timings: FleetTimings
  /// When the last heartbeat that succeeded was sent, in the caller's boot-time clock.
  private var renewedAt: Duration

  /// - Parameter now: time on a boot-time clock when the registration was sent.
  package init(timings: FleetTimings, registeredAt now: Duration) {
    self.timings = timings
    renewedAt = now
  }

  /// A heartbeat sent at `sentAt` was accepted.
  package mutating func renewed(sentAt: Duration) { renewedAt = max(renewedAt, sentAt) }

  /// What to do at `now`. A margin of a tenth of `deadAfter` keeps the worker ahead of its rescuers.
  package func verdict(at now: Duration) -> Verdict {
    let silence = now - renewedAt
    if silence >= timings.deadAfter - timings.deadAfter / 10 { return .lost }
    return silence >= timings.beatEvery ? .beatDue : .good
  }
}

/// A worker's watch over one lease: the database ends it at a deadline set when the last renewal arrived there, so the
/// worker begins nothing more of it a tenth of that time earlier, counted from *sending* the renewal.
package struct LeaseWatch: Sendable, Hashable {
  private let stopsAt: Duration

  /// - Parameters:
  ///   - renewedAt: when the claim or the last renewal was sent.
  ///   - holdsFor: the time limit it asked for.
  package init(renewedAt: Duration, holdsFor: Duration) { stopsAt = renewedAt + holdsFor - holdsFor / 10 }

  package func isHeld(at now: Duration) -> Bool { now < stopsAt }
}

extension Duration {
  /// As a floating-point number of seconds.
  package var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
