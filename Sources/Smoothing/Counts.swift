/// Votes per class of one phase of one item, summed exactly.
package struct Counts: Sendable, Hashable {
  /// votes[c] is the number of draws classified as c.
  package private(set) var votes: [Int]

  /// - Parameter votes: one entry per class, none negative.
  package init(_ votes: [Int]) {
    precondition(votes.allSatisfy { $0 >= 0 })
    self.votes = votes
  }

  /// No votes for any of `classes` classes.
  package init(classes: Int) { self.init([Int](repeating: 0, count: classes)) }

  /// Number of draws.
  package var total: Int { votes.reduce(0, +) }

  /// Class with the most votes, the lowest of equals (Cohen et al. 2019, CERTIFY); nil when nothing was drawn.
  package var topClass: Int? {
    guard let most = votes.max(), most > 0 else { return nil }
    return votes.firstIndex(of: most)
  }

  /// The two classes with the most votes, lowest first among equals; nil with fewer than two classes.
  package var topTwo: (first: Int, second: Int)? {
    guard votes.count >= 2 else { return nil }
    let order = votes.indices.sorted { (votes[$1], $0) < (votes[$0], $1) }
    return (order[0], order[1])
  }

  package subscript(_ topClass: Int) -> Int { votes[topClass] }

  /// Adds one chunk's votes, given sparsely as the database stores them.
  package mutating func add(classes: [Int], votes added: [Int]) {
    precondition(classes.count == added.count && added.allSatisfy { $0 >= 0 })
    for (topClass, count) in zip(classes, added) { votes[topClass] += count }
  }
}
