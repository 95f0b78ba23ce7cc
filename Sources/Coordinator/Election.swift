internal import Database
internal import Lifecycle
internal import Logging
internal import Store

/// A coordinator among others: is there, stands for the lead, keeps it, gives it up.
struct Election {
  private var presence: Presence
  private var candidacy: Candidacy
  private var term: Term?
  private let length: Duration
  private let logger: Logger
  private static let origin = ContinuousClock.now

  init(presence: Presence, term length: Duration, logger: Logger) {
    self.presence = presence
    self.length = length
    self.logger = logger
    candidacy = Candidacy(term: length)
  }

  /// Does what is due. Returns the term while this coordinator leads; whether that still holds is the database's to say,
  /// with each write.
  mutating func attend(_ store: Store) async throws -> Term? {
    let now = ContinuousClock.now - Self.origin
    switch candidacy.move(at: now) {
    case .wait: break
    case .stand:
      let part = try await presence.beat(in: store, every: length / 10)
      term = try await store.elect(part, seconds: length.inSeconds)
      candidacy.answered(term != nil, askedAt: now)
      if let term { logger.notice("elected", metadata: ["term": "\(term.number)"]) }
    case .renew:
      try await presence.beat(in: store, every: length / 10)
      guard let term, try await store.hold(term) else {
        deposed()
        break
      }
      candidacy.answered(true, askedAt: now)
    }
    return term
  }

  /// A write was refused: another coordinator was elected.
  mutating func lost(_ error: DatabaseError) {
    logger.notice("a write was refused", metadata: ["error": "\(error)"])
    deposed()
  }

  private mutating func deposed() {
    if let term { logger.notice("deposed; standing by", metadata: ["term": "\(term.number)"]) }
    term = nil
    candidacy.answered(false, askedAt: ContinuousClock.now - Self.origin)
  }

  mutating func leave(_ store: Store) async {
    do { try await presence.leave(store) } catch {
      logger.warning("could not say goodbye; the term will run out", metadata: ["error": "\(error)"])
    }
  }
}
