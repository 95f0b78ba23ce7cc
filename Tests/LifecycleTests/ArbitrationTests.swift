import Lifecycle
import Testing

/// Who computed wrongly, over all combinations of up to four computations by up to four workers with up to three results.
@Suite("Arbitration") struct ArbitrationTests {
  private static let disputes: [Dispute] = {
    let computations = (1...4).flatMap { worker in
      (0...2).map { Dispute.Computation(worker: Int64(worker), result: $0) }
    }
    var lists: [[Dispute.Computation]] = [[]]
    var all: [[Dispute.Computation]] = []
    for _ in 0..<3 {
      // A worker computes a chunk again at most once.
      lists = lists.flatMap { list in
        computations.filter { c in !list.contains { $0.worker == c.worker } }.map { list + [$0] }
      }
      all += lists
    }
    return ([[]] + all).map { Dispute(stored: .init(worker: 1, result: 0), again: $0) }
  }()

  /// Every way in which third worker, time and canaries may stand.
  private static func standings(_ dispute: Dispute) -> [Dispute] {
    let workers = Set([dispute.stored.worker] + dispute.again.map(\.worker)).sorted()
    var canaries: [[Int64: Dispute.Canary]] = [[:]]
    // Of four computations every order is looked at, but not every answer of every canary.
    for worker in workers where dispute.again.count < 3 {
      canaries = canaries.flatMap { known in
        [known] + Dispute.Canary.allCases.map { known.merging([worker: $0]) { $1 } }
      }
    }
    return [false, true].flatMap { third in
      [false, true].flatMap { overdue in
        [false, true].flatMap { trusted in
          (trusted ? canaries : [[:]]).map { answers in
            var standing = dispute
            (standing.thirdIsThere, standing.isOverdue, standing.canaryIsTrusted) = (third, overdue, trusted)
            standing.canaries = answers
            return standing
          }
        }
      }
    }
  }

  private static func believers(_ dispute: Dispute) -> [Int: Set<Int64>] {
    Dictionary(grouping: [dispute.stored] + dispute.again, by: \.result).mapValues { Set($0.map(\.worker)) }
  }

  @Test("whatever was computed and answered, the verdict keeps its promises")
  func allCombinations() {
    var seen = 0
    for dispute in Self.disputes.flatMap(Self.standings) {
      seen += 1
      let believers = Self.believers(dispute)
      let workers = Set(believers.values.joined())
      let unsteady = workers.filter { w in believers.values.count { $0.contains(w) } > 1 }
      let largest = believers.values.map(\.count).max()!
      let majority = largest > 1 && believers.values.count { $0.count == largest } == 1
      switch dispute.verdict {
      case .due: #expect(dispute.again.isEmpty)
      case .agreed: #expect(believers.count == 1 && workers.count > 1)
      case .selfAudited: #expect(believers.count == 1 && workers == [1] && !dispute.again.isEmpty)
      case .wait:
        #expect(believers.count > 1 && unsteady.isEmpty && !majority)
        // It waits only for somebody who may still come.
        #expect(!dispute.isOverdue || workers.contains { dispute.canaries[$0] == .pending })
      case .askCanaries(let asked):
        #expect(dispute.canaryIsTrusted && !asked.isEmpty && asked.allSatisfy { dispute.canaries[$0] == nil })
      case .guilty(let guilty):
        #expect(!guilty.isEmpty && Set(guilty).isSubset(of: workers) && guilty == guilty.sorted())
        if !unsteady.isEmpty {
          #expect(Set(guilty) == unsteady)
        } else if majority {
          #expect(believers.values.first { $0.count == largest }!.isDisjoint(with: guilty), "no majority is accused")
        } else {
          #expect(guilty.allSatisfy { dispute.canaries[$0] == .differs }, "nobody whose canary is right is accused")
        }
      case .undecided(let reason):
        #expect(dispute.isOverdue && unsteady.isEmpty && !majority && !reason.isEmpty)
        #expect(!dispute.canaryIsTrusted || workers.allSatisfy { [.agrees, .silent].contains(dispute.canaries[$0]) })
      }
    }
    #expect(seen > 30_000)
  }

