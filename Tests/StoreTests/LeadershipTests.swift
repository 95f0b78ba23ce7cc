import Database
import Store
import TestSupport
import Testing

@Suite("Leadership") struct LeadershipTests {
  /// Two coordinators, each on a connection of its own.
  private func withTwo(_ body: (TestDatabase, Store, Int64, Store, Int64) async throws -> Void) async throws {
    try await withTestDatabase { database in
      let (a, b) = (Store(database.connection()), Store(database.connection()))
      try await body(
        database, a, a.registerPart("coordinator", host: "h", pid: 1, software: "test"),
        b, b.registerPart("coordinator", host: "h", pid: 2, software: "test"))
    }
  }

  private func age(_ store: Store, by interval: String) async throws {
    _ = try await store.connection.execute(
      "UPDATE rrcm.leadership SET deadline_at = deadline_at - interval '\(interval)'")
  }

  @Test("one leads; another is elected for a higher term when the first is silent for longer than its term")
  func oneLeads() async throws {
    try await withTwo { _, a, one, b, two in
      let first = try #require(try await a.elect(one, seconds: 10))
      #expect(first.number == 1)
      #expect(try await b.elect(two, seconds: 10) == nil)
      try await age(a, by: "9 seconds")
      #expect(try await b.elect(two, seconds: 10) == nil, "the term is not over")
      #expect(try await a.hold(first))
      try await age(a, by: "9 seconds")
      #expect(try await b.elect(two, seconds: 10) == nil, "renewing moved it on")
      try await age(a, by: "2 seconds")
      let second = try #require(try await b.elect(two, seconds: 10))
      #expect(second.number == 2)
      #expect(try await !a.hold(first), "deposed")
      #expect(try await a.elect(one, seconds: 10) == nil)
      let parts = try await a.parts()
      #expect(parts.map(\.leads) == [false, true] && parts.map(\.term) == [nil, 2])
      let events = try await a.connection.query("SELECT detail FROM rrcm.event WHERE kind = 'leader_elected'")
      #expect(
        try events.map { try $0.text("detail") } == ["coordinator h-1 leads, term 1", "coordinator h-2 leads, term 2"])
    }
  }

  @Test("a leader that leaves lets another be elected at once; a term never returns")
  func leaving() async throws {
    try await withTwo { _, a, one, b, two in
      let first = try #require(try await a.elect(one, seconds: 3600))
      try await a.leavePart(one)
      #expect(try await !a.hold(first), "who left does not lead")
      let second = try #require(try await b.elect(two, seconds: 3600))
      #expect(second.number == 2)
      try await b.leavePart(two)
      let again = try await a.registerPart("coordinator", host: "h", pid: 1, software: "test")
      #expect(try await a.elect(again, seconds: 3600)?.number == 3)
    }
  }

  @Test("of many that stand at once, exactly one is elected, again and again")
  func crowds() async throws {
    try await withTestDatabase { database in
      for round in 1...5 {
        let elected = try await withThrowingTaskGroup(of: Int64?.self) { group in
          for number in 0..<Int32(8) {
            group.addTask {
              let store = Store(database.connection())
              let part = try await store.registerPart("coordinator", host: "h", pid: number, software: "test")
              return try await store.elect(part, seconds: 60)?.number
            }
          }
          return try await group.reduce(into: []) { $0 += [$1].compactMap { $0 } }
        }
        #expect(elected == [Int64(round)])
        try await age(Store(database.connection()), by: "2 minutes")
      }
    }
  }

  /// Everything that only a leader should write.
  enum Write: String, CaseIterable, Sendable {
    case plan, rescue, finish, endSweep, chooseTrial, addTrials

    func send(by store: Store) async throws {
      switch self {
      case .plan: _ = try await store.planSubmittedRuns { _ in .refused("late") }
      case .rescue: _ = try await store.rescue(deadAfterSeconds: 35)
      case .finish: _ = try await store.finishRuns()
      case .endSweep: _ = try await store.endSweep(1)
      case .chooseTrial: _ = try await store.chooseBestTrial(ofSweep: 1)
      case .addTrials: _ = try await store.add([], toSweep: 1)
      }
    }
  }

  @Test("a deposed leader writes nothing under its old term", arguments: Write.allCases)
  func staleTermsAreRefused(write: Write) async throws {
    try await Fixture.with { fixture in
      let store = fixture.store
      // Work for each of them: a silent worker with a lease, a run to plan, one to end.
      let worker = try await fixture.worker()
      _ = try await fixture.claim(worker)
      _ = try await store.connection.execute("UPDATE rrcm.worker SET beat_at = now() - interval '1 hour'")
      let one = try await store.registerPart("coordinator", host: "h", pid: 1, software: "test")
      let two = try await store.registerPart("coordinator", host: "h", pid: 2, software: "test")
      let first = try #require(try await store.elect(one, seconds: 10))
      try await age(store, by: "1 minute")
      let second = try #require(try await store.elect(two, seconds: 10))
      let error = await #expect(throws: DatabaseError.self) { try await write.send(by: store.led(under: first)) }
      #expect(error?.code == "stale_term" && error?.disposition == .superseded)
      #expect(error?.message.contains("term 1 is over") == true)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease") == 1)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.worker WHERE state = 'gone'") == 0)
      try await write.send(by: store.led(under: second))
      if write == .rescue { #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease") == 0) }
    }
  }

  @Test("nobody is elected in the middle of a leader's transaction; a leader frozen in one is cut off after a term")
  func transactionsFence() async throws {
    try await withTwo { database, a, one, b, two in
      let first = try #require(try await a.elect(one, seconds: 1))
      // A transaction as the leader opens it, and then silence.
      let frozen = database.connection()
      try await frozen.script(
        """
        BEGIN;
        UPDATE rrcm.leadership SET deadline_at = now() + interval '1 second' WHERE term = \(first.number);
        SELECT set_config('idle_in_transaction_session_timeout', '1000', true);
        INSERT INTO rrcm.event (kind, detail) VALUES ('late', 'a write of the frozen leader')
        """)
      let began = ContinuousClock.now
      try await Task.sleep(for: .milliseconds(500))
      #expect(try await b.elect(two, seconds: 1) == nil)
      var second: Term?
      while second == nil, ContinuousClock.now - began < .seconds(10) {
        second = try await b.elect(two, seconds: 1)
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(second?.number == 2)
      #expect(ContinuousClock.now - began < .seconds(4))
      await #expect(throws: DatabaseError.self) { try await frozen.script("COMMIT; SELECT 1 / (SELECT 0)") }
      let late = try await b.connection.query("SELECT count(*) AS n FROM rrcm.event WHERE kind = 'late'")
      #expect(try late[0].int("n") == 0)
    }
  }
}
