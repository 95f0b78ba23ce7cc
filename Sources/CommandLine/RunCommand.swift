internal import ArgumentParser
internal import Coordinator
internal import Foundation
internal import Lifecycle
internal import RunFile
internal import Store

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Submit runs and follow them.",
    subcommands: [Submit.self, List.self, Show.self, Watch.self, Cancel.self])

  struct Submit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check run files and submit them; together they may name each other's checkpoints.",
      discussion: """
        rrcm run submit configs/quickstart/certify.yaml
        rrcm run submit pretrain.yaml finetune.yaml certify.yaml --watch

        Nothing is written unless every file is in order. Next: rrcm run watch NAME
        """)

    @Argument(help: "Run files (YAML).")
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
      var specs: [RunSpec] = []
      var problems: [String] = []
      for file in files {
        do { specs.append(try RunFile.read(path: file, overrides: set)) } catch let error as RunFileError {
          problems += error.problems
        }
      }
      guard problems.isEmpty else { throw RunFileError(problems) }
      let store = try await Context().store("submit")
      let submission = Submission(store: store, software: Software.version)
      let prepared = try await submission.prepare(specs)
      if showResolved {
        for entry in prepared { Console.out(try entry.spec.settings.json + "\n") }
      }
      var table = OutputTable(["run", "name", "kind", "seed", "work"])
      let ids = dryRun ? [] : try await submission.submit(prepared)
      for (place, entry) in prepared.enumerated() {
        table.add([
          dryRun ? .none : .int(ids[place]), .text(entry.spec.name), .text(entry.spec.kind.rawValue),
          .int(entry.spec.seed), .text(entry.summary),
        ])
      }
      table.print(output)
      if dryRun { Console.say("dry run: nothing was written") }
      if watch {
        for id in ids { try await follow(id, in: store) }
      }
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List runs with their progress.", discussion: "rrcm run list\nrrcm run list --output json")
    @OptionGroup var output: OutputOptions

    func run() async throws {
      var table = OutputTable(["run", "name", "kind", "state", "done", "total", "unit", "samples", "seconds", "error"])
      for run in try await Context().store("list").progress() {
        table.add([
          .int(run.id), .text(run.name), .text(run.kind), .text(run.state), .int(run.done), .int(run.total),
          .text(run.unit), .int(run.samples), run.elapsedSeconds.map { .double($0) } ?? .none,
          run.error.map { .text($0) } ?? .none,
        ])
      }
      table.print(output)
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show one run: state, resolved run file, newest metrics.",
      discussion: "rrcm run show quickstart-certify\nrrcm run show 3 --spec > again.yaml")
    @Argument(help: "Number or name of the run.")
    var run: String
    @Flag(
      name: .long, help: "Print only the resolved run file (JSON, which is YAML): submit it again to repeat the run.")
    var spec = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let store = try await Context().store("show")
      let record = try await find(run, in: store)
      if spec {
        Console.out(record.spec + "\n")
        return
      }
      guard let progress = try await store.progress(ofRun: record.id).first else { return }
      var table = OutputTable(["field", "value"])
      func add(_ field: String, _ value: String?) { table.add([.text(field), value.map { .text($0) } ?? .none]) }
      add("run", "\(record.id)")
      add("name", record.name)
      add("kind", record.kind)
      add("state", record.state)
      add("progress", "\(progress.done) of \(progress.total) \(progress.unit)")
      add("samples", "\(progress.samples)")
      add("seed", "\(record.seed)")
      add("dataset", record.datasetDigest)
      add("checkpoint", record.checkpointDigest)
      add("numerics", record.numericsIDs.joined(separator: ", "))
      add("held items", "\(progress.held)")
      add("created", progress.createdAt)
      add("error", record.error)
      for metric in try await store.latestMetrics(ofRun: record.id) {
        add("metric \(metric.name)", "\(metric.value) at step \(metric.step)")
      }
      add("run file", record.spec)
      table.print(output)
    }
  }

  struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Follow a run until it ends; exit 1 if it failed.",
      discussion: "rrcm run watch quickstart-certify\nrrcm run watch 3\n\nNext: rrcm report NAME")
    @Argument(help: "Number or name of the run.")
    var run: String

    func run() async throws {
      let store = try await Context().store("watch")
      try await follow(find(run, in: store).id, in: store)
    }
  }

  struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "End a run and take its work out of the queue; votes and certificates stay.",
      discussion: "rrcm run cancel quickstart-certify\nrrcm run cancel 3")
    @Argument(help: "Number or name of the run.")
    var run: String
    @Flag(name: .long, help: "Say what would be cancelled, without doing it.")
    var dryRun = false

    func run() async throws {
      let store = try await Context().store("cancel")
      let record = try await find(run, in: store)
      if dryRun {
        Console.say("would cancel run \(record.id) (\(record.name)), now \(record.state)")
        return
      }
      guard try await store.cancelRun(record.id) else {
        throw CommandFailure("run \(record.id) (\(record.name)) had already ended: \(record.state)")
      }
      Console.say("run \(record.id) (\(record.name)) cancelled")
    }
  }

  /// The run a person means.
  static func find(_ reference: String, in store: Store) async throws -> RunRecord {
    guard let record = try await store.run(reference) else {
      throw CommandFailure("no run \"\(reference)\"; see: rrcm run list")
    }
    return record
  }

  /// Follows a run to its end.
  ///
  /// - Throws: `CommandFailure` when it did not end well.
  static func follow(_ id: Int64, in store: Store) async throws {
    var display = ProgressDisplay()
    while true {
      guard let run = try await store.progress(ofRun: id).first else {
        throw CommandFailure("run \(id) is gone")
      }
      display.show(run, metrics: run.unit == "steps" ? try await store.latestMetrics(ofRun: id) : [])
      if run.isFinished {
        display.finish(run)
        guard run.state == "done" else {
          throw CommandFailure("run \(id) (\(run.name)) \(run.state)" + (run.error.map { ": \($0)" } ?? ""))
        }
        return
      }
      try await Task.sleep(for: .milliseconds(display.isTerminal ? 250 : 500))
    }
  }
}

