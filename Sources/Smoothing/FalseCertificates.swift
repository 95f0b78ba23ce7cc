/// How many of a run's certificates may be false, all at once, and what that leaves of its accuracy.
///
/// Each of M certificates is false with probability at most alpha, independently: every image has noise of its own. So
/// their number is below a Bin(M, alpha) variable in distribution. With c = min{c : P(Bin(M, alpha) > c) ≤ rho}, at most c
/// of them are false with probability 1 - rho, and mean − c/M bounds the share that is correct and truly robust.
///
/// Exact. Cohen et al. 2019 (appendix on high-probability guarantees) bound the same number by Bernstein's inequality;
/// their public `analyze.py` omits its factor 2 and fails more often than it says.
package enum FalseCertificates {
  /// Probability with which the statement may fail, where none is asked for.
  package static let rho: ExactDecimal = 0.001

  /// c: the smallest number with P(Bin(images, alpha) > c) proven to be at most rho; 0 for no images.
  /// - Complexity: some tens of Clopper–Pearson bounds.
  package static func allowance(images: Int, alpha: ExactDecimal, rho: ExactDecimal = rho) -> Int {
    precondition(images >= 0)
    // P(Bin(M, alpha) ≥ c + 1) ≤ rho exactly when alpha is at most the lower bound that c + 1 hits prove at level rho.
    func suffices(_ count: Int) -> Bool {
      count >= images
        || !alpha.isAbove(ClopperPearson.lowerBound(hits: count + 1, draws: images, alpha: rho).value)
    }
    var (below, enough) = (-1, 0)
    while !suffices(enough) { (below, enough) = (enough, min(2 * enough + 1, images)) }
    while enough - below > 1 {
      let middle = (below + enough) / 2
      if suffices(middle) { enough = middle } else { below = middle }
    }
    return enough
  }

  /// Images of `share` that are certified truly, all but `allowance` of them: never below zero.
  package static func certainly(_ certified: Int, allowance: Int) -> Int { max(certified - allowance, 0) }
}
