#if canImport(Glibc)
  internal import Glibc
#endif

/// How one worker divides its time between runs: the highest priority first, and among equals by weight.
///
/// Stride scheduling (Waldspurger and Weihl 1995), in the worker's own time: a run's pass grows by the seconds spent on
/// it divided by its weight, and the run with the least pass is next. Each worker is fair by itself, so the fleet is,
/// whatever its machines' speeds, without a shared counter that crashes could falsify. A run that is new, or comes back,
/// begins at the present pass plus an exponential draw, which makes every worker's first choice, too, proportional to the
/// weights: a fleet that meets two runs at once does not rush to one of them.
package struct FairShare: Sendable {
  /// A run that has something to do.
  package struct Candidate: Sendable, Hashable {
    package let id: Int64
    package let priority: Int
    package let weight: Int

    package init(id: Int64, priority: Int, weight: Int) {
      self.id = id
      self.priority = priority
      self.weight = weight
    }
  }

  /// Length of a turn, for the draw of newcomers.
  private let turn: Duration
  private var passes: [Int64: Double] = [:]
  private var weights: [Int64: Int] = [:]
  /// Pass of the run served last: newcomers neither catch up on the past nor wait for it.
  private var present = 0.0

  package init(turn: Duration) { self.turn = turn }

  /// The order in which to look for work.
  package mutating func order(
    _ candidates: [Candidate], using generator: inout some RandomNumberGenerator
  ) -> [Int64] {
    let ids = Set(candidates.map(\.id))
    passes = passes.filter { ids.contains($0.key) }
    for run in candidates where passes[run.id] == nil || weights[run.id] != run.weight {
      let draw = -log(Double.random(in: Double.leastNonzeroMagnitude..<1, using: &generator))
      passes[run.id] = present + draw * turn.inSeconds / Double(run.weight)
    }
    weights = Dictionary(candidates.map { ($0.id, $0.weight) }, uniquingKeysWith: { $1 })
    return candidates.sorted {
      if $0.priority != $1.priority { return $0.priority > $1.priority }
      let (a, b) = (passes[$0.id]!, passes[$1.id]!)
      return a != b ? a < b : $0.id < $1.id
    }.map(\.id)
  }

  /// Takes time spent on a run into account.
  package mutating func spent(_ time: Duration, on run: Int64) {
    guard let pass = passes[run], let weight = weights[run] else { return }
    present = max(present, pass)
    passes[run] = pass + time.inSeconds / Double(weight)
  }
}

/// The item from which a worker looks for work of a run: the one at which it last found some.
///
/// Every claim would otherwise walk over the entries of items that are used up, which is slow while a long transaction
/// keeps them from being removed. Never trusted for long: it begins anew with each turn after a wake-up, when a run's
/// priority changes, and every 30 seconds.
package struct ClaimFloor: Sendable {
  package static let patience: Duration = .seconds(30)

  private var item: Int64 = 0
  private var resetAt: Duration
  private var priority: Int?

  /// - Parameter now: time on any steady clock, as in the other methods.
  package init(at now: Duration) { resetAt = now }

  /// Items below this number need not be looked at.
  package mutating func value(at now: Duration, priority: Int) -> Int64 {
    if now - resetAt >= Self.patience || self.priority != priority { reset(at: now) }
    self.priority = priority
    return item
  }

  /// Something was found there.
  package mutating func found(_ item: Int64) { self.item = item }

  /// Look at everything again.
  package mutating func reset(at now: Duration) {
    item = 0
    resetAt = now
  }
}
