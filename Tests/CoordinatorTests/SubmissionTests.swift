import Coordinator
import Models
import Noise
import RunFile
import Store
import TestSupport
import Testing

@Suite("Submission") struct SubmissionTests {
  @Test(
    "run files of one command may name one another's checkpoints, in whatever order they are given",
    arguments: [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]])
  func orderDoesNotMatter(order: [Int]) async throws {
    try await Library.with { library async throws in
      let files = [try library.pretrain(), try library.finetune(), try library.certify(of: "second")]
      let submission = Submission(store: library.store, software: "test")
      let prepared = try await submission.prepare(order.map { files[$0] })
      #expect(prepared.map(\.spec.name) == ["first", "second", "third"])
      #expect(prepared.map(\.dependsOnEarlier) == [nil, "first", "second"])
      let ids = try await submission.submit(prepared)
      let runs = try await library.store.progress()
      for (run, before) in zip(ids, [nil, ids[0], ids[1]]) {
        #expect(runs.first { $0.id == run }?.dependsOn == before)
      }
    }
  }

  @Test("a fine-tuning of another fine-tuning of the same command waits for it")
  func chainOfOneKind() async throws {
    try await Library.with { library async throws in
      let prepared = try await Submission(store: library.store, software: "test")
        .prepare([try library.finetune("b", from: "a"), try library.finetune("a", from: "encoder")])
      #expect(prepared.map(\.spec.name) == ["a", "b"])
    }
  }

  @Test("runs that wait for each other are refused")
  func circle() async throws {
    try await Library.with { library async throws in
      let problems = try await library.problems(
        library.finetune("a", from: "b"), library.finetune("b", from: "a"))
      #expect(problems.count == 1 && problems[0].hasPrefix("a: checkpoint is \"b\"; no checkpoint or training run"))
    }
  }

  @Test("two run files of one name are refused, because a checkpoint's name must mean one run")
  func namesTwice() async throws {
    try await Library.with { library async throws in
      let problems = try await library.problems(library.pretrain("x"), library.certify("x"))
      #expect(problems == ["name is \"x\" in 2 of these run files; give each run a name of its own"])
    }
  }

  @Test("a checkpoint may be a stored one, by name or digest, or that of a run still to come")
  func checkpointNames() async throws {
    try await Library.with { library async throws in
      func origin(_ reference: String) async throws -> NewRun {
        try await Submission(store: library.store, software: "test")
          .prepare([try library.certify(of: reference)])[0].run
      }
      for stored in ["net", Library.netDigest, "cccccccc"] {
        let run = try await origin(stored)
        #expect(run.checkpointDigest == Library.netDigest && run.dependsOn == nil, "\(stored)")
      }
      let first = try await library.submit(library.pretrain())[0]
      for coming in ["first", "\(first)"] {
        let run = try await origin(coming)
        #expect(run.checkpointDigest == nil && run.dependsOn == first, "\(coming)")
      }
    }
  }

  @Test("an unknown image set, split or checkpoint is refused with the names that are known")
  func unknownNames() async throws {
    try await Library.with { library async throws in
      #expect(
        try await library.problems(library.certify(dataset: "name: tinny")) == [
          "third: dataset.name is \"tinny\"; no image set of that name or digest is imported. Known: colour, tiny"
        ])
      #expect(
        try await library.problems(library.certify(dataset: "name: tiny, split: test")) == [
          "third: dataset.split is \"test\"; image set \"tiny\" has the splits heldout, train"
        ])
      #expect(
        try await library.problems(library.certify(of: "nett")) == [
          "third: checkpoint is \"nett\"; no checkpoint or training run of that name or digest is known."
            + " Known: encoder, net"
        ])
    }
  }

  @Test("without any image set the message says how to import one")
  func emptyLibrary() async throws {
    try await withTestDatabase { database async throws in
      let store = Store(database.connection())
      let library = Library(database: database, store: store)
      #expect(try await library.problems(library.certify())[0].hasSuffix("Import one: rrcm dataset import"))
    }
  }

  @Test("a checkpoint that does not fit the images, or has no head, is refused with both shapes")
  func misfits() async throws {
    try await Library.with { library async throws in
      var large = Library.model
      large.imageSize = 8
      try await library.addCheckpoint("large", Library.digest("7"), large)
      var narrow = Library.model
      narrow.classes = 2
      try await library.addCheckpoint("narrow", Library.digest("8"), narrow)
      for (spec, message) in [
        (try library.certify(of: "large"), "takes images of 1×8×8 and image set \"tiny\" has 1×4×4"),
        (try library.finetune(from: "large"), "takes images of 1×8×8 and image set \"tiny\" has 1×4×4"),
        (
          try library.certify(dataset: "name: colour"),
          "takes images of 1×4×4 and image set \"colour\" has 3×4×4"
        ),
        (try library.certify(of: "narrow"), "knows 2 classes and image set \"tiny\" has 3"),
        (try library.certify(of: "encoder"), "is pretrained, without a linear head; fine-tune it first"),
      ] {
        let problems = try await library.problems(spec)
        #expect(problems.count == 1 && problems[0].contains(message), "\(problems)")
      }
    }
  }

  @Test("a batch larger than the chosen images, and a patch that does not divide the image, are refused")
  func trainingThatCannotRun() async throws {
    try await Library.with { library async throws in
      #expect(
        try await library.problems(library.finetune(from: "encoder", batch: 7)) == [
          "second: training.batch is 7 but 6 images are chosen; lower it"
        ])
      let problems = try await library.problems(
        RunFile.parse(
          """
          kind: pretrain
          name: p
          dataset: {name: tiny, limit: 3}
          model: {patch: 3, width: 4, depth: 1, heads: 1}
          training: {steps: 5, batch: 4, warmup_steps: 1}
          """))
      #expect(problems.contains { $0.contains("training.batch is 4 but 3 images are chosen") })
      #expect(problems.count == 2, "\(problems)")
    }
  }

  @Test("when one of several files is wrong, the problems of all are told and nothing is written")
  func allOrNothing() async throws {
    try await Library.with { library async throws in
      let problems = try await library.problems(
        library.pretrain(), library.certify("x", of: "nett"), library.certify("y", dataset: "name: tinny"))
      #expect(problems.count == 2 && problems[0].hasPrefix("x: ") && problems[1].hasPrefix("y: "))
      #expect(try await library.count("SELECT count(*) FROM rrcm.run") == 0)
    }
  }

  @Test("the stored protocol has draws, alpha and, per level, grid, slack and the digest of the noise table")
  func storedProtocol() async throws {
    try await Library.with { library async throws in
      let run = try await library.submit(library.certify(dataset: "name: tiny, every: 2"))[0]
      let rules = try #require(try await library.store.certification(ofRun: run))
      #expect(rules.n0 == 10 && rules.n == 100 && rules.alpha == 0.001 && rules.chunkSamples == 30)
      #expect(rules.sampler == "grid" && rules.mode == "fixed")
      #expect(rules.levels.map(\.sigma) == ["0.12", "0.25"])
      for level in rules.levels {
        let sigma = try #require(Sigma(level.sigma))
        let table = try GridTable(sigma: sigma, m: GridTable.defaultM(for: sigma))
        #expect(level.gridM == table.m && level.tableDigest == table.digest)
        #expect(level.slack == table.slack(elements: 16) && level.slack > 0)
      }
      let stored = try #require(try await library.store.run("third"))
      #expect(stored.imageIndices == [6, 8])
      #expect(stored.datasetDigest == Library.tinyDigest && stored.checkpointDigest == Library.netDigest)
    }
  }

  @Test("gaussian noise has no grid: m is 0, without a table")
  func gaussianProtocol() async throws {
    try await Library.with { library async throws in
      var spec = try library.certify()
      guard case .certify(var smoothing) = spec.work else { return }
      smoothing.sampler = .gaussian
      spec.work = .certify(smoothing)
      let run = try await library.submit(spec)[0]
      let levels = try #require(try await library.store.certification(ofRun: run)).levels
      #expect(levels.allSatisfy { $0.gridM == 0 && $0.tableDigest == nil } && levels.count == 2)
    }
  }

  @Test("what the database stores of a run file reads back as the same run")
  func storedRunFile() async throws {
    try await Library.with { library async throws in
      let specs = [
        try library.pretrain(), try library.finetune(),
        try library.certify(of: "second", more: "priority: -3\nnumerics: [a, b]"),
      ]
      let ids = try await library.submit(specs[0], specs[1], specs[2])
      for (id, spec) in zip(ids, specs) {
        let record = try #require(try await library.store.run("\(id)"))
        #expect(try RunSpec(stored: record.spec) == spec)
      }
    }
  }
}
