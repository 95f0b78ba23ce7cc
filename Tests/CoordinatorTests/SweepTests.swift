import Coordinator
import Database
import Foundation
import Models
import RunFile
import Store
import TestSupport
import Testing

@Suite("Sweeps") struct SweepTests {
  /// Two values of eta, two noise levels: four trials that fine-tune "encoder" and certify images 6 and 8 of "tiny".
  static func yaml(_ name: String = "probe", more: String = "") -> String {
    """
    name: \(name)
    method: grid
    metric: {name: certified_accuracy@0.2}
    parameters:
      training.eta: {values: [0.5, 1]}
      smoothing.sigma: {values: [0.25, 0.5]}
    seed: 3
    finetune: {checkpoint: encoder, dataset: {name: tiny}, training: {epochs: 5, batch: 2, warmup_epochs: 1}}
    certify: {dataset: {name: tiny, every: 2}, smoothing: {n0: 10, n: 100}}
    \(more)
    """
  }

  private func spec(_ yaml: String) throws -> SweepSpec { try SweepFile.parse(yaml) { throw RunFileError([$0]) } }

  private func create(_ yaml: String = yaml(), in library: Library) async throws -> Int64 {
    let submission = Submission(store: library.store, software: "test")
    return try await submission.submit(try await submission.prepare(spec(yaml)))
  }

  private func problems(_ yaml: String, in library: Library) async -> [String] {
    do {
      _ = try await Submission(store: library.store, software: "test").prepare(spec(yaml))
      return []
    } catch { return (error as? RunFileError)?.problems ?? ["\(error)"] }
  }

  /// Runs of the sweeps' trials by state: `probe-001-finetune submitted`.
  private func runs(_ library: Library) async throws -> [String] {
    try await library.store.connection.query(
      "SELECT run_name || ' ' || state AS run FROM rrcm.sweep_run ORDER BY trial, attempt, sweep_run.step"
    ).map { try $0.text("run") }
  }

  private func states(_ library: Library) async throws -> [String] {
    try await library.store.connection.query("SELECT state::text AS s FROM rrcm.trial ORDER BY sweep_id, number")
      .map { try $0.text("s") }
  }

  /// Passes of a coordinator until nothing changes.
  private func lead(_ library: Library, with store: Store? = nil) async throws {
    let store = store ?? library.store
    for _ in 0..<20 {
      let notes = try await advanceSweeps(in: store)
      let planned = try await planRuns(in: store)
      if notes.isEmpty && planned.isEmpty { return }
    }
  }

  /// What a worker would make of a queued training: a checkpoint of its own; nil fails it for good.
  private func train(_ name: String, _ library: Library, digest: Character?) async throws {
    let run = try #require(try await library.store.run(name))
    try await library.train(
      run.id, makes: digest == nil ? nil : Library.model, digest: Library.digest(digest ?? "0"))
  }

  /// What workers and aggregator would make of a planned certification: so many images right at radius 0.3.
  private func certify(_ name: String, _ library: Library, right: Int) async throws {
    let run = try #require(try await library.store.run(name))
    try await library.store.connection.script(
      """
      INSERT INTO rrcm.certificate
        (item_id, mode, top_class, n_a, n0, n, alpha, slack, p_lower, abstained, predicted, radius, correct, numerics_id,
         compute_seconds)
      SELECT item_id, 'fixed', 0, 99, 10, 100, 0.001, 0, 0.9, false, 0, 0.3, place <= \(right), 'n', 1
        FROM (SELECT item_id, row_number() OVER (ORDER BY item_id) AS place FROM rrcm.item WHERE run_id = \(run.id)) i;
      UPDATE rrcm.item SET state = 'certified', next_unit = unit_count WHERE run_id = \(run.id);
      """)
    _ = try await library.store.finishRuns()
  }

  // MARK: Creating

