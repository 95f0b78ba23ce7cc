internal import Database

/// A coordinator or aggregator as people see it: a row of the view `part_health`.
package struct PartRecord: Sendable {
  /// `coordinator` or `aggregator`.
  package let kind: String
  package let host: String
  package let pid: Int64
  /// The term it was elected for, if it was elected last.
  package let term: Int64?
  /// Whether that term still holds.
  package let leads: Bool
  package let silentSeconds: Double

  package var name: String { "\(host)-\(pid)" }

  init(_ row: Row) throws {
    kind = try row.text("kind")
    host = try row.text("host")
    pid = try row.int("pid")
    term = try row.intOrNil("term")
    leads = try row.bool("leads")
    silentSeconds = try row.double("silent_seconds")
  }
}

/// The leader's number: it only rises, and a write under an older one is refused.
package struct Term: Sendable, Hashable {
  package let number: Int64
  /// How long it goes on after each write of the leader, by the database's clock.
  package let seconds: Double
}

// Who is there, and who leads.
extension Store {
  /// Says that a coordinator or aggregator is there. Returns its number.
  package func registerPart(_ kind: String, host: String, pid: Int32, software: String) async throws -> Int64 {
    try await connection.rows(
      PackageResources.register_part_sql, [.text(kind), .text(host), .int(Int64(pid)), .text(software)])[0]
      .int("part_id")
  }

  /// A part's sign of life. False when it was forgotten.
  package func beatPart(_ id: Int64) async throws -> Bool {
    try await !connection.rows(PackageResources.beat_part_sql, [.int(id)]).isEmpty
  }

  /// A part's goodbye; ends its term if it leads.
  package func leavePart(_ id: Int64) async throws {
    _ = try await connection.rows(PackageResources.leave_part_sql, [.int(id)])
  }

  /// Makes a coordinator the leader of a new term if nobody leads; nil when somebody does.
  package func elect(_ part: Int64, seconds: Double) async throws -> Term? {
    try await connection.rows(PackageResources.elect_sql, [.int(part), .double(seconds)]).first
      .map { Term(number: try $0.int("term"), seconds: seconds) }
  }

  /// Keeps a term without writing anything else. False when it is over.
  package func hold(_ term: Term) async throws -> Bool {
    try await !connection.rows(PackageResources.hold_term_sql, [.int(term.number), .double(term.seconds)]).isEmpty
  }

  /// This store for a leader: what only one coordinator should write is refused once its term is over.
  package func led(under term: Term) -> Store {
    var store = self
    store.term = term
    return store
  }

  /// One transaction of the leader; without a term, of anybody.
  ///
  /// - Throws: `DatabaseError` with code `stale_term` when the term is over: nothing was written.
  func leading<T: Sendable>(_ body: @Sendable (isolated Connection) throws -> T) async throws -> T {
    try await connection.transaction { [term] connection in
      if let term {
        let held = try connection.rows(PackageResources.hold_term_sql, [.int(term.number), .double(term.seconds)])
        if held.isEmpty {
          throw DatabaseError(
            code: "stale_term",
            message: "term \(term.number) is over: another coordinator was elected, and nothing was written."
              + " Nothing to repair: this one stands by. If it repeats, raise --term-seconds or look at this machine's load",
            disposition: .superseded)
        }
      }
      return try body(connection)
    }
  }

  /// Coordinators and aggregators that are there, or were lately.
  package func parts() async throws -> [PartRecord] {
    try await connection.rows(PackageResources.parts_sql).map { try PartRecord($0) }
  }
}

/// A part's place among the others: registers, beats, says goodbye.
package struct Presence: Sendable {
  private let kind: String
  private let host: String
  private let pid: Int32
  private let software: String
  private var id: Int64?
  private var beatAt: ContinuousClock.Instant?

  /// - Parameter kind: `coordinator` or `aggregator`.
  package init(kind: String, host: String, pid: Int32, software: String) {
    self.kind = kind
    self.host = host
    self.pid = pid
    self.software = software
  }

  /// Registers, or gives a sign of life if the last is `interval` ago. Returns the part's number.
  @discardableResult
  package mutating func beat(in store: Store, every interval: Duration) async throws -> Int64 {
    let now = ContinuousClock.now
    if let id, let beatAt {
      if now - beatAt < interval { return id }
      if try await store.beatPart(id) {
        self.beatAt = now
        return id
      }
    }
    let registered = try await store.registerPart(kind, host: host, pid: pid, software: software)
    id = registered
    beatAt = now
    return registered
  }

  /// Says goodbye, if it was ever there.
  package mutating func leave(_ store: Store) async throws {
    guard let id else { return }
    self.id = nil
    try await store.leavePart(id)
  }
}
