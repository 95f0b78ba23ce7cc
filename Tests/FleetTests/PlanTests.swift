import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("Plans", .serialized) struct PlanTests {
  private func plan(_ fleet: Fleet, _ words: [String]) async throws -> [[String: Any]] {
    let json = try await fleet.rrcm(["plan"] + words + ["--output", "json"])
    return try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [[String: Any]] ?? []
  }

  private static let certify = """
    kind: certify
    name: probe
    checkpoint: net
    dataset: {name: tiny}
    smoothing: {sigma: [0.25, 1.0], n0: 100, n: 1000}
    chunk_samples: 10
    seed: 42
    """

  @Test(
    "a plan's samples, chunks, rows and bytes are those that the run then leaves; its speed is that of live workers")
  func certification() async throws {
    try await withFleet { fleet async throws in
      let file = fleet.folder.write(Array(Self.certify.utf8), "probe.yaml")
      let before = try await plan(fleet, [file])[0]
      #expect(before["hours"] is NSNull && before["samples_per_second"] is NSNull && before["workers"] as? Int == 0)
      #expect(before["leases"] is NSNull && before["forward_passes"] as? Int == 24 * 103)

      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w1")
      let run = try await fleet.submit(Self.certify, name: "probe")
      try await fleet.waitUntilDone(run)

      let after = try await plan(fleet, [file])[0]
      let samples = try #require(after["samples"] as? Int)
      #expect(try await Int64(samples) == fleet.progress(run).samples)
      #expect(try await Int64(after["items"] as? Int ?? 0) == fleet.number("SELECT count(*) FROM rrcm.item"))
      #expect(try await Int64(after["chunks"] as? Int ?? 0) == fleet.number("SELECT count(*) FROM rrcm.chunk_count"))
      let rows =
        "(SELECT count(*) FROM rrcm.item) + (SELECT count(*) FROM rrcm.chunk_count) + (SELECT count(*) FROM rrcm.certificate)"
      #expect(try await Int64(after["rows"] as? Int ?? 0) == fleet.number("SELECT \(rows)"))
      let bytes = try await fleet.number("SELECT pg_total_relation_size('rrcm.chunk_count')")
      let share = Double(after["bytes"] as? Int ?? 0) / Double(bytes)
      #expect((0.7...1.4).contains(share), "planned \(share) of the \(bytes) bytes used")
      // The speed is what the chunks took to compute.
      let busy = try await fleet.number("SELECT sum(compute_ms) FROM rrcm.chunk_count WHERE phase = 1")
      let speed = try #require(after["samples_per_second"] as? Double)
      #expect(after["workers"] as? Int == 1 && after["speed_source"] as? String == "measured on 1 of 1 live worker")
      #expect((0.5...2).contains(speed / (Double(24_000) / Double(busy) * 1000)), "\(speed) against \(busy) ms")
      let hours = try #require(after["hours"] as? Double)
      #expect(abs(hours * 3600 * speed / Double(samples) - 1) < 1e-9)
      let twice = try await plan(fleet, [file, "--workers", "2"])[0]
      #expect(abs((twice["hours"] as? Double ?? 0) / hours - 0.5) < 0.1)
    }
  }

  @Test("levels tell the largest radius that n and alpha allow, and the first count that certifies")
  func reach() async throws {
    try await withFleet { fleet async throws in
      let file = fleet.folder.write(Array(Self.certify.utf8), "probe.yaml")
      let rows = try await plan(fleet, [file, "--levels", "--set", "smoothing.n=100000"])
      #expect(rows.map { $0["sigma"] as? String } == ["0.25", "1"])
      #expect(rows.allSatisfy { $0["first_certifying_count"] as? Int == 50_490 && $0["n"] as? Int == 100_000 })
      let radii = rows.compactMap { $0["largest_radius"] as? Double }
      // sigma · Φ⁻¹(0.001^(1/100000)) = sigma · 3.81150…
      #expect(radii.count == 2 && abs(radii[0] - 0.25 * 3.8115) < 1e-4 && abs(radii[1] - 3.8115) < 1e-4, "\(radii)")
      // The same for people, with the record above.
      let text = try await fleet.rrcm(["plan", file])
      #expect(text.contains("forward_passes") && text.contains("first_certifying_count"))
    }
  }

  @Test(
    "a given or calibrated speed gives hours without any live worker, and training files have steps; nothing is written"
  )
  func speeds() async throws {
    try await withFleet { fleet async throws in
      let certify = fleet.folder.write(Array(Self.certify.utf8), "probe.yaml")
      let pretrain = fleet.folder.write(
        Array(
          """
          kind: pretrain
          name: first
          dataset: {name: tiny, split: heldout}
          model: {patch: 4, width: 32, depth: 1, heads: 2, projector_hidden: 32, projector_output: 16}
          training: {steps: 50, batch: 8, warmup_steps: 5}
          """.utf8), "first.yaml")
      let finetune = fleet.folder.write(
        Array(
          """
          kind: finetune
          name: second
          checkpoint: first
          dataset: {name: tiny, split: heldout}
          training: {epochs: 10, batch: 4, copies: 2, warmup_epochs: 1}
          """.utf8), "second.yaml")
      let last = fleet.folder.write(
        Array(Self.certify.replacing("checkpoint: net", with: "checkpoint: second").utf8), "last.yaml")
      let rows = try await Footprint.rows(fleet.store.connection)

      let given = try await plan(fleet, [certify, "--samples-per-second", "1000"])[0]
      #expect(abs((given["hours"] as? Double ?? 0) - 26_400 / 1000 / 3600) < 1e-9)
      #expect(given["leases"] as? Int == 24 && (given["transactions"] as? Int ?? 0) >= 48)

      let all = try await plan(fleet, [pretrain, finetune, last, "--calibrate", "--workers", "3"])
      #expect(all.map { $0["kind"] as? String } == ["pretrain", "finetune", "certify"])
      #expect(all[0]["steps"] as? Int == 50 && all[0]["training_images"] as? Int == 400)
      #expect(all[1]["steps"] as? Int == 30 && all[1]["training_images"] as? Int == 240)
      for row in all { #expect((row["hours"] as? Double ?? 0) > 0, "\(row)") }
      #expect((all[2]["samples_per_second"] as? Double ?? 0) > 100 && all[2]["workers"] as? Int == 3)
      #expect(try await Footprint.rows(fleet.store.connection) == rows)
    }
  }

  @Test("n and alpha that can never certify are refused, with the smallest n that could, by plan and by submit")
  func hopeless() async throws {
    try await withFleet { fleet async throws in
      let file = fleet.folder.write(Array(Self.certify.utf8), "probe.yaml")
      for verb in [["plan"], ["run", "submit"]] {
        let refused = try await fleet.outcome(verb + [file, "--set", "smoothing.n=9"])
        #expect(refused.status == 64 && refused.output.isEmpty)
        #expect(refused.errors.contains("smoothing.n is 9") && refused.errors.contains("raise n to 10 or more"))
        // Above one half by less than the sampler's slack.
        let close = try await fleet.outcome(
          verb + [
            file, "--set", "smoothing.n0=5", "--set", "smoothing.n=10", "--set",
            "smoothing.alpha=0.00097656250000000977",
          ])
        #expect(close.status == 64 && close.errors.contains("raise n to 11 or more"), "\(close.errors)")
      }
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.run") == 0)
    }
  }

  @Test("with a number of images a file is planned without any database")
  func offline() async throws {
    let folder = TemporaryFolder()
    let file = folder.write(Array(Self.certify.utf8), "probe.yaml")
    let outcome = try await Program.run([
      "plan", file, "--images", "500", "--samples-per-second", "2000", "--output", "json",
    ])
    let row = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])[0]
    #expect(outcome.status == 0 && row["items"] as? Int == 1000 && row["samples"] as? Int == 1_100_000)
    #expect(row["forward_passes"] is NSNull && abs((row["hours"] as? Double ?? 0) * 3600 - 550) < 1e-6)
    let reach = try await Program.run(["plan", file, "--images", "1", "--levels", "--output", "csv"])
    #expect(reach.output.contains("probe,0.25,1,") && reach.output.contains(",550\n"), "\(reach.output)")
    let hopeless = try await Program.run(["plan", file, "--images", "1", "--set", "smoothing.n=9"])
    #expect(hopeless.status == 64 && hopeless.errors.contains("raise n to 10 or more"))
  }
}
