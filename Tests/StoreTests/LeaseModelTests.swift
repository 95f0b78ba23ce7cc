import Database
import Lifecycle
import Store
import TestSupport
import Testing

@Suite("The lease protocol, explored") struct LeaseModelTests {
  /// A sequence of steps that ends in something forbidden.
  struct Counterexample: CustomStringConvertible {
    let steps: [LeaseModel.Step]
    let violation: String
    var description: String {
      (steps.enumerated().map { "\($0 + 1). \($1)" } + ["→ \(violation)"]).joined(separator: "\n")
    }
  }

  struct Exploration {
    var states = 0
    var found: Counterexample?
  }

  /// Every order of events up to a depth, states that differ in numbers alone taken as one.
  static func explore(_ start: LeaseModel, depth: Int, registrations: Int = 2, claimSizes: [Int] = [1, 2])
    -> Exploration
  {
    var seen: Set<LeaseModel> = [start.canonical]
    // Where each state came from, to tell the way to it.
    var frontier: [(model: LeaseModel, path: [LeaseModel.Step])] = [(start, [])]
    for _ in 0..<depth {
      var next: [(LeaseModel, [LeaseModel.Step])] = []
      for (model, path) in frontier {
        for step in model.steps(registrations: registrations, claimSizes: claimSizes) {
          let after = model.after(step)
          if let violation = after.violation ?? unfinished(after) {
            return Exploration(states: seen.count, found: Counterexample(steps: path + [step], violation: violation))
          }
          if seen.insert(after.canonical).inserted { next.append((after, path + [step])) }
        }
      }
      frontier = next
    }
    return Exploration(states: seen.count)
  }

  static func unfinished(_ model: LeaseModel) -> String? {
    let left = model.leftovers
    return left.isEmpty ? nil : "items \(left) can never be completed"
  }

  /// A random step; those that are rare in life, and would end most traces early, seldom.
  static func choose(
    _ model: LeaseModel, registrations: Int, using random: inout Seeded
  ) -> LeaseModel.Step? {
    model.steps(registrations: registrations).filter {
      switch $0 {
      case .cancel, .stop: Int.random(in: 0..<40, using: &random) == 0
      case .pause, .declareGone, .register: Int.random(in: 0..<5, using: &random) == 0
      default: true
      }
    }.randomElement(using: &random)
  }

  /// A long trace of random steps; what it found, if anything.
  static func wander(
    _ start: LeaseModel, steps count: Int, registrations: Int, using random: inout Seeded
  ) -> Counterexample? {
    var model = start
    var taken: [LeaseModel.Step] = []
    for _ in 0..<count {
      guard let step = choose(model, registrations: registrations, using: &random) else { continue }
      taken.append(step)
      model = model.after(step)
      if let violation = model.violation ?? unfinished(model) {
        return Counterexample(steps: taken, violation: violation)
      }
    }
    return nil
  }

  @Test(
    "in no order of events is a unit lost or handed out twice, is another's lease ended, or is completion out of reach",
    arguments: [(2, 1, 3, 5), (3, 1, 2, 4), (2, 2, 2, 4)])
  func everyOrder(workers: Int, items: Int, units: Int, depth: Int) {
    let exploration = Self.explore(LeaseModel(workers: workers, items: items, units: units), depth: depth)
    print(
      "explored: \(workers) workers, \(items) items of \(units) units, depth \(depth): \(exploration.states) states")
    #expect(exploration.found == nil, "\(exploration.found?.description ?? "")")
    #expect(exploration.states > 500)
  }

  @Test("nor in long random traces")
  func longTraces() {
    var random = Seeded(11)
    for seed in 0..<150 {
      let start = LeaseModel(workers: 3, items: 2, units: 4)
      let found = Self.wander(start, steps: 80, registrations: 4, using: &random)
      #expect(found == nil, "trace \(seed):\n\(found?.description ?? "")")
    }
  }

  @Test(
    "a planted bug is found: no epoch check, and a lease that is ended by its range",
    arguments: [LeaseModel.Fault.noEpochCheck, .finishesByRange])
  func plantedBugs(fault: LeaseModel.Fault) throws {
    let exploration = Self.explore(LeaseModel(workers: 2, items: 1, units: 2, fault: fault), depth: 5)
    let found = try #require(exploration.found)
    print("\(fault), found after \(exploration.states) states:\n\(found)")
    #expect(found.violation.contains("ended lease"))
    #expect(Self.explore(LeaseModel(workers: 2, items: 1, units: 2), depth: found.steps.count).found == nil)
  }

