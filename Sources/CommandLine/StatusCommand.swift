internal import ArgumentParser
internal import Database
internal import Foundation
internal import LocalFleet
internal import Store

struct Status: AsyncParsableCommand, AnswersWithRows {
  static let configuration = CommandConfiguration(
    abstract: "Show the processes on this machine, the parts of the fleet (which coordinator leads) and the queue.",
    discussion: """
      rrcm status
      rrcm status --output json

      Next: rrcm doctor
      """)
  static let layouts = [
    RowLayout(
      columns: [
        "part", "name", "state", "detail", "pid", "samples_per_second", "leases", "silent_seconds", "ready", "leased",
        "stranded",
      ], shown: ["part", "name", "state", "detail"])
  ]

  @OptionGroup var output: OutputOptions

  func run() async throws {
    let context = Context()
    var parts = OutputTable(Self.layouts[0])
    func add(_ part: String, _ name: String, _ state: String, _ detail: String, _ more: [Int: OutputTable.Cell] = [:]) {
      parts.add([.text(part), .text(name), .text(state), .text(detail)] + (4..<11).map { more[$0] ?? .none })
    }
    for process in await LocalProcesses(home: context.home).status() {
      add(
        "process", process.name, process.pid == nil ? "ended" : "running",
        process.pid.map { "pid \($0)" } ?? "see \(process.logFile); start it again: rrcm up",
        [4: .int(process.pid.map { Int64($0) })])
    }
    if try DatabaseURL.fromEnvironment() == nil {
      let status = try await PrivateCluster(home: context.home).status()
      guard case .running(let pid) = status else {
        add("database", "private", "\(status)", "start it: rrcm up")
        parts.print(output)
        return
      }
      add("database", "private", "running", "pid \(pid)", [4: .int(Int64(pid))])
    }
    let store = try await context.store("status")
    for part in try await store.parts() {
      let isSilent = part.silentSeconds > FleetChecks.silence
      let state =
        isSilent ? "silent" : part.kind == "aggregator" ? "live" : part.leads ? "leads" : "stands by"
      let term = part.term.map { part.leads ? "term \($0), " : "led until its term \($0) ran out, " } ?? ""
      add(
        part.kind, part.name, state, "\(term)silent \(String(format: "%.0f", part.silentSeconds)) s",
        [4: .int(part.pid), 7: .double(part.silentSeconds)])
    }
    for worker in try await store.workers() {
      let speed = worker.samplesPerSecond.map { String(format: "%.0f samples/s, ", $0) } ?? ""
      add(
        "worker", worker.name, worker.state,
        "\(speed)\(worker.leases) leases, silent \(String(format: "%.0f", worker.silentSeconds)) s",
        [5: .double(worker.samplesPerSecond), 6: .int(worker.leases), 7: .double(worker.silentSeconds)])
    }
    for row in try await store.queueDepth() {
      let (ready, leased) = (try row.int("ready"), try row.int("leased"))
      let isStranded = try row.bool("stranded")
      add(
        "run", try row.text("name"), try row.bool("paused") ? "paused" : "running",
        "\(ready) chunks ready, \(leased) leased"
          + (isStranded ? ", stranded: no live worker of its numerics ids" : ""),
        [8: .int(ready), 9: .int(leased), 10: .bool(isStranded)])
    }
    parts.print(output)
  }
}
