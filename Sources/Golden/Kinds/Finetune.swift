import Compute
import Models
import Tensors
import Training

/// Fine-tuning steps with given images, labels and noise.
func checkFinetune(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let json = try context.folder.json(subject + ".json")
  let data = try context.folder.tensors(subject + "_data.safetensors")
  guard let weights = GoldenFolder.fileName(try json.requireString("start_weights")) else {
    throw GoldenError("start_weights does not begin with a file name")
  }
  let base = try context.folder.model(file: weights)
  GoldenFolder.compareConfiguration(json, with: base.configuration, &check)
  let head = try Head(data, prefix: "linear_head.", width: base.configuration.width)
  check.exact("num_classes", [head.classes], [try json.requireInt("num_classes")])
  // With the projector, which is in the authors' parameter groups and never moves.
  var (model, state) = head.attached(to: base, finalNorm: try json.requireBool("layernorm"))
  (model.projectorHidden, model.projectorOutput) = (
    base.configuration.projectorHidden, base.configuration.projectorOutput
  )
  for (name, tensor) in base.state.pairs where name.hasPrefix("projection_head.") { state[name] = tensor }

  var configuration = FinetuneConfiguration()
  let optimizer = try json.require("optimizer") { $0 }
  try requireAdamW(optimizer)
  configuration.optimizer = try optimizerSettings(optimizer)
  configuration.learningRate = try json.requireDouble("lr_")
  configuration.weightDecay = try json.requireDouble("wd")
  configuration.layerDecay = try json.requireDouble("decay")
  configuration.noiseAug = try json.requireDouble("noise_aug")
  configuration.lambda = try json.requireDouble("lbd")
  configuration.eta = try json.requireDouble("eta")
  configuration.copies = json.optional("m")?.int ?? 2
  configuration.head = try json.requireBool("frozen_head") ? .frozen : .trained
  if let problem = configuration.problems.first { throw GoldenError(problem) }
  let isSoft = try json.requireBool("soft")
  let schedule = try learningRateSchedule(json["lr_schedule"])

  let network = try context.device.makeNetwork(model, state: state)
  let step = FinetuneStep(network: network, configuration: configuration)
  checkGroups(json, model, configuration, &check)
  let steps = try json.requireArray("steps")
  for (i, reference) in steps.enumerated() {
    let k = try reference.requireInt("step")
    guard k == i else { throw GoldenError("\"steps\" must count from 0; \(k) stands at \(i)") }
    let x = try data.tensor("x_\(k)", shape: [nil, model.channels, model.imageSize, model.imageSize])
    let noise = try data.tensor(
      "noise_\(k)", shape: [x.shape[0] * configuration.copies] + x.shape.dropFirst().map(Optional.some))
    let labels: Labels
    if isSoft {
      labels = .soft(try data.tensor("y_\(k)", shape: [x.shape[0], head.classes]).values)
    } else {
      let classes = try data.integers("y_\(k)")
      guard classes.count == x.shape[0], classes.allSatisfy({ 0..<head.classes ~= $0 }) else {
        throw GoldenError("\(data.file): y_\(k) must be \(x.shape[0]) classes from 0 to \(head.classes - 1)")
      }
      labels = .hard(classes)
    }
    let metrics = try step.run(
      FinetuneBatch(images: x.values, labels: labels, noise: noise.values), completed: k,
      rateFactor: schedule.factor(at: k))
    check.absolute("step \(k) logits", metrics.logits, try data["logits_\(k)"].values, 2e-4)
    check.absolute(
      "step \(k) ce, consistency, loss", [metrics.crossEntropy, metrics.consistency, metrics.loss],
      try ["ce", "consistency", "loss"].map(reference.requireDouble), 1e-5)
    check.absolute("step \(k) kl_per_sample", metrics.divergences, try reference.requireDoubles("kl_per_sample"), 1e-5)
    check.absolute(
      "step \(k) entropy_per_sample", metrics.entropies, try reference.requireDoubles("entropy_per_sample"), 1e-5)
    if i == 0, context.folder.contains(subject + "_grads_step0.safetensors") {
      let gradients = try context.folder.tensors(subject + "_grads_step0.safetensors")
      let ours = try network.gradients()
      for name in gradients.names {
        check.rms(
          "gradient \(name)", ours.values(plain(name), like: try gradients[name]), try gradients[name].values, 1e-4)
      }
    }
  }
  guard context.folder.contains(subject + "_after.safetensors") else { return }
  let after = try context.folder.tensors(subject + "_after.safetensors")
  let ours = try network.state()
  for name in after.names {
    check.parameters(
      "after \(name)", ours.values(plain(name), like: try after[name]), try after[name].values, share: 0.001,
      reach: 2 * configuration.learningRate * Double(steps.count))
  }
}

/// A tensor's name without the wrapper's prefix.
private func plain(_ name: String) -> String { name.hasPrefix("base_model.") ? String(name.dropFirst(11)) : name }

/// Learning rate and weight decay of every parameter.
private func checkGroups(
  _ json: JSON, _ model: ViTConfiguration, _ configuration: FinetuneConfiguration, _ check: inout GoldenCheck
) {
  var ours = layerwiseGroups(
    model, learningRate: configuration.learningRate, weightDecay: configuration.weightDecay,
    decay: configuration.layerDecay)
  if configuration.head == .frozen { ours = ours.filter { !$0.key.hasPrefix("linear_head.") } }
  guard let groups = json.optional("param_groups")?.array else { return }
  var (rates, referenceRates, decays, referenceDecays): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
  var names: [String] = []
  for group in groups {
    for name in (group["params"]?.array ?? []).compactMap(\.string).map(plain) {
      names.append(name)
      rates.append(ours[name]?.learningRate ?? .nan)
      decays.append(ours[name]?.weightDecay ?? .nan)
      referenceRates.append(group["lr"]?.double ?? .nan)
      referenceDecays.append(group["weight_decay"]?.double ?? .nan)
    }
  }
  check.exact("param_groups names", names.sorted(), ours.keys.sorted())
  check.relative("param_groups lr", rates, referenceRates, 1e-12)
  check.relative("param_groups weight_decay", decays, referenceDecays, 1e-12)
}
