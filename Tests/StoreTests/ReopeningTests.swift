import Database
import Store
import TestSupport
import Testing

/// Runs that end just when somebody opens items of them anew.
@Suite("Reopening") struct ReopeningTests {
  /// One image, which is held, and a session that has locked the run's row.
  private static func with(_ body: (_ fixture: Fixture, _ first: Connection) async throws -> Void) async throws {
    try await Fixture.with(images: 1) { fixture async throws in
      let item = try await fixture.number("SELECT item_id FROM rrcm.item")
      try await fixture.store.holdItem(item, reason: "a test")
      let first = fixture.database.connection()
      try await first.script("BEGIN; SELECT FROM rrcm.run WHERE run_id = \(fixture.run) FOR NO KEY UPDATE")
      try await body(fixture, first)
    }
  }

  @Test("a run does not end as failed while somebody has its held items tried again")
  func finishWaits() async throws {
    try await Self.with { fixture, first in
      async let finished = fixture.party().finishRuns()
      try await Task.sleep(for: .milliseconds(300))
      try await first.script("UPDATE rrcm.item SET state = 'open', error = NULL; COMMIT")
      #expect(try await finished.isEmpty)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.run WHERE state = 'running'") == 1)
      #expect(try await fixture.claim(fixture.worker()) != nil)
    }
  }

  @Test("a retry locks the run before its items, as what ends runs does")
  func retryWaits() async throws {
    try await Self.with { fixture, first in
      async let retried = fixture.party().retryRun(fixture.run)
      try await Task.sleep(for: .milliseconds(300))
      // Whoever ends the run sees the items as they are, and they are nobody's.
      try await fixture.party().connection.execute("SELECT FROM rrcm.item FOR UPDATE NOWAIT")
      try await first.script(
        "UPDATE rrcm.run SET state = 'failed', error = 'held', finished_at = now(); COMMIT")
      let (opened, items) = try await retried
      #expect(opened && items == 1)
      #expect(
        try await fixture.number(
          "SELECT count(*) FROM rrcm.run JOIN rrcm.item USING (run_id) WHERE run.state = 'running' AND item.state = 'open'"
        ) == 1)
    }
  }
}
