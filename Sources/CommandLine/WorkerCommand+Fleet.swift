internal import ArgumentParser
internal import Foundation
internal import Store

extension WorkerCommand {
  struct List: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "List the fleet's workers: alive or not, how fast, what they hold.",
      discussion: """
        rrcm worker list
        rrcm worker list --all --output json

        Next: rrcm worker drain NAME
        """)
    static let layouts = [
      RowLayout(
        columns: [
          "worker", "name", "state", "host", "pid", "epoch", "device", "software", "numerics", "samples_per_second",
          "silent_seconds", "leases", "training_run", "registered", "quarantine",
        ],
        shown: ["worker", "name", "state", "host", "device", "samples_per_second", "silent_seconds", "leases"])
    ]

    @Flag(name: .long, help: "Also workers that left, or were lost, more than an hour ago.")
    var all = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
      var table = OutputTable(Self.layouts[0])
      for worker in try await Context().store("worker list").workers(includingGone: all) {
        table.add([
          .int(worker.id), .text(worker.name), .text(worker.state), .text(worker.host), .int(worker.pid),
          .int(worker.epoch), .text(worker.device), .text(worker.software),
          .text(worker.numericsIDs.joined(separator: " ")), .double(worker.samplesPerSecond),
          .double(worker.silentSeconds), .int(worker.leases), .int(worker.trainingRun), .text(worker.registeredAt),
          .text(worker.quarantine),
        ])
      }
      table.print(output)
    }
  }

  struct Drain: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Ask workers anywhere to finish the chunk in hand, hand back the rest and end.",
      discussion: """
        rrcm worker drain node7-a
        rrcm worker drain --host node7 --dry-run

        From now on they claim nothing; each learns it with its next heartbeat and ends with exit code 0. A worker that \
        is started again under the same name works again. More than one is asked about, or takes --yes.
        Next: rrcm worker list
        """)
    static let layouts = [RowLayout(columns: ["worker", "name", "state", "host", "leases", "training_run"])]

    @Argument(help: "Names of workers.", completion: .workers)
    var workers: [String] = []
    @Option(name: .long, help: "Every live worker on this host; may be given several times.")
    var host: [String] = []
    @Flag(name: .long, help: "Every live worker of the fleet.")
    var all = false
    @Flag(name: .long, help: "Say who would be asked, without doing it.")
    var dryRun = false
    @Flag(name: .long, help: "Do not ask.")
    var yes = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
      if all && !(workers.isEmpty && host.isEmpty) {
        throw ValidationError("--all stands alone: give it, or names and hosts")
      }
      if !all && workers.isEmpty && host.isEmpty {
        throw ValidationError("name the workers to drain, or give --host or --all")
      }
    }

    func run() async throws {
      let store = try await Context().store("drain")
      let known = try await store.workers().filter { $0.quarantine == nil }
      let problems =
        workers.filter { name in !known.contains { $0.name == name && $0.state != "gone" } }
        .map { "no live worker \"\($0)\"; see: rrcm worker list" }
        + host.filter { host in !known.contains { $0.host == host && $0.state != "gone" } }
        .map { "no live worker on host \"\($0)\"; see: rrcm worker list" }
      guard problems.isEmpty else { throw InputProblems(problems) }
      let chosen = known.filter {
        $0.state == "live" && (all || workers.contains($0.name) || host.contains($0.host))
      }
      let what = "drain \(counted(chosen.count, "worker"))"
      if !dryRun, chosen.count > 1 { try Console.confirm(what, yes: yes) }
      let asked = dryRun ? [] : Set(try await store.drainWorkers(chosen.map(\.id)))
      var table = OutputTable(Self.layouts[0])
      for worker in chosen {
        table.add([
          .int(worker.id), .text(worker.name), .text(asked.contains(worker.id) ? "draining" : worker.state),
          .text(worker.host), .int(worker.leases), .int(worker.trainingRun),
        ])
      }
      table.print(output)
      if dryRun { Console.say("dry run: nothing was written; would \(what)") }
    }
  }

  struct Release: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Let workers that were set aside for wrong results work again.",
      discussion: """
        rrcm worker release node7-a
        rrcm worker release node7-a --dry-run

        Look at the machine first: memory, heat, driver. The votes it posted are void and stay so; a worker that runs still \
        loads everything anew, and goes on by itself.
        Next: rrcm worker list
        """)
    static let layouts = [RowLayout(columns: ["worker", "name", "state", "host", "quarantine"])]

    @Argument(help: "Names of workers.", completion: .workers)
    var workers: [String]
    @Flag(name: .long, help: "Say who would be released, without doing it.")
    var dryRun = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let store = try await Context().store("release")
      let known = try await store.workers(includingGone: true).filter { $0.quarantine != nil }
      let problems = workers.filter { name in !known.contains { $0.name == name } }
        .map { "no worker \"\($0)\" is in quarantine; see: rrcm worker list" }
      guard problems.isEmpty else { throw InputProblems(problems) }
      let chosen = known.filter { workers.contains($0.name) }
      if !dryRun { _ = try await store.releaseWorkers(chosen.map(\.id)) }
      var table = OutputTable(Self.layouts[0])
      for worker in chosen {
        table.add([
          .int(worker.id), .text(worker.name), .text(dryRun ? worker.state : "gone"), .text(worker.host),
          .text(worker.quarantine),
        ])
      }
      table.print(output)
      if dryRun { Console.say("dry run: nothing was written; would release \(counted(chosen.count, "worker"))") }
    }
  }
}
