import Compute
import Models
import Tensors
import Training

/// The pre-training form of the network: encoder output and projector in both modes.
func checkForward(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let file = try context.folder.tensors(subject + ".safetensors")
  let name = subject.dropFirst("forward_".count)
  let (model, state) = try context.folder.model(file: "model_\(name).safetensors")
  guard model.hasProjector else { throw GoldenError("model_\(name).safetensors has no projector") }
  let x = try file.tensor("x", shape: [nil, model.channels, model.imageSize, model.imageSize])
  let count = x.shape[0]
  let noise = try file.tensor("noise", shape: x.shape).values
  let sigma = try file.tensor("sigma", shape: [count]).values
  let network = try context.device.makeNetwork(model, state: state)
  func forward(_ inputs: [Float], _ times: [Float], _ projector: ForwardOptions.Projector) throws -> ForwardOutputs {
    try network.forward(inputs: inputs, times: times, options: ForwardOptions(projector: projector))
  }

  // How the input is made.
  if file.contains("sigma_index") {
    let indices = try file.integers("sigma_index")
    let grid = NoiseLevels(count: Int(model.levels))
    guard indices.allSatisfy({ 0..<grid.count ~= $0 }) else {
      throw GoldenError("\(file.file): sigma_index leaves the grid of \(grid.count) levels")
    }
    check.units("sigma", indices.map { grid.levels[$0] }, sigma, 2)
  }
  let scales = sigma.map(NoiseLevels.inputScale)
  let times = sigma.map(NoiseLevels.rescaledTime)
  check.absolute("c_in", scales, try file["c_in"].values, 1e-6)
  check.absolute("rescaled_t", times, try file["rescaled_t"].values, 5e-4)
  let elements = model.imageElements
  let inputs = (0..<count).flatMap { i in
    let part = i * elements..<(i + 1) * elements
    return NetworkInputs.noisy(
      images: Array(x.values[part]), noise: Array(noise[part]), deviation: sigma[i], level: sigma[i])
  }
  let modelInput = try file.tensor("model_input", shape: x.shape).values
  check.absolute("model_input", inputs, modelInput, 1e-5)

  // The network's outputs are asked for to 2e-5 given the time token, which is made inside; where the file's differs in
  // float32 rounding, the wider tolerance for that holds.
  let storedTimes = try file["rescaled_t"].values
  let tokens = storedTimes.flatMap { timeEmbedding($0, width: model.width) }
  let storedTokens = try file.tensor("time_token", shape: [count, model.width]).values
  check.absolute("time_token", tokens, storedTokens, 5e-4)
  let identicalTokens = zip(tokens, storedTokens).allSatisfy { abs($0 - $1) <= 1e-6 }
  let tolerance = identicalTokens ? 2e-5 : 2e-4
  let evaluated = try forward(modelInput, storedTimes, .runningStatistics)
  check.absolute("cls", evaluated.encoder, try file["cls"].values, tolerance)
  check.absolute("proj_eval", evaluated.projection ?? [], try file["proj_eval"].values, tolerance)
  let own = try forward(inputs, times, .runningStatistics)
  check.absolute("cls from x, noise, sigma", own.encoder, try file["cls"].values, 2e-4)
  check.absolute("proj_eval from x, noise, sigma", own.projection ?? [], try file["proj_eval"].values, 2e-4)

  if file.contains("raw_timesteps") {
    let raw = try forward(x.values, try file["raw_timesteps"].values, .runningStatistics)
    check.absolute("raw_cls", raw.encoder, try file["raw_cls"].values, 2e-4)
    check.absolute("raw_proj_eval", raw.projection ?? [], try file["raw_proj_eval"].values, 2e-4)
  }

  try checkActivations(file, network, inputs: modelInput, times: storedTimes, tolerance: Float(tolerance), &check)

  // Last, because it moves the running statistics.
  let trained = try forward(modelInput, storedTimes, .batchStatistics)
  check.absolute("proj_train", trained.projection ?? [], try file["proj_train"].values, tolerance)
  let after = try network.state()
  let prefix = "after_train_forward."
  for tensor in file.names where tensor.hasPrefix(prefix) {
    let reference = try file[tensor].values
    let ours = after.values(String(tensor.dropFirst(prefix.count)), like: try file[tensor])
    if tensor.hasSuffix("num_batches_tracked") {
      check.exact(tensor, ours, reference)
    } else {
      check.absolute(tensor, ours, reference, tolerance)
    }
  }
}

