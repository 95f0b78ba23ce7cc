import Database
import Foundation
import Models
import Store
import TestSupport
import Testing

@testable import CommandLine

/// Verbs against a real fleet: what they print for programs, and that a dry run leaves everything as it was.
@Suite("Verbs", .serialized) struct VerbTests {
  /// Rows of a verb's JSON, after checking that every format has the documented columns in their order.
  private func rows(_ fleet: Fleet, _ words: [String], _ layout: RowLayout) async throws -> [[String: Any]] {
    let csv = try await fleet.rrcm(words + ["--output", "csv"])
    #expect(csv.split(separator: "\n").first.map(String.init) == layout.columns.joined(separator: ","), "\(words)")
    let tsv = try await fleet.rrcm(words + ["--output", "tsv"])
    let lines = tsv.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
    #expect(lines.allSatisfy { $0.count == layout.columns.count }, "\(words)")
    let json = try await fleet.rrcm(words + ["--output", "json"])
    let rows = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]] ?? []
    #expect(rows.count == lines.count - 1)
    for row in rows { #expect(Set(row.keys) == Set(layout.columns), "\(words)") }
    #expect(try await !fleet.rrcm(words).isEmpty)
    return rows
  }

  @Test("every listing speaks table, JSON, CSV and TSV, with numbers as numbers and nothing as null")
  func listings() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w1")
      let run = try await fleet.certify("probe", n: 1000)
      _ = try await fleet.submit(
        """
        kind: certify
        name: later
        checkpoint: net
        dataset: {name: tiny, limit: 1}
        smoothing: {sigma: [0.5], n: 1000000000}
        priority: -5
        """, name: "later")
      try await fleet.waitUntilDone(run)

      let runs = try await rows(fleet, ["run", "list"], RunCommand.List.layouts[0])
      #expect(runs.map { $0["name"] as? String } == ["probe", "later"])
      #expect(
        runs[0]["samples"] as? Int == 24 * 1100 && runs[0]["error"] is NSNull && runs[1]["priority"] as? Int == -5)
      // The later one has a billion draws to make.
      let done = try await rows(fleet, ["run", "list", "--state", "done"], RunCommand.List.layouts[0])
      #expect(done.map { $0["name"] as? String } == ["probe"])

      let shown = try await rows(fleet, ["run", "show", "probe"], RunCommand.Show.layouts[0])[0]
      #expect(shown["n"] as? Int == 1000 && shown["alpha"] as? Double == 0.001 && shown["sigma"] as? String == "0.25 1")
      #expect(
        (shown["dataset"] as? String)?.count == 64 && (shown["numerics"] as? String)?.hasPrefix("cpu-f32/") == true)
      #expect(try await rows(fleet, ["run", "show", "probe", "--metrics"], RunCommand.Show.layouts[1]).isEmpty)

      let items = try await rows(fleet, ["item", "list", "probe"], ItemCommand.List.layouts[0])
      #expect(items.count == 24 && items.allSatisfy { $0["posted"] as? Int == 3 && $0["samples"] as? Int == 1100 })
      #expect(items.allSatisfy { ($0["radius"] is NSNull) == ($0["abstained"] as? Bool) })
      let item = try await rows(fleet, ["item", "show", "probe", "7"], ItemCommand.Show.layouts[0])
      #expect(item.map { $0["sigma"] as? String } == ["0.25", "1"])
      let votes = try await rows(fleet, ["item", "show", "probe", "7", "--votes"], ItemCommand.Show.layouts[1])
      let estimation = votes.filter { $0["phase"] as? String == "estimation" && $0["sigma"] as? String == "1" }
      #expect(estimation.reduce(0) { $0 + ($1["votes"] as? Int ?? 0) } == 1000)
      #expect(estimation.contains { $0["votes"] as? Int == item[1]["hits"] as? Int })
      let chunks = try await rows(fleet, ["item", "show", "probe", "7", "--chunks"], ItemCommand.Show.layouts[2])
      #expect(
        chunks.count == 6 && chunks.allSatisfy { $0["worker"] as? String == "w1" && $0["stored"] as? Bool == true })

      let workers = try await rows(fleet, ["worker", "list"], WorkerCommand.List.layouts[0])
      #expect(workers.count == 1 && workers[0]["state"] as? String == "live" && workers[0]["epoch"] as? Int == 1)
      #expect((workers[0]["samples_per_second"] as? Double ?? 0) > 0)
      #expect((workers[0]["registered"] as? String)?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)

      #expect(try await rows(fleet, ["dataset", "list"], DatasetCommand.List.layouts[0])[0]["images"] as? Int == 12)
      let images = try await rows(fleet, ["dataset", "show", "tiny", "--images"], DatasetCommand.Show.layouts[1])
      #expect(images.count == 12 && images[5]["label"] as? Int == 1)
      #expect(
        try await rows(fleet, ["dataset", "show", "tiny"], DatasetCommand.Show.layouts[0])[0]["class_names"] as? String
          == "a, b, c, d")
      #expect(try await rows(fleet, ["checkpoint", "list"], CheckpointCommand.List.layouts[0])[0]["run"] is NSNull)
      let net = try await rows(fleet, ["checkpoint", "show", "net"], CheckpointCommand.Show.layouts[0])[0]
      #expect(net["width"] as? Int == 64 && net["projector_hidden"] is NSNull)
      let tensors = try await rows(
        fleet, ["checkpoint", "show", "net", "--tensors"], CheckpointCommand.Show.layouts[1])
      #expect(tensors.reduce(0) { $0 + ($1["elements"] as? Int ?? 0) } == net["parameters"] as? Int)
      let parts = try await rows(fleet, ["status"], Status.layouts[0])
      #expect(parts.contains { $0["part"] as? String == "worker" && $0["leases"] is Int })
      #expect(try await rows(fleet, ["migrate", "status"], Migrate.Status.layouts[0]).count >= 2)
    }
  }

  @Test("a dry run says what would be done, with counts, and changes no row and no file")
  func dryRuns() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      let first = try await fleet.certify("first", n: 1000)
      _ = try await fleet.certify("second", n: 1000)
      try await eventually("both runs are planned") {
        try await fleet.number("SELECT count(*) FROM rrcm.item") == 48
      }
      for name in ["a", "b"] {
        _ = try await fleet.store.register(name: name, host: "node", pid: 1, device: "d", software: "s")
      }
      fleet.signal("coordinator", SIGTERM)
      _ = try await fleet.waitForExit("coordinator")
      let checkpoint = fleet.folder.path + "/net"
      try FileManager.default.createDirectory(atPath: checkpoint, withIntermediateDirectories: true)
      try Fleet.balancedNetwork().write(folder: checkpoint)
      let digits = fleet.folder.write(
        Array((0..<64).map { "\($0 % 17)" }.joined(separator: ",").utf8) + Array(",3\n".utf8), "digits.csv")
      let file = fleet.folder.write(
        Array("kind: certify\nname: third\ncheckpoint: net\ndataset: {name: tiny}\nsmoothing: {sigma: [0.5]}".utf8),
        "third.yaml")

      let rows = try await Footprint.rows(fleet.store.connection)
      let files = try Footprint.files(fleet.folder.path)
      for (words, says) in [
        (["run", "submit", file], "1 run would be submitted"),
        (["run", "cancel", "first"], "would cancel 1 run with 24 items that have no certificate"),
        (["run", "cancel", "--all"], "would cancel 2 runs with 48 items that have no certificate"),
        (["worker", "drain", "a"], "would drain 1 worker"),
        (["worker", "drain", "--host", "node"], "would drain 2 workers"),
        (["checkpoint", "import", checkpoint, "--name", "copy"], "nothing was stored"),
        (["dataset", "import", "digits", digits], "nothing was stored"),
        (["migrate", "up"], "nothing to do: the schema is current"),
        (["up", "--workers", "3"], "worker-3       would be started"),
        (["up", "--workers", "3", "--precision", "bf16"], "worker-3       would be started"),
        (["down"], "dry run: nothing was stopped"),
      ] {
        let outcome = try await fleet.outcome(words + ["--dry-run"])
        #expect(outcome.status == 0 && outcome.errors.contains(says), "\(words): \(outcome.errors)")
        #expect(try await Footprint.rows(fleet.store.connection) == rows, "\(words) changed rows")
        #expect(try Footprint.files(fleet.folder.path) == files, "\(words) changed files")
      }
      // The same without --dry-run does change something: the comparison can fail.
      _ = try await fleet.rrcm(["run", "cancel", "\(first)"])
      #expect(try await Footprint.rows(fleet.store.connection) != rows)
      #expect(try await fleet.progress(first).state == "cancelled")
    }
  }

  @Test("what touches several things asks first, and without a terminal wants --yes")
  func bulk() async throws {
    try await withFleet { fleet async throws in
      for name in ["one", "two", "three"] { _ = try await fleet.certify(name, n: 1000) }
      let refused = try await fleet.outcome(["run", "cancel", "one", "two"])
      #expect(refused.status == 64 && refused.errors.contains("cancel 2 runs"), "\(refused.errors)")
      #expect(refused.errors.contains("add --yes to do it") && refused.output.isEmpty)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.run WHERE state = 'cancelled'") == 0)

      let folder = fleet.folder.path
      for (answer, status, cancelled) in [("n", Int64(1), Int64(0)), ("y", 0, 2)] {
        let typed = try await Pseudoterminal.run(
          ["run", "cancel", "one", "two"], environment: fleet.environment, typing: answer + "\n")
        #expect(typed.screen.contains("cancel 2 runs with 0 items that have no certificate? [y/N]"), "\(typed.screen)")
        #expect(Int64(typed.status) == status, "\(typed.screen) in \(folder)")
        #expect(try await fleet.number("SELECT count(*) FROM rrcm.run WHERE state = 'cancelled'") == cancelled)
      }
      _ = try await fleet.rrcm(["run", "cancel", "--all", "--yes"])
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.run WHERE state = 'cancelled'") == 3)
      let ended = try await fleet.outcome(["run", "cancel", "one"])
      #expect(ended.status == 1 && ended.errors.contains("had already ended: cancelled; nothing was cancelled"))
    }
  }
}
