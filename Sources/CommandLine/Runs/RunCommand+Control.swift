internal import ArgumentParser
internal import Foundation
internal import Store

/// The runs that a steering verb is about.
struct RunChoice: ParsableArguments {
  @Argument(help: "Numbers or names of runs.", completion: .runs)
  var runs: [String] = []
  @Flag(name: .long, help: "Every run that has not ended.")
  var all = false
  @Flag(name: .long, help: "Say what would be done, without doing it.")
  var dryRun = false
  @Flag(name: .long, help: "Do not ask.")
  var yes = false

  func validate() throws {
    if runs.isEmpty != all {
      throw ValidationError(all ? "give runs or --all, not both" : "name the runs, or give --all")
    }
  }

  /// The chosen runs as they stand, each once.
  ///
  /// - Parameter verb: what is not done to any of them when one has ended, as in "paused".
  /// - Throws: `CommandFailure` naming the first that has ended.
  func unfinished(in store: Store, _ verb: String) async throws -> [ControlPreview] {
    var ids: [Int64] = []
    for reference in runs {
      let id = try await RunCommand.find(reference, in: store).id
      if !ids.contains(id) { ids.append(id) }
    }
    if all { ids = try await store.progress().filter { !$0.isFinished }.map(\.id) }
    let found = try await store.controlPreview(ids)
    if let ended = found.first(where: \.hasEnded) {
      throw CommandFailure("run \(ended.id) (\(ended.name)) had already ended: \(ended.state); nothing was \(verb)")
    }
    return found
  }
}

