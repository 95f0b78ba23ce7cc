import Aggregator
import Database
import Lifecycle
import Logging
import Smoothing
import Store
import Telemetry
import TestSupport
import Testing

/// A run of any mode over votes that a test makes up: a pure function of image and chunk, as real ones are.
private struct VotedRun {
  let store: Store
  let run: Int64
  let rules: CertificationProtocol
  var units: UnitPlan { UnitPlan(n0: rules.n0, n: rules.n, chunkSamples: rules.chunkSamples) }
  static let numerics = Fixture.numerics
  static let images = 6

  /// Share of hits of each image: from never to always.
  static let shares = [1.0, 0.97, 0.8, 0.55, 0.3, 0.66]

  init(_ database: TestDatabase, _ mode: CertificateMode, name: String) async throws {
    store = Store(database.connection())
    let n = 1000
    let hasTargets = mode.hasTargets
    rules = CertificationProtocol(
      mode: mode.rawValue, n0: 20, n: n, alpha: 0.001, sampler: "grid", chunkSamples: 50,
      levels: [.init(sigma: "0.5", gridM: 1, slack: 1e-12, tableDigest: String(repeating: "e", count: 64))],
      targets: hasTargets ? ["0", "0.25", "0.5"] : [], epsilon: mode == .epsilon ? 0.2 : nil,
      looks: mode.stopsEarly ? LookPlan.looks(chunks: n / 50) : [])
    run = try await store.insertRun(
      NewRun(
        kind: "certify", name: name, spec: "{}", seed: 7, priority: 0, datasetDigest: Fixture.datasetDigest,
        checkpointDigest: Fixture.checkpointDigest, dependsOn: nil,
        imageIndices: (0..<Int32(Self.images)).map { $0 }, numericsIDs: [Self.numerics], software: "test",
        certification: rules))
    let (units, looks) = (UnitPlan(n0: 20, n: n, chunkSamples: 50).unitCount, rules.looks)
    _ = try await store.planSubmittedRuns { _ in
      .items(units: units, claimable: looks.isEmpty ? nil : LookPlan.claimableUnits(looks: looks, decided: 0))
    }
  }

  static func prepare(_ database: TestDatabase) async throws {
    let store = Store(database.connection())
    try await store.insertDataset(
      digest: Fixture.datasetDigest, name: "tiny", channels: 1, height: 2, width: 2, classes: ["a", "b", "c"],
      source: "a test",
      images: (0..<images).map {
        DatasetImageRow(
          split: "heldout", label: $0 % 3, source: "line \($0)", digest: String(repeating: "1", count: 64))
      })
    try await store.insertCheckpoint(
      digest: Fixture.checkpointDigest, name: "net", kind: "classifier", configuration: "{}", runID: nil,
      source: "a test")
  }

  func post(_ lease: Lease, unit: Int) -> ChunkPost {
    let chunk = units.chunk(ofUnit: unit)
    var hits = 0
    for sample in chunk.samples {
      var mixed = UInt64(lease.imageIndex) &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(sample) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ (mixed >> 29)) &* 0x94D0_49BB_1331_11EB &+ UInt64(chunk.phase)
      mixed = (mixed ^ (mixed >> 32)) &* 0xD6E8_FEB8_6659_FD93
      if Double(mixed >> 11) * 0x1p-53 < Self.shares[lease.imageIndex] { hits += 1 }
    }
    let misses = chunk.samples.count - hits
    let dense: [Int32] = [Int32(misses / 2), Int32(hits), Int32(misses - misses / 2)]
    return ChunkPost(itemID: lease.itemID, chunk: chunk, votes: SparseVotes(dense: dense), computeMilliseconds: 1)
  }

  func certificates() async throws -> [String] {
    try await store.results(ofRun: run).map { row in
      guard let c = row.certificate else { return "\(row.imageIndex) \(row.state)" }
      return "\(row.imageIndex) \(c.mode) \(c.topClass) \(c.hits)/\(c.n) \(c.pLower) \(c.radius ?? -1) "
        + "\(c.predicted ?? -1) \(c.stoppedAtUnit ?? -1) \(c.targetsReached ?? []) \(c.runnerUpVotes ?? -1) "
        + "\(c.pUpper ?? -1) \(c.pValue ?? -1)"
    }
  }
}

