internal import ArgumentParser
internal import Artifacts
internal import Coordinator
internal import Foundation
internal import Lifecycle
internal import RunFile
internal import Store

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Submit runs and follow them.",
    subcommands: [
      Submit.self, List.self, Show.self, Watch.self, Pause.self, Resume.self, Change.self, Cancel.self, Retry.self,
      Repin.self,
      Delete.self,
    ])

  struct Submit: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Check run files and submit them; together they may name each other's checkpoints.",
      discussion: """
        rrcm run submit configs/quickstart/certify.yaml
        rrcm run submit pretrain.yaml finetune.yaml certify.yaml --watch

        Nothing is written unless every file is in order.
        Next: rrcm run watch NAME
        """)
    static let layouts = [RowLayout(columns: ["run", "name", "kind", "seed", "work"])]

    @Argument(help: "Run files (YAML).", completion: .file(extensions: ["yaml", "yml", "json"]))
    var files: [String]
    @Option(name: .long, help: "Override a setting of every file, for example --set smoothing.n=1000.")
    var set: [String] = []
    @Flag(name: .long, help: "Check and say what would be submitted, without writing.")
    var dryRun = false
    @Flag(name: .long, help: "Print each resolved run file (JSON).")
    var showResolved = false
    @Flag(name: .long, help: "Follow the runs until they end.")
    var watch = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let specs = try RunFile.read(paths: files, overrides: set)
      let context = Context()
      let store = try await context.store("submit")
      let submission = Submission(
        store: store, artifacts: dryRun ? nil : try context.artifacts(), software: Software.version)
      let prepared = try await submission.prepare(specs)
      if showResolved {
        for entry in prepared { Console.out(try entry.spec.settings.json + "\n") }
      }
      var table = OutputTable(Self.layouts[0])
      if !dryRun {
        do { try await offPool { try submission.storeTables(of: prepared) } } catch let error as ArtifactError {
          Console.say("note: the noise tables could not be stored; workers will compute them (\(error))")
        }
      }
      let ids = dryRun ? [] : try await submission.submit(prepared)
      for (place, entry) in prepared.enumerated() {
        table.add([
          dryRun ? .none : .int(ids[place]), .text(entry.spec.name), .text(entry.spec.kind.rawValue),
          .int(entry.spec.seed), .text(entry.summary),
        ])
      }
      table.print(output)
      if dryRun { Console.say("dry run: nothing was written; \(counted(prepared.count, "run")) would be submitted") }
      if watch {
        for id in ids { try await follow(id, in: store) }
      }
    }
  }

  struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Follow a run until it ends; exit 1 if it failed.",
      discussion: """
        rrcm run watch quickstart-certify
        rrcm run watch 3

        A bar on a terminal, a dated line every ten seconds elsewhere.
        Next: rrcm report NAME
        """)
    @Argument(help: "Number or name of the run.", completion: .runs)
    var run: String

    func run() async throws {
      let store = try await Context().store("watch")
      try await follow(find(run, in: store).id, in: store)
    }
  }

  /// The run a person means.
  static func find(_ reference: String, in store: Store) async throws -> RunRecord {
    guard let record = try await store.run(reference) else {
      throw CommandFailure("no run \"\(reference)\"; see: rrcm run list", status: .badInput)
    }
    return record
  }

  /// Follows a run to its end.
  ///
  /// - Throws: `CommandFailure` when it did not end well.
  static func follow(_ id: Int64, in store: Store) async throws {
    var display = ProgressDisplay()
    // Where drawing may stop early nobody knows how many draws are left: items count instead.
    let draws = try await store.certification(ofRun: id).flatMap { $0.looks.isEmpty ? Int64($0.n0) + Int64($0.n) : nil }
    while true {
      let askedAt = ContinuousClock.now
      guard let run = try await store.progress(ofRun: id).first else {
        throw CommandFailure("run \(id) is gone")
      }
      let metrics = run.unit == "steps" ? try await store.latestMetrics(ofRun: id) : []
      let workers = try await store.pace(ofRun: id)
      display.show(
        ProgressDisplay.View(
          run: run, drawsPerItem: draws, metrics: metrics, workers: workers.workers,
          reportedSpeed: workers.samplesPerSecond))
      if run.isFinished {
        display.finish(run)
        guard run.state == "done" else {
          throw CommandFailure("run \(id) (\(run.name)) \(run.state)" + (run.error.map { ": \($0)" } ?? ""))
        }
        return
      }
      // A twentieth of the time at most goes into asking, however large the run.
      let cost = askedAt.duration(to: .now)
      try await Task.sleep(for: max(.milliseconds(display.terminal.redraws ? 250 : 500), cost * 20))
    }
  }
}

/// `1 run`, `3 runs`.
func counted(_ count: some BinaryInteger, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

extension RunFile {
  /// Reads several files.
  ///
  /// - Throws: `RunFileError` with the problems of all of them.
  static func read(paths: [String], overrides: [String]) throws -> [RunSpec] {
    var specs: [RunSpec] = []
    var problems: [String] = []
    for path in paths {
      do { specs.append(try read(path: path, overrides: overrides)) } catch let error as RunFileError {
        problems += error.problems
      }
    }
    guard problems.isEmpty else { throw RunFileError(problems) }
    return specs
  }
}
