internal import Glibc

/// The rate at which the target network follows the online one (spec 3.4).
///
/// - Note: the paper's equation 14 has base and variable exchanged; this is the form that the authors' code computes.
package struct AverageSchedule: Sendable, Hashable {
  package enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
    /// Rises from `start` towards `end` along a sigmoid of the square-root ramp.
    case sigmoid
    /// Always `start`.
    case fixed
  }

  package var mode: Mode
  /// Sharpness A of the sigmoid: 10 in the paper and for ImageNet, 15 in the code's CIFAR-10 runs.
  package var sharpness: Double
  /// Rate at step 0, exactly.
  package var start: Double
  /// Rate that is approached at `decaySteps`, not reached.
  package var end: Double
  /// Steps D over which the ramp runs.
  package var decaySteps: Int

  package init(
    mode: Mode = .sigmoid, sharpness: Double = 10, start: Double = 0.99, end: Double = 0.9999, decaySteps: Int
  ) {
    self.mode = mode
    self.sharpness = sharpness
    self.start = start
    self.end = end
    self.decaySteps = decaySteps
  }

  /// The rate when `step` steps are completed, to be used after the update that follows.
  package func rate(at step: Int) -> Double {
    guard mode == .sigmoid, end != start else { return start }
    let ramp =
      step < decaySteps
      ? (Double(step) / Double(decaySteps) * (end * end - start * start) + start * start).squareRoot()
      : end
    let c = 2 / (1 + exp(-sharpness * (ramp - start) / (end - start))) - 1
    return c * end + (1 - c) * start
  }
}
