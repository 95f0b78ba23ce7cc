/// How the samples of one item are cut into units of work.
///
/// Unit 0 is the selection chunk, n0 samples. Unit u ≥ 1 is estimation chunk u − 1: `chunkSamples` samples, the last one
/// fewer where n is not a multiple. The cut is fixed when a run is submitted; votes do not depend on it.
package struct UnitPlan: Sendable, Hashable {
  /// Selection draws.
  package let n0: Int
  /// Estimation draws.
  package let n: Int
  /// Samples of an estimation chunk.
  package let chunkSamples: Int

  /// - Precondition: all positive.
  package init(n0: Int, n: Int, chunkSamples: Int) {
    precondition(n0 > 0 && n > 0 && chunkSamples > 0)
    self.n0 = n0
    self.n = n
    self.chunkSamples = chunkSamples
  }

  /// One selection chunk and ⌈n / chunkSamples⌉ estimation chunks.
  package var unitCount: Int { 1 + (n + chunkSamples - 1) / chunkSamples }

  /// What unit `unit` computes. - Precondition: 0 ≤ unit < unitCount.
  package func chunk(ofUnit unit: Int) -> Chunk {
    precondition((0..<unitCount).contains(unit))
    guard unit > 0 else { return Chunk(phase: 0, chunk: 0, samples: 0..<UInt32(n0)) }
    let first = (unit - 1) * chunkSamples
    return Chunk(
      phase: 1, chunk: unit - 1, samples: UInt32(first)..<UInt32(min(n, first + chunkSamples)))
  }
}

/// A fixed range of sample indices of one item and phase: the identity of a vote row.
package struct Chunk: Sendable, Hashable {
  /// 0 selection, 1 estimation.
  package let phase: Int
  package let chunk: Int
  package let samples: Range<UInt32>

  package init(phase: Int, chunk: Int, samples: Range<UInt32>) {
    self.phase = phase
    self.chunk = chunk
    self.samples = samples
  }
}

/// Votes of one chunk in the form they are stored: only classes that got any, ascending.
package struct SparseVotes: Sendable, Hashable {
  package let classes: [Int32]
  package let votes: [Int32]

  /// - Parameter dense: votes [K].
  package init(dense: [Int32]) {
    let voted = dense.indices.filter { dense[$0] != 0 }
    classes = voted.map(Int32.init)
    votes = voted.map { dense[$0] }
  }

  package init(classes: [Int32], votes: [Int32]) {
    self.classes = classes
    self.votes = votes
  }
}

/// At which prefixes of an item's estimation chunks early-stopping modes decide: declared when a run is submitted.
package enum LookPlan {
  /// Prefix lengths in chunks: 1, 2, 3, …, each longer by a tenth but at least one chunk, ending with all `chunks`.
  ///
  /// - Precondition: chunks > 0.
  package static func looks(chunks: Int) -> [Int] {
    precondition(chunks > 0)
    var looks = [1]
    while let last = looks.last, last < chunks { looks.append(min(last + max(1, last / 10), chunks)) }
    return looks
  }

  /// How many units of an item may be claimed once `decided` chunks have been looked at: through the first look that is a
  /// quarter ahead, and at least four chunks. This bounds what is computed beyond a deciding look, and still lets a worker
  /// hold more than a moment's work.
  package static func claimableUnits(looks: [Int], decided: Int) -> Int {
    let wanted = decided + max(4, decided / 4)
    return 1 + (looks.first { $0 >= wanted } ?? looks.last ?? 0)
  }
}
