import Database
import Lifecycle
import Store
import TestSupport
import Testing

@Suite("Fair share") struct FairShareTests {
  private func candidates(_ weights: [Int], priorities: [Int]? = nil) -> [FairShare.Candidate] {
    weights.indices.map { FairShare.Candidate(id: Int64($0), priority: priorities?[$0] ?? 0, weight: weights[$0]) }
  }

  @Test(
    "one worker alone divides its time by weight, whatever its turns last", arguments: [[100, 300], [1, 2, 3], [7]])
  func oneWorker(weights: [Int]) {
    var share = FairShare(turn: .seconds(25))
    var random = Seeded(1)
    var spent = weights.map { _ in 0.0 }
    for _ in 0..<2000 {
      let run = share.order(candidates(weights), using: &random)[0]
      let turn = Double.random(in: 5...50, using: &random)
      share.spent(.seconds(turn), on: run)
      spent[Int(run)] += turn
    }
    let (time, weight) = (spent.reduce(0, +), weights.reduce(0, +))
    for i in weights.indices {
      #expect(abs(spent[i] / time - Double(weights[i]) / Double(weight)) < 0.01)
    }
  }

  @Test("first choices, too, follow the weights: a fleet that meets two runs at once does not rush to one")
  func firstChoices() {
    var random = Seeded(2)
    let heavy = (0..<4000).count { _ in
      var share = FairShare(turn: .seconds(25))
      return share.order(candidates([100, 300]), using: &random)[0] == 1
    }
    #expect(abs(Double(heavy) / 4000 - 0.75) < 0.03)
  }

  @Test("a run that comes later neither catches up on the past nor waits for it")
  func latecomers() {
    var share = FairShare(turn: .seconds(10))
    var random = Seeded(3)
    for _ in 0..<100 { share.spent(.seconds(10), on: share.order(candidates([100]), using: &random)[0]) }
    var late = 0
    for _ in 0..<200 {
      let run = share.order(candidates([100, 100]), using: &random)[0]
      share.spent(.seconds(10), on: run)
      late += Int(run)
    }
    #expect((90...110).contains(late))
  }

  @Test("priority goes before weight, and a changed weight counts from the next choice")
  func priorities() {
    var share = FairShare(turn: .seconds(10))
    var random = Seeded(4)
    for _ in 0..<10 {
      let run = share.order(candidates([1000, 1], priorities: [0, 1]), using: &random)[0]
      #expect(run == 1)
      share.spent(.seconds(10), on: run)
    }
    var counts = [0, 0]
    for _ in 0..<400 {
      let run = share.order(candidates([300, 100]), using: &random)[0]
      counts[Int(run)] += 1
      share.spent(.seconds(10), on: run)
    }
    #expect(abs(Double(counts[0]) / 400 - 0.75) < 0.03)
  }

  @Test(
    "many claimers on one database give runs their shares by weight, and the most urgent run everything",
    arguments: [[100, 300], [100, 200, 300]])
  func measuredShares(weights: [Int]) async throws {
    try await Fixture.with(images: 2) { fixture in
      #expect(try await fixture.store.cancelRun(fixture.run))
      var runs: [Int64] = []
      for (i, weight) in weights.enumerated() {
        runs.append(try await fixture.secondRun("run-\(i)", images: 2, weight: weight))
      }
      // The image set has two images; items without end come from many units.
      try await fixture.store.connection.execute("UPDATE rrcm.item SET unit_count = 100000 WHERE state = 'open'")
      let claimers = 12
      func work(turns: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for number in 0..<claimers {
            group.addTask {
              let store = fixture.party()
              let worker = try await store.register(
                name: "w\(number)", host: "h", pid: 1, device: "test", software: "test")
              var share = FairShare(turn: .seconds(3))
              var random = Seeded(UInt64(number) + 10)
              for _ in 0..<turns {
                let ready = try await store.readyRuns().filter(\.isReady)
                let order = share.order(
                  ready.map { .init(id: $0.id, priority: $0.priority, weight: $0.weight) }, using: &random)
                // One unit is a second of work; locked items may make a claim find nothing.
                var claimed = 0
                for _ in 0..<500 where claimed < 3 {
                  let lease = try await store.claim(
                    run: order[0], worker: worker, numericsID: Fixture.numerics, units: 1, deadlineSeconds: 60, floor: 0
                  )
                  if lease != nil { claimed += 1 }
                }
                share.spent(.seconds(claimed), on: order[0])
              }
            }
          }
          try await group.waitForAll()
        }
      }
      func units(_ run: Int64) async throws -> Double {
        Double(
          try await fixture.number("SELECT sum(next_unit) FROM rrcm.item WHERE run_id = \(run)"))
      }
      // Enough turns that each worker's first, random ones weigh little.
      let turns = 40
      try await work(turns: turns)
      let sum = weights.reduce(0, +)
      var claimed: [Double] = []
      for run in runs { claimed.append(try await units(run)) }
      let total = claimed.reduce(0, +)
      #expect(total > Double(claimers * turns * 3) * 0.9)
      for i in weights.indices {
        #expect(abs(claimed[i] / total - Double(weights[i]) / Double(sum)) < 0.08, "\(claimed)")
      }

      let urgent = try await fixture.secondRun("urgent", images: 2, priority: 1, weight: 1)
      try await fixture.store.connection.execute(
        "UPDATE rrcm.item SET unit_count = 100000 WHERE run_id = \(urgent)")
      try await work(turns: 2)
      var after = 0.0
      for run in runs { after += try await units(run) }
      #expect(after == total)
      #expect(try await units(urgent) > 0)
    }
  }
}

/// Random numbers that are the same in every test run: SplitMix64.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
