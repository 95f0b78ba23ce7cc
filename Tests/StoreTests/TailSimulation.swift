import Database
import Lifecycle
import Store
import TestSupport
import Testing

/// A fleet of workers of very different speed on a real PostgreSQL, with simulated compute and a virtual clock.
///
/// Every claim, post and hand-back is the statement that workers send. Only computing is replaced by a time, and events
/// happen one after another in the order of the virtual clock, so what is measured is the queue's decisions, whatever the
/// machine is doing besides. Each statement costs 10 ms of virtual time.
struct TailSimulation {
  var workers = 16
  /// Images × sigmas.
  var items = 120
  var unitsPerItem = 11
  var chunkSamples = 1000
  /// Samples/s of the slowest worker; the fastest has `spread` times as many, the others stand evenly between (in logarithms).
  var slowest = 250.0
  var spread = 20.0
  var seed: UInt64 = 1
  /// Workers that stop for good in the middle of the run, without a word, the fastest first.
  var dying = 0

  struct Result: CustomStringConvertible {
    var workers = 0
    /// Total work ÷ total speed, and what it took, in seconds of the virtual clock.
    var ideal = 0.0
    var wall = 0.0
    var units = 0
    var claims = 0
    var splits = 0
    var duplicates = 0
    /// Chunks that somebody else had stored.
    var wasted = 0
    var ratio: Double { wall / ideal }

    var description: String {
      func short(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
      return "workers \(workers) units \(units) ideal_seconds \(short(ideal)) wall_seconds \(short(wall))"
        + " ratio \(short(ratio)) leases \(claims) splits \(splits) duplicates \(duplicates) wasted_units \(wasted)"
    }
  }

  private struct Worker {
    let identity: WorkerIdentity
    let speed: Double
    var known: Double?
    var lease: Lease?
    var unit = 0
    var upperBound = 0
    var postedAt = 0.0
    var finished: [Int] = []
    var diesAt = Double.infinity
  }

  private struct Event: Comparable {
    let at: Double
    let worker: Int
    let order: Int
    static func < (a: Event, b: Event) -> Bool { (a.at, a.order) < (b.at, b.order) }
  }

  private static let roundTrip = 0.01
  private static let postEvery = FleetTimings().postEvery.inSeconds

  func run() async throws -> Result {
    try await Fixture.with(images: 1) { fixture in
      let store = fixture.store
      #expect(try await store.cancelRun(fixture.run))
      var random = Seeded(seed)
      let plan = UnitPlan(n0: 100, n: (unitsPerItem - 1) * chunkSamples, chunkSamples: chunkSamples)
      let run = try await Self.insertRun(store, items: items, plan: plan)
      let start = try await store.connection.query("SELECT extract(epoch FROM now())::double precision AS t")[0]
        .double("t")

      var fleet: [Worker] = []
      for number in 0..<workers {
        let identity = try await store.register(name: "w\(number)", host: "h", pid: 1, device: "test", software: "test")
        _ = try await store.pinRun(run, numericsID: Fixture.numerics, worker: identity)
        let place = workers == 1 ? 0 : Double((number * 7919) % workers) / Double(workers - 1)
        fleet.append(Worker(identity: identity, speed: slowest * Self.power(spread, place)))
      }
      var result = Result(workers: workers, units: items * unitsPerItem)
      let total = items * (plan.n0 + plan.n)
      let fastestFirst = fleet.indices.sorted { fleet[$0].speed > fleet[$1].speed }
      let middle = Double(total) / fleet.reduce(0) { $0 + $1.speed } / 2
      for index in fastestFirst.prefix(dying) { fleet[index].diesAt = middle }
      // The dead do half of a run's work until they die.
      let late = fleet.reduce(0) { $0 + ($1.diesAt < .infinity ? 0 : $1.speed) }
      result.ideal =
        dying == 0
        ? 2 * middle : middle + (Double(total) - middle * fleet.reduce(0) { $0 + $1.speed }) / late

      var events = Heap<Event>()
      var count = 0
      func schedule(_ worker: Int, at time: Double) {
        count += 1
        events.insert(Event(at: time, worker: worker, order: count))
      }
      for number in fleet.indices { schedule(number, at: Double.random(in: 0..<0.5, using: &random)) }
      var stored = 0
      while stored < result.units, let event = events.popMin() {
        let (now, number) = (event.at, event.worker)
        var worker = fleet[number]
        if now >= worker.diesAt { continue }
        if let lease = worker.lease {
          // A chunk is done.
          worker.finished.append(worker.unit)
          worker.unit += 1
          if worker.known == nil {
            worker.known = worker.speed
            _ = try await store.beat(worker.identity, samplesPerSecond: worker.speed)
          }
          if worker.unit >= worker.upperBound || now - worker.postedAt >= Self.postEvery {
            let outcome = try await post(&worker, lease, plan, store, now: start + now)
            stored += outcome.stored
            result.wasted += outcome.duplicates
            if outcome.stored > 0 { result.wall = now }
            worker.postedAt = now
            #expect(outcome.disagreements == 0)
          }
        }
        if worker.lease == nil {
          let units = worker.known.map {
            LeaseSizer.units(target: .seconds(5), chunkSamples: chunkSamples, samplesPerSecond: $0)
          }
          var lease = try await store.claim(
            run: run, worker: worker.identity, numericsID: Fixture.numerics, units: units ?? 1, deadlineSeconds: 1e6,
            floor: 0, samplesPerSecond: worker.known)
          if lease == nil {
            lease = try await store.claimTail(
              run: run, worker: worker.identity, numericsID: Fixture.numerics, units: units ?? 1, deadlineSeconds: 1e6,
              samplesPerSecond: worker.known, chunkSamples: chunkSamples, at: start + now)
            if let lease { if lease.isDuplicate { result.duplicates += 1 } else { result.splits += 1 } }
          }
          guard let lease else {
            fleet[number] = worker
            schedule(number, at: now + Double.random(in: 1..<2, using: &random))
            continue
          }
          result.claims += 1
          try await renew(lease, store, now: start + now)
          worker.lease = lease
          worker.unit = lease.units.lowerBound
          worker.upperBound = lease.units.upperBound
          worker.postedAt = now
        }
        let samples = plan.chunk(ofUnit: worker.unit).samples.count
        schedule(
          number,
          at: now + Self.roundTrip + Double(samples) / worker.speed * Double.random(in: 0.9..<1.1, using: &random))
        fleet[number] = worker
      }
      #expect(stored == result.units)
      #expect(try await fixture.number("SELECT sum(samples) FROM rrcm.chunk_count") == Int64(total))
      return result
    }
  }

