internal import Artifacts
internal import ArgumentParser
internal import Coordinator
internal import Foundation
internal import RunFile
internal import Store

struct SweepCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sweep", abstract: "Try many settings: each trial fine-tunes and certifies, and trials are ranked.",
    subcommands: [Create.self, List.self, Show.self, Watch.self, Stop.self, Retry.self])

  struct Create: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Check a sweep file and create its trials; coordinator and workers do the rest.",
      discussion: """
        rrcm sweep create configs/sweeps/digits-24.yaml --dry-run
        rrcm sweep create configs/sweeps/digits-24.yaml --set name=again --watch

        Nothing is written unless the file and every run of every trial are in order.
        Next: rrcm sweep watch NAME
        """)
    /// A column per parameter follows.
    static let layouts = [RowLayout(columns: ["sweep", "trial", "runs"])]

    @Argument(
      help: "Sweep file (YAML); docs/sweeps.md describes it.", completion: .file(extensions: ["yaml", "yml", "json"]))
    var file: String
    @Option(
      name: .long, help: "Override a setting of it, for example --set run_cap=4 --set finetune.training.epochs=10.")
    var set: [String] = []
    @Flag(name: .long, help: "Check and print the trials, without writing.")
    var dryRun = false
    @Flag(name: .long, help: "Follow the sweep until it ends.")
    var watch = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let spec = try SweepFile.read(path: file, overrides: set)
      let context = Context()
      let store = try await context.store("sweep")
      let submission = Submission(
        store: store, artifacts: dryRun ? nil : try context.artifacts(), software: Software.version)
      let prepared = try await submission.prepare(spec)
      if let count = spec.pointCount, spec.method == .grid, count > prepared.plans.count {
        Console.say("run_cap keeps \(prepared.plans.count) of the grid's \(count) points")
      }
      if !dryRun {
        do { try await offPool { try submission.storeTables(of: prepared) } } catch let error as ArtifactError {
          Console.say("note: the noise tables could not be stored; workers will compute them (\(error))")
        }
      }
      let sweep = dryRun ? nil : try await submission.submit(prepared)
      let parameters = ParameterColumns(prepared.plans.map(\.point.values), beside: Self.layouts[0].columns)
      var table = OutputTable(
        RowLayout(columns: Self.layouts[0].columns + parameters.names, shown: ["trial"] + parameters.names + ["runs"]))
      for plan in prepared.plans {
        let runs = [TrialStep.finetune, .certify].compactMap { plan.specs[$0]?.name }
        table.add(
          [.int(sweep), .int(plan.point.number), .text(runs.joined(separator: " "))]
            + parameters.cells(plan.point.values))
      }
      table.print(output)
      let trials = counted(prepared.plans.count, "trial")
      guard let sweep else {
        Console.say("dry run: nothing was written; a sweep of \(trials) would be created")
        return
      }
      Console.say("sweep \(sweep) (\(spec.name)) has \(trials)")
      if watch { try await SweepDisplay.follow(sweep, in: store) }
    }
  }

  struct List: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "List sweeps with their progress.",
      discussion: """
        rrcm sweep list
        rrcm sweep list --output json

        Next: rrcm sweep show NAME
        """)
    static let layouts = [
      RowLayout(columns: [
        "sweep", "name", "state", "method", "metric", "trials", "done", "failed", "stopped", "open", "share", "seconds",
        "created",
      ])
    ]
    @OptionGroup var output: OutputOptions

    func run() async throws {
      var table = OutputTable(Self.layouts[0])
      for sweep in try await Context().store("sweep").sweepProgress() {
        table.add([
          .int(sweep.id), .text(sweep.name), .text(sweep.state), .text(sweep.method), .text(sweep.metric),
          .int(sweep.trials), .int(sweep.done), .int(sweep.failed), .int(sweep.stopped), .int(sweep.open),
          .double(sweep.share), .double(sweep.elapsedSeconds), .text(sweep.createdAt),
        ])
      }
      table.print(output)
    }
  }

  struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Follow a sweep until it ends; exit 1 if it was stopped or a trial failed.",
      discussion: """
        rrcm sweep watch digits-24
        rrcm sweep watch 3

        A bar on a terminal, a dated line every ten seconds elsewhere.
        Next: rrcm sweep show NAME
        """)
    @Argument(help: "Number or name of the sweep.", completion: .sweeps)
    var sweep: String

    func run() async throws {
      let store = try await Context().store("sweep")
      try await SweepDisplay.follow(find(sweep, in: store).id, in: store)
    }
  }

  struct Stop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Stop a sweep: trials that have not ended are stopped, their runs cancelled; what is stored stays.",
      discussion: """
        rrcm sweep stop digits-24
        rrcm sweep stop 3 --dry-run

        With --stopped, sweep retry goes on with it.
        Next: rrcm sweep retry NAME --stopped
        """)
    @Argument(help: "Number or name of the sweep.", completion: .sweeps)
    var sweep: String
    @Flag(name: .long, help: "Say what would be stopped, without doing it.")
    var dryRun = false
    @Flag(name: .long, help: "Do it without asking.")
    var yes = false

    func run() async throws {
      let store = try await Context().store("sweep")
      let record = try await find(sweep, in: store)
      let label = "sweep \(record.id) (\(record.name))"
      guard record.state == "running" else { throw CommandFailure("\(label) has already ended: \(record.state)") }
      let open = try await store.sweepProgress(of: record.id).first?.open ?? 0
      let what = "stop \(label) with \(counted(open, "trial")) that did not end"
      if dryRun {
        Console.say("dry run: nothing was written; this would \(what)")
        return
      }
      try Console.confirm(what, yes: yes)
      guard let stopped = try await store.stopSweep(record.id) else {
        throw CommandFailure("\(label) has ended meanwhile")
      }
      Console.say(
        "\(label) stopped: \(counted(stopped.trials, "trial")) ended, \(counted(stopped.runs, "run")) cancelled")
    }
  }

  struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Run failed trials again; what is done of them is not done again, and failed runs stay visible.",
      discussion: """
        rrcm sweep retry digits-24
        rrcm sweep retry 3 --stopped --dry-run

        Next: rrcm sweep watch NAME
        """)
    @Argument(help: "Number or name of the sweep.", completion: .sweeps)
    var sweep: String
    @Flag(name: .long, help: "Also trials that were stopped.")
    var stopped = false
    @Flag(name: .long, help: "Say which trials would be run again, without doing it.")
    var dryRun = false
    @Flag(name: .long, help: "Do it without asking.")
    var yes = false

    func run() async throws {
      let store = try await Context().store("sweep")
      let record = try await find(sweep, in: store)
      let label = "sweep \(record.id) (\(record.name))"
      let states = stopped ? ["failed", "stopped"] : ["failed"]
      let again = try await store.trials(ofSweep: record.id).filter { states.contains($0.state) }.map(\.number).sorted()
      guard !again.isEmpty else {
        throw CommandFailure("\(label) has no trial that is \(states.joined(separator: " or "))")
      }
      let what =
        "run \(counted(again.count, "trial")) of \(label) again: \(again.map(String.init).joined(separator: ", "))"
      if dryRun {
        Console.say("dry run: nothing was written; this would \(what)")
        return
      }
      try Console.confirm(what, yes: yes)
      let opened = try await store.retryTrials(ofSweep: record.id, stopped: stopped)
      try await store.announceWork()
      Console.say("\(label): \(counted(opened.count, "trial")) opened again")
    }
  }

  /// The sweep a person means.
  static func find(_ reference: String, in store: Store) async throws -> SweepRecord {
    guard let record = try await store.sweep(reference) else {
      throw CommandFailure("no sweep \"\(reference)\"; see: rrcm sweep list", status: .badInput)
    }
    return record
  }
}

/// Free parameters as columns, called by the last word of their path where that is enough to tell them apart; the same
/// rule as `rrcm.sweep_query`.
struct ParameterColumns {
  let paths: [String]
  let names: [String]

  /// - Parameter taken: columns of the same table, which no parameter may be called.
  init(_ points: [[String: SettingValue]], beside taken: [String]) {
    paths = Set(points.flatMap(\.keys)).sorted()
    func word(_ path: String) -> String { String(path.split(separator: ".").last ?? "") }
    let counts = Dictionary(grouping: paths, by: word)
    names = paths.map { path in
      let word = word(path)
      if counts[word]?.count == 1 && !taken.contains(word) { return word }
      // A setting without groups, such as checkpoint, is its own last word.
      return taken.contains(path) ? "parameters.\(path)" : path
    }
  }

  func cells(_ values: [String: SettingValue]) -> [OutputTable.Cell] {
    paths.map { path in
      switch values[path] {
      case .int(let value): .int(value)
      case .double(let value): .text("\(value)")
      case .bool(let value): .bool(value)
      case .string(let text): .text(text)
      case .list(let list): .text(SettingValue.list(list).shown)
      case .map, .null, nil: .none
      }
    }
  }
}
