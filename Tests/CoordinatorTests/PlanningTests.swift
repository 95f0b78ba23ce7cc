import Coordinator
import Database
import Lifecycle
import Models
import RunFile
import Store
import Telemetry
import TestSupport
import Testing

@Suite("Planning") struct PlanningTests {
  @Test("a certification becomes an item per image and sigma, in the stored order")
  func items() async throws {
    try await Library.with { library async throws in
      let run = try await library.submit(library.certify(dataset: "name: tiny, indices: [9, 6]"))[0]
      let planned = try await planRuns(in: library.store)
      #expect(planned.map(\.0) == [run])
      let items = try await library.store.connection.query(
        "SELECT image_index, sigma::text AS sigma, label, unit_count FROM rrcm.item ORDER BY item_id")
      #expect(try items.map { try $0.int("image_index") } == [9, 9, 6, 6])
      #expect(try items.map { try $0.text("sigma") } == ["0.12", "0.25", "0.12", "0.25"])
      #expect(try items.map { try $0.int("label") } == [0, 0, 0, 0])
      // One selection chunk, and 100 draws in chunks of 30.
      #expect(try items.allSatisfy { try $0.int("unit_count") == 5 })
      #expect(try await library.outcome(run).state == "running")
    }
  }

  @Test("a training becomes one job with its steps: as given, or epochs times whole batches")
  func jobs() async throws {
    try await Library.with { library async throws in
      let ids = try await library.submit(
        library.pretrain(), library.finetune(from: "encoder"), library.finetune("odd", from: "encoder", batch: 4))
      _ = try await planRuns(in: library.store)
      for (id, steps) in zip(ids, [7, 15, 5]) {
        #expect(try await library.count("SELECT steps FROM rrcm.job WHERE run_id = \(id)") == steps)
      }
    }
  }

  @Test("a run waits until the run whose checkpoint it needs is done, then uses that checkpoint")
  func waiting() async throws {
    try await Library.with { library async throws in
      let ids = try await library.submit(library.finetune(from: "encoder"), library.certify(of: "second"))
      #expect(try await planRuns(in: library.store).map(\.0) == [ids[0]])
      #expect(try await planRuns(in: library.store).isEmpty)
      #expect(try await library.outcome(ids[1]).state == "submitted")
      try await library.train(ids[0], makes: Library.model)
      #expect(try await planRuns(in: library.store).map(\.0) == [ids[1]])
      #expect(try await library.store.run("\(ids[1])")?.checkpointDigest == Library.digest("a"))
    }
  }

  @Test("when that run fails or is cancelled, the waiting one is refused and says what to do")
  func dependencyEndsBadly() async throws {
    try await Library.with { library async throws in
      let failing = try await library.submit(library.finetune("f", from: "encoder"), library.certify("x", of: "f"))
      let cancelled = try await library.submit(library.finetune("g", from: "encoder"), library.certify("y", of: "g"))
      _ = try await planRuns(in: library.store)
      try await library.train(failing[0], makes: nil)
      #expect(try await library.store.cancelRun(cancelled[0]))
      #expect(try await planRuns(in: library.store).map(\.0) == [failing[1], cancelled[1]])
      for (run, needed, state) in [
        (failing[1], failing[0], "failed"), (cancelled[1], cancelled[0], "cancelled"),
      ] {
        let outcome = try await library.outcome(run)
        #expect(outcome.state == "failed")
        #expect(
          outcome.error == "run \(needed), whose checkpoint this run needs, is \(state);"
            + " submit that run again, then this one")
      }
      #expect(try await library.count("SELECT count(*) FROM rrcm.item") == 0)
    }
  }

  @Test("a checkpoint that a run made and that does not fit is refused when it is there")
  func madeCheckpointDoesNotFit() async throws {
    try await Library.with { library async throws in
      let ids = try await library.submit(library.pretrain(), library.certify(of: "first"))
      _ = try await planRuns(in: library.store)
      var encoder = Library.model
      encoder.classes = 0
      try await library.train(ids[0], makes: encoder)
      _ = try await planRuns(in: library.store)
      let outcome = try await library.outcome(ids[1])
      #expect(outcome.state == "failed" && outcome.error?.contains("without a linear head") == true)
    }
  }

  @Test("one run that cannot be planned does not keep others from being planned")
  func refusalIsItsOwn() async throws {
    try await Library.with { library async throws in
      let ids = try await library.submit(library.certify("bad"), library.certify("good"))
      try await library.store.connection.execute(
        "UPDATE rrcm.run SET spec = '{\"kind\": \"later\"}' WHERE run_id = \(ids[0])")
      _ = try await planRuns(in: library.store)
      let bad = try await library.outcome(ids[0])
      #expect(bad.state == "failed" && bad.error?.contains("cannot be read by this version") == true)
      #expect(try await library.outcome(ids[1]).state == "running")
    }
  }

  @Test("coordinators that plan at once plan every run once")
  func twoCoordinators() async throws {
    try await Library.with { library async throws in
      var ids: [Int64] = []
      for number in 0..<12 { ids += try await library.submit(library.certify("c\(number)")) }
      let parties = (0..<4).map { _ in Store(library.database.connection()) }
      let planned = try await withThrowingTaskGroup(of: [Int64].self) { group in
        for party in parties {
          group.addTask {
            var mine: [Int64] = []
            for _ in 0..<6 { mine += try await planRuns(in: party).map(\.0) }
            return mine
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(planned.sorted() == ids)
      #expect(try await library.count("SELECT count(*) FROM rrcm.item") == 12 * 8)
      #expect(try await library.count("SELECT count(*) FROM rrcm.run WHERE state = 'running'") == 12)
    }
  }

  @Test("a pass of the service plans what is there, and its sweep returns what a silent worker held")
  func service() async throws {
    try await Library.with { library async throws in
      let run = try await library.submit(library.certify())[0]
      let service = CoordinatorService(
        store: library.store, timings: FleetTimings(),
        presence: Presence(kind: "coordinator", host: "h", pid: 1, software: "test"), logger: .silent,
        metrics: Metrics())
      try await service.plan()
      let worker = try await library.store.register(name: "w", host: "h", pid: 1, device: "test", software: "test")
      let lease = try await library.store.claim(
        run: run, worker: worker, numericsID: "n", units: 3, deadlineSeconds: 600, floor: 0)
      #expect(lease != nil)
      try await library.store.connection.execute("UPDATE rrcm.worker SET beat_at = now() - interval '1 hour'")
      let running = Task { try await service.run() }
      try await eventually("the lease is returned") {
        try await library.count("SELECT count(*) FROM rrcm.lease") == 0
      }
      running.cancel()
      try await running.value
      #expect(try await library.count("SELECT count(*) FROM rrcm.gap WHERE hi - lo = 3") == 1)
      #expect(
        try await library.count("SELECT count(*) FROM rrcm.event WHERE kind IN ('worker_lost', 'leases_rescued')") == 2)
    }
  }

  /// Waits until a claim holds, at most 20 seconds.
  private func eventually(_ claim: String, _ holds: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while try await !holds() {
      guard ContinuousClock.now < deadline else { throw RunFileError(["\(claim): not within 20 seconds"]) }
      try await Task.sleep(for: .milliseconds(50))
    }
  }
}
