internal import Lifecycle
internal import Smoothing
internal import Store

// Items that may stop before all n draws.
extension AggregatorService {
  /// Takes every look that is complete, of up to `limit` items, each once.
  ///
  /// Reads only chunks that no look has seen yet; the sums before them are in memory, and read again where they are not.
  func takeLooks(limit: Int) async throws -> Pass {
    var items: [(item: LookItem, level: LookBook.Level)] = []
    for ready in try await store.readyLooks(limit: limit) {
      let level = try await book.level(of: ready.item, in: store)
      let fresh = level.samples(from: ready.looksDecided, to: ready.looksDecided + 1)
      if ready.item.drawn == (ready.item.n0, fresh) {
        items.append((ready, level))
      } else {
        try await hold(ready.item, planned: level.samples(from: 0, to: ready.looksDecided + 1))
      }
    }
    guard !items.isEmpty else { return Pass() }
    let known = await book.progress(items.map(\.item))
    let topClasses = try await freezeTopClasses(items.map(\.item.item).filter { known[$0.id] == nil })
    let chunks = try await store.chunkVotes(
      items.map { ($0.item.item.id, (known[$0.item.item.id]?.chunks ?? 0)..<$0.level.looks[$0.item.looksDecided]) })

    var decided: [(item: CompleteItem, decision: Decision, level: LookBook.Level)] = []
    var passed: [(item: CompleteItem, look: Int, claimable: Int)] = []
    for (ready, level) in items {
      let id = ready.item.id
      // Votes may be voided at any moment: what was read before is then left alone.
      guard
        var progress = known[id]
          ?? topClasses[id].map({
            LookBook.Progress(ItemDecider(level.rules, topClass: $0), revision: ready.item.revision)
          })
      else { continue }
      // Votes that were voided between two statements leave a hole: the next pass sees what became of it.
      switch progress.fold(chunks[id] ?? [], through: ready.looksDecided, level) {
      case .hole: await book.forget(id)
      case .decided(let decision):
        decided.append((ready.item, decision, level))
        await book.forget(id)
      case .undecided:
        await book.keep(progress, of: id)
        let look = ready.looksDecided + 1
        passed.append(
          (ready.item, look, LookPlan.claimableUnits(looks: level.looks, decided: level.looks[ready.looksDecided])))
      }
    }
    try await store.passLooks(passed)
    let seconds = try await store.computeSeconds(ofItems: decided.map(\.item.id))
    let rows = decided.map { item, decision, level in
      var row = CertificateRow(item, decision, rules: level.rules, computeSeconds: seconds[item.id] ?? 0)
      row.stoppedAtUnit = 1 + level.chunks(ofDraws: decision.draws)
      return row
    }
    return Pass(certificates: rows.isEmpty ? 0 : try await store.insertCertificates(rows), looks: passed.count)
  }
}

/// What an aggregator remembers of items that are under way: sums and bounds that it could read again.
actor LookBook {
  /// One noise level of a run.
  struct Level: Sendable {
    let rules: CertificateRules
    let units: UnitPlan
    /// Prefixes in chunks.
    let looks: [Int]

    /// Draws between two looks, counted from 1; 0 is the beginning.
    func samples(from: Int, to: Int) -> Int { draws(to) - draws(from) }

    func draws(_ look: Int) -> Int { look == 0 ? 0 : min(looks[look - 1] * units.chunkSamples, units.n) }

    func chunks(ofDraws draws: Int) -> Int { (draws + units.chunkSamples - 1) / units.chunkSamples }
  }

  /// An item's looks so far.
  struct Progress: Sendable {
    private(set) var decider: ItemDecider
    private(set) var looks = 0
    private(set) var chunks = 0
    private var votes: [Int: Int] = [:]
    /// The item's when its votes were read.
    let revision: Int64

    init(_ decider: ItemDecider, revision: Int64 = 0) {
      self.decider = decider
      self.revision = revision
    }

    enum Fold {
      /// Chunks are missing or not as planned.
      case hole
      case undecided
      case decided(Decision)
    }

    /// Takes the looks up to number `last`, from 0, out of the chunks since the last one. Earlier ones decided nothing, or the
    /// item would have ended there.
    mutating func fold(_ fresh: [ChunkVotes], through last: Int, _ level: Level) -> Fold {
      var fresh = fresh[...]
      var decision: Decision?
      while looks <= last {
        let end = level.looks[looks]
        while chunks < end {
          guard let next = fresh.popFirst(), next.chunk == chunks,
            next.samples == level.units.chunk(ofUnit: chunks + 1).samples.count
          else { return .hole }
          votes.merge(next.votes, uniquingKeysWith: +)
          chunks += 1
        }
        decision = decider.look(votes: votes, draws: level.draws(looks + 1))
        looks += 1
      }
      return decision.map { .decided($0) } ?? .undecided
    }
  }

  private struct LevelKey: Hashable {
    let run: Int64
    let sigma: String
  }

  private var levels: [LevelKey: Level] = [:]
  private var underWay: [Int64: Progress] = [:]

  /// The protocol of an item's run at its sigma, which never changes.
  func level(of item: CompleteItem, in store: Store) async throws -> Level {
    let key = LevelKey(run: item.runID, sigma: item.sigma)
    if let level = levels[key] { return level }
    guard let run = try await store.certification(ofRun: item.runID) else {
      preconditionFailure("item \(item.id) belongs to a run without a protocol")
    }
    let level = Level(
      rules: CertificateRules(
        mode: CertificateMode(rawValue: item.mode)!, draws: item.n, alpha: ExactDecimal("\(item.alpha)")!,
        sigma: ExactDecimal(item.sigma)!, slack: item.slack, targets: run.targets.compactMap { ExactDecimal($0) },
        epsilon: run.epsilon ?? 0),
      units: UnitPlan(n0: item.n0, n: item.n, chunkSamples: run.chunkSamples), looks: run.looks)
    if levels.count >= 1000 { levels.removeAll() }
    levels[key] = level
    return level
  }

  /// What is known of the given items as of their last look.
  func progress(_ items: [LookItem]) -> [Int64: Progress] {
    var known: [Int64: Progress] = [:]
    for ready in items {
      if let progress = underWay[ready.item.id], progress.looks == ready.looksDecided,
        progress.revision == ready.item.revision
      {
        known[ready.item.id] = progress
      }
    }
    return known
  }

  func keep(_ progress: Progress, of id: Int64) {
    // Items that another aggregator ended stay behind; they are few, and everything here can be read again.
    if underWay.count >= 100_000 { underWay.removeAll() }
    underWay[id] = progress
  }

  func forget(_ id: Int64) { underWay[id] = nil }
}
