internal import ArgumentParser
internal import Database
internal import Foundation
internal import Lifecycle
internal import Logging
internal import Store
internal import Synchronization

/// Many workers at a set pace: the statements of the worker's loop in its order, each worker on a connection of its own,
/// computing replaced by sleeping. Answers throughput, latencies and errors.
struct Crowd: AsyncParsableCommand {
  @OptionGroup var place: Place
  @Option(name: .long, help: "Workers in this process.")
  var workers = 1000
  @Option(name: .long, help: "Units per lease.")
  var leaseUnits = 8
  @Option(name: .long, help: "Seconds of computing per unit.")
  var unitSeconds = 0.5
  @Option(name: .long, help: "Seconds that are measured, after every worker has registered.")
  var seconds = 30.0

  func run() async throws {
    let logger = place.logger()
    let plan = try await Store(place.connection("crowd", logger)).crowdPlan()
    let log = CrowdLog()
    let start = ContinuousClock.now
    let registered = try await withThrowingTaskGroup(of: Member?.self) { group in
      for index in 0..<workers {
        let store = Store(try place.connection("crowd-\(index)", logger))
        group.addTask { await log.trying { try await Member(index, store: store, plan: plan) } }
      }
      return try await group.reduce(into: [Member]()) { members, member in if let member { members.append(member) } }
    }
    let registerSeconds = secondsSince(start)
    let begin = ContinuousClock.now
    let end = begin + .seconds(seconds)
    await withTaskGroup(of: Void.self) { group in
      for member in registered {
        group.addTask {
          await member.work(leaseUnits: leaseUnits, unitSeconds: unitSeconds, from: begin, until: end, log: log)
        }
      }
    }
    var fields = log.summary
    fields["workers"] = registered.count
    fields["register_seconds"] = registerSeconds
    fields["seconds"] = secondsSince(begin)
    try answer(fields)
  }
}

/// The run that a crowd works on.
struct CrowdPlan: Sendable {
  let run: Int64
  let numericsID: String
  let units: UnitPlan
}

extension Store {
  fileprivate func crowdPlan() async throws -> CrowdPlan {
    guard let run = try await readyRuns().first, let rules = try await certification(ofRun: run.id) else {
      throw ValidationError("no run with work to claim; prepare one first")
    }
    return CrowdPlan(
      run: run.id, numericsID: "idle-none/hash-1/any/b1/any",
      units: UnitPlan(n0: rules.n0, n: rules.n, chunkSamples: rules.chunkSamples))
  }
}

/// One simulated worker.
private struct Member: Sendable {
  let store: Store
  let plan: CrowdPlan
  let identity: WorkerIdentity

  init(_ index: Int, store: Store, plan: CrowdPlan) async throws {
    self.store = store
    self.plan = plan
    identity = try await store.register(
      name: "crowd-\(index)", host: "benchmark", pid: getpid(), device: "sleeping", software: "queue-arm")
    _ = try await store.pinRun(plan.run, numericsID: plan.numericsID, worker: identity)
  }

  func work(
    leaseUnits: Int, unitSeconds: Double, from begin: ContinuousClock.Instant, until end: ContinuousClock.Instant,
    log: CrowdLog
  ) async {
    let leaseSeconds = unitSeconds * Double(leaseUnits)
    let speed = Double(plan.units.chunkSamples) / unitSeconds
    // Spread over one lease's time, as a fleet that has run for a while is.
    try? await Task.sleep(for: .seconds(Double.random(in: 0...leaseSeconds)))
    var floor: Int64 = 0
    var beatAt = ContinuousClock.now + .seconds(Double.random(in: 0...10))
    while ContinuousClock.now < end {
      if ContinuousClock.now >= beatAt {
        _ = await log.timing(.beat) { try await store.beat(identity, samplesPerSecond: speed) }
        beatAt += .seconds(10)
      }
      let claimed = await log.timing(.claim) {
        try await store.claim(
          run: plan.run, worker: identity, numericsID: plan.numericsID, units: leaseUnits, deadlineSeconds: 60,
          floor: floor, samplesPerSecond: speed)
      }
      guard let lease = claimed ?? nil else {
        floor = 0
        log.noteEmpty()
        try? await Task.sleep(for: .seconds(Double.random(in: 0.5...1)))
        continue
      }
      floor = lease.itemID
      try? await Task.sleep(for: .seconds(unitSeconds * Double(lease.units.count)))
      let posts = lease.units.map { unit in
        let chunk = plan.units.chunk(ofUnit: unit)
        return ChunkPost(
          itemID: lease.itemID, chunk: chunk,
          votes: SparseVotes(
            dense: idleVotes(
              image: lease.imageIndex, chunk: Int(chunk.samples.lowerBound), samples: chunk.samples.count, classes: 10)),
          computeMilliseconds: unitSeconds * 1000)
      }
      if let outcome = await log.timing(
        .post, { try await store.post(posts, lease: lease, worker: identity, finishes: true, deadlineSeconds: 60) })
      {
        log.note(outcome)
      }
    }
  }
}

/// What a crowd saw.
private final class CrowdLog: Sendable {
  enum Call: String { case claim, post, beat }

  struct State {
    var milliseconds: [Call: [Double]] = [:]
    var chunks = 0
    var late = 0
    var duplicates = 0
    var empty = 0
    var errors: [String] = []
  }

  private let state = Mutex(State())

  func trying<T: Sendable>(_ body: () async throws -> T) async -> T? {
    do { return try await body() } catch {
      state.withLock { $0.errors.append("\(error)") }
      return nil
    }
  }

  /// Runs one call and notes how long it took, in milliseconds.
  func timing<T: Sendable>(
    _ call: Call, _ body: () async throws -> T
  ) async -> T? {
    let start = ContinuousClock.now
    let value = await trying(body)
    let milliseconds = secondsSince(start) * 1000
    if value != nil { state.withLock { $0.milliseconds[call, default: []].append(milliseconds) } }
    return value
  }

  func note(_ outcome: PostOutcome) {
    state.withLock {
      $0.chunks += outcome.stored
      $0.duplicates += outcome.duplicates + outcome.disagreements
      if !outcome.leaseHeld { $0.late += 1 }
    }
  }

  func noteEmpty() { state.withLock { $0.empty += 1 } }

  var summary: [String: Any] {
    let state = state.withLock { $0 }
    var fields: [String: Any] = [
      "chunks": state.chunks, "leases": (state.milliseconds[.claim]?.count ?? 0) - state.empty,
      "empty_claims": state.empty, "late_posts": state.late, "duplicates": state.duplicates,
      "errors": state.errors.count, "first_errors": Array(Set(state.errors).sorted().prefix(5)),
    ]
    for (call, values) in state.milliseconds { fields["\(call)_ms"] = Self.quantiles(values) }
    return fields
  }

  private static func quantiles(_ values: [Double]) -> [String: Double] {
    guard !values.isEmpty else { return [:] }
    let sorted = values.sorted()
    func at(_ q: Double) -> Double { sorted[min(sorted.count - 1, Int(q * Double(sorted.count)))] }
    return ["p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": sorted[sorted.count - 1]]
  }
}
