internal import Glibc

extension NoiseLevels {
  /// The grid as its formula defines it, in double precision (spec 3.1): what the float32 tables approximate.
  package static func exact(count: Int, sigmaMax: Double = NoiseLevels.sigmaMax) -> [Double] {
    precondition(count >= 2, "a grid has at least two levels, not \(count)")
    let start = pow(sigmaMax, 1 / rho)
    let span = pow(sigmaMin, 1 / rho) - start
    return (0..<count).map { pow(start + Double($0) / Double(count - 1) * span, rho) }
  }
}