  @Test("creating stores sweep, trials and their resolved runs; runs come when the coordinator leads")
  func created() async throws {
    try await Library.with { library async throws in
      let id = try await create(in: library)
      #expect(try await library.count("SELECT count(*) FROM rrcm.run") == 0)
      let rows = try await library.store.connection.query(
        """
        SELECT number, parameters::text AS p, finetune_spec #>> '{training,eta}' AS eta, finetune_spec ->> 'checkpoint' AS c,
               certify_spec #>> '{smoothing,sigma,0}' AS sigma
          FROM rrcm.trial ORDER BY number
        """)
      #expect(try rows.map { try $0.text("eta") } == ["0.5", "1", "0.5", "1"])
      #expect(try rows.map { try $0.text("sigma") } == ["0.25", "0.25", "0.5", "0.5"])
      #expect(try rows[1].text("p") == #"{"training.eta": 1, "smoothing.sigma": 0.25}"#)
      #expect(try rows[0].text("c") == Library.digest("b"), "a checkpoint's name is pinned to what it means now")
      let stored = try #require(try await library.store.sweep("probe"))
      #expect(stored.id == id)
      #expect(try SweepSpec(stored: stored.spec) == spec(Self.yaml()))

      try await lead(library)
      #expect(try await runs(library) == (1...4).map { "probe-00\($0)-finetune running" })
    }
  }

