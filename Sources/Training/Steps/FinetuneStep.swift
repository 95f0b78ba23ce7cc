package import Compute
import Models

/// What one fine-tuning step consumes.
package struct FinetuneBatch: Sendable {
  /// Images [B, C, H, W], normalised to [−1, 1].
  package var images: [Float]
  package var labels: Labels
  /// Standard normals [m·B, C, H, W]: rows 0…B−1 belong to the first copy of the batch, B…2B−1 to the second, and so
  /// on. Empty for tasks on clean images.
  package var noise: [Float]

  package init(images: [Float], labels: Labels, noise: [Float] = []) {
    self.images = images
    self.labels = labels
    self.noise = noise
  }
}

/// What one fine-tuning step did.
package struct FinetuneMetrics: Sendable {
  /// Completed steps before this one.
  package var step: Int
  /// Logits of the step's rows before the update, [m·B, K].
  package var logits: [Float]
  /// Mean cross-entropy over all rows.
  package var crossEntropy: Double
  /// Mean of the regulariser; of the prediction's entropy in the tasks on clean images.
  package var consistency: Double
  /// KL(p̄ ‖ p_k) averaged over copies, and H(p̄), per image; empty in the tasks on clean images.
  package var divergences: [Double]
  package var entropies: [Double]
  /// Share of rows whose largest logit is at the label's largest weight.
  package var accuracy: Double
  /// Peak rate of the step: that of the layers behind the blocks.
  package var learningRate: Double
  package var gradientNorm: Double

  package var loss: Double { crossEntropy + consistency }

  /// Name and value pairs as they are stored and plotted.
  package var values: [(name: String, value: Double)] {
    [
      ("loss", loss), ("cross_entropy", crossEntropy), ("consistency", consistency), ("accuracy", accuracy),
      ("learning_rate", learningRate), ("gradient_norm", gradientNorm),
    ]
  }
}

/// One step of fine-tuning (spec 6.2, 6.3).
package struct FinetuneStep {
  /// Encoder and head.
  package let network: any Network
  package let configuration: FinetuneConfiguration
  private let groups: ParameterGroups
  private let trained: Set<String>

  package init(network: any Network, configuration: FinetuneConfiguration) {
    self.network = network
    self.configuration = configuration
    let model = network.configuration
    groups = layerwiseGroups(
      model, learningRate: configuration.learningRate, weightDecay: configuration.weightDecay,
      decay: configuration.layerDecay)
    trained = Set(
      groups.keys.filter { name in
        let isHead = name.hasPrefix("linear_head.")
        // Without gradient, so without update: the projector, and the final norm where it is not applied.
        if name.hasPrefix("projection_head.") || (name.hasPrefix("norm.") && !model.finalNorm) { return false }
        return switch configuration.task {
        case .linear: isHead
        case .finetune: true
        case .consistency: !isHead || configuration.head == .trained
        }
      })
  }

  /// Trains on one batch. Afterwards `network.gradients()` are those of this step.
  ///
  /// - Parameters:
  ///   - completed: optimizer steps completed before this one.
  ///   - rateFactor: factor on every learning rate, from the schedule.
  package func run(_ batch: FinetuneBatch, completed: Int, rateFactor: Double) throws -> FinetuneMetrics {
    let model = network.configuration
    let grid = NoiseLevels(count: model.levels)
    let clean = configuration.task != .consistency
    let level = grid.levels[grid.classifierIndex(noiseLevel: clean ? 0 : configuration.noiseAug)]
    let inputs =
      clean
      ? NetworkInputs.clean(images: batch.images, level: level)
      : NetworkInputs.noisy(
        images: batch.images, noise: batch.noise, deviation: Float(configuration.noiseAug), level: level)
    let rows = inputs.count / model.imageElements
    let outputs = try network.forward(
      inputs: inputs, times: NetworkInputs.times(level: level, count: rows),
      options: ForwardOptions(finalNorm: model.finalNorm, head: true, keepsTape: true))
    let logits = outputs.logits!

    var metrics = FinetuneMetrics(
      step: completed, logits: logits, crossEntropy: 0, consistency: 0, divergences: [], entropies: [],
      accuracy: accuracy(logits: logits, classes: model.classes, labels: batch.labels),
      learningRate: configuration.learningRate * rateFactor, gradientNorm: 0)
    let gradient: [Float]
    if clean {
      let loss = ProbeLoss(logits: logits, classes: model.classes, labels: batch.labels)
      (metrics.crossEntropy, metrics.consistency, gradient) = (loss.crossEntropy, loss.entropy, loss.gradient)
    } else {
      let loss = ConsistencyLoss(
        logits: logits, classes: model.classes, copies: configuration.copies, labels: batch.labels,
        lambda: configuration.lambda, eta: configuration.eta, variant: configuration.variant)
      (metrics.crossEntropy, metrics.consistency, gradient) = (loss.crossEntropy, loss.consistency, loss.gradient)
      (metrics.divergences, metrics.entropies) = (loss.divergences, loss.entropies)
    }
    try network.zeroGradients()
    try network.backward(outputs.tape!, gradients: OutputGradients(logits: gradient))
    metrics.gradientNorm = try network.gradientNorm(of: trained)
    guard metrics.gradientNorm.isFinite else {
      throw ComputeError(
        "fine-tuning step \(completed): the gradient norm is \(metrics.gradientNorm);"
          + " lower training.learning_rate (\(configuration.learningRate))")
    }
    try network.update(
      AdamWUpdate(
        step: completed + 1, configuration.optimizer, gradientScale: 1,
        groups: groups.filter { trained.contains($0.key) }
          .mapValues { ($0.learningRate * rateFactor, $0.weightDecay) }))
    return metrics
  }
}

/// Index of the largest value of a row; the lowest index among equals.
func largestIndex(_ values: ArraySlice<Float>) -> Int {
  var best = values.startIndex
  for i in values.indices where values[i] > values[best] { best = i }
  return best - values.startIndex
}

/// Share of rows whose largest logit is the label; rows may repeat the batch.
func accuracy(logits: [Float], classes: Int, labels: Labels) -> Double {
  let rows = logits.count / classes
  let images = labels.count(classes: classes)
  let correct = (0..<rows).count { row in
    let predicted = largestIndex(logits[row * classes..<(row + 1) * classes])
    return switch labels {
    case .hard(let labels): labels[row % images] == predicted
    case .soft(let values):
      largestIndex(values[row % images * classes..<(row % images + 1) * classes]) == predicted
    }
  }
  return Double(correct) / Double(rows)
}
