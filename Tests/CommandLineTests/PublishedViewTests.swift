import Database
import Foundation
import TestSupport
import Testing

/// Every published log through import, views and report, beside the figures published with it.
@Suite(
  "Published logs in the database", .serialized,
  .enabled(if: ReferenceData.has("golden/cohen/rows.csv"), ReferenceData.absent))
struct PublishedViewTests {
  /// The rows of a reference table; columns before a free note hold no commas.
  static func rows(_ name: String) throws -> [[String: String]] {
    let lines = try String(contentsOfFile: ReferenceData.path("golden/cohen/\(name)"), encoding: .utf8)
      .split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
    return lines.dropFirst().map { Dictionary(zip(lines[0], $0)) { first, _ in first } }
  }

  @Test("counts, average radii, abstentions and the envelope of all published logs come out of the views")
  func views() async throws {
    try await withTestDatabase { database async throws in
      let environment = ["RRCM_DATABASE_URL": database.url.connectionString]
      let folder = TemporaryFolder()
      let logs = Dictionary(grouping: try Self.rows("rows.csv")) { $0["source_file"]! }
      let sources = try Self.rows("sources.csv").filter { logs[$0["source_file"]!] != nil }
      #expect(sources.count > 15)
      for source in sources {
        let name = source["source_file"]!
        let columns = ["idx", "label", "predict", "radius_printed", "correct", "time_printed"]
        let lines = logs[name]!.map { row in columns.map { row[$0]! }.joined(separator: "\t") }
        let file = folder.write(
          Array(("idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + lines.joined(separator: "\n") + "\n").utf8), name)
        let outcome = try await Program.run(
          [
            "import", "cohen", file, "--name", name, "--n", source["n"]!, "--alpha", source["alpha"]!, "--sigma",
            source["sigma"]!,
          ], environment: environment)
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
      let connection = database.connection()
      for source in sources {
        let level = try await connection.query(
          "SELECT images, abstained, acr, origin FROM rrcm.report_level WHERE name = '\(source["source_file"]!)'")[0]
        #expect(try level.text("origin") == "imported")
        #expect(
          try level.int("images") == Int64(source["rows"]!) && level.int("abstained") == Int64(source["abstain"]!))
        #expect(abs(try level.double("acr") - Double(source["acr_from_printed"]!)!) < 1e-8)
      }
      // Certified accuracy at every radius of the reference table, those on the view's grid from the view itself.
      let points = try Self.rows("certified_accuracy.csv")
      let values = points.map { "('\($0["source_file"]!)', \($0["radius"]!), \($0["correct_count"]!))" }
      let differing = try await connection.query(
        """
        WITH expected (name, r, count) AS (VALUES \(values.joined(separator: ", ")))
        SELECT count(*) AS points,
               count(*) FILTER (WHERE e.count <> (SELECT count(*) FROM rrcm.report_result x
                 WHERE x.name = e.name AND x.correct AND x.radius >= e.r::double precision)) AS differing,
               count(a.certified) AS in_view,
               count(*) FILTER (WHERE a.certified <> e.count) AS view_differing
          FROM expected e
          LEFT JOIN rrcm.report_accuracy a ON a.name = e.name AND a.r = e.r
        """)[0]
      #expect(try differing.int("points") == Int64(points.count) && points.count > 100)
      #expect(try differing.int("differing") == 0 && differing.int("view_differing") == 0)
      #expect(try differing.int("in_view") > 50)
      // The envelope over nine logs, the first on ties.
      for expected in try Self.rows("envelope_golden_imagenet.csv") {
        let best = try await connection.query(
          """
          SELECT name, sigma::text AS sigma, share FROM (
            SELECT name, sigma, count(*) FILTER (WHERE correct AND radius >= \(expected["radius"]!)::double precision)::double precision
                   / count(*) AS share
              FROM rrcm.report_result WHERE name LIKE 'GS0_' GROUP BY name, sigma) AS t
           ORDER BY share DESC, name LIMIT 1
          """)[0]
        #expect(abs(try best.double("share") - Double(expected["best_certified_accuracy"]!)!) < 1e-9, "\(expected)")
        #expect(try best.text("name") == expected["best_source_file"], "\(expected)")
      }
    }
  }
}
