internal import Database
internal import Foundation
internal import LocalFleet
internal import Store

/// Does the fleet move?
struct FleetChecks {
  static let checks: [Finding.Check] = [.parts, .workers, .numerics, .refusals, .held]
  /// Silence after which somebody should have declared a worker gone: the default of 35 s, two sweeps and some patience.
  static let silence = 60.0

  let store: Store
  let home: String

  func run() async throws -> [Finding] {
    [try await parts(), try await workers(), try await numerics(), try await refusals(), try await held()]
  }

  private func parts() async throws -> Finding {
    let row = try await store.doctorParts(heardWithin: Self.silence)
    let (unfinished, certifying) = (try row.int("unfinished"), try row.int("certifying"))
    let local = Set(await LocalProcesses(home: home).status().filter { $0.pid != nil }.map(\.name))
    var missing: [(name: String, remedy: String)] = []
    if unfinished > 0 {
      if try row.int("coordinators") == 0, !local.contains("coordinator") {
        missing.append(("coordinator", "rrcm coordinator start"))
      }
      if certifying > 0, try row.int("aggregators") == 0, !local.contains("aggregator") {
        missing.append(("aggregator", "rrcm aggregator start"))
      }
      if try row.int("workers") == 0 { missing.append(("worker", "rrcm worker start")) }
    }
    guard missing.isEmpty else {
      let names = missing.map { "no live \($0.name)" }.joined(separator: ", ")
      return .trouble(
        .parts, "\(counted(unfinished, "run")) \(unfinished == 1 ? "is" : "are") unfinished and there is \(names)",
        cause: "it was never started, has ended, or cannot reach this database",
        remedy: missing.map(\.remedy).joined(separator: "; ") + "; on one machine: rrcm up")
    }
    if unfinished > 0, try row.int("leaders") == 0, try row.int("coordinators") > 0 {
      return .trouble(
        .parts, "no coordinator has led for \(Int(Self.silence)) s, though one is there",
        cause: "its passes fail, or the machine is too slow for its term",
        remedy: "its log says why; start it again with a larger --term-seconds")
    }
    let workers = try row.int("workers")
    return .fine(
      .parts,
      unfinished == 0
        ? "nothing is unfinished; \(counted(workers, "live worker"))"
        : "\(counted(unfinished, "unfinished run")), \(counted(workers, "live worker")), every part is there")
  }

  private func workers() async throws -> Finding {
    if let first = try await store.workers(includingGone: true).first(where: { $0.quarantine != nil }) {
      return .trouble(
        .workers, "worker \(first.name) on \(first.host) is in quarantine", cause: first.quarantine ?? "",
        remedy: "look at that machine's memory, heat and driver, then: rrcm worker release \(first.name)")
    }
    let silent = try await store.doctorSilent(longerThan: Self.silence)
    if let first = silent.first {
      return .trouble(
        .workers,
        "worker \(try first.text("name")) on \(try first.text("host")) has been silent for"
          + " \(Int(try first.double("seconds"))) s and is still counted as live"
          + (silent.count > 1 ? ", and \(silent.count - 1) more" : ""),
        cause: "it died or lost the network, and no coordinator sweeps, or with too large a --dead-seconds",
        remedy: "rrcm coordinator start, with the --dead-seconds that the workers have; look at that machine")
    }
    if let first = try await store.doctorFlapping().first {
      return .trouble(
        .workers,
        "worker \(try first.text("name")) on \(try first.text("host")) was taken for dead \(try first.int("times")) times"
          + " within the hour",
        cause: "its machine is overloaded or loses the network, or its --beat-seconds does not fit the coordinator's"
          + " --dead-seconds",
        remedy:
          "give --beat-seconds and --dead-seconds alike to every part, the second at least three times the first; look"
          + " at load and network of that machine")
    }
    return .fine(.workers, "every live worker beats")
  }

  private func numerics() async throws -> Finding {
    let stranded = try await store.doctorStranded()
    guard let first = stranded.first else { return .fine(.numerics, "no run is stranded") }
    let live = try first.texts("live_ids")
    return .trouble(
      .numerics,
      "stranded: \(Finding.names(try stranded.map { try $0.text("name") })); no live worker computes"
        + " \(try first.texts("numerics_ids").joined(separator: ", "))",
      cause: live.isEmpty
        ? "live workers have not shown yet what they compute"
        : "votes of different numerics never mix, and live workers compute \(live.joined(separator: ", "))",
      remedy: "start a worker of that kind, or give what is left to another: rrcm run repin"
        + " \(try first.text("name")) --numerics any --dry-run says what would be computed anew")
  }

  private func refusals() async throws -> Finding {
    let refused = try await store.doctorRefused()
    guard let first = refused.first else { return .fine(.refusals, "no worker passed a run over lately") }
    return .trouble(
      .refusals, "run \(try first.text("name")) was passed over: \(try first.text("detail"))",
      cause: refused.count > 1
        ? "a worker cannot compute it; so it is with \(refused.count - 1) more" : "that worker cannot compute it",
      remedy: "do what the sentence says on that worker's machine; a worker asks again every half minute")
  }

  private func held() async throws -> Finding {
    let held = try await store.doctorHeld()
    guard let first = held.first else { return .fine(.held, "no item is held") }
    let workers = try first.texts("workers")
    let name = try first.text("name")
    let reason = try first.textOrNil("reason") ?? ""
    let isPoison = reason.hasPrefix("the worker died") || reason.hasPrefix("computing it failed")
    return .trouble(
      .held,
      "\(counted(try first.int("items"), "item")) of run \(name) \(try first.int("items") == 1 ? "is" : "are")"
        + " held: \(reason)" + (held.count > 1 ? "; and \(held.count - 1) more runs" : ""),
      cause: isPoison
        ? "the image, the checkpoint or a machine ends the program each time it is computed"
        : workers.isEmpty
          ? "the stored votes are not those that were planned: rows were changed or removed by hand"
          : "a machine computed wrongly: that of \(workers.joined(separator: ", ")), or of who posted first",
      remedy: isPoison
        ? "rrcm item list \(name) --state held; rrcm item show RUN IMAGE --attempts names workers and times: look at their"
          + " logs; then rrcm run retry \(name) --failed"
        : "rrcm item list \(name) --state held; rrcm item show RUN IMAGE --chunks names the workers;"
          + " take the wrong machine out and submit the run again")
  }
}
