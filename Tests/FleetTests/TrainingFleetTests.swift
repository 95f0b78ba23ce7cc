import Database
import Foundation
import Store
import TestSupport
import Testing

@Suite("A training fleet", .serialized) struct TrainingFleetTests {
  private static func yaml(_ name: String) -> String {
    """
    kind: pretrain
    name: \(name)
    dataset: {name: tiny, split: heldout}
    model: {patch: 4, width: 64, depth: 3, heads: 4, projector_hidden: 128, projector_output: 32}
    training: {steps: 1500, batch: 12, learning_rate: 1.0e-3, warmup_steps: 20, augmentation: digits}
    seed: 9
    """
  }

  @Test("training resumes to the bit after SIGKILL: the checkpoint is the one of an undisturbed run")
  func resumesToTheBit() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      try fleet.startWorker("calm")
      let calm = try await fleet.submit(Self.yaml("calm"), name: "calm")
      try await fleet.waitUntilDone(calm)
      try await fleet.slay("calm")

      let stormy = try await fleet.submit(Self.yaml("stormy"), name: "stormy")
      try fleet.startWorker("a", ["--snapshot-seconds", "0.3"])
      func snapshotStep() async throws -> Int64 {
        try await fleet.number("SELECT coalesce(max(snapshot_step), 0) FROM rrcm.job WHERE run_id = \(stormy)")
      }
      try await eventually("a state is stored") { try await snapshotStep() > 0 }
      try await fleet.slay("a")
      #expect(try await fleet.progress(stormy).state == "running")
      try fleet.startWorker("b", ["--snapshot-seconds", "0.3"])
      try await fleet.waitUntilDone(stormy)

      #expect(try await fleet.number("SELECT run_lease FROM rrcm.job WHERE run_id = \(stormy)") == 2)
      #expect(try await fleet.number("SELECT attempts FROM rrcm.job WHERE run_id = \(stormy)") == 0)
      let checkpoints = try await fleet.store.connection.query(
        "SELECT checkpoint_digest FROM rrcm.checkpoint WHERE run_id IN (\(calm), \(stormy)) GROUP BY 1")
      #expect(checkpoints.count == 1, "equal content has one digest")
      let metrics = try await fleet.store.connection.query(
        "SELECT count(*) AS n FROM rrcm.metric a JOIN rrcm.metric b USING (step, name) WHERE a.run_id = \(calm) AND b.run_id = \(stormy) AND a.value = b.value"
      )[0].int("n")
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.metric WHERE run_id = \(calm)") == metrics)
    }
  }

  @Test("a trainer whose session was ended gives the job back and goes on, long before the job's deadline")
  func endedSessions() async throws {
    try await withFleet { fleet in
      // Standing that outlasts the test: nobody else takes the job back.
      let patient = ["--beat-seconds", "20", "--dead-seconds", "60"]
      try fleet.start("coordinator", ["coordinator", "start"], timings: patient)
      let endless = Self.yaml("cut-off").replacing("steps: 1500", with: "steps: 10000000")
      let run = try await fleet.submit(endless, name: "cut-off")
      try fleet.start("a", ["worker", "start", "--name", "a", "--snapshot-seconds", "0.2"], timings: patient)
      func job(_ column: String) async throws -> Int64 {
        try await fleet.number("SELECT coalesce(max(\(column)), 0) FROM rrcm.job WHERE run_id = \(run)")
      }
      try await eventually("a state is stored") { try await job("snapshot_step") > 0 }
      // A session that ends between two calls is opened anew unnoticed: end it while it waits for a lock.
      let blocker = fleet.database.connection()
      try await blocker.script("BEGIN; SELECT FROM rrcm.job FOR UPDATE")
      try await eventually("its session is ended in the middle of a write") {
        try await fleet.store.connection.query(
          """
          SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = 'rrcm worker' AND wait_event_type = 'Lock'
          """
        ).count > 0
      }
      try await blocker.script("ROLLBACK")
      try await eventually("the error is met") { fleet.log("a").contains("pausing after an error") }
      let step = try await job("snapshot_step")
      try await eventually("the training goes on", seconds: 15) {
        let (lease, reached) = (try await job("run_lease"), try await job("snapshot_step"))
        return lease > 1 && reached > step
      }
      #expect(try await job("attempts") == 0)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.event WHERE kind = 'job_rescued'") == 0)
      fleet.signal("a", SIGTERM)
      #expect(try await fleet.waitForExit("a") == 0)
    }
  }

  @Test("a drained trainer stores its state and hands the job back at once")
  func drainedTrainers() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      // So many steps that none is reported for long: stopping and storing must not wait for that.
      let endless = Self.yaml("drained").replacing("steps: 1500", with: "steps: 10000000")
      let run = try await fleet.submit(endless, name: "drained")
      try fleet.startWorker("a")
      try await eventually("steps are made") { try await fleet.progress(run).done > 15 }
      fleet.signal("a", SIGTERM)
      #expect(try await fleet.waitForExit("a", seconds: 10) == 0)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.job WHERE state = 'queued' AND snapshot_step > 0") == 1)
    }
  }
}
