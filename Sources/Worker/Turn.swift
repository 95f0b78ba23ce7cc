internal import Lifecycle
internal import Logging
internal import Store
internal import Synchronization

/// What a worker holds of a run during one turn, so that whatever ends the turn hands back at once what is not started: a
/// drain, a pause, a more urgent run, a lost standing.
///
/// The chunk in hand is never given up; only units after it are.
final class Turn: Sendable {
  let identity: WorkerIdentity
  let weight: Int
  let urgency: Urgency
  /// There is nothing else to do: parts of what slower workers hold may be taken over.
  let helps: Bool
  private let store: Store
  private let logger: Logger

  private struct State {
    /// Leases by number: what may still be held.
    var held: Set<Int64> = []
    /// Until when each of them is surely held.
    var watches: [Int64: LeaseWatch] = [:]
    /// Those of them whose last votes are on their way.
    var finishing: Set<Int64> = []
    /// The lease being computed, how much of it is still ours, and the unit in hand.
    var present: Lease?
    var upperBound = 0
    var unit = 0
    /// It ended under us, or nobody wants it: nothing of it is to be finished or handed back.
    var isGone = false
    /// Nothing more is begun or claimed.
    var isEnding = false
    var release: Task<Void, Never>?
  }

  private let state = Mutex(State())

  init(store: Store, identity: WorkerIdentity, weight: Int, urgency: Urgency, helps: Bool, logger: Logger) {
    self.store = store
    self.identity = identity
    self.weight = weight
    self.urgency = urgency
    self.helps = helps
    self.logger = logger
  }

  var isEnding: Bool { state.withLock { $0.isEnding } }

  /// All that may still be held.
  var held: [Int64] { state.withLock { Array($0.held) } }

  /// A lease was claimed, to be computed after the present one.
  ///
  /// - Parameters:
  ///   - sentAt: when the claim was sent, on a boot-time clock, as in the other methods.
  ///   - holdsFor: the time limit it asked for.
  func claimed(_ lease: Lease, sentAt: Duration, holdsFor: Duration) {
    state.withLock {
      $0.held.insert(lease.id)
      $0.watches[lease.id] = LeaseWatch(renewedAt: sentAt, holdsFor: holdsFor)
    }
  }

  /// The database said that a lease is still held; asked at `sentAt`. Before its answer nothing is renewed.
  func renewed(_ lease: Lease, sentAt: Duration, holdsFor: Duration) {
    state.withLock {
      guard $0.held.contains(lease.id) else { return }
      $0.watches[lease.id] = LeaseWatch(renewedAt: sentAt, holdsFor: holdsFor)
    }
  }

  /// A lease is surely not held any more.
  func ended(_ id: Int64) {
    state.withLock {
      $0.held.remove(id)
      $0.watches[id] = nil
      $0.finishing.remove(id)
    }
  }

  /// A lease's last votes are about to be sent.
  func finishes(_ lease: Lease) { state.withLock { _ = $0.finishing.insert(lease.id) } }

  /// Starts computing a lease.
  func begin(_ lease: Lease) {
    state.withLock {
      $0.present = lease
      $0.upperBound = lease.units.upperBound
      $0.unit = lease.units.lowerBound
      $0.isGone = false
    }
  }

  /// Takes a unit of the present lease in hand; false when it is not ours any more, or may soon not be, or the turn ends.
  func take(_ unit: Int, at now: Duration) -> Bool {
    state.withLock { state in
      guard !state.isEnding, !state.isGone, unit < state.upperBound, let present = state.present,
        state.watches[present.id]?.isHeld(at: now) ?? false
      else { return false }
      state.unit = unit
      return true
    }
  }

  /// One past the last unit of the present lease that is still ours.
  var upperBound: Int { state.withLock { $0.upperBound } }

  /// Whether the present lease is lost or superseded.
  var isGone: Bool { state.withLock { $0.isGone } }

  /// What the database said of a lease when votes were posted; nil when it had ended.
  func heard(_ reply: LeaseReply?, of lease: Lease) {
    let endsTurn = state.withLock { state in
      if state.present?.id == lease.id {
        if let reply {
          state.upperBound = min(state.upperBound, reply.upperBound)
          if reply.isOver { state.isGone = true }
        } else {
          state.isGone = true
        }
      }
      return reply.map { $0.endsTurn || $0.weight != weight } ?? false
    }
    if endsTurn { release() }
  }

  /// Begins nothing more and hands back at once all that is not started. Does it once.
  func release() {
    state.withLock { state in
      guard !state.isEnding else { return }
      state.isEnding = true
      let ahead = state.held.subtracting(state.finishing).filter { $0 != state.present?.id }
      let present = state.present
      let keep = state.unit + 1
      state.release = Task { [self] in
        do {
          try await store.returnLeases(Array(ahead))
          for id in ahead { ended(id) }
          guard let present, let bound = try await store.trim(present, worker: identity, before: keep) else { return }
          shorten(present, to: bound)
        } catch {
          logger.notice(
            "what is not started goes back with the chunk in hand", metadata: ["error": "\(error)"])
        }
      }
    }
  }

  private func shorten(_ lease: Lease, to bound: Int) {
    state.withLock { if $0.present?.id == lease.id { $0.upperBound = min($0.upperBound, bound) } }
  }

  /// Waits for what `release` began.
  func settleRelease() async { await state.withLock { $0.release }?.value }
}
