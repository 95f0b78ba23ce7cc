#if canImport(Glibc)
  internal import Glibc
#else
  internal import Musl
#endif

/// The C library's functions, for guesses that a proof then confirms or moves: their last bits never reach a result.
enum Rough {
  static func log(_ x: Double) -> Double { x > 0 ? _log(x) : -.infinity }
  static func log1p(_ x: Double) -> Double { _log1p(x) }
  static func exp(_ x: Double) -> Double { _exp(x) }
  static func erf(_ x: Double) -> Double { _erf(x) }
  static func erfc(_ x: Double) -> Double { _erfc(x) }
  static func asin(_ x: Double) -> Double { _asin(x) }
  static func acos(_ x: Double) -> Double { _acos(x) }

  /// z with 1 - Φ(z) about `tail`, for 0 < tail ≤ 1/2.
  static func normalQuantile(tail: Double) -> Double {
    // Abramowitz & Stegun 26.2.23 to 4.5e-4, then Newton's steps on the side that cancels less.
    let t = (-2 * log(tail)).squareRoot()
    let numerator = 2.515517 + t * (0.802853 + t * 0.010328)
    var z = max(t - numerator / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))), 0)
    let root2 = 2.0.squareRoot()
    for _ in 0..<4 {
      let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
      if tail > 0.25 {
        z -= (erf(z / root2) / 2 - (0.5 - tail)) / density
      } else {
        let here = erfc(z / root2) / 2
        z += (log(here) - log(tail)) * here / density
      }
    }
    return z
  }
}

private func _log(_ x: Double) -> Double { log(x) }
private func _log1p(_ x: Double) -> Double { log1p(x) }
private func _exp(_ x: Double) -> Double { exp(x) }
private func _erf(_ x: Double) -> Double { erf(x) }
private func _erfc(_ x: Double) -> Double { erfc(x) }
private func _asin(_ x: Double) -> Double { asin(x) }
private func _acos(_ x: Double) -> Double { acos(x) }