  @Test("the order in which workers computed does not matter, nor what they are called")
  func symmetric() {
    for dispute in Self.disputes.flatMap(Self.standings) where dispute.again.count > 1 {
      var turned = dispute
      turned.again.reverse()
      #expect(turned.verdict == dispute.verdict)
    }
    // Worker 1 and 2 exchange their names, as poster and auditor.
    func renamed(_ worker: Int64) -> Int64 { worker == 1 ? 2 : worker == 2 ? 1 : worker }
    for dispute in Self.disputes.flatMap(Self.standings) {
      var other = dispute
      other.stored = .init(worker: renamed(dispute.stored.worker), result: dispute.stored.result)
      other.again = dispute.again.map { .init(worker: renamed($0.worker), result: $0.result) }
      other.canaries = Dictionary(uniqueKeysWithValues: dispute.canaries.map { (renamed($0), $1) })
      if case .guilty(let workers) = dispute.verdict {
        #expect(other.verdict == .guilty(workers.map(renamed).sorted()))
      } else if case .askCanaries(let workers) = dispute.verdict {
        #expect(other.verdict == .askCanaries(workers.map(renamed).sorted()))
      } else {
        #expect(other.verdict == dispute.verdict)
      }
    }
  }

  /// Plays a dispute to its end: one broken worker among `fleet`, the others right.
  private func play(fleet: [Int64], broken: Int64, poster: Int64, auditor: Int64, trusted: Bool, showsInCanary: Bool)
    -> Dispute.Verdict
  {
    func result(_ worker: Int64) -> Int { worker == broken ? 1 : 0 }
    var dispute = Dispute(
      stored: .init(worker: poster, result: result(poster)), again: [.init(worker: auditor, result: result(auditor))],
      canaryIsTrusted: trusted)
    for _ in 0..<10 {
      let others = fleet.filter { w in w != poster && !dispute.again.contains { $0.worker == w } }
      dispute.thirdIsThere = !others.isEmpty
      switch dispute.verdict {
      case .wait where !others.isEmpty: dispute.again.append(.init(worker: others[0], result: result(others[0])))
      case .wait: dispute.isOverdue = true
      case .askCanaries(let asked):
        for w in asked { dispute.canaries[w] = w == broken && showsInCanary ? .differs : .agrees }
      case let end: return end
      }
    }
    return .wait
  }

  @Test("one broken worker is found by a third one, whoever posted and whoever audited")
  func thirdWorker() {
    for broken in [Int64(1), 2] {
      for trusted in [false, true] {
        #expect(
          play(fleet: [1, 2, 3], broken: broken, poster: 1, auditor: 2, trusted: trusted, showsInCanary: false)
            == .guilty([broken]))
      }
    }
  }

  @Test("without a third worker the canary finds it; where the canary is right too, nobody is accused")
  func canary() {
    for broken in [Int64(1), 2] {
      #expect(
        play(fleet: [1, 2], broken: broken, poster: 1, auditor: 2, trusted: true, showsInCanary: true)
          == .guilty([broken]))
      for (trusted, shows) in [(true, false), (false, true)] {
        let verdict = play(
          fleet: [1, 2], broken: broken, poster: 1, auditor: 2, trusted: trusted, showsInCanary: shows)
        if case .undecided = verdict {} else { Issue.record("\(verdict)") }
      }
    }
  }

  @Test("the word of a poster in quarantine counts no more, though others may still find against it")
  func barredPoster() {
    var dispute = Dispute(
      stored: .init(worker: 1, result: 0), again: [.init(worker: 2, result: 1), .init(worker: 3, result: 0)])
    #expect(dispute.verdict == .guilty([2]), "a control")
    dispute.posterIsBarred = true
    #expect(dispute.verdict == .wait, "one against one")
    dispute.canaryIsTrusted = true
    #expect(dispute.verdict == .askCanaries([2, 3]), "it is not asked either")
    dispute.canaries = [1: .differs, 2: .agrees, 3: .differs]
    #expect(dispute.verdict == .guilty([3]))
    dispute.again = [.init(worker: 2, result: 1), .init(worker: 3, result: 1)]
    #expect(dispute.verdict == .guilty([1]))
  }
}