@Suite("Early stopping") struct EarlyStoppingTests {
  @Test("what may be claimed counts as ready: units up to the next look, and none of an item that is held")
  func ready() async throws {
    try await withTestDatabase { database async throws in
      try await VotedRun.prepare(database)
      let run = try await VotedRun(database, .sequential, name: "early")
      let store = run.store
      func ready() async throws -> Int64 { try await store.queueDepth()[0].int("ready") }
      func isReady() async throws -> Bool { try await store.readyRuns().first?.isReady ?? false }
      let claimable = Int64(LookPlan.claimableUnits(looks: run.rules.looks, decided: 0))
      #expect(claimable < Int64(run.units.unitCount))
      #expect(try await ready() == claimable * Int64(VotedRun.images))

      let worker = try await store.register(name: "w", host: "h", pid: 1, device: "test", software: "test")
      var leases: [Lease] = []
      while let lease = try await store.claim(
        run: run.run, worker: worker, numericsID: VotedRun.numerics, units: 100, deadlineSeconds: 60, floor: 0)
      { leases.append(lease) }
      #expect(leases.count == VotedRun.images)
      #expect(try await ready() == 0)

      // A range that comes back waits for a worker; once its item is held it waits for the item.
      try await store.returnLeases([leases[0].id])
      #expect(try await ready() == claimable)
      #expect(try await isReady())
      #expect(try await store.raiseTargets() == 0, "there is something to claim")
      try await store.holdItem(leases[0].itemID, reason: "a test")
      #expect(try await ready() == 0)
      #expect(try await !isReady())
      // What is held meanwhile and given back makes no gap; what nobody holds is found by heal_items.
      try await store.holdItem(leases[1].itemID, reason: "a test")
      #expect(try await store.returnLeases([leases[1].id]) == 0)
      #expect(try await store.raiseTargets() == VotedRun.images - 2, "the others run ahead")
      #expect(try await isReady())
    }
  }

  private static func aggregator(_ database: TestDatabase) -> AggregatorService {
    AggregatorService(
      store: Store(database.connection()), timings: FleetTimings(),
      presence: Presence(kind: "aggregator", host: "h", pid: 1, software: "test"), logger: Logger(label: "test"),
      metrics: Metrics())
  }

  /// Works a run to its end: in order and undisturbed, or with leases of odd sizes posted in a shuffled order, twice, late,
  /// and by workers that die, before two aggregators of which one forgets everything now and then.
  private static func work(
    _ run: VotedRun, in database: TestDatabase, disturbed: Bool, seed: UInt64 = 1
  ) async throws {
    var generator = Xorshift(state: seed)
    let store = run.store
    var worker = try await store.register(name: "w\(run.run)", host: "h", pid: 1, device: "test", software: "test")
    var first = aggregator(database)
    let second = aggregator(database)
    var held: [(lease: Lease, posts: [ChunkPost])] = []
    for step in 0..<5000 {
      if try await !store.finishRuns().isEmpty { return }
      let units = disturbed ? Int.random(in: 1...7, using: &generator) : 4
      if let lease = try await store.claim(
        run: run.run, worker: worker, numericsID: VotedRun.numerics, units: units, deadlineSeconds: 60, floor: 0)
      {
        held.append((lease, lease.units.map { run.post(lease, unit: $0) }))
      }
      if !disturbed {
        for (lease, posts) in held {
          _ = try await store.post(posts, lease: lease, worker: worker, finishes: true, deadlineSeconds: 60)
        }
        held = []
        _ = try await first.pass(limit: 100)
        continue
      }
      if held.count > 3 || step % 5 == 4 {
        held.shuffle(using: &generator)
        if let (lease, posts) = held.popLast() {
          let shuffled = posts.shuffled(using: &generator)
          let some = Array(shuffled.prefix(Int.random(in: 0...posts.count, using: &generator)))
          switch Int.random(in: 0..<6, using: &generator) {
          case 0:
            // Killed in the middle: some votes are in, the rest goes back to the queue.
            _ = try await store.post(some, lease: lease, worker: worker, finishes: false, deadlineSeconds: 60)
            try await store.leave(worker)
            _ = try await store.rescue(deadAfterSeconds: 35)
            held = []
            worker = try await store.register(
              name: "w\(run.run)", host: "h", pid: 1, device: "test", software: "test")
          case 1:
            // Posted twice.
            _ = try await store.post(some, lease: lease, worker: worker, finishes: false, deadlineSeconds: 60)
            _ = try await store.post(shuffled, lease: lease, worker: worker, finishes: true, deadlineSeconds: 60)
          default:
            _ = try await store.post(shuffled, lease: lease, worker: worker, finishes: true, deadlineSeconds: 60)
          }
        }
      }
      if Int.random(in: 0..<3, using: &generator) == 0 { _ = try await first.pass(limit: 2) }
      if Int.random(in: 0..<3, using: &generator) == 0 { _ = try await second.pass(limit: 100) }
      if Int.random(in: 0..<8, using: &generator) == 0 { first = aggregator(database) }
    }
    Issue.record("the run did not end")
  }

