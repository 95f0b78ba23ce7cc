internal import Glibc

/// The factor on the learning rate as a function of the scheduler's step (spec 5.2).
///
/// Pre-training advances the scheduler once per optimizer step, fine-tuning once per epoch (spec 6.3).
package struct LearningRateSchedule: Sendable, Hashable {
  package enum Shape: String, Sendable, Hashable, Codable, CaseIterable {
    /// Linear from 0 over the warm-up, then half a cosine down to 0 at `total`.
    case warmupCosine = "warmup-cosine"
    /// Linear from 0 over the warm-up, then 1.
    case warmup
    /// Always 1.
    case constant
  }

  package var shape: Shape
  /// Scheduler steps W of the warm-up; 0 or less makes the factor 1 throughout, as in the authors' code.
  package var warmup: Int
  /// Scheduler step K at which the cosine ends; unused by the other shapes.
  package var total: Int
  /// Lower bound of the cosine and value after its end; nil for none.
  package var minimum: Double?

  package init(shape: Shape = .warmupCosine, warmup: Int = 0, total: Int = 0, minimum: Double? = nil) {
    self.shape = shape
    self.warmup = warmup
    self.total = total
    self.minimum = minimum
  }

  /// Factor before the (step + 1)-th update; 0 before the very first one when there is a warm-up.
  package func factor(at step: Int) -> Double {
    guard shape != .constant, warmup > 0 else { return 1 }
    if step <= warmup { return Double(step) / Double(warmup) }
    guard shape == .warmupCosine else { return 1 }
    guard step < total else { return minimum ?? 0 }
    let cosine = 0.5 * (1 + cos(Double.pi * Double(step - warmup) / Double(total - warmup)))
    return max(minimum ?? 0, cosine)
  }
}
