/// What a worker without other work takes over from a slower one: the Swift twin of the statement `claim_tail`, which
/// decides; a test holds them to each other.
///
/// Ranges shrink as a run ends, so mostly only chunks in hand are left by then. Where a range is left all the same, its
/// unstarted end is split off so that both workers finish together. A chunk in hand is computed a second time when that is
/// done well before its holders are; the first result wins, the other is a free cross-check.
package struct TailRules: Sendable {
  /// A lease as the database knows it.
  package struct Holding: Sendable, Hashable {
    /// Units not yet posted.
    package var units: Int
    /// Since its holder last posted.
    package var silence: Double
    /// The holder's seconds per unit; nil until it has measured them.
    package var secondsPerUnit: Double?
    /// Seconds left of the best duplicate that is under way; nil when there is none.
    package var duplicateSecondsLeft: Double?

    package init(units: Int, silence: Double, secondsPerUnit: Double?, duplicateSecondsLeft: Double? = nil) {
      self.units = units
      self.silence = silence
      self.secondsPerUnit = secondsPerUnit
      self.duplicateSecondsLeft = duplicateSecondsLeft
    }
  }

  package enum Move: Sendable, Hashable {
    /// Take so many units off the end.
    case split(Int)
    /// Compute all its units, too.
    case duplicate
  }

  /// A duplicate must be done in less than this share of what the holders still need, and save some time at all.
  package static let gain = 0.8
  package static let leastSeconds = 0.25

  /// What a worker of `ownSeconds` per unit takes of a holding, at most `limit` units; nil to leave it alone.
  package static func move(_ holding: Holding, ownSeconds: Double, limit: Int) -> Move? {
    let units = Double(holding.units)
    // Without a measured speed it is expected to take as long again as it has taken.
    let seconds = holding.secondsPerUnit ?? 2 * holding.silence / units
    let hangs = holding.secondsPerUnit != nil && holding.silence > 2 * seconds + 2
    let begun = seconds > 0 ? min(units - 1, (holding.silence / seconds).rounded(.down)) : units - 1
    let unstarted = Int(units - 1 - (hangs ? 0 : begun))
    if unstarted > 0 {
      guard holding.duplicateSecondsLeft == nil else { return nil }
      if hangs { return .split(min(unstarted, limit)) }
      let inHand = max(0, (begun + 1) * seconds - holding.silence)
      let fair = ((Double(unstarted) * seconds + inHand) / (seconds + ownSeconds)).rounded(.down)
      let take = min(unstarted, limit, Int(fair))
      return take > 0 ? .split(take) : nil
    }
    let left = min(
      hangs ? .infinity : max(0, units * seconds - holding.silence), holding.duplicateSecondsLeft ?? .infinity)
    return left > leastSeconds && units * ownSeconds < gain * left ? .duplicate : nil
  }
}
