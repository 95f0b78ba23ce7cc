import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("Stored votes read again", .serialized) struct RereadingTests {
  @Test(
    "an independent program agrees with every certificate of a run of 500 images, and with none that was touched",
    .enabled(if: Recheck.hasPython, "skipped: no python3 with scipy and mpmath (pip install scipy mpmath)"))
  func independentChecker() async throws {
    try await withFleet(images: 500) { fleet in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w")
      let run = try await fleet.submit(
        """
        kind: certify
        name: many
        checkpoint: net
        dataset: {name: tiny}
        smoothing: {sigma: [1.0], n0: 50, n: 500, alpha: 0.001}
        chunk_samples: 250
        seed: 7
        """, name: "many")
      try await fleet.waitUntilDone(run)
      let votes = try await fleet.rrcm(["export", "votes", "many"])
      let certificates = try await fleet.rrcm(["export", "certificates", "many", "--output", "json"])
      #expect(votes.split(separator: "\n").count == 1 + 500 * 3)
      let answer = try Recheck.check(fleet, votes, certificates)
      #expect(answer.status == 0 && answer.text.contains("500 certificates checked"), "\(answer.text)")
      #expect(answer.text.contains(" 0 faults"))
      let certified = try await fleet.number("SELECT count(*) FROM rrcm.certificate WHERE NOT abstained")
      #expect((50...499).contains(certified), "both kinds are there: \(certified) certified")

      // The other form holds the same votes.
      let csv = try await fleet.rrcm(["export", "votes", "many", "--output", "csv"]).split(separator: "\n")
      #expect(csv.count == 2 + 500 * 3 && csv[0].hasPrefix("# {\"format\": \"rrcm-votes-1\""))

      // A radius a little further, a vote more: both are told.
      let radius = try #require(certificates.firstMatch(of: #/"radius": (0\.\d\d)/#))
      let further = certificates.replacingCharacters(in: radius.range, with: "\"radius\": \(radius.1)9999")
      let forged = try Recheck.check(fleet, votes, further)
      #expect(forged.status == 1 && forged.text.contains("where the bound gives"), "\(forged.text)")
      let bound = try #require(certificates.firstMatch(of: #/"p_lower": 0\.[6-9]\d*/#))
      let higher = certificates.replacingCharacters(in: bound.range, with: "\"p_lower\": 0.99")
      #expect(try Recheck.check(fleet, votes, higher).text.contains("is above"))
    }
  }

  @Test("verify run finds a touched vote, bound and radius, says what it could not check, and writes nothing")
  func verifyRun() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w")
      let run = try await fleet.certify("once", n: 2000)
      try await fleet.waitUntilDone(run)
      func verify(_ more: [String], store: String? = nil) async throws -> Program.Outcome {
        var environment = fleet.environment
        // The server refuses every write of this session.
        environment["PGOPTIONS"] = "-c default_transaction_read_only=on"
        if let store { environment["RRCM_STORE"] = store }
        return try await Program.run(["verify", "run", "once", "--output", "csv"] + more, environment: environment)
      }
      let clean = try await verify(["--chunks", "30"])
      #expect(clean.status == 0, "\(clean)")
      #expect(
        clean.output == """
          check,checked,of,differing,note
          items against images and labels,24,24,0,
          stored chunks against the plan,120,120,0,
          certificates from votes,24,24,0,
          noise tables and slack,2,2,0,
          chunks from the noise,30,120,0,

          """)
      let share = try await verify(["--share", "0.1", "--seed", "3", "--threads", "2"])
      #expect(share.status == 0 && share.output.contains("chunks from the noise,12,120,0,"))
      let elsewhere = TemporaryFolder()
      let blind = try await verify([], store: elsewhere.path)
      #expect(
        blind.status == 0 && blind.output.contains("chunks from the noise,0,120,0,\"2 not checked: artifact_not_found"),
        "\(blind)")

      let connection = fleet.store.connection
      // Votes moved between classes: the chunk still adds up; certificates or the noise tell.
      try await connection.script(
        """
        ALTER TABLE rrcm.chunk_count DISABLE TRIGGER chunk_count_append_only;
        UPDATE rrcm.chunk_count SET votes[1] = votes[1] + 1, votes[2] = votes[2] - 1
         WHERE (item_id, phase, chunk) = (SELECT item_id, phase, chunk FROM rrcm.chunk_count
           WHERE phase = 1 AND cardinality(votes) >= 2 AND votes[2] > 1 ORDER BY item_id, chunk LIMIT 1);
        """)
      let moved = try await verify(["--share", "1"])
      #expect(moved.status == 1 && moved.output.contains("chunks from the noise,120,120,1,"), "\(moved)")
      #expect(moved.errors.contains("drawn anew"))
      try await connection.script(
        """
        UPDATE rrcm.chunk_count SET votes[1] = votes[1] - 1, votes[2] = votes[2] + 1
         WHERE (item_id, phase, chunk) = (SELECT item_id, phase, chunk FROM rrcm.chunk_count
           WHERE phase = 1 AND cardinality(votes) >= 2 AND votes[2] > 0 ORDER BY item_id, chunk LIMIT 1);
        """)
      #expect(try await verify(["--share", "1"]).status == 0)

      // A bound one place higher; a vote more than samples.
      try await connection.script(
        "UPDATE rrcm.certificate SET p_lower = p_lower + 1e-16 WHERE item_id = (SELECT min(item_id) FROM rrcm.certificate)"
      )
      try await connection.script(
        "ALTER TABLE rrcm.chunk_count DROP CONSTRAINT chunk_count_every_sample_votes_once; UPDATE rrcm.chunk_count SET votes[1] = votes[1] + 1 WHERE item_id = (SELECT max(item_id) FROM rrcm.item) AND phase = 1 AND chunk = 2"
      )
      let touched = try await verify(["--share", "0"])
      #expect(touched.status == 1)
      #expect(touched.output.contains("stored chunks against the plan,120,120,1,"), "\(touched)")
      #expect(touched.output.contains("certificates from votes,24,24,2,"))
      #expect(touched.output.contains("chunks from the noise,0,120,0,none asked for"))
      #expect(touched.errors.contains("p lower is 0.") && touched.errors.contains("has 501 votes of 500 samples"))
      // An item gone, and one that is right because its label was changed.
      try await connection.script(
        """
        DELETE FROM rrcm.certificate WHERE item_id = (SELECT max(item_id) FROM rrcm.item);
        DELETE FROM rrcm.chunk_count WHERE item_id = (SELECT max(item_id) FROM rrcm.item);
        DELETE FROM rrcm.audit WHERE item_id = (SELECT max(item_id) FROM rrcm.item);
        DELETE FROM rrcm.item WHERE item_id = (SELECT max(item_id) FROM rrcm.item);
        UPDATE rrcm.item SET label = (label + 1) % 4 WHERE item_id = (SELECT min(item_id) FROM rrcm.item);
        """)
      let mended = try await verify(["--share", "0"])
      #expect(mended.output.contains("items against images and labels,23,23,2,"), "\(mended)")
      #expect(mended.errors.contains("no item, though the run has it") && mended.errors.contains("in the image set"))
      let unknown = try await Program.run(["verify", "run", "nobody"], environment: fleet.environment)
      #expect(unknown.status == 64 && unknown.errors.contains("no run \"nobody\""))
    }
  }

  @Test("recertify reads the stored votes at another alpha, labels the result and stores nothing")
  func recertify() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w")
      let run = try await fleet.certify("once", n: 2000)
      try await fleet.waitUntilDone(run)
      let select = "SELECT md5(string_agg(c::text, '|' ORDER BY item_id)) AS rows FROM rrcm.certificate c"
      let before = try await fleet.store.connection.query(select)[0].text("rows")

      func reread(_ more: [String]) async throws -> (rows: [[String: String]], text: String) {
        let file = fleet.folder.path + "/again.csv"
        let text = try await fleet.rrcm(["recertify", "once", "--certificates", file] + more)
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map {
          $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        return (lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }, text)
      }
      func own() async throws -> [[String: String]] {
        let lines = try await fleet.rrcm(["export", "certificates", "once", "--output", "csv"]).split(separator: "\n")
          .map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
      }
      let certificates = try await own()
      let same = try await reread(["--alpha", "0.001"])
      for (a, b) in zip(same.rows, certificates) {
        #expect(a["radius"] == b["radius"] && a["p_lower"] == b["p_lower"] && a["predict"] == b["predict"])
      }
      let looser = try await reread(["--alpha", "0.05", "--format", "markdown"])
      #expect(looser.rows.count == 24 && looser.rows.allSatisfy { $0["alpha"] == "0.05" })
      #expect(zip(looser.rows, certificates).allSatisfy { Double($0["p_lower"]!)! > Double($1["p_lower"]!)! })
      #expect(looser.text.contains("run \(run), read again: alpha 0.05"))
      #expect(looser.text.contains("Read again after the votes were known") && looser.text.contains("read again |"))

      let together = try await reread(["--simultaneous"])
      #expect(zip(together.rows, certificates).allSatisfy { Double($0["p_lower"]!)! < Double($1["p_lower"]!)! })
      #expect(together.text.contains("alpha/24") && together.text.contains("For all images and noise levels"))
      #expect(!together.text.contains("Not simultaneous"))

      let best = try await reread(["--best-sigma"])
      #expect(best.rows.count == 12)
      #expect(best.text.contains("best of 0.25, 1") && best.text.contains("alpha/2"))
      let halved = try await reread(["--alpha", "0.0005"])
      for row in best.rows {
        let rivals = halved.rows.filter { $0["idx"] == row["idx"] }
        #expect(rivals.count == 2 && Double(row["radius"]!)! == rivals.map { Double($0["radius"]!)! }.max())
      }
      for format in ["html", "latex", "csv", "json"] {
        let text = try await fleet.rrcm(["recertify", "once", "--alpha", "0.01", "--format", format])
        #expect(
          text.contains(["csv": "reading,", "json": "\"origin\": \"reading\""][format] ?? "ead again"), "\(format)")
      }
      #expect(try await fleet.store.connection.query(select)[0].text("rows") == before, "nothing is stored")
      for (arguments, message) in [
        (["recertify", "once"], "nothing to read anew"), (["recertify", "once", "--alpha", "0.7"], "--alpha is 0.7"),
        (["recertify", "nobody", "--alpha", "0.1"], "no run \"nobody\""),
      ] {
        let outcome = try await fleet.outcome(arguments)
        #expect(outcome.status == 64 && outcome.errors.contains(message), "\(outcome)")
      }
    }
  }

  @Test("two arithmetics are compared sample by sample on the same noise; a wrong question is refused")
  func numerics() async throws {
    try await withFleet { fleet in
      let answer = try await fleet.rrcm([
        "verify", "numerics", "net", "tiny", "--sigma", "0.25,1", "--images", "5", "--samples", "40", "--output", "csv",
      ]).split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
      #expect(answer.count == 3)
      for row in answer.dropFirst() {
        #expect(row[0].hasPrefix("cpu-f32/") && row[1].hasPrefix("cpu-bf16/") && row[3] == "5" && row[4] == "200")
        // bfloat16 keeps eight bits: a few of a hundred samples may move, most do not.
        #expect(try #require(Int(row[5])) < 20, "\(row)")
      }
      let wrong = try await fleet.outcome(["verify", "numerics", "net", "tiny", "--sigma", "x", "--images", "0"])
      #expect(wrong.status == 64 && wrong.errors.contains("--sigma is x") && wrong.errors.contains("--images is 0"))
      let unknown = try await fleet.outcome(["verify", "numerics", "nobody", "tiny"])
      #expect(unknown.status == 64 && unknown.errors.contains("no checkpoint \"nobody\""))
    }
  }
}