/// A bar on a terminal; one dated line at intervals otherwise.
struct ProgressDisplay {
  let isTerminal = isatty(STDERR_FILENO) == 1
  private var began: (at: ContinuousClock.Instant, done: Int64, samples: Int64)?
  private var printedAt: ContinuousClock.Instant?
  private var printedDone: Int64 = -1

  init() {}

  mutating func show(_ run: RunProgress, metrics: [(name: String, step: Int64, value: Double)]) {
    // Rates count from the first progress seen: a run may have waited long before that.
    if began == nil, run.done > 0 || run.samples > 0 { began = (.now, run.done, run.samples) }
    let pace = began.map {
      (seconds: ($0.at.duration(to: .now)).inSeconds, done: run.done - $0.done, samples: run.samples - $0.samples)
    }
    let line = Self.line(run, metrics: metrics, pace: pace)
    if isTerminal {
      try? FileHandle.standardError.write(contentsOf: Data("\r\u{1B}[2K\(line)".utf8))
    } else if run.done != printedDone, printedAt.map({ ContinuousClock.now - $0 > .seconds(10) }) ?? true {
      Console.say("\(Date.now.formatted(.iso8601)) \(line)")
      printedAt = .now
      printedDone = run.done
    }
  }

  func finish(_ run: RunProgress) {
    if isTerminal { try? FileHandle.standardError.write(contentsOf: Data("\r\u{1B}[2K".utf8)) }
    let seconds = run.elapsedSeconds.map { String(format: " in %.1f s", $0) } ?? ""
    Console.say(
      "\(isTerminal ? "" : Date.now.formatted(.iso8601) + " ")\(run.name): \(run.state), \(run.done) of \(run.total) \(run.unit)\(seconds)"
    )
  }

  /// - Parameter pace: what was done in how many seconds; nil before the first progress.
  static func line(
    _ run: RunProgress, metrics: [(name: String, step: Int64, value: Double)],
    pace: (seconds: Double, done: Int64, samples: Int64)?
  ) -> String {
    guard run.total > 0 else { return "\(run.name): \(run.state)" }
    let share = Double(run.done) / Double(run.total)
    let filled = Int(share * 24)
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 24 - filled)
    var line = "\(run.name) \(bar) \(String(format: "%3.0f", share * 100)) %  \(run.done)/\(run.total) \(run.unit)"
    if let pace, pace.seconds > 2 {
      if pace.samples > 0 { line += String(format: "  %.0f samples/s", Double(pace.samples) / pace.seconds) }
      if pace.done > 0, run.done < run.total {
        line += "  \(Self.duration(pace.seconds / Double(pace.done) * Double(run.total - run.done))) left"
      }
    }
    if run.held > 0 { line += "  \(run.held) held" }
    let shown = metrics.filter { $0.name == "loss" || $0.name == "accuracy_sigma_0.25" }
    for metric in shown { line += "  \(metric.name) \(String(format: "%.3f", metric.value))" }
    return line
  }

  static func duration(_ seconds: Double) -> String {
    let total = Int(seconds.rounded())
    return total >= 3600
      ? String(format: "%d h %02d min", total / 3600, total / 60 % 60)
      : total >= 60 ? String(format: "%d min %02d s", total / 60, total % 60) : "\(total) s"
  }
}
