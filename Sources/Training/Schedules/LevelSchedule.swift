internal import Glibc

/// How many noise levels the grid has as pre-training goes on (spec 3.2).
package struct LevelSchedule: Sendable, Hashable {
  package enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
    /// The authors' code: doubling with ceilings, so 20 intervals only at step 0, then 40, then 80.
    case icm
    /// Improved consistency training's original: floors, 20/40/80 in thirds.
    case floor
    /// Always `start` levels (and not one more, as in the authors' code).
    case fixed
  }

  package var mode: Mode
  /// Intervals at the beginning.
  package var start: Int
  /// Intervals at the end.
  package var end: Int
  /// Steps K of the whole training.
  package var totalSteps: Int

  package init(mode: Mode = .icm, start: Int = 20, end: Int = 80, totalSteps: Int) {
    self.mode = mode
    self.start = start
    self.end = end
    self.totalSteps = totalSteps
  }

  /// Number of levels N_k when `step` steps are completed.
  package func levels(at step: Int) -> Int {
    switch mode {
    case .fixed: return start
    case .icm:
      let ratio = (Double(end) / Double(start)).rounded(.up)
      let stage = (Double(totalSteps) / log2(ratio + 1)).rounded(.up)
      return doubled(stages: (Double(step) / stage).rounded(.up))
    case .floor:
      let ratio = (Double(end) / Double(start)).rounded(.down)
      let stage = max(1, (Double(totalSteps) / (log2(ratio) + 1)).rounded(.down))
      return doubled(stages: (Double(step) / stage).rounded(.down))
    }
  }

  private func doubled(stages: Double) -> Int {
    Int(min(Double(start) * exp2(stages), Double(end))) + 1
  }
}
