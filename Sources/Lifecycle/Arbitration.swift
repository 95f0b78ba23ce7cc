/// What is known of a chunk whose computations differ, and who computed wrongly: a pure decision.
///
/// Votes are a pure function, so two results for one chunk mean that a machine is broken. A third worker's result tells which
/// one; without a third worker the canary does: whoever holds damaged weights gets other logits for a fixed batch than two
/// workers agreed on before.
package struct Dispute: Sendable, Hashable {
  /// One worker's result. Equal results have equal numbers.
  package struct Computation: Sendable, Hashable {
    package let worker: Int64
    package let result: Int

    package init(worker: Int64, result: Int) {
      self.worker = worker
      self.result = result
    }
  }

  /// What a worker answered that was asked to compute its canary again.
  package enum Canary: Sendable, Hashable, CaseIterable {
    case pending
    /// As two workers agreed before.
    case agrees
    case differs
    /// It does not answer, or cannot any more.
    case silent
  }

  package enum Verdict: Sendable, Hashable {
    /// Nobody but the poster has computed it: the audit is due again.
    case due
    /// Others found the votes that are stored.
    case agreed
    /// Only the worker that posted the votes computed them again.
    case selfAudited
    /// More is to come: a third worker's result, or a canary.
    case wait
    /// Ask these workers for their canary.
    case askCanaries([Int64])
    /// These workers computed wrongly; ascending.
    case guilty([Int64])
    /// Nothing can tell; why.
    case undecided(String)
  }

  /// The votes that are stored.
  package var stored: Computation
  /// Who posted them is in quarantine: its word counts no more, though its votes still stand to be judged.
  package var posterIsBarred = false
  /// Those who computed them again, in the order in which they came; none of a worker in quarantine.
  package var again: [Computation]
  /// Another live worker of the numerics id could compute the chunk.
  package var thirdIsThere: Bool
  /// A third worker has had its time, whether or not one was there.
  package var isOverdue: Bool
  /// Two workers once agreed on the canary.
  package var canaryIsTrusted: Bool
  /// Of workers that were asked.
  package var canaries: [Int64: Canary]

  package init(
    stored: Computation, again: [Computation], thirdIsThere: Bool = false, isOverdue: Bool = false,
    canaryIsTrusted: Bool = false, canaries: [Int64: Canary] = [:]
  ) {
    self.stored = stored
    self.again = again
    self.thirdIsThere = thirdIsThere
    self.isOverdue = isOverdue
    self.canaryIsTrusted = canaryIsTrusted
    self.canaries = canaries
  }

  package var verdict: Verdict {
    guard !again.isEmpty else { return .due }
    var believers: [Int: Set<Int64>] = [:]
    for computation in [stored] + again { believers[computation.result, default: []].insert(computation.worker) }
    let workers = Set(believers.values.joined())
    guard believers.count > 1 else { return workers.count > 1 ? .agreed : .selfAudited }

    // Two results of one worker need no witness.
    let unsteady = workers.filter { worker in believers.values.count { $0.contains(worker) } > 1 }
    if !unsteady.isEmpty { return .guilty(unsteady.sorted()) }

    let barred: Set<Int64> = posterIsBarred ? [stored.worker] : []
    let witnesses = believers.mapValues { $0.subtracting(barred).count }
    let largest = witnesses.values.max() ?? 0
    if largest > 1, witnesses.values.count(where: { $0 == largest }) == 1 {
      return .guilty(believers.filter { witnesses[$0.key]! < largest }.values.joined().sorted())
    }
    if thirdIsThere && !isOverdue { return .wait }
    if canaryIsTrusted {
      let unasked = workers.subtracting(barred).filter { canaries[$0] == nil }
      if !unasked.isEmpty { return .askCanaries(unasked.sorted()) }
      let differing = workers.subtracting(barred).filter { canaries[$0] == .differs }
      if !differing.isEmpty { return .guilty(differing.sorted()) }
      if workers.subtracting(barred).contains(where: { canaries[$0] == .pending }) { return .wait }
    }
    // A third worker may still come.
    guard isOverdue else { return .wait }
    let reason =
      !canaryIsTrusted
      ? "no two workers agreed on a canary"
      : workers.allSatisfy { canaries[$0] == .agrees }
        ? "the canary of each who computed it is right"
        : "not everyone who computed it can show a canary any more"
    return .undecided("no third worker of its numerics id computed it, and \(reason)")
  }
}