/// Activations `act_patch_tokens` [S, N, d] and `act_blockI_in|attn|out` [S, T, d] of the first S images.
///
/// The last block is computed for the class token alone, which is all that is compared of it.
private func checkActivations(
  _ file: GoldenTensors, _ network: any Network, inputs: [Float], times: [Float], tolerance: Float,
  _ check: inout GoldenCheck
) throws {
  let model = network.configuration
  let (t, d) = (model.tokens, model.width)
  let outputs = try network.forward(inputs: inputs, times: times, options: ForwardOptions(keepsTape: true))
  guard let tape = outputs.tape else { throw GoldenError("the device keeps no activations") }
  for name in file.names where name.hasPrefix("act_") {
    let parts = name.dropFirst("act_".count).split(separator: "_")
    let isPatches = parts == ["patch", "tokens"]
    let block = isPatches ? 0 : parts.first.flatMap { Int($0.dropFirst("block".count)) } ?? -1
    guard isPatches || (parts.count == 2 && (0..<model.depth).contains(block)) else {
      check.skip(name, "no such activation is known")
      continue
    }
    let reference = try file.tensor(name, shape: [nil, isPatches ? model.patches : t, d])
    let images = reference.shape[0]
    guard images <= times.count else {
      throw GoldenError("\(file.file): \(name) has more images than the file")
    }
    let record = tape.record(ofBlock: block)
    let ours: [Float]
    var expected = reference.values
    if isPatches {
      // What goes into the first block, less the positional embedding.
      let positions = try network.state()["pos_embed"]?.values ?? []
      ours = (0..<images).flatMap { image in
        (2 * d..<t * d).map { record.input[image * t * d + $0] - positions[$0] }
      }
    } else {
      let (values, rows): ([Float], Int)
      switch parts[1] {
      case "in": (values, rows) = (record.input, t)
      case "attn": (values, rows) = (record.attention, record.queries)
      case "out": (values, rows) = (record.output, record.queries)
      default:
        check.skip(name, "no such activation is known")
        continue
      }
      ours = Array(values.prefix(images * rows * d))
      if rows < t { expected = (0..<images).flatMap { expected[$0 * t * d..<$0 * t * d + rows * d] } }
    }
    check.absolute(name, ours, expected, Double(tolerance))
  }
}

/// The classifier's logits at several noise levels, with and without the final norm, in training and certification form.
func checkFinetuneForward(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let file = try context.folder.tensors(subject + ".safetensors")
  let name = subject.dropFirst("finetune_forward_".count)
  let base = try context.folder.model(file: "model_\(name).safetensors")
  let head = try Head(file, prefix: "head.", width: base.configuration.width)
  let shape = [nil, base.configuration.channels, base.configuration.imageSize, base.configuration.imageSize]
  let x = try file.tensor("x", shape: shape)
  let count = x.shape[0]
  let noise = try file.tensor("noise", shape: x.shape).values
  let x01 = try file.tensor("x01", shape: x.shape).values
  check.absolute("x", x01.map { ($0 - 0.5) / 0.5 }, x.values, 1e-6)

  for (flag, finalNorm) in [("ln", true), ("noln", false)] {
    let (model, state) = head.attached(to: base, finalNorm: finalNorm)
    let classifier = try context.device.makeClassifier(model, state: state, batch: nil)
    let network = try context.device.makeNetwork(model, state: state)
    let grid = NoiseLevels(count: model.levels)
    for tensor in file.names {
      if let v = number(tensor, after: "logits_\(flag)_noiseaug") {
        let level = grid.levels[grid.classifierIndex(noiseLevel: v)]
        let inputs = NetworkInputs.noisy(images: x.values, noise: noise, deviation: Float(v), level: level)
        let outputs = try network.forward(
          inputs: inputs, times: NetworkInputs.times(level: level, count: count),
          options: ForwardOptions(finalNorm: finalNorm, head: true))
        check.absolute(
          tensor, outputs.logits ?? [], try file.tensor(tensor, shape: [count, head.classes]).values, 2e-4)
      } else if let sigma = number(tensor, after: "certify_logits_\(flag)_sigma") {
        let noisy = zip(x01, noise).map { (($0 + Float(sigma) * $1) - 0.5) / 0.5 }
        let ours = try classifier.logits(inputs: noisy, count: count, noiseLevel: 2 * sigma)
        check.absolute(tensor, ours, try file.tensor(tensor, shape: [count, head.classes]).values, 2e-4)
      }
    }
  }
}

/// The number that ends a tensor's name, after a prefix.
private func number(_ name: String, after prefix: String) -> Double? {
  name.hasPrefix(prefix) ? Double(name.dropFirst(prefix.count)) : nil
}

/// A linear head stored beside other tensors.
struct Head {
  let weight: Tensor
  let bias: Tensor
  var classes: Int { bias.count }

  init(_ file: GoldenTensors, prefix: String, width: Int) throws {
    weight = try file.tensor(prefix + "weight", shape: [nil, width])
    bias = try file.tensor(prefix + "bias", shape: [weight.shape[0]])
  }

  /// The classifier that this head makes of an encoder; its projector is dropped.
  func attached(
    to base: (configuration: ViTConfiguration, state: StateDict), finalNorm: Bool
  ) -> (configuration: ViTConfiguration, state: StateDict) {
    var model = base.configuration
    model.projectorHidden = 0
    model.projectorOutput = 0
    model.classes = classes
    model.finalNorm = finalNorm
    var state = StateDict(
      base.state.pairs.filter { !$0.name.hasPrefix("projection_head.") }.map { ($0.name, $0.tensor) })
    state["linear_head.weight"] = weight
    state["linear_head.bias"] = bias
    return (model, state)
  }
}
