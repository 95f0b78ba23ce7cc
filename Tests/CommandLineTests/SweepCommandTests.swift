import Database
import Foundation
import RunFile
import TestSupport
import Testing

@testable import CommandLine
@testable import Store

@Suite("Sweeps on the command line") struct SweepCommandTests {
  /// A sweep as the view `sweep_progress` gives it.
  private func sweep(share: Double, ended: Int = 0, failed: Int = 0, state: String = "running") async throws
    -> SweepProgress
  {
    try await withTestDatabase(migrated: false) { database async throws in
      try SweepProgress(
        try await database.connection().query(
          """
          SELECT 3::bigint AS sweep_id, 'probe' AS name, $1::text AS state, 'grid' AS method, 'acr' AS metric,
                 8::bigint AS trials, $2::bigint AS done, $3::bigint AS failed, 0::bigint AS stopped, 1::bigint AS open,
                 2::bigint AS running, $4::float8 AS share, 'now' AS created_at, 65::float8 AS elapsed_seconds
          """, [.text(state), .int(ended), .int(failed), .double(share)])[0])
    }
  }

  @Test("a line has a bar, a share, the trials that ended, the runs under way and the time left at the pace seen")
  func line() async throws {
    let sweep = try await sweep(share: 0.5, ended: 3, failed: 1)
    #expect(
      SweepDisplay.line(sweep, pace: (seconds: 30, share: 0.25), width: .max)
        == "probe ████████████░░░░░░░░░░░░  50 %  4/8 trials  1 failed  2 runs under way  1 min 00 s left")
    #expect(SweepDisplay.line(sweep, pace: (seconds: 1, share: 0.25), width: .max).hasSuffix("2 runs under way"))
    #expect(SweepDisplay.line(sweep, pace: nil, width: .max).hasSuffix("2 runs under way"))
    #expect(
      SweepDisplay.line(try await self.sweep(share: 1, ended: 8, state: "done"), pace: nil, width: .max)
        == "probe ████████████████████████ 100 %  8/8 trials  done in 1 min 05 s")
  }

  @Test("parameters are columns by the last word of their path, by the whole path where that is not enough")
  func columns() {
    let columns = ParameterColumns(
      [
        ["training.eta": .double(0.5), "finetune.seed": .int(1), "certify.seed": .int(2), "smoothing.sigma": .int(1)]
      ], beside: ["sigma", "trial"])
    #expect(columns.names == ["certify.seed", "finetune.seed", "smoothing.sigma", "eta"])
    #expect(ParameterColumns([["checkpoint": .int(1)]], beside: ["checkpoint"]).names == ["parameters.checkpoint"])
  }

  @Test("a wrong sweep file is refused with every problem and status 64, before a database is asked for")
  func wrongFile() async throws {
    let folder = TemporaryFolder()
    let file = folder.write(Array("method: gird\nparameters: {training.eta: {values: [1]}}\n".utf8), "a.yaml")
    let outcome = try await Program.run(["sweep", "create", file])
    #expect(outcome.status == 64 && outcome.output.isEmpty)
    for part in [
      "\(file): method is \"gird\"; it must be one of grid, random", "\(file): name is missing",
      "\(file): metric.name is missing", "\(file): certify is missing",
    ] { #expect(outcome.errors.contains(part), "\(part) is missing from \(outcome.errors)") }
  }

  @Test("verbs about a sweep that is not there say how to list them")
  func unknown() async throws {
    try await withTestDatabase { database async throws in
      let environment = ["RRCM_DATABASE_URL": database.url.connectionString]
      for verb in [["show"], ["watch"], ["stop"], ["retry"]] {
        let outcome = try await Program.run(["sweep"] + verb + ["nothing"], environment: environment)
        #expect(outcome.status == 64 && outcome.errors.contains("no sweep \"nothing\"; see: rrcm sweep list"))
      }
      let list = try await Program.run(["sweep", "list", "--output", "csv"], environment: environment)
      #expect(list.output == "sweep,name,state,method,metric,trials,done,failed,stopped,open,share,seconds,created\n")
    }
  }
}