  @Test("the statements do on a real PostgreSQL what the model says, step by step", arguments: 0..<12)
  func replay(seed: Int) async throws {
    let start = LeaseModel(workers: 3, items: 2, units: 4)
    try await Fixture.with(images: 2) { fixture in
      var random = Seeded(UInt64(seed) + 100)
      var replay = try await LeaseReplay(fixture, start)
      var steps: [LeaseModel.Step] = []
      for _ in 0..<60 {
        guard let step = Self.choose(replay.model, registrations: 3, using: &random) else { continue }
        steps.append(step)
        try await replay.take(step)
        guard let difference = try await replay.difference() else { continue }
        let trace = steps.map { "\($0)" }.joined(separator: "\n")
        Issue.record("seed \(seed): \(difference)\nafter\n\(trace)")
        return
      }
    }
  }
}

/// A trace of the model on a real database, with the statements that workers, coordinator and aggregator send.
private struct LeaseReplay {
  let fixture: Fixture
  var model: LeaseModel
  private var items: [Int64]
  /// Every registration of each worker, the first one first.
  private var identities: [[WorkerIdentity]] = []
  private var leases: [Int: Lease] = [:]

  init(_ fixture: Fixture, _ model: LeaseModel) async throws {
    self.fixture = fixture
    self.model = model
    items = try await fixture.store.connection.query("SELECT item_id FROM rrcm.item ORDER BY item_id").map {
      try $0.int("item_id")
    }
    for number in model.workers.indices { identities.append([try await fixture.worker("w\(number)")]) }
    try await fixture.store.connection.execute("UPDATE rrcm.worker SET samples_per_second = 4")
  }

  mutating func take(_ step: LeaseModel.Step) async throws {
    let store = fixture.store
    let (before, connection) = (model, store.connection)
    model = model.after(step)
    switch step {
    case .claim(let worker, let units), .claimUnheard(let worker, let units):
      keep(try await fixture.claim(identities[worker].last!, units: units), before)
    case .post(let index): try await post(before.beliefs[index], heard: true)
    case .postUnheard(let index): try await post(before.beliefs[index], heard: false)
    case .handBack(let index): try await store.returnLeases([leases[before.beliefs[index].lease]!.id])
    case .trim(let index):
      let belief = before.beliefs[index]
      _ = try await store.trim(leases[belief.lease]!, worker: identity(belief), before: belief.unit + 1)
    case .recover(let worker, let epoch):
      let known = before.beliefs.filter { $0.worker == worker && $0.epoch == epoch }.map { leases[$0.lease]!.id }
      let held = try await store.leases(heldBy: identities[worker][epoch - 1])
      try await store.returnLeases(held.filter { !known.contains($0) })
    case .register(let worker): identities[worker].append(try await fixture.worker("w\(worker)"))
    case .declareGone(let worker):
      try await connection.execute(
        "UPDATE rrcm.worker SET state = 'gone' WHERE worker_id = $1", [.int(identities[worker][0].id)])
    case .rescue: _ = try await store.rescue(deadAfterSeconds: 3600)
    case .expire(let lease): try await store.returnLeases([leases[lease]!.id])
    case .split(let worker, let lease, let units):
      keep(try await tail(worker, lease, limit: units), before)
    case .duplicate(let worker, let lease): keep(try await tail(worker, lease, limit: 4), before)
    case .pause:
      try await connection.execute("UPDATE rrcm.run SET paused_at = now() WHERE run_id = $1", [.int(fixture.run)])
    case .resume:
      try await connection.execute("UPDATE rrcm.run SET paused_at = NULL WHERE run_id = $1", [.int(fixture.run)])
    case .cancel: _ = try await store.cancelRun(fixture.run)
    case .stop(let item):
      try await connection.execute(
        "UPDATE rrcm.item SET state = 'held', error = 'a test' WHERE item_id = $1", [.int(items[item])])
    case .heal(let item): _ = try await store.healItems([items[item]])
    case .certify(let item):
      let complete = try await store.completeItems(limit: 10).filter { $0.id == items[item] && $0.isComplete }
      _ = try await store.insertCertificates(
        complete.map { CertificateRow(item: $0, topClass: 1, hits: 10, pLower: 0.6, radius: nil, computeSeconds: 1) })
    }
  }

