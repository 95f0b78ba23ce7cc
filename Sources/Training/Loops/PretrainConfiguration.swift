import Models

/// Everything that decides a pre-training besides model, images and seed: the `training` section of a run file.
///
/// Defaults are the published ones (spec section 5 and its Table 4) unless a comment says otherwise.
package struct PretrainConfiguration: Sendable, Hashable, Codable {
  /// Optimizer steps K.
  package var steps = 300_000
  /// Images per step; the last incomplete batch of an epoch is dropped.
  package var batch = 2048
  /// Peak learning rate.
  package var learningRate = 1e-4
  package var schedule = LearningRateSchedule.Shape.warmupCosine
  /// Steps of linear warm-up W; clipping begins when they are over.
  package var warmupSteps = 10_000
  /// Lower bound of the learning-rate factor; −1 for none.
  package var minScale = -1.0
  /// Decoupled weight decay, on all trained parameters alike.
  package var weightDecay = 0.0
  package var optimizer = OptimizerSettings()
  /// Largest global gradient norm from step W on; 0 or less for no clipping.
  package var clipNorm = 2.0
  /// Temperature of the three InfoNCE terms.
  package var tau = 0.2
  package var scaleMode = LevelSchedule.Mode.icm
  package var startScales = 20
  package var endScales = 80
  /// Highest noise level; below 80 only for the restricted-noise ablation (spec section 11).
  package var sigmaMax = NoiseLevels.sigmaMax
  package var targetEMAMode = AverageSchedule.Mode.sigmoid
  /// A of spec 3.4: 10 in the paper, 15 in the authors' CIFAR-10 configuration.
  package var targetEMASharpness = 10.0
  package var startEMA = 0.99
  package var endEMA = 0.9999
  /// D of spec 3.4; 0 means `steps`.
  package var emaDecaySteps = 0
  /// Rate of the plain average of the weights, `nnet_ema`; 0 to do without it, since nothing published uses it.
  package var nnetEMARate = 0.9999
  /// Freezes the patch embedding.
  package var stopGradConv1 = false
  package var initialization = Initialization.framework
  package var augmentation = Augmentation.Recipe.cropFlip

  package init() {}

  enum CodingKeys: String, CodingKey, CaseIterable {
    case steps, batch, schedule, optimizer, tau, initialization, augmentation
    case learningRate = "learning_rate"
    case warmupSteps = "warmup_steps"
    case minScale = "min_scale"
    case weightDecay = "weight_decay"
    case clipNorm = "clip_norm"
    case scaleMode = "scale_mode"
    case startScales = "start_scales"
    case endScales = "end_scales"
    case sigmaMax = "sigma_max"
    case targetEMAMode = "target_ema_mode"
    case targetEMASharpness = "target_ema_sharpness"
    case startEMA = "start_ema"
    case endEMA = "end_ema"
    case emaDecaySteps = "ema_decay_steps"
    case nnetEMARate = "nnet_ema_rate"
    case stopGradConv1 = "stop_grad_conv1"
  }

  /// - Throws: `DecodingError` for a value of the wrong type and for unknown keys.
  package init(from decoder: any Decoder) throws {
    let keys = try StrictKeys(decoder, CodingKeys.self)
    steps = try keys.value(.steps, default: steps)
    batch = try keys.value(.batch, default: batch)
    learningRate = try keys.value(.learningRate, default: learningRate)
    schedule = try keys.value(.schedule, default: schedule)
    warmupSteps = try keys.value(.warmupSteps, default: warmupSteps)
    minScale = try keys.value(.minScale, default: minScale)
    weightDecay = try keys.value(.weightDecay, default: weightDecay)
    optimizer = try keys.value(.optimizer, default: optimizer)
    clipNorm = try keys.value(.clipNorm, default: clipNorm)
    tau = try keys.value(.tau, default: tau)
    scaleMode = try keys.value(.scaleMode, default: scaleMode)
    startScales = try keys.value(.startScales, default: startScales)
    endScales = try keys.value(.endScales, default: endScales)
    sigmaMax = try keys.value(.sigmaMax, default: sigmaMax)
    targetEMAMode = try keys.value(.targetEMAMode, default: targetEMAMode)
    targetEMASharpness = try keys.value(.targetEMASharpness, default: targetEMASharpness)
    startEMA = try keys.value(.startEMA, default: startEMA)
    endEMA = try keys.value(.endEMA, default: endEMA)
    emaDecaySteps = try keys.value(.emaDecaySteps, default: emaDecaySteps)
    nnetEMARate = try keys.value(.nnetEMARate, default: nnetEMARate)
    stopGradConv1 = try keys.value(.stopGradConv1, default: stopGradConv1)
    initialization = try keys.value(.initialization, default: initialization)
    augmentation = try keys.value(.augmentation, default: augmentation)
  }

  package var levelSchedule: LevelSchedule {
    LevelSchedule(mode: scaleMode, start: startScales, end: endScales, totalSteps: steps)
  }

  package var averageSchedule: AverageSchedule {
    AverageSchedule(
      mode: targetEMAMode, sharpness: targetEMASharpness, start: startEMA, end: endEMA,
      decaySteps: emaDecaySteps > 0 ? emaDecaySteps : steps)
  }

  package var learningRateSchedule: LearningRateSchedule {
    LearningRateSchedule(
      shape: schedule, warmup: warmupSteps, total: steps, minimum: minScale == -1 ? nil : minScale)
  }

  /// Parameters without updates.
  package var frozenParameters: Set<String> {
    stopGradConv1 ? ["patch_embed.proj.weight", "patch_embed.proj.bias"] : []
  }

  /// Everything wrong with these numbers, one sentence each, named as in the run file.
  package var problems: [String] {
    var found: [String] = []
    func require(_ holds: Bool, _ sentence: @autoclosure () -> String) { if !holds { found.append(sentence()) } }
    require(steps >= 1, "training.steps is \(steps); it must be at least 1")
    require(batch >= 2, "training.batch is \(batch); InfoNCE and batch norm need at least 2 images")
    require(learningRate >= 0, "training.learning_rate is \(learningRate); it must not be negative")
    require(
      schedule != .warmupCosine || warmupSteps < steps,
      "training.warmup_steps is \(warmupSteps); it must be less than training.steps (\(steps))")
    require(
      minScale == -1 || (0...1).contains(minScale), "training.min_scale is \(minScale); it must be −1 (none) or 0 to 1")
    require(weightDecay >= 0, "training.weight_decay is \(weightDecay); it must not be negative")
    require(tau > 0, "training.tau is \(tau); it must be greater than 0")
    require(
      startScales >= 2 && endScales >= startScales,
      "training.start_scales, end_scales are \(startScales), \(endScales); they must be 2 or more and not fall")
    require(
      sigmaMax > NoiseLevels.sigmaMin && sigmaMax <= NoiseLevels.sigmaMax,
      "training.sigma_max is \(sigmaMax); it must be above \(NoiseLevels.sigmaMin) and at most \(NoiseLevels.sigmaMax)")
    require(
      (0...1).contains(startEMA) && (startEMA...1).contains(max(endEMA, startEMA)) && endEMA >= startEMA,
      "training.start_ema, end_ema are \(startEMA), \(endEMA); they must be 0 to 1 and not fall")
    require((0..<1).contains(nnetEMARate), "training.nnet_ema_rate is \(nnetEMARate); it must be 0 (none) to below 1")
    return found + optimizer.problems
  }
}
