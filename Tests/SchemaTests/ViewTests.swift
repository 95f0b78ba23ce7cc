import Database
import Foundation
import TestSupport
import Testing

@Suite("Views") struct ViewTests {
  /// `Tests/pgtap/VIEW.sql`.
  private static let scripts = try! FileManager.default.contentsOfDirectory(atPath: "\(Repository.root)/Tests/pgtap")
    .filter { $0.hasSuffix(".sql") }.sorted()

  private static let hasPgTAP: Bool = {
    let majors = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/share/postgresql")) ?? []
    return majors.contains {
      FileManager.default.fileExists(atPath: "/usr/share/postgresql/\($0)/extension/pgtap.control")
    }
  }()

  @Test(
    "a view shows what was counted by hand",
    .enabled(if: hasPgTAP, "skipped: no pgTAP on this machine (apt-get install postgresql-15-pgtap)"),
    arguments: scripts)
  func view(script: String) async throws {
    try await withTestDatabase { database async throws in
      try await database.connection().script("CREATE EXTENSION pgtap")
      let path = "\(Repository.root)/Tests/pgtap/\(script)"
      let lines = try PostgresProgram.run(
        "psql",
        [
          "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", "--single-transaction",
          "--file", path,
        ], on: database
      ).split(separator: "\n").map(String.init)
      let plan = try #require(lines.first?.wholeMatch(of: #/1\.\.(\d+)/#)).1
      let passed = lines.filter { $0.hasPrefix("ok ") }.count
      #expect(passed == Int(plan), "\(script):\n\(lines.joined(separator: "\n"))")
    }
  }

  @Test("every view has a test")
  func allAreTested() async throws {
    try await withTestDatabase { database async throws in
      let views = try await database.connection().query(
        "SELECT viewname FROM pg_views WHERE schemaname = 'rrcm' ORDER BY viewname")
      #expect(views.count >= 5)
      #expect(try views.map { try $0.text("viewname") + ".sql" } == Self.scripts)
    }
  }
}
