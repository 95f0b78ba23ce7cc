import Database
import Foundation
import Store
import TestSupport
import Testing

/// `run watch` as people see it: on a real pseudoterminal, and in a file.
@Suite("Watching", .serialized) struct WatchTests {
  private func withRun(_ body: (Fleet, Int64) async throws -> Void) async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      let run = try await fleet.certify("probe", n: 20_000)
      try await eventually("planned") { try await fleet.progress(run).total == 24 }
      try await body(fleet, run)
    }
  }

  @Test(
    "a terminal gets one line that is drawn again and fits its width, with a bar and the time left",
    arguments: [UInt16(100), 44])
  func terminal(columns: UInt16) async throws {
    try await withRun { fleet, run async throws in
      let environment = fleet.environment
      let watching = Task {
        try await Pseudoterminal.run(["run", "watch", "probe"], environment: environment, columns: columns)
      }
      // At first nobody works on it, and that is said.
      try await Task.sleep(for: .seconds(1))
      try fleet.startWorker("w1")
      let seen = try await watching.value
      #expect(seen.status == 0, "\(seen.screen.suffix(500))")
      let drawn = seen.screen.components(separatedBy: "\r\u{1B}[2K").dropFirst().dropLast()
      #expect(drawn.count > 5)
      for line in drawn {
        #expect(line.count < Int(columns), "\(line)")
        #expect(!line.contains("\n") && !line.contains("\u{1B}"), "\(line)")
      }
      if columns == 100 {
        #expect(drawn.first?.hasSuffix("time left unknown: no live worker has it") == true, "\(drawn.first ?? "")")
        #expect(drawn.contains { $0.contains("█") && $0.contains("samples/s") && $0.contains(" s left") }, "\(drawn)")
      } else {
        #expect(drawn.contains { $0.contains("% ") && $0.contains("/24 items") })
      }
      #expect(seen.screen.contains("probe: done, 24 of 24 items in "))
    }
  }

  @Test("a dumb terminal and a file get dated lines without control codes")
  func lines() async throws {
    try await withRun { fleet, run async throws in
      let environment = fleet.environment
      let dumb = Task {
        try await Pseudoterminal.run(
          ["run", "watch", "probe"], environment: environment.merging(["TERM": "dumb"]) { $1 })
      }
      let file = Task { try await Program.run(["run", "watch", "probe"], environment: environment) }
      try fleet.startWorker("w1")
      let (screen, outcome) = (try await dumb.value, try await file.value)
      #expect(screen.status == 0 && outcome.status == 0 && outcome.output.isEmpty)
      for text in [screen.screen.replacing("\r\n", with: "\n"), outcome.errors] {
        let lines = text.split(separator: "\n")
        #expect(lines.count >= 2 && !text.contains("\u{1B}"), "\(text)")
        for line in lines {
          #expect(line.prefixMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ probe/) != nil, "\(line)")
        }
        #expect(lines.last?.contains("probe: done, 24 of 24 items in ") == true)
      }
    }
  }

  @Test("a run that is cancelled while it is watched ends the watch with 1")
  func cancelled() async throws {
    try await withRun { fleet, run async throws in
      let environment = fleet.environment
      let watching = Task { try await Program.run(["run", "watch", "probe"], environment: environment) }
      try await Task.sleep(for: .milliseconds(700))
      _ = try await fleet.rrcm(["run", "cancel", "probe"])
      let outcome = try await watching.value
      #expect(outcome.status == 1 && outcome.errors.contains("rrcm: run \(run) (probe) cancelled"), "\(outcome.errors)")
      #expect(try await fleet.outcome(["run", "watch", "nobody"]).status == 64)
    }
  }
}
