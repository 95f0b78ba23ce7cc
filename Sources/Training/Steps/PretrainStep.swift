package import Compute
import Models

/// What one pre-training step consumes.
package struct PretrainBatch: Sendable {
  /// x: weakly augmented images [B, C, H, W], normalised to [−1, 1].
  package var images: [Float]
  /// x₁: the first view of the same images.
  package var view1: [Float]
  /// x₂: the second view.
  package var view2: [Float]
  /// ε: one standard normal tensor of the batch's shape, used for everything in the step.
  package var noise: [Float]
  /// B
  package var count: Int

  package init(images: [Float], view1: [Float], view2: [Float], noise: [Float], count: Int) {
    self.images = images
    self.view1 = view1
    self.view2 = view2
    self.noise = noise
    self.count = count
  }
}

/// What one pre-training step did.
package struct PretrainMetrics: Sendable {
  /// Completed steps k before this one.
  package var step: Int
  /// Number of levels N_k, and the index i of the noisier of the two levels compared.
  package var levels: Int
  package var levelIndex: Int
  /// t_i, t_{i+1} and the smallest level.
  package var level: Float
  package var nextLevel: Float
  package var smallestLevel: Float
  /// InfoNCE per image of view 1 against the target's view 2, and the other way round.
  package var contrast1: [Double]
  package var contrast2: [Double]
  /// InfoNCE per image between the two levels.
  package var consistency: [Double]
  package var learningRate: Double
  /// Global gradient norm before clipping, over trained parameters.
  package var gradientNorm: Double
  package var isClipped: Bool
  package var targetRate: Double

  /// Loss per image: the sum of the three terms.
  package var losses: [Double] { consistency.indices.map { contrast1[$0] + contrast2[$0] + consistency[$0] } }
  package var loss: Double { mean(losses) }

  /// Name and value pairs as they are stored and plotted.
  package var values: [(name: String, value: Double)] {
    [
      ("loss", loss), ("contrast_1", mean(contrast1)), ("contrast_2", mean(contrast2)),
      ("consistency", mean(consistency)), ("learning_rate", learningRate), ("gradient_norm", gradientNorm),
      ("levels", Double(levels)), ("level", Double(level)), ("target_ema", targetRate),
    ]
  }
}

func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

/// One step of pre-training, exactly as spec section 5.1 orders it.
///
/// Batch norms move with each forward pass, so the order of the passes is part of the result: online x₁, target x₂,
/// online x₂, target x₁, online x_t, online x_{t'}.
package struct PretrainStep {
  /// The network that is trained.
  package let online: any Network
  /// Its moving average of section 3.4, which gives the contrastive targets.
  package let target: any Network
  /// A second, constant-rate average of the parameters; nil to do without. Nothing published uses it.
  package let average: (any Network)?
  package let configuration: PretrainConfiguration
  /// Parameters without updates.
  package let frozen: Set<String>
  private let trained: Set<String>

  /// - Parameter frozen: nil for what the configuration says.
  package init(
    online: any Network, target: any Network, average: (any Network)?, configuration: PretrainConfiguration,
    frozen: Set<String>? = nil
  ) {
    self.online = online
    self.target = target
    self.average = average
    self.configuration = configuration
    self.frozen = frozen ?? configuration.frozenParameters
    self.trained = Set(ParameterLayout(online.configuration).parameters.map(\.name)).subtracting(self.frozen)
  }

  /// Trains on one batch. Afterwards `online.gradients()` are those of this step, before clipping.
  ///
  /// - Parameters:
  ///   - levelIndex: i in 0…N_k − 2, shared by the whole batch.
  ///   - completed: k, optimizer steps completed before this one.
  package func run(_ batch: PretrainBatch, levelIndex: Int, completed k: Int) throws -> PretrainMetrics {
    let grid = NoiseLevels(count: configuration.levelSchedule.levels(at: k), sigmaMax: configuration.sigmaMax)
    precondition((0..<grid.count - 1).contains(levelIndex), "level index \(levelIndex) of \(grid.count) levels")
    let (t, next, smallest) = (grid.levels[levelIndex], grid.levels[levelIndex + 1], grid.levels[grid.count - 1])

    func pass(_ network: any Network, _ images: [Float], at level: Float, tape: Bool) throws -> ForwardOutputs {
      try network.forward(
        inputs: NetworkInputs.noisy(images: images, noise: batch.noise, deviation: level, level: level),
        times: NetworkInputs.times(level: level, count: batch.count),
        options: ForwardOptions(projector: .batchStatistics, finalNorm: true, keepsTape: tape))
    }
    let online1 = try pass(online, batch.view1, at: smallest, tape: true)
    let target2 = try pass(target, batch.view2, at: smallest, tape: false)
    let online2 = try pass(online, batch.view2, at: smallest, tape: true)
    let target1 = try pass(target, batch.view1, at: smallest, tape: false)
    let noisier = try pass(online, batch.images, at: t, tape: true)
    let cleaner = try pass(online, batch.images, at: next, tape: false)

    let o = online.configuration.projectorOutput
    let contrast1 = InfoNCE(
      features: online1.projection!, targets: target2.projection!, dimension: o, tau: configuration.tau)
    let contrast2 = InfoNCE(
      features: online2.projection!, targets: target1.projection!, dimension: o, tau: configuration.tau)
    let consistency = InfoNCE(
      features: noisier.encoder, targets: cleaner.encoder, dimension: online.configuration.width, tau: configuration.tau
    )

    try online.zeroGradients()
    try online.backward(online1.tape!, gradients: OutputGradients(projection: contrast1.gradient))
    try online.backward(online2.tape!, gradients: OutputGradients(projection: contrast2.gradient))
    try online.backward(noisier.tape!, gradients: OutputGradients(encoder: consistency.gradient))

    let norm = try online.gradientNorm(of: trained)
    guard norm.isFinite else {
      throw ComputeError(
        "pre-training step \(k): the gradient norm is \(norm); lower training.learning_rate (\(configuration.learningRate))"
          + " or lengthen training.warmup_steps (\(configuration.warmupSteps))")
    }
    let clips = configuration.clipNorm > 0 && k >= configuration.warmupSteps
    let rate = configuration.learningRate * configuration.learningRateSchedule.factor(at: k)
    try online.update(
      AdamWUpdate(
        step: k + 1, configuration.optimizer,
        gradientScale: clips ? Float(min(1, configuration.clipNorm / (norm + 1e-6))) : 1,
        groups: ParameterGroups(uniqueKeysWithValues: trained.map { ($0, (rate, configuration.weightDecay)) })))
    try average?.average(towards: online, rate: Float(configuration.nnetEMARate))
    let targetRate = configuration.averageSchedule.rate(at: k)
    try target.average(towards: online, rate: Float(targetRate))

    return PretrainMetrics(
      step: k, levels: grid.count, levelIndex: levelIndex, level: t, nextLevel: next, smallestLevel: smallest,
      contrast1: contrast1.losses, contrast2: contrast2.losses, consistency: consistency.losses, learningRate: rate,
      gradientNorm: norm, isClipped: clips, targetRate: targetRate)
  }
}
