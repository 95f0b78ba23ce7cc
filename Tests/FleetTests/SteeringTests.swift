import Database
import Foundation
import Store
import TestSupport
import Testing

/// Steering runs under way, with real processes.
@Suite("Control of running runs", .serialized) struct SteeringTests {
  @Test(
    "a paused certification stops within seconds, says so everywhere, and ends with the certificates of an undisturbed one"
  )
  func pause() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      for name in ["w1", "w2"] { try fleet.startWorker(name) }
      let run = try await fleet.certify("probe", n: 30_000)
      try await eventually("votes arrive") { try await fleet.progress(run).samples > 0 }
      let said = try await fleet.rrcm(["run", "pause", "probe", "--output", "csv"])
      #expect(said.split(separator: "\n").last?.hasPrefix("\(run),probe,paused,") == true, "\(said)")
      try await eventually("the workers have let go", seconds: 8) {
        let before = try await fleet.progress(run).samples
        try await Task.sleep(for: .milliseconds(1500))
        return try await fleet.progress(run).samples == before
      }
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.lease") == 0)
      #expect(try await fleet.rrcm(["run", "list", "--state", "paused"]).contains("probe"))
      #expect(
        try await fleet.rrcm(["run", "list", "--state", "running", "--output", "csv"]).split(separator: "\n").count == 1
      )
      #expect(try await fleet.rrcm(["run", "show", "probe"]).contains(#/state +paused/#))
      #expect(try await fleet.rrcm(["status", "--output", "csv"]).contains("run,probe,paused,"))
      let again = try await fleet.outcome(["run", "pause", "probe"])
      #expect(again.status == 0 && again.errors.contains("paused already"))
      // The fleet is free for others meanwhile.
      let other = try await fleet.certify("other", n: 500)
      try await fleet.waitUntilDone(other)

      try await fleet.rrcm(["run", "resume", "probe"])
      #expect(try await fleet.outcome(["run", "resume", "probe"]).errors.contains("not paused"))
      try await fleet.waitUntilDone(run)
      let calm = try await fleet.certify("calm", n: 30_000)
      try await fleet.waitUntilDone(calm)
      #expect(try await fleet.certificates("probe") == fleet.certificates("calm"))
      for verb in [["pause"], ["resume"], ["set", "--priority", "3"]] {
        let late = try await fleet.outcome(["run", verb[0], "probe"] + verb.dropFirst())
        #expect(late.status == 1 && late.errors.contains("had already ended: done; nothing was"), "\(late.errors)")
      }
      let kinds = try await fleet.store.connection.query(
        "SELECT kind FROM rrcm.event WHERE run_id = \(run) AND kind LIKE 'run_%' ORDER BY event_id")
      #expect(try kinds.map { try $0.text("kind") } == ["run_paused", "run_resumed"])
    }
  }

  @Test("a paused training stores its state, lets its worker go, and ends with the checkpoint of an undisturbed one")
  func pausedTraining() async throws {
    func yaml(_ name: String) -> String {
      """
      kind: pretrain
      name: \(name)
      dataset: {name: tiny, split: heldout}
      model: {patch: 4, width: 64, depth: 3, heads: 4, projector_hidden: 128, projector_output: 32}
      training: {steps: 1500, batch: 12, learning_rate: 1.0e-3, warmup_steps: 20, augmentation: digits}
      seed: 9
      """
    }
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startWorker("a")
      let run = try await fleet.submit(yaml("stopped"), name: "stopped")
      try await eventually("steps are made") { try await fleet.progress(run).done > 15 }
      try await fleet.rrcm(["run", "pause", "stopped"])
      try await eventually("the job is handed back with a state", seconds: 15) {
        try await fleet.number("SELECT count(*) FROM rrcm.job WHERE state = 'queued' AND snapshot_step > 15") == 1
      }
      let step = try await fleet.progress(run).done
      #expect(step < 1500)
      let other = try await fleet.submit(yaml("calm"), name: "calm")
      try await fleet.waitUntilDone(other)
      #expect(try await fleet.progress(run).done == step)
      try await fleet.rrcm(["run", "resume", "stopped"])
      try await fleet.waitUntilDone(run)
      #expect(try await fleet.number("SELECT count(DISTINCT checkpoint_digest) FROM rrcm.job") == 1)
      #expect(try await fleet.number("SELECT attempts FROM rrcm.job WHERE run_id = \(run)") == 0)
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.failed_attempt") == 0)
    }
  }

  @Test("a cancelled run's workers turn to other work within seconds")
  func cancel() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      // Leases that would take minutes.
      try fleet.startWorker("w1", ["--lease-chunks", "100000"])
      let run = try await fleet.certify("huge", n: 4_000_000)
      try await eventually("votes arrive") { try await fleet.progress(run).samples > 0 }
      _ = try await fleet.certify("next", n: 500)
      try await fleet.rrcm(["run", "cancel", "huge"])
      try await eventually("the next run is done", seconds: 15) {
        try await fleet.store.run("next")?.state == "done"
      }
    }
  }

  @Test("priority and weight change while a run waits or runs, and nothing else does")
  func set() async throws {
    try await withFleet { fleet async throws in
      let run = try await fleet.certify("probe", n: 500)
      for (words, problem) in [
        (["--weight", "0"], "--weight is 0; it must be 1 to 1000000"), ([], "say what to change"),
        (["--priority", "2000000"], "--priority is 2000000"),
      ] {
        let refused = try await fleet.outcome(["run", "set", "probe"] + words)
        #expect(refused.status == 64 && refused.errors.contains(problem), "\(refused.errors)")
      }
      let rows = try await Footprint.rows(fleet.store.connection)
      for words in [["pause"], ["resume"], ["set", "--weight", "7"]] {
        let tried = try await fleet.outcome(["run", words[0], "probe", "--dry-run"] + words.dropFirst())
        #expect(tried.status == 0 && tried.errors.contains("dry run: nothing was written"), "\(tried.errors)")
      }
      #expect(try await Footprint.rows(fleet.store.connection) == rows)
      let said = try await fleet.rrcm(["run", "set", "probe", "--priority", "-3", "--weight", "300", "--output", "csv"])
      #expect(said.hasSuffix("\(run),probe,submitted,-3,300\n"), "\(said)")
      let progress = try await fleet.progress(run)
      #expect(progress.priority == -3 && progress.weight == 300)
      let change = try await fleet.store.connection.query("SELECT detail FROM rrcm.event WHERE kind = 'run_changed'")
      #expect(try change.map { try $0.text("detail") } == ["priority 0 → -3, weight 100 → 300"])
    }
  }

  private static var canTrap: Bool {
    #if arch(x86_64)
      access("/usr/bin/cc", X_OK) == 0
    #else
      false
    #endif
  }

  /// A library that ends the process when it copies this image's bytes: the real program, dying where it computes it.
  private func trap(_ image: [UInt8], in folder: TemporaryFolder) throws -> String {
    let source = folder.write(
      Array(
        """
        #include <stddef.h>
        #include <stdlib.h>
        static const unsigned char image[] = {\(image.map { "\($0)" }.joined(separator: ","))};
        void *memmove(void *to, const void *from, size_t count) {
          const unsigned char *bytes = from;
          unsigned char *place = to;
          size_t same = 0;
          if (count == sizeof image) while (same < count && bytes[same] == image[same]) same++;
          if (same == sizeof image) abort();
          if (place <= bytes || place >= bytes + count) {
            void *start = to;
            __asm__ volatile("rep movsb" : "+D"(start), "+S"(from), "+c"(count) : : "memory");
          } else {
            while (count--) place[count] = bytes[count];
          }
          return to;
        }
        void *memcpy(void *to, const void *from, size_t count) { return memmove(to, from, count); }
        """.utf8), "trap.c")
    let library = folder.file("trap.so")
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: "/usr/bin/cc")
    compiler.arguments = ["-shared", "-fPIC", "-O1", "-fno-builtin", "-o", library, source]
    try compiler.run()
    compiler.waitUntilExit()
    guard compiler.terminationStatus == 0 else { throw TestFailure("cc failed") }
    return library
  }

  @Test(
    "an image that kills its worker three times is set aside while the rest finishes, and comes back when it is tried again",
    .enabled(
      if: Self.canTrap, "skipped: the trap is written for x86-64 and needs a C compiler (apt-get install gcc)"))
  func poison() async throws {
    try await withFleet { fleet async throws in
      let library = try trap(try fleet.pixels(ofImage: 7), in: fleet.folder)
      try fleet.startCoordinator()
      try fleet.startAggregator()
      let run = try await fleet.submit(
        """
        kind: certify
        name: probe
        checkpoint: net
        dataset: {name: tiny}
        smoothing: {sigma: [0.5], n0: 100, n: 2000, alpha: 0.001}
        chunk_samples: 500
        seed: 42
        """, name: "probe")
      var deaths = 0
      while try await !fleet.progress(run).isFinished, deaths < 10 {
        try fleet.start(
          "w", ["worker", "start", "--name", "w", "--stop-when-idle"], environment: ["LD_PRELOAD": library])
        let status = try await fleet.waitForExit("w", seconds: 40)
        if status == 0 {
          try await eventually("the run ends") { try await fleet.progress(run).isFinished }
        } else {
          #expect(status == -SIGABRT)
          deaths += 1
          try await eventually("its leases are taken back") {
            try await fleet.number("SELECT count(*) FROM rrcm.lease") == 0
          }
        }
      }
      // The first death may leave open which of two leases was in hand; those after it do not.
      #expect((3...4).contains(deaths), "\(deaths)")
      let progress = try await fleet.progress(run)
      #expect(progress.state == "failed" && progress.done == 11 && progress.held == 1)
      #expect(progress.error?.contains("1 of 12 items are held without a certificate and 11 are certified") == true)
      let shown = try await fleet.rrcm(["item", "show", "probe", "7", "--output", "csv"])
      #expect(shown.contains("the worker died 3 times while computing it: worker w (epoch"), "\(shown)")
      let attempts = try await fleet.rrcm(["item", "show", "probe", "7", "--attempts", "--output", "csv"])
      #expect(attempts.split(separator: "\n").count >= 4 && attempts.contains(",died,w,"), "\(attempts)")

      let votes =
        "SELECT md5(string_agg(c::text, '|' ORDER BY c::text)) AS hash FROM rrcm.chunk_count c WHERE item_id IN (SELECT item_id FROM rrcm.certificate)"
      let before = try await fleet.store.connection.query(votes)[0].text("hash")
      let certified = try await fleet.certificates("probe").filter { !$0.hasPrefix("0.5,7,") }
      let look = try await fleet.outcome(["run", "retry", "probe", "--failed", "--dry-run"])
      #expect(look.errors.contains("would try 1 run again with 1 held item and 0 failed trainings"), "\(look.errors)")
      try await fleet.rrcm(["run", "retry", "probe", "--failed"])
      try fleet.startWorker("w")
      try await fleet.waitUntilDone(run)
      let whole = try await fleet.certificates("probe").filter { !$0.hasPrefix("0.5,7,") }
      #expect(whole == certified)
      let after = try await fleet.store.connection.query(
        votes + " AND item_id NOT IN (SELECT item_id FROM rrcm.failed_attempt)")[0].text("hash")
      let healthy = try await fleet.number(
        "SELECT count(*) FROM rrcm.chunk_count WHERE posted_at > (SELECT max(at) FROM rrcm.event WHERE kind = 'run_retried') AND item_id NOT IN (SELECT item_id FROM rrcm.item WHERE image_index = 7)"
      )
      #expect(healthy == 0, "what was done is not done again \(before) \(after)")
      let again = try await fleet.outcome(["run", "retry", "probe", "--failed"])
      #expect(again.status == 1 && again.errors.contains("is done and nothing of it has failed"))
    }
  }

  @Test("a training that failed for good is tried again, its failures on record")
  func retriedTraining() async throws {
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
      try fleet.startWorker("w")
      try await eventually("it has failed") { try await fleet.progress(run).state == "failed" }
      let count = "SELECT count(*) FROM rrcm.work_attempt WHERE outcome = 'failed'"
      #expect(try await fleet.number(count) == 3)
      #expect(try await fleet.outcome(["run", "retry", "tuned"]).status == 64)
      try await fleet.rrcm(["run", "retry", "tuned", "--failed"])
      try await eventually("it has failed again") { try await fleet.number(count) == 6 }
      let attempts = try await fleet.rrcm(["run", "show", "tuned", "--attempts", "--output", "csv"])
      #expect(attempts.split(separator: "\n").count == 7)
    }
  }
}
