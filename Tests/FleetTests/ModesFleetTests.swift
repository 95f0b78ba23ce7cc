import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("A fleet in every mode", .serialized) struct ModesFleetTests {
  /// What `smoothing` says, by mode.
  private static let modes: KeyValuePairs = [
    "fixed": "n0: 100",
    "curtailed": "n0: 100, curtail: true, targets: [0, 0.1, 0.3]",
    "runner-up": "n0: 100, runner_up: true",
    "sequential": "n0: 100, mode: sequential, targets: [0, 0.1, 0.3]",
    "epsilon": "n0: 100, mode: epsilon, epsilon: 0.2",
    "predict": "mode: predict",
  ]
  private static let stopsEarly: Set = ["curtailed", "sequential", "epsilon"]

  private static func submit(_ fleet: Fleet, _ prefix: String, reversed: Bool) async throws -> [Int64] {
    let order = (0..<Fleet.images).map(String.init)
    var runs: [Int64] = []
    for (mode, settings) in modes {
      runs.append(
        try await fleet.submit(
          """
          kind: certify
          name: \(prefix)-\(mode)
          checkpoint: net
          dataset: {name: tiny, indices: [\((reversed ? order.reversed() : order).joined(separator: ", "))]}
          smoothing: {sigma: [0.25, 1.0], n: 4000, alpha: 0.001, \(settings)}
          chunk_samples: 100
          seed: 42
          """, name: "\(prefix)-\(mode)"))
    }
    return runs
  }

  @Test(
    "in every mode certificates are byte-identical with a worker and an aggregator killed in the middle, and two other programs agree with each"
  )
  func everyMode() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("calm", ["--lease-chunks", "16"])
      for run in try await Self.submit(fleet, "calm", reversed: false) { try await fleet.waitUntilDone(run) }
      fleet.signal("calm", SIGTERM)
      #expect(try await fleet.waitForExit("calm") == 0)

      let stormy = try await Self.submit(fleet, "stormy", reversed: true)
      try fleet.startWorker("a", ["--lease-chunks", "3"])
      try fleet.startWorker("b", ["--lease-chunks", "5"])
      try await eventually("work is under way") {
        try await fleet.number(
          "SELECT count(*) FROM rrcm.chunk_count JOIN rrcm.item USING (item_id) WHERE run_id > \(stormy[0] - 1)")
          > 100
      }
      try await fleet.slay("a")
      try await fleet.slay("aggregator")
      try fleet.startAggregator()
      for run in stormy { try await fleet.waitUntilDone(run) }

      for (mode, _) in Self.modes {
        let (undisturbed, disturbed) = (
          try await fleet.certificates("calm-\(mode)"), try await fleet.certificates("stormy-\(mode)")
        )
        #expect(undisturbed.count == 1 + 2 * Fleet.images)
        #expect(undisturbed == disturbed, "\(mode)")
        try await Self.agree(fleet, "calm-\(mode)", mode)
      }
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.disagreement") == 0)
      #expect(
        try await fleet.number(
          "SELECT sum(used) * 4 - sum(planned) * 3 FROM rrcm.samples_used JOIN rrcm.run USING (run_id) WHERE name = 'calm-sequential'"
        ) < 0, "less than three quarters of all samples were needed for three targets")
      let report = try await fleet.rrcm(["report", "stormy-sequential"])
      #expect(
        report.split(whereSeparator: \.isWhitespace).joined(separator: " ").contains("holds at every look at once"))

      // What only some modes fill is compared like everything else.
      for (mode, column, forged) in [
        ("sequential", "targets reached", "targets_reached = array_append(targets_reached, 0.75)"),
        ("epsilon", "stopping unit", "stopped_at_unit = stopped_at_unit - 1"),
        ("runner-up", "runner-up votes", "runner_up_votes = runner_up_votes + 1"),
        ("predict", "p value", "p_value = 1 - p_value"),
      ] {
        try await fleet.store.connection.script(
          """
          UPDATE rrcm.certificate SET \(forged)
           WHERE item_id = (SELECT min(item_id) FROM rrcm.item JOIN rrcm.run USING (run_id) WHERE name = 'calm-\(mode)')
          """)
        let touched = try await Self.verify(fleet, "calm-\(mode)")
        #expect(touched.status == 1 && touched.errors.contains("\(column) is"), "\(touched)")
      }
    }
  }

  private static func verify(_ fleet: Fleet, _ run: String) async throws -> Program.Outcome {
    try await Program.run(["verify", "run", run, "--share", "0"], environment: fleet.environment)
  }

  /// `verify run` and, where Python has what it needs, scripts/recheck.py agree with a run, and neither with a forged one.
  private static func agree(_ fleet: Fleet, _ run: String, _ mode: String) async throws {
    let clean = try await verify(fleet, run)
    #expect(clean.status == 0, "\(clean)")
    guard Recheck.hasPython else { return }
    let votes = try await fleet.rrcm(["export", "votes", run])
    let certificates = try await fleet.rrcm(["export", "certificates", run, "--output", "json"])
    let answer = try Recheck.check(fleet, votes, certificates)
    #expect(
      answer.status == 0 && answer.text.contains("\(2 * Fleet.images) certificates checked"), "\(mode): \(answer.text)")
    // One vote more for the top class than there is.
    let hits = try #require(certificates.firstMatch(of: #/"n_a": (\d+)/#))
    let more = certificates.replacingCharacters(in: hits.range, with: "\"n_a\": \(try #require(Int(hits.1)) + 1)")
    guard mode != "predict" else {
      #expect(try Recheck.check(fleet, votes, more).status == 1)
      return
    }
    // Of a later one a bound too high by the least that a double can say.
    let start = more.index(hits.range.lowerBound, offsetBy: 20)
    let bound = try #require(more[start...].firstMatch(of: #/"p_lower": 0\.[5-9]\d*/#))
    let value = try #require(Double(bound.0.split(separator: " ")[1]))
    let forged = more.replacingCharacters(in: bound.range, with: "\"p_lower\": \(value.nextUp.nextUp)")
    let faults = try Recheck.check(fleet, votes, forged)
    #expect(
      faults.status == 1 && faults.text.contains("counted") && faults.text.contains("is above"), "\(mode): \(faults)")
  }
}

/// The independent checker, scripts/recheck.py.
enum Recheck {
  /// This process's own, whose PATH may lead to a virtual environment.
  private static let environment = ProcessInfo.processInfo.environment

  /// Whether a Python with the two packages is here.
  static let hasPython: Bool = {
    (try? Tool.run(["/usr/bin/env", "python3", "-c", "import scipy, mpmath"], environment: environment))?.status == 0
  }()

  /// Exit status, and what it printed on both streams.
  static func check(_ fleet: Fleet, _ votes: String, _ certificates: String) throws -> (status: Int32, text: String) {
    let ran = try Tool.run(
      [
        "/usr/bin/env", "python3", "\(Repository.root)/scripts/recheck.py", fleet.folder.write(Array(votes.utf8), "v"),
        fleet.folder.write(Array(certificates.utf8), "c"),
      ], environment: environment)
    return (ran.status, ran.output)
  }
}
