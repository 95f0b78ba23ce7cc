import Database
import Foundation
import Lifecycle
import Store
import TestSupport
import Testing

@Suite("The tail of a run") struct TailTests {
  @Test(
    "workers whose speeds differ twentyfold end within 10 % of total work ÷ total speed",
    arguments: [8, 16, 32])
  func withinTenPercent(workers: Int) async throws {
    let result = try await TailSimulation(workers: workers, items: workers < 16 ? 60 : 120).run()
    print("tail:", result)
    #expect(result.ratio < 1.1)
    #expect(Double(result.wasted) < 0.02 * Double(result.units))
  }

  @Test("what workers hold that died unnoticed is finished by the others, before any rescue")
  func unnoticedDeaths() async throws {
    let result = try await TailSimulation(workers: 12, items: 60, dying: 3).run()
    print("tail:", result)
    #expect(result.ratio < 1.25)
    #expect(result.splits + result.duplicates > 0)
  }

  /// The large form, for Benchmarks/tail/run: fleets of the sizes in RRCM_TAIL_WORKERS on 500 images at three sigmas.
  @Test(
    "a run of 500 images at three sigmas, with the fleets that RRCM_TAIL_WORKERS names",
    .enabled(if: ProcessInfo.processInfo.environment["RRCM_TAIL_WORKERS"] != nil, "Benchmarks/tail/run asks for it"))
  func largeFleets() async throws {
    let environment = ProcessInfo.processInfo.environment
    let seeds = environment["RRCM_TAIL_SEEDS"].flatMap { UInt64($0) } ?? 1
    for workers in environment["RRCM_TAIL_WORKERS"]!.split(separator: ",").compactMap({ Int($0) }) {
      for seed in 1...seeds {
        let result = try await TailSimulation(
          workers: workers, items: 1500, unitsPerItem: 11, chunkSamples: 10_000, seed: seed
        ).run()
        print("tail: seed \(seed)", result)
        #expect(result.ratio < 1.1)
      }
    }
  }

  @Test("the statement takes what the rules in Swift say")
  func rulesAndStatementAgree() async throws {
    try await Fixture.with(images: 1) { fixture in
      let (slow, other, idle) = (
        try await fixture.worker("slow"), try await fixture.worker("other"), try await fixture.worker("idle")
      )
      let item = try #require(try await fixture.claim(slow)).itemID
      let connection = fixture.store.connection
      var random = Seeded(5)
      var seen: [String: Int] = [:]
      for _ in 0..<250 {
        let units = Int.random(in: 1...12, using: &random)
        let speed = Bool.random(using: &random) ? Double([1, 4, 20].randomElement(using: &random)!) : nil
        let own = Double([1, 2, 10, 40].randomElement(using: &random)!)
        let silence = Double.random(in: 0.01...30, using: &random)
        let dup = units == 1 && Bool.random(using: &random) ? Double([1, 40].randomElement(using: &random)!) : nil
        try await connection.execute("DELETE FROM rrcm.lease")
        for (name, speed) in [("slow", speed), ("other", dup)] {
          try await connection.execute(
            "UPDATE rrcm.worker SET samples_per_second = $2 WHERE name = $1",
            [.text(name), .optional(speed.map { .double($0) })])
        }
        let insert = """
          INSERT INTO rrcm.lease (item_id, lo, hi, worker_id, epoch, deadline_at, duplicate, renewed_at)
          VALUES ($1, 0, $2, $3, 1, now() + interval '1 hour', $4, to_timestamp(1000))
          """
        try await connection.execute(insert, [.int(item), .int(units), .int(slow.id), .bool(false)])
        if dup != nil { try await connection.execute(insert, [.int(item), .int(units), .int(other.id), .bool(true)]) }
        let limit = Int.random(in: 1...6, using: &random)
        let lease = try await fixture.store.claimTail(
          run: fixture.run, worker: idle, numericsID: Fixture.numerics, units: limit, deadlineSeconds: 60,
          samplesPerSecond: own, chunkSamples: 4, at: 1000 + silence)
        let move = TailRules.move(
          .init(
            units: units, silence: silence, secondsPerUnit: speed.map { 4 / $0 },
            duplicateSecondsLeft: dup.map { max(0, Double(units) * 4 / $0 - silence) }),
          ownSeconds: 4 / own, limit: limit)
        switch move {
        case nil: #expect(lease == nil)
        case .duplicate: #expect(lease?.isDuplicate == true && lease?.units == 0..<units)
        case .split(let take): #expect(lease?.isDuplicate == false && lease?.units == units - take..<units)
        }
        seen[move.map { "\($0)".prefix(5).description } ?? "none", default: 0] += 1
      }
      #expect(seen.count == 3 && seen.values.allSatisfy { $0 > 10 }, "\(seen)")
    }
  }

