internal import ArgumentParser
internal import Foundation
internal import Store

extension RunCommand {
  struct List: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "List runs with their progress.",
      discussion: """
        rrcm run list
        rrcm run list --state running --state submitted --output json

        Next: rrcm run show NAME
        """)
    static let layouts = [
      RowLayout(
        columns: [
          "run", "name", "kind", "state", "done", "total", "unit", "samples", "seconds", "error", "priority", "held",
          "disagreements", "depends_on", "created", "weight", "paused", "stranded", "provisional",
        ],
        shown: ["run", "name", "kind", "state", "done", "total", "unit", "samples", "seconds", "error"])
    ]

    enum State: String, ExpressibleByArgument, CaseIterable { case submitted, running, paused, done, failed, cancelled }

    @Option(name: .long, help: "Only runs in this state; may be given several times.")
    var state: [State] = []
    @OptionGroup var output: OutputOptions

    func run() async throws {
      var table = OutputTable(Self.layouts[0])
      let states = Set(state.map(\.rawValue))
      for run in try await Context().store("list").progress()
      where states.isEmpty || states.contains(run.shownState) {
        table.add([
          .int(run.id), .text(run.name), .text(run.kind), .text(run.shownState), .int(run.done), .int(run.total),
          .text(run.unit), .int(run.samples), .double(run.elapsedSeconds), .text(run.error), .int(run.priority),
          .int(run.held), .int(run.disagreements), .int(run.dependsOn), .text(run.createdAt), .int(run.weight),
          .text(run.pausedAt), .text(run.strandedAt), .int(run.provisional),
        ])
      }
      table.print(output)
    }
  }

  struct Show: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Show one run: state, protocol, resolved run file, newest metrics.",
      discussion: """
        rrcm run show quickstart-certify
        rrcm run show 3 --spec > again.yaml

        Next: rrcm item list NAME, rrcm report NAME
        """)
    static let layouts = [
      RowLayout(
        columns: [
          "run", "name", "kind", "state", "done", "total", "unit", "samples", "seconds", "error", "priority", "held",
          "disagreements", "depends_on", "created", "seed", "dataset", "checkpoint", "numerics", "sigma", "n0", "n",
          "alpha", "sampler", "mode", "chunk_samples", "spec", "audit_share", "audits_due", "audits_agreed",
          "audits_own", "audits_disputed", "audits_undecided", "provisional", "voided_chunks", "superseded",
          "weight", "paused", "stranded",
        ], isRecord: true),
      RowLayout(option: "--metrics", columns: ["name", "step", "value"]),
      RowLayout(
        option: "--attempts",
        columns: ["item", "sigma", "unit", "outcome", "worker", "epoch", "alone", "at", "retried", "error"]),
    ]

    @Argument(help: "Number or name of the run.", completion: .runs)
    var run: String
    @Flag(
      name: .long, help: "Print only the resolved run file (JSON, which is YAML): submit it again to repeat the run.")
    var spec = false
    @Flag(name: .long, help: "Print only the newest value of each training metric.")
    var metrics = false
    @Flag(name: .long, help: "Print only the attempts that failed: at its items, or at its training.")
    var attempts = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
      if [spec, metrics, attempts].count(where: { $0 }) > 1 {
        throw ValidationError("--spec, --metrics and --attempts exclude each other; give one of them")
      }
    }

    func run() async throws {
      let store = try await Context().store("show")
      let record = try await find(run, in: store)
      if spec {
        Console.out(record.spec + "\n")
        return
      }
      if attempts {
        let items = try await store.items(ofRun: record.id).map(\.id)
        OutputTable(Self.layouts[2], attempts: try await store.attempts(ofItems: items, run: record.id)).print(output)
        return
      }
      var values = OutputTable(Self.layouts[1])
      for metric in try await store.latestMetrics(ofRun: record.id) {
        values.add([.text(metric.name), .int(metric.step), .double(metric.value)])
      }
      if metrics {
        values.print(output)
        return
      }
      guard let progress = try await store.progress(ofRun: record.id).first else { return }
      let rules = try await store.certification(ofRun: record.id)
      let audit = try await store.audit(ofRun: record.id)
      var table = OutputTable(Self.layouts[0])
      table.add([
        .int(record.id), .text(record.name), .text(record.kind), .text(progress.shownState), .int(progress.done),
        .int(progress.total), .text(progress.unit), .int(progress.samples), .double(progress.elapsedSeconds),
        .text(record.error), .int(progress.priority), .int(progress.held), .int(progress.disagreements),
        .int(progress.dependsOn), .text(progress.createdAt), .int(record.seed), .digest(record.datasetDigest),
        .digest(record.checkpointDigest), .text(record.numericsIDs.joined(separator: " ")),
        .text(rules?.levels.map(\.sigma).joined(separator: " ")), .int(rules?.n0), .int(rules?.n),
        // Written out: three decimals would make 0 of a small one.
        output.output == .table ? .text(rules.map { "\($0.alpha)" }) : .double(rules?.alpha), .text(rules?.sampler),
        .text(rules?.mode), .int(rules?.chunkSamples), .text(record.spec),
        output.output == .table ? .text(audit.map { "\($0.share)" }) : .double(audit?.share), .int(audit?.due),
        .int(audit?.agreed), .int(audit?.selfAudited), .int(audit?.disputed), .int(audit?.undecided),
        .int(audit?.provisional), .int(audit?.voided), .int(audit?.superseded),
        .int(progress.weight), .text(progress.pausedAt), .text(progress.strandedAt),
      ])
      table.print(output)
      if output.output == .table, !values.rows.isEmpty { Console.out("\n" + values.text(.table)) }
    }
  }

  struct Cancel: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "End runs and take their work out of the queue; votes and certificates stay.",
      discussion: """
        rrcm run cancel quickstart-certify
        rrcm run cancel --all --dry-run

        More than one run is asked about, or takes --yes.
        Next: rrcm run list
        """)
    static let layouts = [RowLayout(columns: ["run", "name", "state", "items", "leases", "jobs", "waiting"])]

    @Argument(help: "Numbers or names of runs.", completion: .runs)
    var runs: [String] = []
    @Flag(name: .long, help: "Every run that has not ended.")
    var all = false
    @Flag(name: .long, help: "Say what would be cancelled, without doing it.")
    var dryRun = false
    @Flag(name: .long, help: "Do not ask.")
    var yes = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
      if runs.isEmpty != all {
        throw ValidationError(all ? "give runs or --all, not both" : "name the runs to cancel, or give --all")
      }
    }

    func run() async throws {
      let store = try await Context().store("cancel")
      var ids: [Int64] = []
      for reference in runs {
        let id = try await find(reference, in: store).id
        if !ids.contains(id) { ids.append(id) }
      }
      if all { ids = try await store.progress().filter { !$0.isFinished }.map(\.id) }
      let touched = try await store.cancelPreview(ids)
      let ended = touched.filter(\.hasEnded)
      if let first = ended.first {
        throw CommandFailure("run \(first.id) (\(first.name)) had already ended: \(first.state); nothing was cancelled")
      }
      let items = touched.reduce(0) { $0 + $1.items }
      let what =
        "cancel \(counted(touched.count, "run")) with \(counted(items, "item")) that "
        + (items == 1 ? "has" : "have") + " no certificate"
      if !dryRun, touched.count > 1 { try Console.confirm(what, yes: yes) }
      var table = OutputTable(Self.layouts[0])
      for run in touched {
        var state = run.state
        if !dryRun { state = try await store.cancelRun(run.id) ? "cancelled" : "ended meanwhile" }
        table.add([
          .int(run.id), .text(run.name), .text(state), .int(run.items), .int(run.leases), .int(run.jobs),
          .text(run.waiting.map { String($0) }.joined(separator: " ")),
        ])
      }
      table.print(output)
      let waiting = touched.flatMap(\.waiting).filter { !ids.contains($0) }
      if !waiting.isEmpty {
        Console.say("note: runs \(waiting.map(String.init).joined(separator: ", ")) wait for these and will be refused")
      }
      if dryRun { Console.say("dry run: nothing was written; would \(what)") }
    }
  }
}
