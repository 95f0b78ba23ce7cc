/// Everything that decides a fine-tuning besides model, images and seed: the `training` section of a run file.
///
/// Defaults are those of the published CIFAR-10 run at sigma 0.25 (spec 6.4).
package struct FinetuneConfiguration: Sendable, Hashable, Codable {
  package enum Task: String, Sendable, Hashable, Codable, CaseIterable {
    /// Noisy copies, consistency regulariser: the published recipe.
    case consistency
    /// Clean images, everything trained.
    case finetune
    /// Clean images, only the head trained.
    case linear
  }

  package enum Head: String, Sendable, Hashable, Codable, CaseIterable {
    /// Keeps its near-zero initial values, as in the authors' code and all published runs.
    case frozen
    /// Trained with the encoder, as the paper says.
    case trained
  }

  package enum ScheduleUnit: String, Sendable, Hashable, Codable, CaseIterable {
    /// The learning rate changes once per epoch, and the first epoch has rate 0: the authors' code.
    case epoch
    /// The same curve, followed at every step. Better for short trainings.
    case step
  }

  package var task = Task.consistency
  /// Passes over the images.
  package var epochs = 100
  /// Images per step, each in `copies` noisy versions.
  package var batch = 1024
  /// Peak rate of the layers behind the blocks.
  package var learningRate = 2e-4
  /// Multiplies `learning_rate` by batch/256.
  package var scaleLearningRate = false
  package var schedule = LearningRateSchedule.Shape.warmupCosine
  package var scheduleUnit = ScheduleUnit.epoch
  package var warmupEpochs = 10
  /// Epochs at which the cosine ends; 0 means `epochs`. The authors keep 100 or 150 whatever the number run.
  package var scheduleEpochs = 0
  /// Lower bound of the learning-rate factor; −1 for none.
  package var minScale = -1.0
  /// Weight decay of tensors of more than one axis.
  package var weightDecay = 0.0
  /// Layer-wise factor gamma on the learning rate; 0 or less for one rate everywhere.
  package var layerDecay = 0.75
  package var optimizer = OptimizerSettings()
  /// Noise level in normalised units: 2·sigma.
  package var noiseAug = 0.5
  /// Noise draws m per image.
  package var copies = 2
  /// Weight of the divergence between draws: 10 for sigma 0.25, 20 above.
  package var lambda = 10.0
  /// Weight of the mean prediction's entropy.
  package var eta = 0.5
  package var variant = ConsistencyLoss.Variant.default
  package var head = Head.frozen
  package var augmentation = Augmentation.Recipe.none

  package init() {}

  enum CodingKeys: String, CodingKey, CaseIterable {
    case task, epochs, batch, schedule, optimizer, copies, lambda, eta, variant, head, augmentation
    case learningRate = "learning_rate"
    case scaleLearningRate = "scale_lr"
    case scheduleUnit = "schedule_unit"
    case warmupEpochs = "warmup_epochs"
    case scheduleEpochs = "schedule_epochs"
    case minScale = "min_scale"
    case weightDecay = "weight_decay"
    case layerDecay = "layer_decay"
    case noiseAug = "noise_aug"
  }

  /// - Throws: `DecodingError` for a value of the wrong type and for unknown keys.
  package init(from decoder: any Decoder) throws {
    let keys = try StrictKeys(decoder, CodingKeys.self)
    task = try keys.value(.task, default: task)
    epochs = try keys.value(.epochs, default: epochs)
    batch = try keys.value(.batch, default: batch)
    learningRate = try keys.value(.learningRate, default: learningRate)
    scaleLearningRate = try keys.value(.scaleLearningRate, default: scaleLearningRate)
    schedule = try keys.value(.schedule, default: schedule)
    scheduleUnit = try keys.value(.scheduleUnit, default: scheduleUnit)
    warmupEpochs = try keys.value(.warmupEpochs, default: warmupEpochs)
    scheduleEpochs = try keys.value(.scheduleEpochs, default: scheduleEpochs)
    minScale = try keys.value(.minScale, default: minScale)
    weightDecay = try keys.value(.weightDecay, default: weightDecay)
    layerDecay = try keys.value(.layerDecay, default: layerDecay)
    optimizer = try keys.value(.optimizer, default: optimizer)
    noiseAug = try keys.value(.noiseAug, default: noiseAug)
    copies = try keys.value(.copies, default: copies)
    lambda = try keys.value(.lambda, default: lambda)
    eta = try keys.value(.eta, default: eta)
    variant = try keys.value(.variant, default: variant)
    head = try keys.value(.head, default: head)
    augmentation = try keys.value(.augmentation, default: augmentation)
  }

  /// Factor on every learning rate before the step after `completed` ones, in a data set of `stepsPerEpoch` batches.
  package func rateFactor(completed: Int, stepsPerEpoch: Int) -> Double {
    let end = scheduleEpochs > 0 ? scheduleEpochs : epochs
    let unit = scheduleUnit == .step ? stepsPerEpoch : 1
    let curve = LearningRateSchedule(
      shape: schedule, warmup: warmupEpochs * unit, total: end * unit, minimum: minScale == -1 ? nil : minScale)
    let scale = scaleLearningRate ? Double(batch) / 256 : 1
    return scale * curve.factor(at: scheduleUnit == .step ? completed : completed / stepsPerEpoch)
  }

  /// Everything wrong with these numbers, one sentence each, named as in the run file.
  package var problems: [String] {
    var found: [String] = []
    func require(_ holds: Bool, _ sentence: @autoclosure () -> String) { if !holds { found.append(sentence()) } }
    require(epochs >= 1, "training.epochs is \(epochs); it must be at least 1")
    require(batch >= 1, "training.batch is \(batch); it must be at least 1")
    require(learningRate >= 0, "training.learning_rate is \(learningRate); it must not be negative")
    require(
      schedule != .warmupCosine || warmupEpochs < (scheduleEpochs > 0 ? scheduleEpochs : epochs),
      "training.warmup_epochs is \(warmupEpochs); it must be less than the epochs of the schedule")
    require(
      minScale == -1 || (0...1).contains(minScale), "training.min_scale is \(minScale); it must be −1 (none) or 0 to 1")
    require(weightDecay >= 0, "training.weight_decay is \(weightDecay); it must not be negative")
    require(layerDecay <= 1, "training.layer_decay is \(layerDecay); it must be at most 1")
    require((0...80).contains(noiseAug), "training.noise_aug is \(noiseAug); it is 2·sigma and must be 0 to 80")
    require((2...64).contains(copies), "training.copies is \(copies); it must be 2 to 64")
    require(lambda >= 0 && eta >= 0, "training.lambda, eta are \(lambda), \(eta); they must not be negative")
    return found + optimizer.problems
  }
}
