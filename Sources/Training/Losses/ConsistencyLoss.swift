internal import Glibc

/// The fine-tuning objective over m noisy copies of a batch (spec 6.2; Jeong & Shin 2020): cross-entropy over all rows
/// plus a consistency regulariser per image.
///
/// With q_k the logits of copy k, p_k = softmax(q_k) and p̄ their mean, the regulariser is
/// lambda·(1/m) Σ_k KL(p̄ ‖ p_k) + eta·H(p̄). Gradients flow through p̄.
///
/// - Note: the paper's equation 12 is another form (cross-entropy between the two draws and the entropy of one);
///   this is what the authors' code computes.
package struct ConsistencyLoss {
  package enum Variant: String, Sendable, Hashable, Codable, CaseIterable {
    /// lambda·KL + eta·H
    case `default`
    /// lambda·(KL + H)
    case xent
    /// lambda·KL
    case kl
    /// lambda·‖p₂ − p₁‖², of the first two copies
    case mse
  }

  /// Mean cross-entropy over all m·B rows.
  package let crossEntropy: Double
  /// KL(p̄ ‖ p_k) averaged over copies, per image [B].
  package let divergences: [Double]
  /// H(p̄) per image [B].
  package let entropies: [Double]
  /// Mean of the regulariser over images.
  package let consistency: Double
  /// Gradient of `total` with respect to the logits [m·B, K].
  package let gradient: [Float]
  package var total: Double { crossEntropy + consistency }

  /// - Parameters:
  ///   - logits: [m·B, K]; rows 0…B−1 belong to the first copy of the batch, B…2B−1 to the second, and so on.
  ///   - copies: m, at least 2.
  ///   - labels: of the batch, not repeated.
  package init(
    logits: [Float], classes: Int, copies m: Int, labels: Labels, lambda: Double, eta: Double,
    variant: Variant = .default
  ) {
    let softmax = Softmax(logits, classes: classes)
    precondition(m >= 2 && softmax.rows % m == 0)
    let images = softmax.rows / m
    let ce = CrossEntropy(softmax, labels.repeated(m))
    var gradient = ce.gradient
    let p = softmax.probabilities
    let lnP = softmax.logarithms
    var divergences = [Double](repeating: 0, count: images)
    var entropies = divergences
    var consistency = 0.0
    let (klWeight, entropyWeight): (Double, Double) =
      switch variant {
      case .default: (lambda, eta)
      case .xent: (lambda, lambda)
      case .kl: (lambda, 0)
      case .mse: (0, 0)
      }
    let share = 1 / Double(images)
    var mean = [Double](repeating: 0, count: classes)
    var g = mean
    for i in 0..<images {
      func at(_ copy: Int, _ c: Int) -> Int { (copy * images + i) * classes + c }
      // dKL/dp̄ = ln p̄ + 1 − (1/m) Σ ln p_k and dH/dp̄ = −ln p̄ − 1. The constants vanish in the pull-back of a softmax.
      for c in 0..<classes {
        mean[c] = (0..<m).reduce(0.0) { $0 + p[at($1, c)] } / Double(m)
        let meanLog = (0..<m).reduce(0.0) { $0 + lnP[at($1, c)] } / Double(m)
        let lnMean = log(max(mean[c], Self.smallestProbability))
        if mean[c] > 0 { divergences[i] += mean[c] * (log(mean[c]) - meanLog) }
        entropies[i] -= mean[c] * lnMean
        g[c] = share / Double(m) * (klWeight * (lnMean - meanLog) - entropyWeight * lnMean)
      }
      consistency += share * (klWeight * divergences[i] + entropyWeight * entropies[i])
      for copy in 0..<m {
        softmax.pullBack(g, row: copy * images + i, into: &gradient)
        // Through ln p_k directly: d(−p̄·ln p_k)/dq_k = p_k − p̄.
        for c in 0..<classes {
          gradient[at(copy, c)] += share * klWeight / Double(m) * (p[at(copy, c)] - mean[c])
        }
      }
      if variant == .mse {
        for c in 0..<classes {
          let difference = p[at(1, c)] - p[at(0, c)]
          consistency += share * lambda * difference * difference
          g[c] = 2 * share * lambda * difference
        }
        softmax.pullBack(g, row: images + i, into: &gradient)
        softmax.pullBack(g.map { -$0 }, row: i, into: &gradient)
      }
    }
    self.crossEntropy = ce.mean
    self.divergences = divergences
    self.entropies = entropies
    self.consistency = consistency
    self.gradient = gradient.map { Float($0) }
  }

  /// Floor inside the entropy's logarithm, as in the authors' code.
  private static let smallestProbability = 1e-20
}
