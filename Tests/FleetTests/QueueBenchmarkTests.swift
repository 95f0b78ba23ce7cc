import Database
import Foundation
import TestSupport
import Testing

private let python = ["/usr/bin/python3", "/usr/local/bin/python3"].first {
  FileManager.default.isExecutableFile(atPath: $0)
}
private let pgbench = ["/usr/lib/postgresql/15/bin/pgbench", "/usr/bin/pgbench"].first {
  FileManager.default.isExecutableFile(atPath: $0)
}

@Suite("Our arm of the queue benchmarks")
struct QueueBenchmarkTests {
  @Test("it plans, computes, rescues and certifies a small run without losing a chunk")
  func wholeRun() async throws {
    try await withTestDatabase { database async throws in
      let folder = TemporaryFolder()
      func arm(_ verb: String, _ more: [String] = []) async throws -> [String: Any] {
        let output = try await run(
          Program.path.replacing(/rrcm$/, with: "QueueArm"),
          [verb, "--database", database.url.connectionString, "--store", folder.path + "/store"] + more)
        return try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
      }
      let prepared = try await arm("prepare", ["--images", "7", "--sigmas", "0.25,1.0", "--n", "9500"])
      #expect(prepared["items"] as? Int == 14)
      #expect(prepared["units"] as? Int == 14 * 11)
      let crowd = try await arm("crowd", ["--workers", "5", "--unit-seconds", "0.01", "--seconds", "0.5"])
      #expect(crowd["errors"] as? Int == 0)
      #expect(crowd["duplicates"] as? Int == 0)
      let chunks = try #require(crowd["chunks"] as? Int)
      #expect(chunks > 0)
      #expect(try await arm("rescue", ["--dead-seconds", "0"])["lost_workers"] as? Int == 5)
      _ = try await arm("work", ["--workers", "2", "--lease-units", "4"])
      let folded = try await arm("fold")
      #expect(folded["certificates"] as? Int == 14)
      let rows = try await database.connection().query("SELECT count(*) AS n FROM rrcm.chunk_count")
      #expect(try rows[0].int("n") == 14 * 11)
    }
  }

  @Test(
    "pgbench runs the product's own statements",
    .enabled(if: python != nil && pgbench != nil, "skipped: no python3 or no pgbench on this machine"))
  func statements() async throws {
    try await withTestDatabase { database async throws in
      let folder = TemporaryFolder()
      let url = database.url.connectionString
      _ = try await run(
        Program.path.replacing(/rrcm$/, with: "QueueArm"),
        [
          "prepare", "--database", url, "--store", folder.path + "/store", "--images", "2", "--sigmas", "0.5", "--n",
          "7000",
        ])
      let connection = database.connection()
      try await connection.execute(
        "INSERT INTO rrcm.worker (name, host, pid, device, software) VALUES ('pgbench', 'h', 1, 'none', 'pgbench')")
      let script = try await run(
        #require(python),
        [
          "-c",
          "import sys; sys.path.insert(0, '\(Repository.root)/Benchmarks/queue'); import scripts;"
            + " print(scripts.ours(1, 4, 100, 1000, 'idle-none/hash-1/any/b1/any'))",
        ])
      let file = folder.write(Array(script.utf8), "ours.sql")
      for mode in ["extended", "prepared"] {
        _ = try await run(
          #require(pgbench), ["-n", "-M", mode, "-c", "1", "-t", "2", "-D", "floor=0", "-f", file, url])
      }
      let rows = try await connection.query(
        """
        SELECT count(*) AS chunks, count(*) FILTER (WHERE samples = 100) AS selections,
               (SELECT count(*) FROM rrcm.lease) AS leases, (SELECT count(*) FROM rrcm.disagreement) AS alarms
          FROM rrcm.chunk_count
        """)[0]
      #expect(try rows.int("chunks") == 16)
      #expect(try rows.int("selections") == 2)
      #expect(try rows.int("leases") == 0)
      #expect(try rows.int("alarms") == 0)
    }
  }

  private func run(_ program: String, _ arguments: [String]) async throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let folder = TemporaryFolder()
    let (output, errors) = (folder.write([], "out"), folder.write([], "err"))
    try process.start(output: output, errors: errors)
    try await eventually("\(program) ends", seconds: 60) { !process.isRunning }
    guard process.terminationStatus == 0 else {
      throw TestFailure("\(program): \(try String(contentsOfFile: errors, encoding: .utf8))")
    }
    return try String(contentsOfFile: output, encoding: .utf8)
  }
}