  private func identity(_ belief: LeaseModel.Belief) -> WorkerIdentity { identities[belief.worker][belief.epoch - 1] }

  private mutating func keep(_ lease: Lease?, _ before: LeaseModel) {
    if model.nextLease > before.nextLease { leases[before.nextLease] = lease }
  }

  private func post(_ belief: LeaseModel.Belief, heard: Bool) async throws {
    let (lease, worker) = (leases[belief.lease]!, identity(belief))
    let next = belief.unit + 1
    let reply = try await fixture.store.post(
      [fixture.votes(lease, unit: belief.unit)], lease: lease, worker: worker, finishes: next >= belief.upperBound,
      deadlineSeconds: 60, next: next
    ).lease
    guard heard, let reply, next < belief.upperBound else { return }
    if reply.isOver {
      try await fixture.store.returnLeases([lease.id])
    } else if next >= reply.upperBound {
      _ = try await fixture.store.post(
        [], lease: lease, worker: worker, finishes: true, deadlineSeconds: 60, next: next)
    }
  }

  /// Lets a worker take over from one lease: the others seem to be as good as done.
  private func tail(_ worker: Int, _ lease: Int, limit: Int) async throws -> Lease? {
    try await fixture.store.connection.execute(
      """
      UPDATE rrcm.lease
         SET renewed_at = to_timestamp(1000 - CASE WHEN lease_id = $1 THEN 0 ELSE hi - lo - 0.01 END)
      """, [.int(leases[lease]!.id)])
    return try await fixture.store.claimTail(
      run: fixture.run, worker: identities[worker].last!, numericsID: Fixture.numerics, units: limit,
      deadlineSeconds: 60, samplesPerSecond: 1000, chunkSamples: 4, at: 1000)
  }

  /// How the database differs from the model; nil when it does not.
  mutating func difference() async throws -> String? {
    let connection = fixture.store.connection
    try await connection.execute("UPDATE rrcm.worker SET samples_per_second = 4")
    func rows(_ sql: String) async throws -> [[Int]] {
      try await connection.query(sql).map { row in try (0..<6).map { Int(try row.int("c\($0)")) } }
    }
    let gaps = try await rows(
      "SELECT item_id AS c0, lo::bigint AS c1, hi::bigint AS c2, 0::bigint AS c3, 0::bigint AS c4, 0::bigint AS c5"
        + " FROM rrcm.gap ORDER BY gap_id")
    let places = Dictionary(uniqueKeysWithValues: items.enumerated().map { (Int($1), $0) })
    let stored = gaps.map { LeaseModel.Gap(item: places[$0[0]]!, lo: $0[1], hi: $0[2]) }
    func sorted(_ gaps: [LeaseModel.Gap]) -> [[Int]] {
      gaps.map { [$0.item, $0.lo, $0.hi] }.sorted { $0.lexicographicallyPrecedes($1) }
    }
    guard sorted(stored) == sorted(model.gaps) else { return "gaps \(stored), expected \(model.gaps)" }
    // Of ranges that come back in one statement it does not matter which is first.
    model.gaps = stored

    let held = try await rows(
      "SELECT item_id AS c0, lo::bigint AS c1, hi::bigint AS c2, worker_id AS c3, epoch::bigint AS c4,"
        + " duplicate::int::bigint AS c5 FROM rrcm.lease ORDER BY lease_id")
    let expected = model.leases.sorted { $0.id < $1.id }.map {
      [Int(items[$0.item]), $0.lo, $0.hi, Int(identities[$0.worker][0].id), $0.epoch, $0.duplicate ? 1 : 0]
    }
    guard held == expected else { return "leases \(held), expected \(expected)" }

    let states = try await connection.query(
      "SELECT state::text, next_unit::bigint AS n FROM rrcm.item ORDER BY item_id")
    for (number, row) in states.enumerated() {
      let item = model.items[number]
      let known: [String: LeaseModel.ItemState] = ["open": .open, "claimed": .claimed, "certified": .certified]
      let state = known[try row.text("state")] ?? .ended
      guard state == item.state, try row.int("n") == Int64(item.next) else {
        return "item \(number) is \(state), next \(try row.int("n")), expected \(item)"
      }
      let voted = try await fixture.number(
        "SELECT count(*) FROM rrcm.chunk_count WHERE item_id = \(items[number])")
      guard voted == Int64(item.voted.count) else {
        return "item \(number) has \(voted) chunks, expected \(item.voted)"
      }
    }
    return nil
  }
}
