import Database
import Foundation
import Store
import TestSupport
import Testing

/// What goes at a person's word, beside a fleet that runs.
@Suite("Retention and repinning", .serialized) struct CleanupTests {
  @Test("gc beside a running fleet takes what nothing needs, and no file, row or vote that a run does")
  func collect() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w1")
      let run = try await fleet.certify("probe", n: 60_000)
      try await eventually("votes arrive") { try await fleet.progress(run).samples > 0 }
      let store = fleet.folder.path + "/store"
      let needed = try Footprint.files(store)
      // Debris of all kinds, and everything as old as can be.
      let junk = Array("nobody names me".utf8)
      let digest = String(repeating: "0", count: 62) + "ab"
      for (name, bytes) in [
        ("00/\(digest)", junk), ("00/\(digest).part", junk), ("incoming.tmp-AbCdEf", junk), ("00/notes", junk),
      ] { _ = fleet.folder.write(bytes, "store/\(name)") }
      try await age(store, days: 30)
      _ = fleet.folder.write(junk, "store/11/" + String(repeating: "1", count: 64))
      try await fleet.store.connection.execute(
        "INSERT INTO rrcm.event (at, kind, detail) VALUES (now() - interval '1 year', 'old', 'x')")

      let looked = try await fleet.outcome(["gc", "--dry-run", "--output", "csv"])
      // Opening the folder has already removed the unfinished upload.
      #expect(looked.status == 0 && looked.output.contains("files,1,15,7"), "\(looked.output)\(looked.errors)")
      #expect(looked.output.contains("partial files,1,15,1") && looked.output.contains("events,1,,90"))
      #expect(looked.errors.contains("dry run: nothing was removed"))
      #expect(try await fleet.outcome(["gc"]).status == 64, "it asks")
      #expect(FileManager.default.fileExists(atPath: "\(store)/00/\(digest)"))
      let done = try await fleet.rrcm(["gc", "--yes", "--output", "csv"])
      #expect(done == looked.output, "\(done)")
      #expect(!FileManager.default.fileExists(atPath: "\(store)/00/\(digest)"))
      #expect(!FileManager.default.fileExists(atPath: "\(store)/00/\(digest).part"))
      #expect(FileManager.default.fileExists(atPath: "\(store)/00/notes"), "not a file of the store's")
      #expect(FileManager.default.fileExists(atPath: "\(store)/11/" + String(repeating: "1", count: 64)), "young")
      let left = Set(try Footprint.files(store).split(separator: "\n"))
      #expect(Set(needed.split(separator: "\n")).isSubset(of: left), "what a run needs stays")
      #expect(try await fleet.rrcm(["gc", "--output", "csv"]).contains("files,0,0,7"))

