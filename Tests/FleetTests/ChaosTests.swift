import Foundation
import TestSupport
import Testing

@Suite("Chaos") struct ChaosTests {
  private static let script = Repository.root + "/scripts/chaos"

  /// What the machine lacks; nil when the harness can run.
  private static let obstacle: String? = {
    for tool in ["/usr/bin/python3", "/usr/bin/psql"]
    where !FileManager.default.isExecutableFile(atPath: tool) { return "skipped: \(tool) is not installed" }
    return nil
  }()

  /// Runs the script to its end. Returns its exit status and what it said.
  private func chaos(_ arguments: [String], seconds: Double) async throws -> (status: Int32, output: String) {
    let folder = TemporaryFolder()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", Self.script] + arguments
    let log = folder.write([], "log")
    try process.start(output: log, errors: log)
    defer { if process.isRunning { kill(process.processIdentifier, SIGTERM) } }
    try await eventually("the script ends", seconds: seconds) { !process.isRunning }
    return (process.terminationStatus, try String(contentsOfFile: log, encoding: .utf8))
  }

  /// What `--json` tells.
  private struct Report: Decodable {
    struct Strike: Decodable {
      let kind: String
      let recovery_seconds: Double?
    }
    struct Work: Decodable {
      let certifications: Int
      let chunks: Int
      let trainings: Int
    }
    let landed: Int
    let strikes: [Strike]
    let work: Work
    let zeroes: [String: Int]
    let wrong: [String]
  }

  @Test(
    "whatever is killed, frozen, cut off or restarted: nothing is lost or counted twice, and every row is the serial run's",
    .enabled(if: obstacle == nil, "\(obstacle ?? "")"))
  func shortStorm() async throws {
    let folder = TemporaryFolder()
    let json = folder.path + "/report.json"
    let (status, output) = try await chaos(
      [
        "--minutes", "0.15", "--seed", "6", "--per-minute", "90", "--small", "--rrcm", Program.path, "--json", json,
      ], seconds: 150)
    guard status != 77 else { throw TestFailure("the harness cannot run here: \(output)") }
    #expect(status == 0, "\(output)")
    let report = try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(fileURLWithPath: json)))
    #expect(report.landed >= 10, "\(output)")
    #expect(report.wrong == [] && report.zeroes.count >= 14 && report.zeroes.values.allSatisfy { $0 == 0 })
    #expect(report.work.certifications >= 3 && report.work.trainings >= 1 && report.work.chunks > 300)
    #expect(Set(report.strikes.map(\.kind)).count >= 5, "of many kinds")
  }

  @Test(
    "a plan follows from its seed alone, and wrong options are refused together",
    .enabled(if: obstacle == nil, "\(obstacle ?? "")"))
  func plans() async throws {
    let plan = ["--print-plan", "--minutes", "10", "--seed"]
    let first = try await chaos(plan + ["7"], seconds: 20)
    #expect(first.status == 0)
    #expect(try await chaos(plan + ["7"], seconds: 20).output == first.output)
    #expect(try await chaos(plan + ["8"], seconds: 20).output != first.output)
    let lines = first.output.split(separator: "\n")
    #expect(lines.count >= 200, "20 a minute and more")
    for kind in [
      "kill a worker", "freeze a worker past its rescue", "cut a worker's network", "kill a trainer", "kill the leader",
      "freeze the leader past its term", "kill an aggregator", "restart PostgreSQL, fast",
      "restart PostgreSQL, immediate", "crash PostgreSQL's postmaster", "terminate every backend", "hold the horizon",
    ] { #expect(lines.contains { $0.contains(kind) }, "\(kind)") }
    let wrong = try await chaos(["--minutes", "0", "--per-minute", "1000", "--digits", "/nowhere"], seconds: 20)
    #expect(wrong.status == 64)
    for option in ["--minutes is 0.0", "--per-minute is 1000.0", "--digits /nowhere"] {
      #expect(wrong.output.contains(option), "\(wrong.output)")
    }
  }
}