extension RunCommand {
  struct Pause: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Pause runs: nothing of them is handed out until they are resumed; nothing done is lost.",
      discussion: """
        rrcm run pause quickstart-certify
        rrcm run pause --all --dry-run

        Workers learn it with their next post, about a second later, and a training within some seconds: it stores its \
        state and goes on from there, to the bit. What is paused already stays so. More than one is asked about, or takes \
        --yes.
        Next: rrcm run resume NAME
        """)
    static let layouts = [RowLayout(columns: ["run", "name", "state", "leases", "jobs"])]

    @OptionGroup var choice: RunChoice
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let store = try await Context().store("pause")
      let runs = try await choice.unfinished(in: store, "paused")
      let fresh = runs.filter { !$0.isPaused }
      let what = "pause \(counted(fresh.count, "run"))"
      if !choice.dryRun, fresh.count > 1 { try Console.confirm(what, yes: choice.yes) }
      var table = OutputTable(Self.layouts[0])
      for run in runs {
        var (state, leases) = (run.shownState, run.leases)
        if !choice.dryRun {
          let done = try await store.pauseRun(run.id)
          (state, leases) = done.map { ("paused", Int64($0.leases)) } ?? ("ended meanwhile", 0)
        }
        table.add([.int(run.id), .text(run.name), .text(state), .int(leases), .int(run.jobs)])
      }
      table.print(output)
      if fresh.isEmpty { Console.say("nothing to do: paused already") }
      if choice.dryRun { Console.say("dry run: nothing was written; would \(what)") }
    }
  }

  struct Resume: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Let paused runs go on.",
      discussion: """
        rrcm run resume quickstart-certify
        rrcm run resume --all --yes

        What is not paused stays as it is.
        Next: rrcm run watch NAME
        """)
    static let layouts = [RowLayout(columns: ["run", "name", "state"])]

    @OptionGroup var choice: RunChoice
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let store = try await Context().store("resume")
      let runs = try await choice.unfinished(in: store, "resumed")
      let paused = runs.filter(\.isPaused)
      let what = "resume \(counted(paused.count, "run"))"
      if !choice.dryRun, paused.count > 1 { try Console.confirm(what, yes: choice.yes) }
      var table = OutputTable(Self.layouts[0])
      for run in runs {
        var state = run.shownState
        if !choice.dryRun { state = try await store.resumeRun(run.id) == nil ? "ended meanwhile" : run.state }
        table.add([.int(run.id), .text(run.name), .text(state)])
      }
      if !choice.dryRun { try await store.announceWork() }
      table.print(output)
      if paused.isEmpty { Console.say("nothing to do: not paused") }
      if choice.dryRun { Console.say("dry run: nothing was written; would \(what)") }
    }
  }

  struct Change: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      commandName: "set", abstract: "Change priority and weight of runs that have not ended.",
      discussion: """
        rrcm run set quickstart-certify --priority 10
        rrcm run set 3 4 --weight 300 --yes

        A higher priority is served first; runs of equal priority share the fleet in proportion to their weights \
        (100 unless changed). It holds from each worker's next claim.
        Next: rrcm run list
        """)
    static let layouts = [RowLayout(columns: ["run", "name", "state", "priority", "weight"])]

    @OptionGroup var choice: RunChoice
    // Negative numbers look like flags.
    @Option(name: .long, parsing: .unconditional, help: "Higher is served first; -1000000 to 1000000.")
    var priority: Int?
    @Option(name: .long, help: "Share among runs of equal priority; 1 to 1000000.")
    var weight: Int?
    @OptionGroup var output: OutputOptions

    func validate() throws {
      var problems: [String] = []
      if priority == nil && weight == nil { problems.append("say what to change: --priority, --weight or both") }
      if let priority, !(-1_000_000...1_000_000).contains(priority) {
        problems.append("--priority is \(priority); it must be -1000000 to 1000000")
      }
      if let weight, !(1...1_000_000).contains(weight) {
        problems.append("--weight is \(weight); it must be 1 to 1000000")
      }
      if !problems.isEmpty { throw ValidationError(problems.joined(separator: "\n")) }
    }

    func run() async throws {
      let store = try await Context().store("set")
      let runs = try await choice.unfinished(in: store, "changed")
      let what = "change \(counted(runs.count, "run"))"
      if !choice.dryRun, runs.count > 1 { try Console.confirm(what, yes: choice.yes) }
      var table = OutputTable(Self.layouts[0])
      for run in runs {
        var state = run.shownState
        var figures = (
          priority: priority.map { Int64($0) } ?? run.priority, weight: weight.map { Int64($0) } ?? run.weight
        )
        if !choice.dryRun {
          if let now = try await store.setRun(run.id, priority: priority, weight: weight) {
            figures = now
          } else {
            (state, figures) = ("ended meanwhile", (run.priority, run.weight))
          }
        }
        table.add([.int(run.id), .text(run.name), .text(state), .int(figures.priority), .int(figures.weight)])
      }
      if !choice.dryRun { try await store.announceWork() }
      table.print(output)
      if choice.dryRun { Console.say("dry run: nothing was written; would \(what)") }
    }
  }

  struct Retry: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Put what failed of runs back to work; nothing that is done is done again.",
      discussion: """
        rrcm run retry quickstart-certify --failed
        rrcm run retry 3 --failed --dry-run

        A failed training goes on from its newest stored state with three attempts more; held items are computed where \
        they have no votes, each with nothing else in the worker's hand. Items whose votes disagree stay held: votes are \
        not drawn again at will. Failures stay on record (rrcm run show NAME --attempts).
        Next: rrcm run watch NAME
        """)
    static let layouts = [RowLayout(columns: ["run", "name", "state", "items", "jobs", "disputed"])]

    @Argument(help: "Numbers or names of runs.", completion: .runs)
    var runs: [String]
    @Flag(name: .long, help: "Trainings that failed, and items that are held.")
    var failed = false
    @Flag(name: .long, help: "Say what would be tried again, without doing it.")
    var dryRun = false
    @Flag(name: .long, help: "Do not ask.")
    var yes = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
      if !failed { throw ValidationError("say what to try again: --failed, the trainings that failed and held items") }
    }

    func run() async throws {
      let store = try await Context().store("retry")
      var ids: [Int64] = []
      for reference in runs {
        let id = try await find(reference, in: store).id
        if !ids.contains(id) { ids.append(id) }
      }
      let found = try await store.controlPreview(ids)
      let problems = found.compactMap { run -> String? in
        let label = "run \(run.id) (\(run.name))"
        if let sweep = run.sweep {
          return "\(label) belongs to a sweep; try its trial again: rrcm sweep retry \(sweep)"
        }
        if run.held > run.disputed || run.failedJobs > 0 { return nil }
        if run.state == "failed" && !run.isPlanned { return nil }
        if run.disputed > 0 {
          return "\(label) has \(counted(run.disputed, "held item")) whose votes disagree, and nothing else that failed"
        }
        return "\(label) is \(run.shownState) and nothing of it has failed"
      }
      guard problems.isEmpty else {
        throw CommandFailure(problems.joined(separator: "\n") + "\nnothing was tried again")
      }
      let items = found.reduce(0) { $0 + $1.held - $1.disputed }
      let what =
        "try \(counted(found.count, "run")) again with \(counted(items, "held item")) and"
        + " \(counted(found.reduce(0) { $0 + $1.failedJobs }, "failed training"))"
      if !dryRun, found.count > 1 { try Console.confirm(what, yes: yes) }
      var table = OutputTable(Self.layouts[0])
      for run in found {
        var (state, count) = (run.state, run.held - run.disputed)
        if !dryRun {
          let done = try await store.retryRun(run.id)
          count = done.items
          if done.opened { state = run.isPlanned ? "running" : "submitted" }
        }
        table.add([
          .int(run.id), .text(run.name), .text(state), .int(count), .int(run.failedJobs), .int(run.disputed),
        ])
      }
      if !dryRun { try await store.announceWork() }
      table.print(output)
      if dryRun { Console.say("dry run: nothing was written; would \(what)") }
    }
  }
}