  /// Posts what a worker has finished, and takes the answer to heart as a worker does.
  private func post(
    _ worker: inout Worker, _ lease: Lease, _ plan: UnitPlan, _ store: Store, now: Double
  ) async throws -> PostOutcome {
    let posts = worker.finished.map { unit in
      let chunk = plan.chunk(ofUnit: unit)
      return ChunkPost(
        itemID: lease.itemID, chunk: chunk, votes: SparseVotes(classes: [1], votes: [Int32(chunk.samples.count)]),
        computeMilliseconds: 1)
    }
    worker.finished = []
    let finishes = worker.unit >= worker.upperBound
    let outcome = try await store.post(
      posts, lease: lease, worker: worker.identity, finishes: finishes, deadlineSeconds: 1e6, next: worker.unit)
    guard let reply = outcome.lease else {
      worker.lease = nil
      return outcome
    }
    worker.upperBound = min(worker.upperBound, reply.upperBound)
    if finishes {
      worker.lease = nil
    } else if reply.isOver {
      try await store.returnLeases([lease.id])
      worker.lease = nil
    } else if worker.unit >= worker.upperBound {
      _ = try await store.post(
        [], lease: lease, worker: worker.identity, finishes: true, deadlineSeconds: 1e6, next: worker.unit)
      worker.lease = nil
    } else {
      try await renew(lease, store, now: now)
    }
    return outcome
  }

  /// The database wrote its own time; the virtual clock's is what counts here.
  private func renew(_ lease: Lease, _ store: Store, now: Double) async throws {
    try await store.connection.execute(
      "UPDATE rrcm.lease SET renewed_at = to_timestamp($2) WHERE lease_id = $1", [.int(lease.id), .double(now)])
  }

  private static func insertRun(_ store: Store, items: Int, plan: UnitPlan) async throws -> Int64 {
    let run = try await Fixture.insertRun(store, name: "tail", images: 1)
    try await store.connection.execute("DELETE FROM rrcm.item WHERE run_id = $1", [.int(run)])
    try await store.connection.execute(
      """
      INSERT INTO rrcm.item (run_id, image_index, sigma, label, unit_count)
      SELECT $1, image, 0.25, 0, $2 FROM generate_series(1, $3::int) AS image
      """, [.int(run), .int(plan.unitCount), .int(items)])
    return run
  }

  private static func power(_ base: Double, _ exponent: Double) -> Double {
    // By repeated square roots: no import for one power.
    var (result, factor, bit) = (1.0, base.squareRoot(), 0.5)
    var rest = exponent
    for _ in 0..<40 {
      if rest >= bit {
        result *= factor
        rest -= bit
      }
      factor = factor.squareRoot()
      bit /= 2
    }
    return exponent >= 1 ? base : result
  }
}

/// A binary heap: the smallest element first.
private struct Heap<Element: Comparable> {
  private var elements: [Element] = []

  mutating func insert(_ element: Element) {
    elements.append(element)
    var child = elements.count - 1
    while child > 0, elements[child] < elements[(child - 1) / 2] {
      elements.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func popMin() -> Element? {
    guard let first = elements.first else { return nil }
    let last = elements.removeLast()
    guard !elements.isEmpty else { return first }
    elements[0] = last
    var parent = 0
    while true {
      let children = [2 * parent + 1, 2 * parent + 2].filter { $0 < elements.count }
      guard let least = children.min(by: { elements[$0] < elements[$1] }), elements[least] < elements[parent] else {
        return first
      }
      elements.swapAt(parent, least)
      parent = least
    }
  }
}
