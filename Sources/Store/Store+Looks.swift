internal import Database

/// An item whose next look is complete.
package struct LookItem: Sendable {
  package let item: CompleteItem
  /// Looks taken before.
  package let looksDecided: Int
}

/// Votes of one estimation chunk, as stored.
package struct ChunkVotes: Sendable, Hashable {
  package let chunk: Int
  package let samples: Int
  /// Votes by class.
  package let votes: [Int: Int]

  package init(chunk: Int, samples: Int, votes: [Int: Int]) {
    self.chunk = chunk
    self.samples = samples
    self.votes = votes
  }
}

// What the aggregator does for items that may stop early.
extension Store {
  /// Items whose next look is complete, in order.
  package func readyLooks(limit: Int) async throws -> [LookItem] {
    try await connection.rows(PackageResources.ready_looks_sql, [.int(limit)]).map {
      LookItem(item: try CompleteItem($0), looksDecided: Int(try $0.int("looks_decided")))
    }
  }

  /// Estimation votes by chunk of a range of each item, in order.
  package func chunkVotes(
    _ ranges: [(item: Int64, chunks: Range<Int>)]
  ) async throws -> [Int64: [ChunkVotes]] {
    guard !ranges.isEmpty else { return [:] }
    var found: [Int64: [ChunkVotes]] = [:]
    let parameters: [Parameter] = [
      .bigints(ranges.map(\.item)), .ints(ranges.map { Int32($0.chunks.lowerBound) }),
      .ints(ranges.map { Int32($0.chunks.upperBound) }),
    ]
    for row in try await connection.rows(PackageResources.prefix_votes_sql, parameters) {
      let classes = try row.intsOrNil("classes") ?? []
      let votes = try row.intsOrNil("votes") ?? []
      found[try row.int("item_id"), default: []].append(
        ChunkVotes(
          chunk: Int(try row.int("chunk")), samples: Int(try row.int("samples")),
          votes: Dictionary(zip(classes.map { Int($0) }, votes.map { Int($0) }), uniquingKeysWith: +)))
    }
    return found
  }

  /// Notes that a look decided nothing.
  ///
  /// - Parameters:
  ///   - look: its number, from 1.
  ///   - claimable: units that may now be claimed.
  package func passLooks(_ passed: [(item: CompleteItem, look: Int, claimable: Int)]) async throws {
    guard !passed.isEmpty else { return }
    _ = try await connection.pipeline(
      passed.map {
        statement(
          PackageResources.pass_look_sql, [.int($0.item.id), .int($0.look), .int($0.claimable), .int($0.item.revision)])
      })
  }

  /// What stopping early saved and cost a run so far: samples that count, computed beyond the deciding looks, and planned.
  package func samplesUsed(ofRun id: Int64) async throws -> (used: Int64, beyond: Int64, planned: Int64) {
    let row = try await connection.rows(PackageResources.samples_used_sql, [.int(id)])[0]
    return (try row.int("used"), try row.int("beyond"), try row.int("planned"))
  }

  /// Lets undecided items run ahead where their run has nothing left to claim. Returns how many.
  package func raiseTargets() async throws -> Int {
    try await connection.rows(PackageResources.raise_targets_sql).count
  }
}