  @Test(
    "arrival order, duplicates, delays, kills and two aggregators leave certificates byte-identical in every mode",
    arguments: CertificateMode.allCases)
  func arrivalDoesNotMatter(mode: CertificateMode) async throws {
    try await withTestDatabase { database async throws in
      try await VotedRun.prepare(database)
      let calm = try await VotedRun(database, mode, name: "calm")
      try await Self.work(calm, in: database, disturbed: false)
      let expected = try await calm.certificates()
      #expect(expected.count == VotedRun.images && expected.allSatisfy { $0.contains(mode.rawValue) })
      let stormy = try await VotedRun(database, mode, name: "stormy")
      try await Self.work(stormy, in: database, disturbed: true, seed: 0x9E37_79B9_7F4A_7C15)
      #expect(try await stormy.certificates() == expected)
      let query = "SELECT count(*) AS n FROM rrcm.disagreement"
      #expect(try await calm.store.connection.query(query)[0].int("n") == 0)
      // Nothing of an ended item is left in the queue.
      let leftovers = "SELECT (SELECT count(*) FROM rrcm.gap) + (SELECT count(*) FROM rrcm.lease) AS n"
      #expect(try await calm.store.connection.query(leftovers)[0].int("n") == 0)

      let samples = try await calm.store.samplesUsed(ofRun: calm.run)
      let all = Int64(VotedRun.images * 1020)
      #expect(samples.planned == all)
      if mode.stopsEarly {
        #expect(samples.used < all * 19 / 20, "it stopped early")
        // At most a quarter or four chunks ahead of each look, and what the tail lets run ahead.
        #expect(samples.beyond <= samples.used / 2 + Int64(VotedRun.images * 4 * 50))
      } else {
        #expect(samples.used == all && samples.beyond == 0)
      }
    }
  }

  @Test("a decision equals that of the pure decider on the votes of the declared prefixes")
  func decisionsAreRecomputed() async throws {
    try await withTestDatabase { database async throws in
      try await VotedRun.prepare(database)
      let run = try await VotedRun(database, .sequential, name: "once")
      try await Self.work(run, in: database, disturbed: true, seed: 99)
      let rules = CertificateRules(
        mode: .sequential, draws: run.rules.n, alpha: 0.001, sigma: 0.5, slack: 1e-12,
        targets: ["0", "0.25", "0.5"].map { ExactDecimal($0)! })
      for row in try await run.store.results(ofRun: run.run) {
        let stored = try #require(row.certificate)
        var decider = ItemDecider(rules, topClass: stored.topClass)
        var votes: [Int: Int] = [:]
        var (chunk, decision) = (0, Decision?.none)
        let lease = Lease(id: 0, itemID: 0, units: 0..<1, imageIndex: row.imageIndex, sigma: "0.5", numericsID: "")
        for look in run.rules.looks where decision == nil {
          while chunk < look {
            let post = run.post(lease, unit: chunk + 1)
            for (index, count) in zip(post.votes.classes, post.votes.votes) {
              votes[Int(index), default: 0] += Int(count)
            }
            chunk += 1
          }
          decision = decider.look(votes: votes, draws: look * 50)
        }
        let expected = try #require(decision)
        #expect(stored.hits == expected.hits && stored.n == expected.draws && stored.stoppedAtUnit == 1 + chunk)
        #expect(stored.radius == expected.certificate.radius && stored.pLower == expected.certificate.pLower)
      }
    }
  }

  @Test("a worker that holds a decided item learns of it at its next post, and its late votes count nowhere")
  func revocation() async throws {
    try await withTestDatabase { database async throws in
      try await VotedRun.prepare(database)
      let run = try await VotedRun(database, .sequential, name: "revoked")
      let aggregator = Self.aggregator(database)
      let worker = try await run.store.register(name: "w", host: "h", pid: 1, device: "test", software: "test")
      // The first image hits always: some looks decide every target.
      var leases: [Lease] = []
      for _ in 0..<200 {
        guard
          let lease = try await run.store.claim(
            run: run.run, worker: worker, numericsID: VotedRun.numerics, units: 2, deadlineSeconds: 60, floor: 0)
        else { break }
        if lease.imageIndex == 0 { leases.append(lease) }
      }
      let last = try #require(leases.last)
      leases.removeLast()
      #expect(last.units.upperBound <= 6, "claims go only as far as the looks ahead allow")
      for lease in leases {
        let posts = lease.units.map { run.post(lease, unit: $0) }
        let outcome = try await run.store.post(
          posts, lease: lease, worker: worker, finishes: true, deadlineSeconds: 60)
        #expect(outcome.leaseHeld)
      }
      while try await aggregator.pass(limit: 100).didSomething {}
      let before = try await run.certificates()[0]
      #expect(before.contains("sequential"), "decided: \(before)")
      let beyond = try await run.store.samplesUsed(ofRun: run.run).beyond
      let late = try await run.store.post(
        last.units.map { run.post(last, unit: $0) }, lease: last, worker: worker, finishes: false, deadlineSeconds: 60)
      #expect(!late.leaseHeld && late.stored == last.units.count, "stored, and the lease is gone")
      _ = try await aggregator.pass(limit: 100)
      #expect(try await run.certificates()[0] == before)
      let now = try await run.store.samplesUsed(ofRun: run.run).beyond
      #expect(now == beyond + Int64(50 * last.units.count))
    }
  }
}

private struct Xorshift: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
