import Compute
import Models
import Tensors
import Training

/// Steps of the pre-training loop with given images, noise and levels.
func checkPretrain(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let json = try context.folder.json(subject + ".json")
  let data = try context.folder.tensors(subject + "_data.safetensors")
  guard let weights = GoldenFolder.fileName(try json.requireString("start_weights")) else {
    throw GoldenError("start_weights does not begin with a file name")
  }
  let (model, state) = try context.folder.model(file: weights)
  GoldenFolder.compareConfiguration(json, with: model, &check)
  guard model.hasProjector else { throw GoldenError("\(weights) has no projector") }
  let steps = try json.requireArray("steps")
  guard !steps.isEmpty else { throw GoldenError("\"steps\" is empty") }
  let configuration = try pretrainConfiguration(json, steps)
  if let problem = configuration.problems.first { throw GoldenError(problem) }

  let online = try context.device.makeNetwork(model, state: state)
  let target = try context.device.makeNetwork(model, state: state)
  let frozen = Set((json.optional("frozen")?.array ?? []).compactMap(\.string))
  let step = PretrainStep(
    online: online, target: target, average: nil, configuration: configuration, frozen: frozen)
  let firstStep = try steps[0].requireInt("step")
  var largestRate = 0.0
  for (i, reference) in steps.enumerated() {
    let k = try reference.requireInt("step")
    guard k == firstStep + i else {
      throw GoldenError("\"steps\" must be consecutive; \(k) follows \(firstStep + i - 1)")
    }
    let shape = [nil, model.channels, model.imageSize, model.imageSize]
    let images = try data.tensor("x_start_\(k)", shape: shape)
    func like(_ name: String) throws -> [Float] {
      try data.tensor("\(name)_\(k)", shape: images.shape.map(Optional.some)).values
    }
    let batch = PretrainBatch(
      images: images.values, view1: try like("x_aug1"), view2: try like("x_aug2"), noise: try like("noise"),
      count: images.shape[0])
    let levels = configuration.levelSchedule.levels(at: k)
    let index = try reference.requireInt("index")
    check.exact("step \(k) num_scales", [levels], [try reference.requireInt("num_scales")])
    guard 0..<levels - 1 ~= index else { throw GoldenError("step \(k): index \(index) leaves the grid of \(levels)") }
    let metrics = try step.run(batch, levelIndex: index, completed: k)
    largestRate = max(largestRate, metrics.learningRate)

    check.units(
      "step \(k) t, t2, t0", [metrics.level, metrics.nextLevel, metrics.smallestLevel],
      try ["t", "t2", "t0"].map { Float(try reference.requireDouble($0)) }, 2)
    check.relative("step \(k) lr", [metrics.learningRate], [try reference.requireDouble("lr")], 1e-12, floor: 1e-18)
    check.relative(
      "step \(k) target_ema_rate", [metrics.targetRate], [try reference.requireDouble("target_ema_rate")], 1e-12)
    check.absolute(
      "step \(k) contrast_view1_online", metrics.contrast1, try reference.requireDoubles("contrast_view1_online"), 2e-4)
    check.absolute(
      "step \(k) contrast_view2_online", metrics.contrast2, try reference.requireDoubles("contrast_view2_online"), 2e-4)
    check.absolute("step \(k) consistency", metrics.consistency, try reference.requireDoubles("consistency"), 2e-4)
    check.absolute("step \(k) loss_per_sample", metrics.losses, try reference.requireDoubles("loss_per_sample"), 6e-4)
    if let loss = reference.optional("loss")?.double {
      check.absolute("step \(k) loss", [metrics.loss], [loss], 6e-4)
    }
    check.relative(
      "step \(k) grad_norm_before_clip", [metrics.gradientNorm], [try reference.requireDouble("grad_norm_before_clip")],
      1e-3)
    if let applied = reference.optional("clip_applied")?.bool {
      check.exact("step \(k) clip_applied", [metrics.isClipped], [applied])
    }
    if i == 0, context.folder.contains(subject + "_grads_step0.safetensors") {
      let gradients = try context.folder.tensors(subject + "_grads_step0.safetensors")
      let ours = try online.gradients()
      for name in gradients.names {
        check.rms("gradient \(name)", ours.values(name, like: try gradients[name]), try gradients[name].values, 1e-3)
      }
    }
  }

  let reach = 2 * largestRate * Double(steps.count)
  for (file, network, isTarget) in [("_nnet_after", online, false), ("_target_after", target, true)] {
    guard context.folder.contains(subject + file + ".safetensors") else { continue }
    let after = try context.folder.tensors(subject + file + ".safetensors")
    let ours = try network.state()
    for name in after.names {
      let label = "\(file.dropFirst()) \(name)"
      let (values, reference) = (ours.values(name, like: try after[name]), try after[name].values)
      if name.hasSuffix("num_batches_tracked") {
        check.exact(label, values, reference)
      } else if name.contains(".running_") {
        check.rms(label, values, reference, 1e-3)
      } else if isTarget {
        check.absolute(label, values, reference, 1e-5)
      } else {
        check.parameters(label, values, reference, share: 0.01, reach: reach)
      }
    }
  }
}

/// The settings of a pre-training as its JSON file gives them.
private func pretrainConfiguration(_ json: JSON, _ steps: [JSON]) throws -> PretrainConfiguration {
  var configuration = PretrainConfiguration()
  let optimizer = try json.require("optimizer") { $0 }
  try requireAdamW(optimizer)
  configuration.learningRate = try optimizer.requireDouble("lr")
  configuration.weightDecay = try optimizer.requireDouble("weight_decay")
  configuration.optimizer = try optimizerSettings(optimizer)
  configuration.tau = try json.requireDouble("tau")
  configuration.batch = 2

  let (average, levels) = try schedules(try json.require("ema_and_scales") { $0 })
  (configuration.scaleMode, configuration.startScales, configuration.endScales) = (
    levels.mode, levels.start, levels.end
  )
  configuration.steps = levels.totalSteps
  configuration.targetEMAMode = average.mode
  configuration.targetEMASharpness = average.sharpness
  (configuration.startEMA, configuration.endEMA) = (average.start, average.end)
  configuration.emaDecaySteps = average.decaySteps

  let schedule = try learningRateSchedule(json["lr_schedule"])
  configuration.schedule = schedule.shape
  configuration.minScale = schedule.minimum ?? -1
  configuration.warmupSteps = json.optional("warmup_steps")?.int ?? schedule.warmup
  if schedule.shape == .warmupCosine,
    schedule.total != levels.totalSteps || schedule.warmup != configuration.warmupSteps
  {
    throw GoldenError(
      "lr_schedule (\(schedule.warmup), \(schedule.total)) must agree with warmup_steps (\(configuration.warmupSteps))"
        + " and ema_and_scales.total_steps (\(levels.totalSteps)): one training has one length")
  }
  configuration.clipNorm = try steps.first?.requireDouble("clip_max_norm") ?? -1
  return configuration
}

func requireAdamW(_ optimizer: JSON) throws {
  let name = try optimizer.requireString("name")
  guard name == "AdamW" else { throw GoldenError("the optimizer is \(name); only AdamW is implemented") }
}

func optimizerSettings(_ json: JSON) throws -> OptimizerSettings {
  var settings = OptimizerSettings()
  let betas = try json.requireDoubles("betas")
  guard betas.count == 2 else { throw GoldenError("\"betas\" must be two numbers") }
  (settings.beta1, settings.beta2) = (betas[0], betas[1])
  settings.epsilon = try json.requireDouble("eps")
  return settings
}