      // A worker that begins with an empty memory still finds all it needs.
      try await fleet.slay("w1")
      try fleet.startWorker("w2")
      try await fleet.waitUntilDone(run)
      let bad = try await fleet.outcome(["gc", "--file-days", "0", "--event-days", "99999"])
      #expect(bad.status == 64 && bad.errors.contains("--file-days is 0; it must be 1 to 36500"), "\(bad.errors)")
      #expect(bad.errors.contains("--event-days is 99999"))
    }
  }

  private func age(_ folder: String, days: Int) async throws {
    for case let name as String in FileManager.default.enumerator(atPath: folder)! {
      let date = Date.now.addingTimeInterval(-86_400 * Double(days))
      try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: "\(folder)/\(name)")
    }
  }

  @Test("run delete asks, refuses what is live or needed, and then leaves nothing")
  func delete() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w1")
      let run = try await fleet.certify("probe", n: 500)
      try await fleet.waitUntilDone(run)
      let live = try await fleet.certify("live", n: 4_000_000)
      let refused = try await fleet.outcome(["run", "delete", "probe", "live", "--yes"])
      #expect(refused.status == 1 && refused.errors.contains("cancel it first: rrcm run cancel \(live)"))
      let rows = try await fleet.number(
        "SELECT count(*) FROM rrcm.chunk_count c JOIN rrcm.item USING (item_id) WHERE run_id = \(run)")
      let look = try await fleet.outcome(["run", "delete", "probe", "--dry-run"])
      #expect(look.errors.contains("would delete 1 run with 24 items, \(rows) chunks and 24 certificates"))
      #expect(try await fleet.outcome(["run", "delete", "probe"]).status == 64)
      try await fleet.rrcm(["run", "delete", "probe", "--yes"])
      #expect(try await fleet.store.run("probe") == nil)
      #expect(try await fleet.outcome(["run", "delete", "probe", "--yes"]).status == 64)
      let before = try await fleet.progress(live).samples
      try await eventually("the other one goes on") { try await fleet.progress(live).samples > before }
    }
  }

  @Test("a run whose workers are gone is told as stranded, repinned, and finished by workers of another numerics id")
  func repin() async throws {
    try await withFleet { fleet async throws in
      // An idle worker's beat may wait for its look at the queue: patient enough that it keeps its standing.
      let timings = ["--beat-seconds", "0.5", "--dead-seconds", "6", "--rescue-seconds", "0.5"]
      func start(_ name: String, _ more: [String] = []) throws {
        try fleet.start(name, ["worker", "start", "--name", name] + more, timings: timings)
      }
      try fleet.start("coordinator", ["coordinator", "start"], timings: timings)
      try fleet.startAggregator()
      try start("old", ["--precision", "bf16"])
      let run = try await fleet.certify("probe", n: 20_000)
      try await eventually("items are certified") { try await fleet.progress(run).done > 0 }
      let early = try await fleet.outcome(["run", "repin", "probe", "--numerics", "any", "--yes"])
      #expect(early.status == 1 && early.errors.contains("has no stranded item"), "\(early.errors)")
      try await fleet.slay("old")
      try start("new")
      try await eventually("it is told once") {
        try await fleet.number("SELECT count(*) FROM rrcm.event WHERE kind = 'run_stranded'") == 1
      }
      #expect(try await fleet.rrcm(["status", "--output", "csv"]).contains("stranded"))
      #expect(try await fleet.progress(run).strandedAt != nil)
      let done = try await fleet.progress(run).done
      #expect(done > 0 && done < 24, "\(done)")
      let certified = try await fleet.certificates("probe").filter { !$0.contains(",,") }
      let id = try await fleet.store.workers().first { $0.name == "new" }?.numericsIDs.first
      let look = try await fleet.outcome(["run", "repin", "probe", "--numerics", try #require(id), "--dry-run"])
      #expect(
        look.status == 0 && look.errors.contains("would repin run \(run) (probe) to \(id!): void"), "\(look.errors)")
      try await fleet.rrcm(["run", "repin", "probe", "--numerics", id!, "--yes"])
      // The worker that refused the run asks again in half a minute; one that begins now does at once.
      try start("newer")
      try await fleet.waitUntilDone(run)
      // Certificates of the old id, all settled, stay to the letter.
      let after = try await fleet.certificates("probe")
      let kept = try await fleet.number("SELECT count(*) FROM rrcm.certificate WHERE numerics_id <> '\(id!)'")
      #expect(certified.dropFirst().count { after.contains($0) } >= kept)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.certificate WHERE numerics_id = '\(id!)'") == 24 - kept)
      // Of every certificate, all votes are by a worker of its own id.
      let mixed = try await fleet.number(
        """
        SELECT count(*) FROM rrcm.certificate c JOIN rrcm.chunk_count k USING (item_id) JOIN rrcm.worker w USING (worker_id)
         WHERE (w.name <> 'old') <> (c.numerics_id = '\(id!)')
        """)
      #expect(mixed == 0)
      // An undisturbed run of the new id says the same of the images that were computed anew.
      let calm = try await fleet.certify("calm", n: 20_000)
      try await fleet.waitUntilDone(calm)
      #expect(
        try await fleet.number(
          """
          SELECT count(*) FROM rrcm.certificate_result a JOIN rrcm.certificate_result b USING (image_index, sigma)
           WHERE a.run_id = \(run) AND b.run_id = \(calm) AND a.numerics_id = '\(id!)'
             AND (a.n_a, a.p_lower, a.top_class) IS DISTINCT FROM (b.n_a, b.p_lower, b.top_class)
          """) == 0)
    }
  }
}
