import Database
import TestSupport
import Testing

@testable import CommandLine
@testable import Store

@Suite("Progress") struct ProgressDisplayTests {
  /// A run as the view `run_progress` gives it.
  private func run(
    done: Int, total: Int, unit: String = "items", samples: Int = 0, state: String = "running"
  ) async throws -> RunProgress {
    try await withTestDatabase(migrated: false) { database async throws in
      try RunProgress(
        try await database.connection().query(
          """
          SELECT 3::bigint AS run_id, 'probe' AS name, 'certify' AS kind, $1::text AS state, 0::bigint AS priority,
                 $2::bigint AS done, $3::bigint AS total, $4::text AS unit, $5::bigint AS samples, 0::bigint AS held,
                 0::bigint AS disagreements, NULL::bigint AS depends_on, NULL::text AS error, 'now' AS created_at,
                 900::float8 AS elapsed_seconds
          """, [.text(state), .int(done), .int(total), .text(unit), .int(samples)])[0])
    }
  }

  @Test("a line has a bar, a share, the count, the pace since the first progress seen and what is left at that pace")
  func pace() async throws {
    let run = try await run(done: 25, total: 100, samples: 500_000)
    // Of the 25 items and 500,000 samples, 5 and 100,000 were seen to be done, in 10 seconds: 900 s of waiting do not count.
    #expect(
      ProgressDisplay.line(run, metrics: [], pace: (seconds: 10, done: 5, samples: 100_000))
        == "probe ██████░░░░░░░░░░░░░░░░░░  25 %  25/100 items  10000 samples/s  2 min 30 s left")
  }

  @Test("before there is progress, and in the first two seconds, no pace is made up")
  func noPace() async throws {
    let run = try await run(done: 25, total: 100, samples: 500_000)
    let plain = "probe ██████░░░░░░░░░░░░░░░░░░  25 %  25/100 items"
    #expect(ProgressDisplay.line(run, metrics: [], pace: nil) == plain)
    #expect(ProgressDisplay.line(run, metrics: [], pace: (seconds: 1, done: 5, samples: 9)) == plain)
    #expect(ProgressDisplay.line(run, metrics: [], pace: (seconds: 5, done: 0, samples: 0)) == plain)
  }

  @Test("a training shows its loss and accuracy; a run not planned yet its state")
  func otherLines() async throws {
    let training = try await run(done: 600, total: 600, unit: "steps")
    #expect(
      ProgressDisplay.line(
        training, metrics: [("loss", 600, 1.23456), ("learning_rate", 600, 0.1), ("accuracy_sigma_0.25", 600, 0.9)],
        pace: (seconds: 10, done: 100, samples: 0))
        == "probe ████████████████████████ 100 %  600/600 steps  loss 1.235  accuracy_sigma_0.25 0.900")
    let waiting = try await run(done: 0, total: 0, state: "submitted")
    #expect(ProgressDisplay.line(waiting, metrics: [], pace: nil) == "probe: submitted")
  }

  @Test(
    "durations read as people say them",
    arguments: [
      (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (61, "1 min 01 s"), (3600, "1 h 00 min"),
      (90_061, "25 h 01 min"),
    ])
  func durations(seconds: Double, text: String) {
    #expect(ProgressDisplay.duration(seconds) == text)
  }
}
