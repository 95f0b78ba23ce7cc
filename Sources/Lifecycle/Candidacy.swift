/// A coordinator's part in the election: when to ask for the lead, and when to renew it.
///
/// Safety does not rest on these times: the database counts the term, and refuses what is written under an old one.
package struct Candidacy: Sendable {
  package enum Move: Sendable, Hashable {
    case wait
    /// Ask whether the lead is free.
    case stand
    /// Keep it.
    case renew
  }

  private let term: Duration
  private var askedAt: Duration?
  /// Whether this coordinator was elected and has not heard otherwise.
  package private(set) var leads = false

  /// - Parameter term: how long a leader leads without renewing.
  package init(term: Duration) { self.term = term }

  /// What to do at `now`, on a boot-time clock: stand ten times in a term, renew three times.
  package func move(at now: Duration) -> Move {
    let pause = leads ? term / 3 : term / 10
    guard askedAt.map({ now - $0 >= pause }) ?? true else { return .wait }
    return leads ? .renew : .stand
  }

  /// The answer to a question asked at `askedAt`: whether this coordinator leads now.
  package mutating func answered(_ leads: Bool, askedAt: Duration) {
    self.leads = leads
    self.askedAt = askedAt
  }
}
