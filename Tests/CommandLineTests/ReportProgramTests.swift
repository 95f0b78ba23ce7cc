import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("Reports and imports of the program") struct ReportProgramTests {
  static let evil = "a&_%$#{}|b"

  /// A half-finished run of four images at sigma 0.25 and 0.5 with a class called <script>.
  static func withRun(_ body: (TestDatabase, [String: String]) async throws -> Void) async throws {
    try await withTestDatabase { database async throws in
      let store = Store(database.connection())
      let digest = String(repeating: "d", count: 64)
      try await store.insertDataset(
        digest: digest, name: "tiny", channels: 1, height: 2, width: 2, classes: ["<script>alert(1)</script>", "b"],
        source: "a test",
        images: (0..<4).map { DatasetImageRow(split: "heldout", label: $0 % 2, source: "line \($0)", digest: "") })
      try await store.insertCheckpoint(
        digest: String(repeating: "c", count: 64), name: "net", kind: "classifier", configuration: "{}", runID: nil,
        source: "a test")
      let run = try await store.insertRun(
        NewRun(
          kind: "certify", name: Self.evil, spec: "{}", seed: 7, priority: 0, datasetDigest: digest,
          checkpointDigest: String(repeating: "c", count: 64), dependsOn: nil, imageIndices: [0, 1, 2, 3],
          numericsIDs: ["id"], software: "test",
          certification: CertificationProtocol(
            mode: "fixed", n0: 100, n: 1000, alpha: 0.001, sampler: "gaussian", chunkSamples: 500,
            levels: ["0.25", "0.5"].map { .init(sigma: $0, gridM: 0, slack: 0, tableDigest: nil) })))
      _ = try await store.planSubmittedRuns { _ in .items(units: 3) }
      // Image 0 right, 1 wrong, 2 abstains, 3 open at 0.25; all open but a held one at 0.5.
      try await store.connection.script(
        """
        UPDATE rrcm.item SET state = 'certified', next_unit = 3 WHERE sigma = 0.25 AND image_index < 3;
        UPDATE rrcm.item SET state = 'held', error = 'a test', next_unit = 3 WHERE sigma = 0.5 AND image_index = 0;
        INSERT INTO rrcm.certificate
          (item_id, mode, top_class, n_a, n0, n, alpha, slack, p_lower, abstained, predicted, radius, correct,
           numerics_id, compute_seconds)
        SELECT item_id, 'fixed', 0, 900, 100, 1000, 0.001, 0, 0.8676, image_index = 2,
               CASE WHEN image_index < 2 THEN 0 END, CASE WHEN image_index < 2 THEN 0.27875 END, image_index = 0, 'id', 1.5
          FROM rrcm.item WHERE state = 'certified';
        """)
      #expect(run > 0)
      try await body(database, ["RRCM_DATABASE_URL": database.url.connectionString])
    }
  }

  private func run(_ arguments: [String], _ environment: [String: String]) async throws -> String {
    let outcome = try await Program.run(arguments, environment: environment)
    #expect(outcome.status == 0, "\(arguments): \(outcome.errors)")
    return outcome.output
  }

  @Test("one run in every format: unfinished images are counted, held ones named, names harmless")
  func formats() async throws {
    try await Self.withRun { _, environment async throws in
      let folder = TemporaryFolder()
      for (format, file) in [
        ("html", "r.html"), ("markdown", "r.md"), ("latex", "r.tex"), ("csv", "r.csv"), ("json", "r.json"),
      ] {
        let path = folder.path + "/" + file
        let printed = try await run(["report", Self.evil, "--format", format], environment)
        _ = try await run(["report", Self.evil, "--out", path], environment)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == printed, "\(format)")
        #expect(!printed.contains("<script>alert"), "\(format)")
      }
      let csv = try await run(["report", "1", "--format", "csv", "--radii", "0,0.3"], environment)
      let lines = csv.split(separator: "\n")
      #expect(lines.count == 5)
      #expect(lines[1].hasPrefix("fleet,\(Self.evil),1,0.25,1000,0.001,0,4,3,0,1,0.250000,0.500000,"))
      #expect(lines[2].hasPrefix("fleet,\(Self.evil),1,0.25,1000,0.001,0.3,4,3,0,0,0.000000,0.250000,"))
      #expect(lines[3].hasPrefix("fleet,\(Self.evil),1,0.5,1000,0.001,0,4,0,1,0,0.000000,1.000000,"))
      let text = try await run(["report", Self.evil], environment)
      #expect(text.contains("3 of 8 certificates so far (1 held)") && text.contains("25–50"))
      #expect(text.contains("sound in real arithmetic only"))
    }
  }

  @Test("imported logs stand beside own runs, marked; a round trip keeps the table; nothing becomes a certificate")
  func imports() async throws {
    try await Self.withRun { database, environment async throws in
      let folder = TemporaryFolder()
      let own = try await run(["export", "certificates", "1"], environment)
      let file = folder.write(Array(own.utf8), "own.tsv")
      let dry = try await Program.run(
        ["import", "cohen", file, "--name", "copy", "--n", "1000", "--alpha", "0.001", "--dry-run"],
        environment: environment)
      #expect(dry.status == 0 && dry.errors.contains("dry run: nothing was written"))
      #expect(try await run(["import", "list", "--output", "csv"], environment).split(separator: "\n").count == 1)
      let table = try await run(
        ["import", "cohen", file, "--name", "copy", "--n", "1000", "--alpha", "0.001", "--output", "csv"], environment)
      #expect(table.split(separator: "\n")[1].hasPrefix("copy,0.25,1000,0.001,3,1,1,1,"))
      // The exported rows come back as they went, but for the mode, which an import cannot know.
      let again = try await run(["export", "certificates", "imported:copy"], environment)
      #expect(own.contains("\tfixed\t") && again == own.replacing("\tfixed\t", with: "\t\t"))
      let report = try await run(["report", "1", "copy", "--format", "csv", "--radii", "0,0.25"], environment)
      let lines = report.split(separator: "\n")
      #expect(
        lines[1].contains(",3,0,1,") && lines.last!.hasPrefix("imported,copy,1,0.25,1000,0.001,0.25,3,3,0,1,0.333333,"))
      let markdown = try await run(["report", "1", "copy", "--format", "markdown"], environment)
      #expect(markdown.contains("| copy | imported | 0.25 |") && markdown.contains("Imported, not certified here"))
      #expect(try await run(["report", "copy"], environment).contains("not computed by this fleet"))
      let connection = database.connection()
      let counts = try await connection.query(
        "SELECT (SELECT count(*) FROM rrcm.certificate) AS own, (SELECT count(*) FROM rrcm.report_result WHERE origin = 'imported') AS foreign_rows"
      )
      #expect(try counts[0].int("own") == 3 && counts[0].int("foreign_rows") == 3)
      // What was read once stays as it was read.
      let error = await #expect(throws: DatabaseError.self) {
        try await connection.execute("UPDATE rrcm.imported_certificate SET radius = 9")
      }
      #expect(error?.message.contains("append-only") == true)
      let twice = try await Program.run(
        ["import", "cohen", file, "--name", "copy", "--n", "1000", "--alpha", "0.001"], environment: environment)
      #expect(
        twice.status == 1 && twice.errors.contains("sigma 0.25 was imported as \"copy\" before; nothing was written"))
    }
  }

  @Test(
    "logs in parts, of several sigmas, and interrupted ones; what contradicts itself is refused before anything is written"
  )
  func logs() async throws {
    try await withTestDatabase { database async throws in
      let environment = ["RRCM_DATABASE_URL": database.url.connectionString]
      let folder = TemporaryFolder()
      let header = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
      let a = folder.write(Array((header + "0\t1\t1\t0.5\t1\t0:00:13.7\n20\t1\t2\t0.25\t1\t15.4\n").utf8), "a.txt")
      let b = folder.write(Array((header + "40\t1\t-1\t0.0\t0\t15.4\n60\t1\t1\t0.9").utf8), "b.txt")
      let bare = folder.write(Array("1\t1\t1.5\t1\t0:00:13.7\n1\t1\t0.5\t1\t0:00:13.7\n".utf8), "bare.txt")
      let common = ["--n", "100000", "--alpha", "0.001"]
      _ = try await run(["import", "cohen", a, b, "--name", "parts", "--sigma", "0.25"] + common, environment)
      _ = try await run(["import", "cohen", bare, "--name", "parts", "--sigma", "0.50"] + common, environment)
      let report = try await run(["report", "parts", "--format", "json"], environment)
      #expect(report.contains("\"sigma\": 0.25, \"n\": 100000, \"alpha\": 0.001, \"images\": 3, \"finished\": 3"))
      #expect(report.contains("b.txt: the log ends in the middle of line 3") && report.contains("no image indices"))
      #expect(report.contains("column correct differs from (label == predict) in 1 row (line 3)"))
      let list = try await run(["import", "list", "--output", "csv"], environment)
      #expect(
        list.split(separator: "\n").count == 3 && list.contains("1,parts,0.5,100000,0.001,2,\"files a.txt, b.txt\""))

      for (arguments, message) in [
        ([a, "--name", "x", "--sigma", "0.25"], "--n is missing; give the number of estimation draws"),
        ([a, "--name", "x", "--sigma", "0.25"], "--alpha is missing"),
        ([a, "--name", "x"] + common, "--sigma is missing, and \(a) names no noise level"),
        ([a, "--name", "x", "--sigma", "-1"] + common, "--sigma is -1; it must be the noise level"),
        ([a, "--name", "x", "--sigma", "0.25", "--n", "0", "--alpha", "0.001"], "--n is 0; it must be"),
        ([a, "--name", "x", "--sigma", "0.25", "--n", "10", "--alpha", "0.7"], "--alpha is 0.7; it must be"),
        ([a, b, b, "--name", "x", "--sigma", "0.25", "--sigma", "1"] + common, "--sigma is given 2 times for 3 files"),
        ([a, a, "--name", "x", "--sigma", "0.25"] + common, "image 0 is in an earlier file of sigma 0.25"),
        (
          [bare, bare, "--name", "x", "--sigma", "0.5"] + common,
          "has the content of an earlier file of sigma 0.5; import each part of a log once"
        ),
        ([a, bare, "--name", "x", "--sigma", "0.5"] + common, "has no image indices, unlike"),
        (
          [bare, "--name", "x", "--sigma", "0.25"] + common,
          "line 1, column radius: 1.5 cannot be certified with sigma 0.25"
        ),
        (["/nowhere", "--name", "x", "--sigma", "1"] + common, "/nowhere cannot be read"),
        ([folder.write(Array(header.utf8), "e.txt"), "--name", "x", "--sigma", "1"] + common, "holds no row"),
        (
          [folder.write([0xFF], "f.txt"), "--name", "x", "--sigma", "1"] + common,
          "f.txt: line 1, column label: missing"
        ),
        ([a, "--name", "", "--sigma", "0.25"] + common, "--name must be 1 to 200 characters"),
      ] {
        let outcome = try await Program.run(["import", "cohen"] + arguments, environment: environment)
        #expect(outcome.status == 64 && outcome.output.isEmpty && outcome.errors.contains(message), "\(outcome)")
      }
      #expect(try await run(["import", "list", "--output", "csv"], environment) == list, "nothing was written")
      let unknown = try await Program.run(["report", "nobody"], environment: environment)
      #expect(unknown.status == 64 && unknown.errors.contains("no run and no imported log \"nobody\""))
    }
  }

  @Test(
    "the published tables come out of import and report, byte for byte",
    .enabled(if: ReferenceData.has("golden/cohen/rows.csv"), ReferenceData.absent))
  func publishedTables() async throws {
    try await withTestDatabase { database async throws in
      let environment = ["RRCM_DATABASE_URL": database.url.connectionString]
      let folder = TemporaryFolder()
      let lines = try String(contentsOfFile: ReferenceData.path("golden/cohen/rows.csv"), encoding: .utf8)
        .split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
      let place = Dictionary(uniqueKeysWithValues: lines[0].enumerated().map { ($1, $0) })
      let names: [Substring] = ["idx", "label", "predict", "radius_printed", "correct", "time_printed"]
      let files = ["GL01", "GL02", "GL03", "GL04"].map { log in
        let rows = lines.filter { $0[0] == log }.map { row in names.map { row[place[$0]!] }.joined(separator: "\t") }
        return folder.write(
          Array(("idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + rows.joined(separator: "\n") + "\n").utf8), log)
      }
      let sigmas = ["0.12", "0.25", "0.50", "1.00"].flatMap { ["--sigma", $0] }
      let alphas = ["0.001", "0.01", "0.01", "0.01"].flatMap { ["--alpha", $0] }
      _ = try await run(
        ["import", "cohen"] + files + ["--name", "cohen", "--n", "100000"] + sigmas + alphas, environment)
      for format in ["latex", "markdown"] {
        let table = try await run(
          ["report", "cohen", "--published", "--format", format, "--radii", "0.25,0.5,0.75,1,1.25,1.5"], environment)
        let path = ReferenceData.path("golden/cohen/published_vary_noise_cifar10.\(format).txt")
        #expect(try String(contentsOfFile: path, encoding: .utf8) == table)
      }
      // The view's figures are the report's.
      let views = try await database.connection().query(
        "SELECT sigma::text AS sigma, certified FROM rrcm.report_accuracy WHERE name = 'cohen' AND r = 0.25 ORDER BY report_accuracy.sigma"
      )
      let csv = try await run(["report", "cohen", "--format", "csv", "--radii", "0.25"], environment)
      let certified = csv.split(separator: "\n").dropFirst().map { $0.split(separator: ",")[10] }
      #expect(try views.map { "\(try $0.int("certified"))" } == certified.map(String.init))
    }
  }
}
