/// A bound on a probability p, kept together with the bound on 1 - p, so that nothing is lost where p is near 1.
///
/// A lower bound has `value` ≤ p and `complement` ≥ 1 - p; an upper bound has both the other way round.
package struct ProbabilityBound: Sendable, Hashable {
  /// The bound on p, in 0 ... 1.
  package let value: Double
  /// The bound on 1 - p, in 0 ... 1.
  package let complement: Double

  package init(value: Double, complement: Double) {
    self.value = value
    self.complement = complement
  }

  /// Whether a lower bound shows p > 1/2. This is what certifies; a bound of exactly one half abstains.
  package var exceedsHalf: Bool { complement < 0.5 }

  /// This lower bound less `slack`, rounded down: a statement about a distribution within that total variation.
  package func lowered(by slack: Double) -> Self {
    precondition(slack >= 0)
    guard slack > 0 else { return self }
    let complement = min(Rounding.sumUp(self.complement, slack), 1)
    let value = max(Rounding.sumDown(self.value, -slack), 0)
    return Self(value: value, complement: complement)
  }

  /// This upper bound plus `slack`, rounded up.
  package func raised(by slack: Double) -> Self {
    let mirrored = Self(value: complement, complement: value).lowered(by: slack)
    return Self(value: mirrored.complement, complement: mirrored.value)
  }
}