  @Test("of two computations of one chunk the first wins, the other is compared, and both leases end")
  func firstResultWins() async throws {
    try await Fixture.with(images: 1) { fixture in
      let (a, b) = (try await fixture.worker("a"), try await fixture.worker("b"))
      let held = try #require(try await fixture.claim(a))
      _ = try await fixture.store.post(
        (0..<3).map { fixture.votes(held, unit: $0) }, lease: held, worker: a, finishes: false, deadlineSeconds: 60,
        next: 3)
      _ = try await fixture.store.beat(a, samplesPerSecond: 0.01)
      let copy = try #require(try await fixture.tail(b, speed: 10))
      #expect(copy.isDuplicate && copy.units == 3..<4)
      #expect(try await fixture.tail(b, speed: 10) == nil, "not twice by one worker")
      #expect(try await fixture.post(copy, b).stored == 1)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease") == 0)
      let late = try await fixture.post(held, a, units: [3])
      #expect(late.duplicates == 1 && !late.leaseHeld)
      #expect(try await fixture.store.completeItems(limit: 1).map(\.isComplete) == [true])
    }
  }

  @Test("when the holder of a duplicated range dies, the duplicate takes its place and nothing is handed out twice")
  func duplicatesInherit() async throws {
    try await Fixture.with(images: 1) { fixture in
      let (a, b, c) = (try await fixture.worker("a"), try await fixture.worker("b"), try await fixture.worker("c"))
      let held = try #require(try await fixture.claim(a, units: 1))
      _ = try await fixture.store.beat(a, samplesPerSecond: 0.01)
      let copy = try #require(try await fixture.tail(b, speed: 10))
      #expect(copy.isDuplicate)
      #expect(try await fixture.store.returnLeases([held.id]) == 0)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease WHERE NOT duplicate") == 1)
      #expect(try await fixture.claim(c)?.units == 1..<4)
      #expect(try await fixture.store.returnLeases([copy.id]) == 1, "now its end does make a gap")
    }
  }

  @Test("a holder whose range was split learns it with its next post, and finishes what is left to it")
  func splitsAreLearned() async throws {
    try await Fixture.with(images: 1) { fixture in
      let (a, b) = (try await fixture.worker("a"), try await fixture.worker("b"))
      let held = try #require(try await fixture.claim(a))
      _ = try await fixture.store.beat(a, samplesPerSecond: 1)
      let taken = try #require(try await fixture.tail(b, speed: 2))
      #expect(!taken.isDuplicate && taken.units == 2..<4)
      let reply = try await fixture.store.post(
        [fixture.votes(held, unit: 0)], lease: held, worker: a, finishes: false, deadlineSeconds: 60, next: 1
      ).lease
      #expect(reply?.upperBound == 2)
      #expect(try await fixture.post(taken, b).stored == 2)
      let last = try await fixture.store.post(
        [fixture.votes(held, unit: 1)], lease: held, worker: a, finishes: true, deadlineSeconds: 60, next: 2)
      #expect(last.leaseHeld)
      #expect(try await fixture.store.completeItems(limit: 1).map(\.isComplete) == [true])
    }
  }
}

extension Fixture {
  /// What an idle worker takes over from others.
  func tail(_ worker: WorkerIdentity, speed: Double) async throws -> Lease? {
    try await store.claimTail(
      run: run, worker: worker, numericsID: Self.numerics, units: 4, deadlineSeconds: 60, samplesPerSecond: speed,
      chunkSamples: 4)
  }
}
