import Database
import Foundation
import Store
import TestSupport
import Testing

/// How a worker ends, so that an orchestrator can tell a bad machine from a bad run.
@Suite("A worker's end", .serialized) struct WorkerExitTests {
  /// A worker that ends once nothing is left to claim. Returns its exit status.
  private func work(_ fleet: Fleet, _ name: String, environment: [String: String] = [:]) async throws -> Int32 {
    try fleet.start(name, ["worker", "start", "--name", name, "--stop-when-idle"], environment: environment)
    return try await fleet.waitForExit(name, seconds: 40)
  }

  @Test("with nothing left to claim it ends with 0; with work it had to pass over for its own sake with 71")
  func badMachine() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      #expect(try await work(fleet, "idle") == 0)
      let run = try await fleet.certify("probe", n: 500)
      try await eventually("planned") { try await fleet.progress(run).total == 24 }
      // A store of its own, without the checkpoint.
      let empty = fleet.folder.path + "/empty"
      #expect(try await work(fleet, "poor", environment: ["RRCM_STORE": empty]) == 71)
      #expect(fleet.log("poor").contains("run \(run) (probe) is left undone") && fleet.log("poor").contains("no file"))
      // Another numerics id than the run's.
      try await fleet.store.connection.execute("UPDATE rrcm.run SET numerics_ids = '{other}'")
      #expect(try await work(fleet, "other") == 71)
      try await fleet.store.connection.execute("UPDATE rrcm.run SET numerics_ids = '{}'")
      // A canary that differs from the recorded one.
      #expect(try await work(fleet, "good") == 0)
      try await fleet.store.connection.execute("UPDATE rrcm.canary SET logits_digest = repeat('0', 64)")
      let again = try await fleet.certify("again", n: 500)
      try await eventually("planned") { try await fleet.progress(again).total == 24 }
      #expect(try await work(fleet, "liar") == 71)
      #expect(fleet.log("liar").contains("canary"))
      // A store that cannot be: a file stands in its place.
      let file = fleet.folder.write([1], "file")
      #expect(try await work(fleet, "blocked", environment: ["RRCM_STORE": file]) == 74)
    }
  }

  @Test("a training that fails wherever it is computed ends it with 1")
  func badRun() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      let run = try await fleet.submit(
        """
        kind: finetune
        name: tuned
        checkpoint: net
        dataset: {name: tiny, split: heldout}
        training: {epochs: 2, batch: 4, warmup_epochs: 1, learning_rate: 1e30}
        """, name: "tuned")
      try await eventually("planned") { try await fleet.progress(run).state == "running" }
      // Weights that are no numbers: the same on every machine.
      let status = try await work(fleet, "w")
      let progress = try await fleet.progress(run)
      #expect(status == 1 && progress.state == "failed", "\(status) \(progress.state) \(fleet.log("w").suffix(500))")
    }
  }

  @Test("a database that cannot be reached ends it with 69, wrong flags with 64")
  func otherEnds() async throws {
    let nowhere = ["RRCM_DATABASE_URL": "host=/nowhere dbname=none"]
    #expect(try await Program.run(["run", "list"], environment: nowhere).status == 69)
    #expect(try await Program.run(["worker", "start", "--threads", "0"]).status == 64)
  }

  @Test("a worker asked to drain from elsewhere posts the chunk in hand, hands back the rest and ends with 0")
  func drain() async throws {
    try await withFleet { fleet async throws in
      // Patient enough for a busy machine: a worker that is taken for dead meanwhile registers anew.
      let timings = ["--beat-seconds", "0.5", "--dead-seconds", "60"]
      let arguments = ["worker", "start", "--name", "w1"]
      try fleet.start("coordinator", ["coordinator", "start"], timings: timings)
      try fleet.start("w1", arguments, timings: timings)
      let run = try await fleet.certify("probe", n: 60_000)
      try await eventually("votes arrive") { try await fleet.progress(run).samples > 0 }
      let said = try await fleet.rrcm(["worker", "drain", "w1", "--output", "csv"])
      #expect(said.contains("w1,draining,"), "\(said)")
      #expect(try await fleet.waitForExit("w1") == 0)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.lease") == 0)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.event WHERE kind = 'worker_lost'") == 0)
      #expect(try await fleet.progress(run).state == "running")
      let gone = try await fleet.outcome(["worker", "drain", "w1"])
      #expect(gone.status == 64 && gone.errors.contains("no live worker \"w1\""))
      // The same name works again.
      try fleet.start("w1", arguments, timings: timings)
      let before = try await fleet.progress(run).samples
      try await eventually("it computes again") { try await fleet.progress(run).samples > before }
    }
  }
}
