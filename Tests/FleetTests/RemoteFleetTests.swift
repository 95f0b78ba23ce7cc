import Artifacts
import Database
import Foundation
import Store
import Tensors
import TestSupport
import Testing

@Suite("Machines that share PostgreSQL and one address", .serialized) struct RemoteFleetTests {
  private static let token = "a-token-for-this-test"

  /// A fleet whose coordinator serves the store, and the variables of another machine.
  private func withServedFleet(
    _ body: (_ fleet: Fleet, _ port: UInt16, _ machine: (String) -> [String: String]) async throws -> Void
  ) async throws {
    try await withFleet { fleet async throws in
      let port = UInt16(try ScriptedServer { _ in [] }.address.split(separator: ":").last!)!
      let token = fleet.folder.write(Array("\(Self.token)\n".utf8), "token")
      try fleet.start(
        "coordinator", ["coordinator", "start", "--serve-artifacts", "127.0.0.1:\(port)"],
        environment: ["RRCM_ARTIFACT_TOKEN_FILE": token])
      try await body(fleet, port) { name in
        [
          "RRCM_HOME": fleet.folder.path + "/" + name, "RRCM_STORE": "http://127.0.0.1:\(port)",
          "RRCM_ARTIFACT_TOKEN": Self.token,
        ]
      }
    }
  }

  @Test(
    "a training, its certification and an import work where workers have nothing but the address; votes are the same")
  func sharesNothing() async throws {
    try await withServedFleet { fleet, _, machine in
      try fleet.startAggregator()
      try fleet.start(
        "trainer",
        ["worker", "start", "--name", "trainer", "--kinds", "pretrain,finetune", "--snapshot-seconds", "0.5"],
        environment: machine("one"))
      let run = try await fleet.submit(
        """
        kind: pretrain
        name: far
        dataset: {name: tiny, split: heldout}
        model: {patch: 4, width: 64, depth: 3, heads: 4, projector_hidden: 128, projector_output: 32}
        training: {steps: 600, batch: 12, learning_rate: 1.0e-3, warmup_steps: 20, augmentation: digits}
        seed: 9
        """, name: "far")
      try await fleet.waitUntilDone(run)
      let digest = try await fleet.store.connection.query(
        "SELECT checkpoint_digest AS d FROM rrcm.checkpoint WHERE run_id = \(run)")[0].text("d")
      let served = try ArtifactStore(directory: fleet.folder.path + "/store")
      let held = served.contains(SHA256(hex: digest)!)
      #expect(held, "the checkpoint has arrived where it is served")
      // States that newer ones replaced are gone there too: the image set, the first checkpoint's and the new one's files.
      let files = FileManager.default.enumerator(atPath: served.directory)!.compactMap { $0 as? String }
      #expect(files.filter { $0.utf8.count == 67 }.count == 7, "\(files)")
      #expect(!FileManager.default.fileExists(atPath: fleet.folder.path + "/one/store"))

      try fleet.start("w", ["worker", "start", "--name", "w", "--kinds", "certify"], environment: machine("two"))
      let far = try await fleet.certify("certified-far", n: 2000)
      try await fleet.waitUntilDone(far)
      try await fleet.slay("w")
      try fleet.startWorker("near", ["--kinds", "certify"])
      let near = try await fleet.certify("certified-near", n: 2000)
      try await fleet.waitUntilDone(near)
      let (a, b) = (try await fleet.certificates("certified-far"), try await fleet.certificates("certified-near"))
      #expect(a == b && a.count == 25)
      // The noise tables were fetched and not computed.
      let tables = try await fleet.store.connection.query(
        "SELECT DISTINCT table_digest AS d FROM rrcm.certification_sigma WHERE run_id = \(far)")
      let fetched = try tables.map { row in
        FileManager.default.fileExists(atPath: fleet.folder.path + "/two/cache/" + SHA256(hex: try row.text("d"))!.path)
      }
      #expect(fetched == [true, true])

      let digits = fleet.folder.write(
        Array((0..<10).map { Array(repeating: "1", count: 64).joined(separator: ",") + ",\($0)\n" }.joined().utf8),
        "digits.csv")
      try await fleet.rrcm(["dataset", "import", "digits", digits], other: machine("three"))
      let imported = try await fleet.store.dataset("digits")
      #expect(served.contains(SHA256(hex: try #require(imported).digest)!))
    }
  }

  @Test("a worker with a wrong token refuses the run with a remedy, and the token is nowhere to be seen")
  func wrongToken() async throws {
    try await withServedFleet { fleet, _, machine in
      let wrong = "another-token-that-is-wrong"
      try fleet.start(
        "w", ["worker", "start", "--name", "w"],
        environment: machine("one").merging(["RRCM_ARTIFACT_TOKEN": wrong]) { $1 })
      let run = try await fleet.certify("denied", n: 1000)
      try await eventually("the run is refused") {
        try await fleet.number("SELECT count(*) FROM rrcm.event WHERE kind = 'run_refused'") > 0
      }
      let detail = try await fleet.store.connection.query(
        "SELECT detail AS d FROM rrcm.event WHERE kind = 'run_refused' LIMIT 1")[0].text("d")
      #expect(detail.contains("artifact_unauthorized") && detail.contains("RRCM_ARTIFACT_TOKEN"))
      let seen = [fleet.log("w"), fleet.log("coordinator"), detail]
      #expect(seen.allSatisfy { !$0.contains(wrong) && !$0.contains(Self.token) })
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.lease WHERE true") == 0)
      #expect(try await fleet.progress(run).state == "running")
    }
  }
}
