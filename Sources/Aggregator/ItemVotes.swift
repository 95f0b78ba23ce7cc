internal import Smoothing
package import Store

/// What an item's stored chunks add up to: everything a certificate is computed from besides the protocol.
///
/// The aggregator, `rrcm recertify` and `rrcm verify run` read votes through this one type.
package struct ItemVotes: Sendable {
  /// Votes by class.
  package private(set) var selection: [Int: Int] = [:]
  /// Votes by class.
  package private(set) var estimation: [Int: Int] = [:]

  /// - Parameter chunks: those of one item; computations that differ from the stored one are passed over.
  package init(_ chunks: some Sequence<ChunkRecord>) {
    for chunk in chunks where chunk.isStored {
      for (topClass, votes) in zip(chunk.classes, chunk.votes) {
        if chunk.phase == 0 {
          selection[Int(topClass), default: 0] += Int(votes)
        } else {
          estimation[Int(topClass), default: 0] += Int(votes)
        }
      }
    }
  }

  /// Draws whose votes are stored, by phase.
  package var drawn: (selection: Int, estimation: Int) {
    (selection.values.reduce(0, +), estimation.values.reduce(0, +))
  }

  /// The class that selection chooses, the lowest of equals; nil without selection votes.
  package var topClass: Int? { Self.topClass(of: selection) }

  /// Estimation votes for that class.
  package var hits: Int { topClass.map { estimation[$0] ?? 0 } ?? 0 }

  /// The class with the most votes, the lowest of equals.
  static func topClass(of votes: [Int: Int]) -> Int? {
    votes.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
  }
}
