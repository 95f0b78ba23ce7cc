import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("A certifying fleet", .serialized) struct CertifyingFleetTests {
  @Test("invariant 5: certificates are byte-identical whoever dies, whatever the lease size and the order of claims")
  func killsDoNotReachARadius() async throws {
    try await withFleet { fleet in
      // Undisturbed: one worker, large leases.
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("calm", ["--lease-chunks", "64"])
      let calm = try await fleet.certify("calm")
      try await fleet.waitUntilDone(calm)
      fleet.signal("calm", SIGTERM)
      #expect(try await fleet.waitForExit("calm") == 0)

      // Disturbed: images in the other order, small leases, and every part killed in the middle.
      let stormy = try await fleet.certify("stormy", reversed: true)
      try fleet.startWorker("a", ["--lease-chunks", "3"])
      try fleet.startWorker("b", ["--lease-chunks", "7"])
      func samples() async throws -> Int64 { try await fleet.progress(stormy).samples }
      try await eventually("work is under way") { try await samples() > 50_000 }
      try await fleet.slay("a")
      try await eventually("the other worker goes on") { try await samples() > 150_000 }
      try fleet.startWorker("a", ["--lease-chunks", "5"])
      try await fleet.slay("aggregator")
      try await eventually("workers do not need the aggregator") { try await samples() > 300_000 }
      try fleet.startAggregator()
      try await fleet.slay("coordinator")
      try await eventually("workers do not need the coordinator") { try await samples() > 450_000 }
      #expect(try await fleet.progress(stormy).state == "running", "the kills came in the middle of the run")
      try fleet.startCoordinator()
      try await fleet.waitUntilDone(stormy)

      let (undisturbed, disturbed) = (try await fleet.certificates("calm"), try await fleet.certificates("stormy"))
      #expect(undisturbed.count == 1 + 2 * Fleet.images)
      #expect(undisturbed == disturbed)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.disagreement") == 0)
      #expect(
        try await fleet.number(
          "SELECT count(*) FROM (SELECT item_id, sum(samples) AS s FROM rrcm.chunk_count GROUP BY item_id) t WHERE s <> 40100"
        )
          == 0, "every sample counts exactly once")
      #expect(
        try await fleet.number(
          "SELECT count(DISTINCT worker_id) FROM rrcm.chunk_count c JOIN rrcm.item USING (item_id) WHERE run_id = \(stormy)"
        )
          == 2)
      #expect(
        try await fleet.number("SELECT count(DISTINCT n_a) FROM rrcm.certificate") > 4, "votes differ between images")
    }
  }

  @Test("invariant 3: a certificate is recomputed to the bit from stored votes and protocol")
  func certificatesAreRecomputed() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w")
      let run = try await fleet.certify("once", n: 2000)
      try await fleet.waitUntilDone(run)
      let first = try await fleet.certificates("once")
      let select =
        "SELECT string_agg(to_jsonb(c)::text, '|' ORDER BY item_id) AS rows FROM (SELECT item_id, top_class, n_a, p_lower, abstained, predicted, radius, correct FROM rrcm.certificate) c"
      let stored = try await fleet.store.connection.query(select)[0].text("rows")
      try await fleet.slay("aggregator")
      // Forget every certificate, keep the votes.
      try await fleet.store.connection.script(
        """
        DELETE FROM rrcm.certificate;
        UPDATE rrcm.item SET state = 'claimed', top_class = NULL;
        UPDATE rrcm.run SET state = 'running', finished_at = NULL;
        """)
      try fleet.startAggregator()
      try await fleet.waitUntilDone(run)
      #expect(try await fleet.certificates("once") == first)
      #expect(try await fleet.store.connection.query(select)[0].text("rows") == stored)

      // And by the command line, from the counts alone.
      let rows = try await fleet.store.connection.query(
        "SELECT n_a, n, sigma::text AS sigma, radius FROM rrcm.certificate_result WHERE radius IS NOT NULL AND slack < 1e-12"
      )
      for row in rows.prefix(4) {
        let answer = try await fleet.rrcm([
          "radius", "--hits", "\(row.int("n_a"))", "--draws", "\(row.int("n"))", "--sigma", row.text("sigma"),
          "--output", "json",
        ])
        let parsed = try JSONDecoder().decode([[String: RadiusField]].self, from: Data(answer.utf8))
        let radius = try #require(parsed[0]["radius"]?.number)
        #expect(abs(radius - (try row.double("radius"))) < 1e-9)
        #expect(radius >= (try row.double("radius")), "slack only lowers a bound")
      }
    }
  }

  @Test("trap 5: votes that are not the planned draws are never certified, and the aggregator lives on")
  func tamperedVotesAreHeld() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      try fleet.startWorker("w")
      let run = try await fleet.certify("tampered", n: 2000)
      try await eventually("all votes are in") {
        try await fleet.progress(run).samples == Int64(2 * Fleet.images * 2100)
      }
      try await fleet.store.connection.script(
        """
        ALTER TABLE rrcm.chunk_count DISABLE TRIGGER chunk_count_append_only;
        UPDATE rrcm.chunk_count SET samples = samples + 9, votes[1] = votes[1] + 9
         WHERE phase = 1 AND chunk = 0 AND item_id = (SELECT min(item_id) FROM rrcm.item);
        """)
      try fleet.startAggregator()
      try await eventually("the run ends") { try await fleet.progress(run).state == "failed" }
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'") == 1)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.certificate") == Int64(2 * Fleet.images - 1))
    }
  }

  @Test("invariant 6: a drained worker finishes its chunk, hands back the rest and leaves no lease")
  func drainHandsBack() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      let run = try await fleet.certify("drained")
      try fleet.startWorker("w", ["--lease-chunks", "64"])
      try await eventually("work is under way") { try await fleet.progress(run).samples > 5000 }
      fleet.signal("w", SIGTERM)
      #expect(try await fleet.waitForExit("w") == 0)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.lease") == 0)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.worker WHERE state = 'gone'") == 1)
      // Between two leases there is nothing to hand back; either way every unit ever claimed has votes or waits.
      #expect(
        try await fleet.number("SELECT sum(next_unit) FROM rrcm.item")
          == fleet.number(
            "SELECT (SELECT count(*) FROM rrcm.chunk_count) + coalesce((SELECT sum(hi - lo) FROM rrcm.gap), 0)"))
    }
  }

  @Test("invariant 7: a worker frozen past its standing registers anew, and nothing is counted twice")
  func frozenWorkersComeBack() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      let run = try await fleet.certify("frozen")
      try fleet.startWorker("w", ["--lease-chunks", "64"])
      try await eventually("work is under way") { try await fleet.progress(run).samples > 5000 }
      fleet.signal("w", SIGSTOP)
      try await eventually("the fleet gives it up") {
        try await fleet.number("SELECT count(*) FROM rrcm.worker WHERE state = 'gone'") == 1
      }
      try await eventually("its lease goes back") { try await fleet.number("SELECT count(*) FROM rrcm.lease") == 0 }
      fleet.signal("w", SIGCONT)
      try await fleet.waitUntilDone(run)
      #expect(try await fleet.number("SELECT max(epoch) FROM rrcm.worker") == 2)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.disagreement") == 0)
      #expect(try await fleet.number("SELECT sum(samples) FROM rrcm.chunk_count") == Int64(2 * Fleet.images * 40_100))
    }
  }

  @Test("invariant 8, trap 19: a worker of another numerics id refuses the run, and one whose canary differs does, too")
  func strangersRefuse() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      let run = try await fleet.certify("pinned", n: 2000, more: "numerics: [cuda-bf16/other]")
      try fleet.startWorker("w")
      try await eventually("it refuses") {
        try await fleet.number("SELECT count(*) FROM rrcm.event WHERE kind = 'run_refused' AND run_id = \(run)") == 1
      }
      #expect(try await fleet.progress(run).samples == 0)

      let other = try await fleet.certify("canary", n: 2000)
      try await eventually("votes come in") { try await fleet.progress(other).samples > 0 }
      try await fleet.slay("w")
      try await fleet.store.connection.execute("UPDATE rrcm.canary SET logits_digest = repeat('0', 64)")
      let third = try await fleet.certify("third", n: 2000)
      try fleet.startWorker("v")
      try await eventually("it refuses") {
        try await fleet.number("SELECT count(*) FROM rrcm.event WHERE kind = 'run_refused' AND run_id = \(third)") == 1
      }
      #expect(try await fleet.progress(third).samples == 0)
    }
  }

  @Test("invariant 9: bad run files are refused with field, value and remedy, and nothing stored changes")
  func badInputChangesNothing() async throws {
    try await withFleet { fleet in
      _ = try await fleet.certify("good", n: 2000)
      let before = try await fleet.store.connection.query("SELECT md5(string_agg(r::text, '|')) AS d FROM rrcm.run r")[
        0
      ]
      .text("d")
      let cases: [(String, String)] = [
        (
          "kind: certify\nname: x\ncheckpoint: net\ndataset: {name: tiny}\nsmoothing: {sigm: [0.25]}",
          "did you mean \"sigma\"?"
        ),
        (
          "kind: certify\nname: x\ncheckpoint: nothing\ndataset: {name: tiny}\nsmoothing: {sigma: [0.25]}",
          "no checkpoint or training run"
        ),
        ("kind: certify\nname: x\ncheckpoint: net\ndataset: {name: none}\nsmoothing: {sigma: [0.25]}", "Known: tiny"),
        (
          "kind: certify\nname: x\ncheckpoint: net\ndataset: {name: tiny, split: train}\nsmoothing: {sigma: [0.25]}",
          "has the splits heldout"
        ),
        (
          "kind: certify\nname: x\ncheckpoint: net\ndataset: {name: tiny}\nsmoothing: {sigma: [0.25], n: 5}",
          "cannot certify"
        ),
        (
          "kind: certify\nname: x\ncheckpoint: net\ndataset: {name: tiny, indices: [3, 99]}\nsmoothing: {sigma: [0.25]}",
          "names 99"
        ),
        (
          "kind: certify\nname: x\ncheckpoint: net\ndataset: {name: tiny}\nsmoothing: {sigma: [0.25], alpha: 2}",
          "at most 0.5"
        ),
      ]
      for (yaml, message) in cases {
        let error = await #expect(throws: TestFailure.self) { try await fleet.submit(yaml, name: "x") }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "no error")")
      }
      let after = try await fleet.store.connection.query("SELECT md5(string_agg(r::text, '|')) AS d FROM rrcm.run r")[0]
        .text("d")
      #expect(before == after)
    }
  }
}

/// One field of `rrcm radius --output json`.
private struct RadiusField: Decodable {
  let number: Double?

  init(from decoder: any Decoder) throws { number = try? decoder.singleValueContainer().decode(Double.self) }
}
