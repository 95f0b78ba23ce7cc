/// Sums of doubles rounded towards the safe side, exact in the sense of IEEE directed rounding.
enum Rounding {
  /// The largest double not above a + b.
  static func sumDown(_ a: Double, _ b: Double) -> Double {
    let sum = a + b
    return error(of: sum, a, b) < 0 ? sum.nextDown : sum
  }

  /// The smallest double not below a + b.
  static func sumUp(_ a: Double, _ b: Double) -> Double {
    let sum = a + b
    return error(of: sum, a, b) > 0 ? sum.nextUp : sum
  }

  /// a + b - sum, exactly (Knuth's two-sum).
  private static func error(of sum: Double, _ a: Double, _ b: Double) -> Double {
    let other = sum - a
    return (a - (sum - other)) + (b - other)
  }

  /// The largest positive double at which a falling predicate still holds, found from a guess; 0 when it holds at none.
  ///
  /// `holds` is true up to some point of (0, 1) or (0, ∞) and false above it. The result does not depend on the guess; a guess within a unit of the last place costs two calls.
  static func lastPoint(near guess: Double, holds: (Double) -> Bool) -> Double {
    var below = guess.bitPattern
    var above = below
    var step: UInt64 = 1
    if holds(guess) {
      above += step
      while holds(Double(bitPattern: above)) {
        below = above
        step *= 2
        above += step
      }
    } else {
      repeat {
        above = below
        below = below > step ? below - step : 1
        step *= 2
      } while below > 1 && !holds(Double(bitPattern: below))
    }
    while above - below > 1 {
      let middle = below + (above - below) / 2
      if holds(Double(bitPattern: middle)) { below = middle } else { above = middle }
    }
    // The search down ends at the smallest double without having asked there.
    return below == 1 && !holds(Double(bitPattern: 1)) ? 0 : Double(bitPattern: below)
  }
}
