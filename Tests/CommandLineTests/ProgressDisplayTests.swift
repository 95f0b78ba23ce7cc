import Database
import TestSupport
import Testing

@testable import CommandLine
@testable import Store

@Suite("Progress") struct ProgressDisplayTests {
  /// A run as the view `run_progress` gives it.
  private func view(
    done: Int, total: Int, unit: String = "items", samples: Int = 0, state: String = "running", draws: Int64? = nil,
    workers: Int64 = 1, speed: Double? = nil, provisional: Int = 0,
    metrics: [(name: String, step: Int64, value: Double)] = []
  ) async throws -> ProgressDisplay.View {
    let run = try await withTestDatabase(migrated: false) { database async throws in
      try RunProgress(
        try await database.connection().query(
          """
          SELECT 3::bigint AS run_id, 'probe' AS name, 'certify' AS kind, $1::text AS state, 0::bigint AS priority,
                 $2::bigint AS done, $3::bigint AS total, $4::text AS unit, $5::bigint AS samples, 0::bigint AS held,
                 0::bigint AS disagreements, NULL::bigint AS depends_on, NULL::text AS error, 'now' AS created_at,
                 900::float8 AS elapsed_seconds, 100::bigint AS weight, NULL::text AS paused_at,
                 NULL::text AS stranded_at, $6::bigint AS provisional
          """, [.text(state), .int(done), .int(total), .text(unit), .int(samples), .int(provisional)])[0])
    }
    return .init(run: run, drawsPerItem: draws, metrics: metrics, workers: workers, reportedSpeed: speed)
  }

  private func line(
    _ view: ProgressDisplay.View, _ pace: ProgressDisplay.Pace? = nil, width: Int = .max
  ) -> String { ProgressDisplay.line(view, pace: pace, width: width) }

  @Test(
    "a line has a bar, a share, the count, the pace of the last minute and the time the remaining samples take at it")
  func pace() async throws {
    let view = try await view(done: 25, total: 100, samples: 600_000, draws: 20_000)
    // 1,400,000 samples are left; 100,000 were seen to be done in 10 seconds. Items, which end in bursts, do not count.
    #expect(
      line(view, .init(seconds: 10, done: 1, samples: 100_000))
        == "probe ██████░░░░░░░░░░░░░░░░░░  25 %  25/100 items  10000 samples/s  2 min 20 s left")
  }

  @Test("where drawing may stop early the time left is that of the items left")
  func stopsEarly() async throws {
    let view = try await view(done: 75, total: 100, samples: 600_000, draws: nil)
    #expect(line(view, .init(seconds: 10, done: 5, samples: 100_000)).hasSuffix("10000 samples/s  50 s left"))
  }

  @Test("before there is a pace the speed that live workers report tells the time left; without any it is unknown")
  func unknown() async throws {
    let plain = "probe ██████░░░░░░░░░░░░░░░░░░  25 %  25/100 items"
    let reported = try await view(done: 25, total: 100, samples: 500_000, draws: 20_000, speed: 15_000)
    for pace in [nil, ProgressDisplay.Pace(seconds: 1, done: 5, samples: 9), .init(seconds: 5, done: 0, samples: 0)] {
      #expect(line(reported, pace) == plain + "  1 min 40 s left")
    }
    let silent = try await view(done: 25, total: 100, samples: 500_000, draws: 20_000)
    #expect(line(silent) == plain + "  time left unknown")
    let deserted = try await view(done: 25, total: 100, samples: 500_000, draws: 20_000, workers: 0, speed: 15_000)
    #expect(
      line(deserted, .init(seconds: 10, done: 5, samples: 100_000))
        == plain + "  10000 samples/s  time left unknown: no live worker has it")
  }

  @Test("once every sample is drawn nothing is said of the time left")
  func drawn() async throws {
    let view = try await view(done: 99, total: 100, samples: 2_000_000, draws: 20_000, workers: 0)
    #expect(line(view) == "probe ███████████████████████░  99 %  99/100 items")
  }

  @Test("certificates whose audits are open are said to be provisional")
  func provisional() async throws {
    let view = try await view(done: 100, total: 100, samples: 2_000_000, draws: 20_000, provisional: 7)
    #expect(line(view) == "probe ████████████████████████ 100 %  100/100 items  7 provisional")
  }

  @Test("a training shows its loss and accuracy, and goes by its steps; a run not planned yet its state")
  func otherLines() async throws {
    let metrics: [(name: String, step: Int64, value: Double)] = [
      ("loss", 600, 1.23456), ("learning_rate", 600, 0.1), ("accuracy_sigma_0.25", 600, 0.9),
    ]
    #expect(
      line(try await view(done: 600, total: 600, unit: "steps", metrics: metrics))
        == "probe ████████████████████████ 100 %  600/600 steps  loss 1.235  accuracy_sigma_0.25 0.900")
    #expect(
      line(try await view(done: 300, total: 600, unit: "steps"), .init(seconds: 10, done: 100, samples: 0))
        == "probe ████████████░░░░░░░░░░░░  50 %  300/600 steps  30 s left")
    #expect(line(try await view(done: 0, total: 0, state: "submitted")) == "probe: submitted")
  }

  @Test(
    "the bar gives way to a narrow terminal, then the end of the line does", arguments: [10, 20, 40, 58, 60, 70, 200])
  func width(width: Int) async throws {
    let view = try await view(done: 25, total: 100, samples: 600_000, draws: 20_000)
    let text = line(view, .init(seconds: 10, done: 1, samples: 100_000), width: width)
    #expect(text.count <= width)
    #expect(text.contains("█") == (width >= 65), "\(text)")
    if width >= 60 { #expect(text.hasSuffix("2 min 20 s left")) }
  }

  @Test("the pace is that of the last minute, so that a change of the fleet shows")
  func window() {
    let start = ContinuousClock.now
    var display = ProgressDisplay(terminal: Terminal(redraws: false, width: 80, hasColor: false))
    #expect(display.observe(done: 0, samples: 0, at: start) == nil)
    var pace: ProgressDisplay.Pace?
    for second in 0...200 {
      // A thousand samples a second for a hundred seconds, then ten.
      let samples = min(second, 100) * 1000 + max(second - 100, 0) * 10
      pace = display.observe(done: 1, samples: Int64(samples), at: start + .seconds(second))
      if second == 100 { #expect(pace == .init(seconds: 60, done: 0, samples: 60_000)) }
    }
    #expect(pace == .init(seconds: 60, done: 0, samples: 600))
  }

  @Test(
    "durations read as people say them",
    arguments: [
      (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (61, "1 min 01 s"), (3600, "1 h 00 min"),
      (90_061, "25 h 01 min"), (1e300, "years"),
    ])
  func durations(seconds: Double, text: String) {
    #expect(ProgressDisplay.duration(seconds) == text)
  }
}
