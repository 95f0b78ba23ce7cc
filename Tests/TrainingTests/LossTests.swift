import Noise
import Testing

@testable import Training

@Suite("Losses")
struct LossTests {
  /// Values that look random and are the same at every run.
  static func values(_ count: Int, _ place: UInt32) -> [Float] {
    RandomStream(seed: 5, purpose: "loss-tests").normals(count: count, at: place)
  }

  /// Largest difference between a gradient and central differences of the loss it belongs to.
  static func error(_ gradient: [Float], at point: [Float], _ loss: ([Float]) -> Double) -> Double {
    let h: Float = 1 / 256
    return point.indices.map { i in
      var (up, down) = (point, point)
      up[i] += h
      down[i] -= h
      return abs(Double(gradient[i]) - (loss(up) - loss(down)) / Double(up[i] - down[i]))
    }.max()!
  }

  @Test("the gradient of InfoNCE is the slope of its mean", arguments: [0, 2, 5])
  func infoNCE(offset: Int) {
    let (f, t) = (Self.values(3 * 5, 0), Self.values(8 * 5, 1))
    func loss(_ f: [Float]) -> InfoNCE {
      InfoNCE(features: f, targets: t, dimension: 5, tau: 0.4, positiveOffset: offset)
    }
    #expect(Self.error(loss(f).gradient, at: f) { mean(loss($0).losses) } < 1e-4)
  }

  @Test("InfoNCE with targets of several processes equals the step on the union batch")
  func gathered() {
    let (f, t) = (Self.values(6 * 4, 2), Self.values(6 * 4, 3))
    let union = InfoNCE(features: f, targets: t, dimension: 4, tau: 0.2)
    let second = InfoNCE(features: Array(f[12...]), targets: t, dimension: 4, tau: 0.2, positiveOffset: 3)
    #expect(second.losses == Array(union.losses[3...]))
  }

  @Test("a feature of length zero has a finite loss and gradient")
  func zeroFeature() {
    let nce = InfoNCE(features: [0, 0, 1, 0], targets: [1, 2, 3, 4], dimension: 2, tau: 0.2)
    #expect(nce.losses.allSatisfy(\.isFinite) && nce.gradient.allSatisfy(\.isFinite))
  }

  @Test(
    "the gradient of the consistency loss is its slope, through the mean prediction too",
    arguments: ConsistencyLoss.Variant.allCases, [2, 3])
  func consistency(variant: ConsistencyLoss.Variant, copies: Int) {
    let logits = Self.values(copies * 4 * 5, 4)
    let soft = Softmax(Self.values(4 * 5, 5), classes: 5).probabilities.map { Float($0) }
    for labels in [Labels.hard([3, 0, 4, 1]), .soft(soft)] {
      func loss(_ logits: [Float]) -> ConsistencyLoss {
        ConsistencyLoss(
          logits: logits, classes: 5, copies: copies, labels: labels, lambda: 3, eta: 0.7, variant: variant)
      }
      #expect(Self.error(loss(logits).gradient, at: logits) { loss($0).total } < 1e-4)
    }
  }

  @Test("copies that agree have no divergence, and the entropy of uniform predictions is ln K")
  func agreement() {
    let loss = ConsistencyLoss(
      logits: [Float](repeating: 0.25, count: 2 * 3 * 8), classes: 8, copies: 2, labels: .hard([0, 1, 2]), lambda: 10,
      eta: 0.5)
    #expect(loss.divergences.allSatisfy { abs($0) < 1e-15 })
    // The published runs begin here: cross-entropy ln K, regulariser half of it.
    #expect(abs(loss.crossEntropy - 2.0794415416798357) < 1e-12)
    #expect(abs(loss.consistency - 1.0397207708399179) < 1e-12)
  }

  @Test("the gradient of the probe loss is its slope")
  func probe() {
    let logits = Self.values(4 * 5, 6)
    func loss(_ logits: [Float]) -> ProbeLoss { ProbeLoss(logits: logits, classes: 5, labels: .hard([0, 4, 2, 2])) }
    #expect(Self.error(loss(logits).gradient, at: logits) { loss($0).total } < 1e-4)
  }

  @Test("logits far apart neither overflow nor give gradients that are not numbers")
  func extremeLogits() {
    let loss = ConsistencyLoss(
      logits: [500, -500, 0, -500, 500, 0], classes: 3, copies: 2, labels: .hard([1]), lambda: 10, eta: 0.5)
    #expect(loss.total.isFinite && loss.gradient.allSatisfy(\.isFinite))
  }
}
