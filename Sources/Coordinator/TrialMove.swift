package import RunFile
package import Store

/// What becomes of an open trial next: a pure decision over its runs.
package enum TrialMove: Sendable, Hashable {
  /// Submit this step's run.
  ///
  /// - checkpoint: digest of what the step before made; nil when the run file says where its checkpoint comes from.
  /// - after: the run that made it.
  case submit(TrialStep, checkpoint: String?, after: Int64?)
  /// A run of it is to come or under way.
  case wait
  /// Every run of it is done.
  case done
  case failed(String)
  /// A run of it was cancelled.
  case stopped(String)

  /// The next move. A step that is done in an earlier attempt is not done again.
  package static func next(for trial: OpenTrial) -> TrialMove {
    var checkpoint: String?
    var maker: Int64?
    for step in TrialStep.allCases where trial.specs[step.rawValue] != nil && (step != .confirm || trial.chosen) {
      let runs = trial.runs.filter { $0.step == step.rawValue }
      if let done = runs.last(where: { $0.state == "done" }) {
        if step == .finetune {
          guard let made = done.checkpointDigest else { return .failed("run \(done.runID) made no checkpoint") }
          checkpoint = made
          maker = done.runID
        }
        continue
      }
      guard let current = runs.first(where: { $0.attempt == trial.attempt }) else {
        return .submit(step, checkpoint: checkpoint, after: maker)
      }
      switch current.state {
      case "failed": return .failed("run \(current.runID) failed: \(current.error ?? "no reason is stored")")
      case "cancelled": return .stopped("run \(current.runID) was cancelled")
      default: return .wait
      }
    }
    return .done
  }
}
