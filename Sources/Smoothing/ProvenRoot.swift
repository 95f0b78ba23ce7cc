/// Where a rising function of p changes its sign, as a lower bound on p that is rounded down once.
///
/// The search works in doubles and may be wrong; every point it returns was proven by an enclosure of the function.
final class ProvenRoot {
  /// A bound on the function at p = x or p = 1 - x: never below it when `above`, never above it otherwise. `depth` makes
  /// it closer.
  typealias Enclosure = (_ x: Double, _ complement: Bool, _ depth: Int, _ above: Bool) -> Double

  /// The function in doubles.
  struct Estimate {
    let value: Double
    /// Derivative by ln x.
    let slope: Double
    /// Levels of a continued fraction that the proofs should begin with.
    let depth: Int
  }

  private let enclosure: Enclosure
  private let estimate: (_ x: Double, _ complement: Bool) -> Estimate
  private var depth = 64
  private static let deepest = 1 << 20

  init(enclosure: @escaping Enclosure, estimate: @escaping (_ x: Double, _ complement: Bool) -> Estimate) {
    self.enclosure = enclosure
    self.estimate = estimate
  }

  /// One side is the true bound rounded; the other follows from it (see ``ClopperPearson``).
  static func aligned(value: Double, complement: Double) -> ProbabilityBound {
    complement <= 0.5
      ? ProbabilityBound(value: Rounding.sumDown(1, -complement), complement: complement)
      : ProbabilityBound(value: value, complement: Rounding.sumUp(1, -value))
  }

  /// The root, rounded down.
  ///
  /// - Parameters:
  ///   - start: a guess of p.
  ///   - highest: a p at which the function is positive.
  func crossing(from start: Double, below highest: Double) -> ProbabilityBound {
    let guess = search(from: start, below: highest)
    // Solve for the smaller of p and 1 - p. Only near one half must the proof decide which that is.
    let isUpper = abs(guess.p - 0.5) > 1e-3 ? guess.p > 0.5 : isAtOrBelow(0.5, complement: false)
    if isUpper {
      let start = refined(guess.q, complement: true)
      let last = Rounding.lastPoint(near: start) { !isAtOrBelow($0, complement: true) }
      return Self.aligned(value: 0, complement: last.nextUp)
    }
    let start = refined(guess.p, complement: false)
    return Self.aligned(value: Rounding.lastPoint(near: start) { isAtOrBelow($0, complement: false) }, complement: 1)
  }

  /// Whether the function is proven not above 0 at p = x or p = 1 - x.
  private func isAtOrBelow(_ x: Double, complement: Bool) -> Bool {
    guard x < 1 else { return complement }
    while true {
      if enclosure(x, complement, depth, false) >= 0 { return false }
      if enclosure(x, complement, depth, true) <= 0 { return true }
      if depth >= Self.deepest { return false }
      depth *= 4
    }
  }

  /// p and q = 1 - p near the root: Newton's steps against the logarithm of the smaller of the two, inside a bracket.
  private func search(from start: Double, below limit: Double) -> (p: Double, q: Double) {
    var lowest = 0.0
    var highest = limit
    var p = start
    if !(p > lowest && p < highest) { p = highest / 2 }
    var q = 1 - p
    for _ in 0..<100 {
      let usesComplement = p > 0.5
      let here = estimate(usesComplement ? q : p, usesComplement)
      depth = here.depth
      if here.value > 0 { highest = p } else { lowest = p }
      let step = -here.value / here.slope
      if abs(step) < 1e-14 || highest - lowest < 1e-16 * highest { break }
      let factor = Rough.exp(max(min(step, 2), -2))
      let (nextP, nextQ) = usesComplement ? (1 - q * factor, q * factor) : (p * factor, 1 - p * factor)
      if nextP > lowest && nextP < highest {
        (p, q) = (nextP, nextQ)
      } else {
        p = (lowest + highest) / 2
        q = 1 - p
      }
    }
    return (p, q)
  }

  /// One of Newton's steps with the function known to many more bits.
  private func refined(_ x: Double, complement: Bool) -> Double {
    let step = -enclosure(x, complement, depth, false) / estimate(x, complement).slope
    return step.isFinite && abs(step) < 0.1 ? x + x * step : x
  }
}