  @Test("what a sweep's runs need is checked before anything is written, each problem told once")
  func refused() async throws {
    try await Library.with { library async throws in
      _ = try await create(in: library)
      let before = try await library.count("SELECT count(*) FROM rrcm.trial")
      let bad = Self.yaml().replacing("encoder", with: "nothing").replacing("name: tiny, every: 2", with: "name: none")
      let found = await problems(bad, in: library)
      #expect(found.count == 3, "\(found)")
      #expect(found[0].hasPrefix("name is \"probe\"; sweep 1, running, has that name: choose another"))
      #expect(found[1].hasPrefix("finetune: checkpoint is \"nothing\"; no checkpoint or training run"))
      #expect(found[2].hasPrefix("certify: dataset.name is \"none\"; no image set"))
      let batches = Self.yaml("other").replacing(
        "training.eta: {values: [0.5, 1]}", with: "training.batch: {values: [2, 50]}")
      #expect(
        await problems(batches, in: library) == [
          "finetune: training.batch is 50 but 6 images are chosen; lower it (trial 2: smoothing.sigma 0.25, training.batch 50 and 1 more)"
        ])
      let overlap = Self.yaml("other", more: "confirm: {dataset: {every: 1}}")
      #expect(
        await problems(overlap, in: library) == [
          "confirm.dataset has 2 of its 4 images in common with those that rank the trials; choose others"
        ])
      #expect(try await library.count("SELECT count(*) FROM rrcm.trial") == before)
      #expect(try await library.count("SELECT count(*) FROM rrcm.sweep") == 1)
    }
  }

  // MARK: Leading

  @Test("each trial certifies the checkpoint that it made itself; the best is named when all are done")
  func wholeSweep() async throws {
    try await Library.with { library async throws in
      let id = try await create(in: library)
      try await lead(library)
      // A person's run of the same name, and another checkpoint of that name, must not get mixed up with the trial's.
      try await library.submit(library.finetune("probe-002-finetune", from: "encoder"))
      try await library.addCheckpoint("probe-001-finetune", Library.digest("9"), Library.model)
      let digests: [Character] = ["1", "2", "3", "4"]
      for (trial, digest) in zip(1...4, digests) {
        let run = try await library.count(
          "SELECT run_id FROM rrcm.sweep_run WHERE trial = \(trial) AND step = 'finetune'")
        try await library.train(run, makes: Library.model, digest: Library.digest(digest))
      }
      try await lead(library)
      let used = try await library.store.connection.query(
        """
        SELECT u.checkpoint_digest AS c, r.spec ->> 'checkpoint' AS named, r.depends_on = f.run_id AS follows
          FROM rrcm.sweep_run u JOIN rrcm.run r USING (run_id)
          JOIN rrcm.sweep_run f ON f.trial_id = u.trial_id AND f.step = 'finetune'
         WHERE u.step = 'certify' ORDER BY u.trial
        """)
      #expect(try used.map { try $0.text("c") } == digests.map { Library.digest($0) })
      #expect(try used.map { try $0.text("named") } == digests.map { Library.digest($0) })
      #expect(try used.allSatisfy { try $0.bool("follows") })
      for (trial, right) in zip(1...4, [1, 0, 2, 1]) {
        try await certify("probe-00\(trial)-certify", library, right: right)
      }
      try await lead(library)
      #expect(try await library.store.sweep("probe")?.state == "done")
      let trials = try await library.store.trials(ofSweep: id)
      #expect(trials.map(\.number) == [3, 1, 4, 2] && trials.map(\.rank) == [1, 2, 2, 4])
      #expect(trials[0].value == 1 && trials[0].checkpointDigest == Library.digest("3"))
    }
  }

  @Test("the best trial is certified on other images, once, when all have ended")
  func confirmation() async throws {
    try await Library.with { library async throws in
      let id = try await create(Self.yaml(more: "confirm: {dataset: {offset: 1}}"), in: library)
      try await lead(library)
      for (trial, digest) in zip(1...4, ["1", "2", "3", "4"] as [Character]) {
        try await train("probe-00\(trial)-finetune", library, digest: digest)
      }
      try await lead(library)
      for trial in 1...4 { try await certify("probe-00\(trial)-certify", library, right: trial == 2 ? 2 : 1) }
      try await lead(library)
      #expect(try await library.store.sweep("probe")?.state == "running")
      #expect(try await runs(library).filter { $0.contains("confirm") } == ["probe-002-confirm running"])
      let confirm = try #require(try await library.store.run("probe-002-confirm"))
      #expect(confirm.imageIndices == [7, 9] && confirm.checkpointDigest == Library.digest("2"))
      try await certify("probe-002-confirm", library, right: 0)
      try await lead(library)
      let best = try await library.store.trials(ofSweep: id)[0]
      #expect(best.number == 2 && best.value == 1 && best.confirmedAccuracy == 0 && best.chosen)
      #expect(try await library.store.sweep("probe")?.state == "done")
    }
  }

  @Test("trials that only certify need one run each")
  func certifyOnly() async throws {
    try await Library.with { library async throws in
      try await library.addCheckpoint("other-net", Library.digest("7"), Library.model)
      let id = try await create(
        """
        name: nets
        method: grid
        metric: {name: acr, sigma: 0.5}
        parameters: {checkpoint: {values: [net, other-net]}}
        certify: {dataset: {name: tiny}, smoothing: {sigma: [0.25, 0.5], n0: 10, n: 100}}
        """, in: library)
      try await lead(library)
      #expect(try await runs(library) == ["nets-001-certify running", "nets-002-certify running"])
      try await certify("nets-001-certify", library, right: 1)
      try await certify("nets-002-certify", library, right: 8)
      try await lead(library)
      let trials = try await library.store.trials(ofSweep: id)
      #expect(trials.map(\.number) == [2, 1] && trials[0].sigma == "0.5")
      #expect(trials[0].checkpointDigest == Library.digest("7"))
      #expect(trials.map(\.acr) == [0.3, 0], "of sigma 0.5 alone: the first four of eight items are of sigma 0.25")
    }
  }

  @Test("a sweep may wait for the run that makes its checkpoint, and means that run whatever gets its name")
  func waitsForPretraining() async throws {
    try await Library.with { library async throws in
      let first = try await library.submit(library.pretrain("base"))[0]
      _ = try await create(Self.yaml().replacing("encoder", with: "base"), in: library)
      _ = try await library.submit(library.pretrain("base"))
      try await lead(library)
      #expect(try await runs(library) == (1...4).map { "probe-00\($0)-finetune submitted" })
      #expect(try await library.count("SELECT count(*) FROM rrcm.run WHERE depends_on = \(first)") == 4)
    }
  }

  // MARK: Crashes and crowds

  @Test("coordinators that lead at once submit each run once")
  func crowd() async throws {
    try await Library.with { library async throws in
      _ = try await create(in: library)
      let parties = (0..<4).map { _ in Store(library.database.connection()) }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for party in parties {
          group.addTask { for _ in 0..<4 { _ = try await advanceSweeps(in: party) } }
        }
        try await group.waitForAll()
      }
      #expect(try await library.count("SELECT count(*) FROM rrcm.run") == 4)
      #expect(try await runs(library).count == 4)
    }
  }

  @Test("a coordinator that dies between any two of its steps costs nothing: another goes on from the rows")
  func diesBetweenSteps() async throws {
    try await Library.with { library async throws in
      let id = try await create(in: library)
      // Each party dies after one submission; what it had open is rolled back by the server.
      for round in 1...4 {
        let party = Store(library.database.connection())
        #expect(try await advanceSweeps(in: party, submitting: 1).count == 1)
        await party.connection.close()
        #expect(try await runs(library).count == round)
      }
      // One dies with a run submitted inside a transaction that never ends.
      _ = try await planRuns(in: library.store)
      try await train("probe-001-finetune", library, digest: "1")
      let trial = try #require(try await library.store.openTrials(ofSweep: id).first { $0.number == 1 })
      let dying = library.database.connection()
      try await dying.script("BEGIN; SELECT FROM rrcm.trial WHERE trial_id = \(trial.id) FOR UPDATE")
      #expect(try await advanceSweeps(in: library.store).isEmpty, "nobody waits for it")
      await dying.close()
      try await eventually("the lock goes with its holder") {
        _ = try await advanceSweeps(in: library.store)
        return try await runs(library).count == 5
      }
      #expect(try await library.count("SELECT count(*) FROM rrcm.run") == 5)
    }
  }

  @Test("trials whose rows were lost are found again: the search is a function of the file")
  func lostTrials() async throws {
    try await Library.with { library async throws in
      let id = try await create(in: library)
      let point = "SELECT parameters::text AS p FROM rrcm.trial WHERE number = 3"
      let lost = try await library.store.connection.query(point)[0].text("p")
      try await library.store.connection.execute("DELETE FROM rrcm.trial")
      _ = try await advanceSweeps(in: library.store)
      #expect(try await library.store.connection.query(point)[0].text("p") == lost)
      #expect(try await library.store.openTrials(ofSweep: id).count == 4)
    }
  }

  // MARK: Failing, stopping, retrying

  @Test("a failed run fails its trial alone, with the reason; retrying runs it anew and keeps what failed visible")
  func failureAndRetry() async throws {
    try await Library.with { library async throws in
      let id = try await create(in: library)
      try await lead(library)
      try await train("probe-001-finetune", library, digest: nil)
      for (trial, digest) in zip(2...4, ["2", "3", "4"] as [Character]) {
        try await train("probe-00\(trial)-finetune", library, digest: digest)
      }
      try await lead(library)
      for trial in 2...4 { try await certify("probe-00\(trial)-certify", library, right: 1) }
      // A held item: the certification fails, the fine-tuning before it is done.
      try await library.store.connection.script(
        """
        UPDATE rrcm.item SET state = 'held', error = 'by hand'
         WHERE item_id = (SELECT max(item_id) FROM rrcm.item JOIN rrcm.run USING (run_id) WHERE name = 'probe-004-certify');
        UPDATE rrcm.run SET state = 'failed', error = '1 items are held' WHERE name = 'probe-004-certify';
        """)
      try await lead(library)
      #expect(try await states(library) == ["failed", "done", "done", "failed"])
      #expect(try await library.store.sweep("probe")?.state == "done")
      let failed = try await library.store.trials(ofSweep: id).filter { $0.state == "failed" }
      #expect(failed.map(\.error) == ["run 1 failed: it broke", "run 7 failed: 1 items are held"])
      #expect(try await library.count("SELECT count(*) FROM rrcm.event WHERE kind = 'trial_failed'") == 2)

      #expect(try await library.store.retryTrials(ofSweep: id, stopped: false) == [1, 4])
      #expect(try await library.store.retryTrials(ofSweep: id, stopped: false).isEmpty)
      try await lead(library)
      #expect(
        try await runs(library).filter { $0.contains("-001-") || $0.contains("-004-") } == [
          "probe-001-finetune failed", "probe-001-finetune-2 running", "probe-004-finetune done",
          "probe-004-certify failed", "probe-004-certify-2 running",
        ])
      try await train("probe-001-finetune-2", library, digest: "1")
      try await lead(library)
      try await certify("probe-001-certify-2", library, right: 2)
      try await certify("probe-004-certify-2", library, right: 0)
      try await lead(library)
      #expect(try await states(library) == ["done", "done", "done", "done"])
      #expect(try await library.store.trials(ofSweep: id)[0].number == 1)
      #expect(try await library.store.sweep("probe")?.state == "done")
    }
  }

  @Test("a step that cannot be submitted any more fails its trial and says why")
  func unsubmittable() async throws {
    try await Library.with { library async throws in
      let id = try await create(in: library)
      try await library.store.connection.execute(
        "UPDATE rrcm.trial SET finetune_spec = jsonb_set(finetune_spec, '{checkpoint}', '\"gone\"') WHERE number = 2")
      try await lead(library)
      #expect(try await states(library) == ["open", "failed", "open", "open"])
      let reason = try await library.store.trials(ofSweep: id).first { $0.state == "failed" }?.error
      #expect(
        reason?.hasPrefix("finetune cannot be submitted: probe-002-finetune: checkpoint is \"gone\"; no checkpoint")
          == true)
    }
  }

  @Test("stopping ends what is not finished and keeps what is; retrying the stopped goes on")
  func stopping() async throws {
    try await Library.with { library async throws in
      let id = try await create(in: library)
      try await lead(library)
      try await train("probe-001-finetune", library, digest: "1")
      try await train("probe-002-finetune", library, digest: "2")
      try await lead(library)
      try await certify("probe-001-certify", library, right: 1)
      try await lead(library)
      let stopped = try #require(try await library.store.stopSweep(id))
      #expect(stopped.trials == 3 && stopped.runs == 3)
      #expect(try await library.store.stopSweep(id) == nil)
      #expect(try await states(library) == ["done", "stopped", "stopped", "stopped"])
      #expect(try await library.count("SELECT count(*) FROM rrcm.run WHERE finished_at IS NULL") == 0)
      try await lead(library)
      #expect(try await runs(library).count == 6, "a stopped sweep goes nowhere")
      #expect(try await library.count("SELECT count(*) FROM rrcm.certificate") == 2)

      #expect(try await library.store.retryTrials(ofSweep: id, stopped: false).isEmpty)
      #expect(try await library.store.retryTrials(ofSweep: id, stopped: true) == [2, 3, 4])
      try await lead(library)
      #expect(
        try await runs(library).filter { !$0.hasSuffix(" cancelled") } == [
          "probe-001-finetune done", "probe-001-certify done", "probe-002-finetune done",
          "probe-002-certify-2 running", "probe-003-finetune-2 running", "probe-004-finetune-2 running",
        ])
    }
  }

  @Test("cancelling a trial's run stops that trial alone")
  func cancelledRun() async throws {
    try await Library.with { library async throws in
      _ = try await create(in: library)
      try await lead(library)
      let run = try #require(try await library.store.run("probe-002-finetune"))
      #expect(try await library.store.cancelRun(run.id))
      try await lead(library)
      #expect(try await states(library) == ["open", "stopped", "open", "open"])
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
