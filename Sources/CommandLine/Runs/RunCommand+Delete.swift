internal import ArgumentParser
internal import Database
internal import Store

extension RunCommand {
  struct Delete: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Delete ended runs with items, votes, certificates and metrics, for good.",
      discussion: """
        rrcm run delete probe --dry-run
        rrcm run delete 3 4 --yes

        A run that has not ended, that another one depends on, or that belongs to a sweep stays. So do the checkpoints that \
        it made, and its files: rrcm gc removes those that nothing needs any more.
        Next: rrcm gc --dry-run
        """)
    static let layouts = [
      RowLayout(columns: ["run", "name", "kind", "state", "items", "chunks", "certificates", "metrics"])
    ]

    @Argument(help: "Numbers or names of runs.", completion: .runs)
    var runs: [String]
    @Flag(name: .long, help: "Say what would be removed, without doing it.")
    var dryRun = false
    @Flag(name: .long, help: "Do not ask.")
    var yes = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let store = try await Context().store("delete")
      var ids: [Int64] = []
      for reference in runs {
        let id = try await find(reference, in: store).id
        if !ids.contains(id) { ids.append(id) }
      }
      let found = try await store.deletePreview(ids)
      let problems = found.compactMap { run -> String? in
        let label = "run \(run.id) (\(run.name))"
        guard run.hasEnded else { return "\(label) is \(run.state); cancel it first: rrcm run cancel \(run.id)" }
        if let sweep = run.sweep { return "\(label) belongs to sweep \(sweep), whose ranking reads it" }
        guard run.dependents.isEmpty else {
          let dependents = run.dependents.map { "\($0)" }.joined(separator: ", ")
          return "\(label) made what runs \(dependents) depend on; delete those with it"
        }
        return nil
      }
      guard problems.isEmpty else {
        throw CommandFailure(problems.joined(separator: "\n") + "\nnothing was deleted")
      }
      let what =
        "delete \(counted(found.count, "run")) with \(counted(found.reduce(0) { $0 + $1.items }, "item")),"
        + " \(counted(found.reduce(0) { $0 + $1.chunks }, "chunk")) and"
        + " \(counted(found.reduce(0) { $0 + $1.certificates }, "certificate")), for good"
      if !dryRun {
        try Console.confirm(what, yes: yes)
        guard try await store.deleteRuns(ids).count == ids.count else {
          throw CommandFailure("one of the runs is needed again meanwhile; nothing was deleted")
        }
      }
      var table = OutputTable(Self.layouts[0])
      for run in found {
        table.add([
          .int(run.id), .text(run.name), .text(run.kind), .text(dryRun ? run.state : "deleted"), .int(run.items),
          .int(run.chunks), .int(run.certificates), .int(run.metrics),
        ])
      }
      table.print(output)
      if dryRun { Console.say("dry run: nothing was removed; would \(what)") }
    }
  }
}
