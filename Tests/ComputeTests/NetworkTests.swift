import Compute
import ComputeCPU
import Foundation
import Models
import Noise
import Tensors
import TestSupport
import Testing

/// Networks small enough for the reference in plain loops.
private let small: [String: ViTConfiguration] = [
  "odd": ViTConfiguration(
    imageSize: 6, patchSize: 3, channels: 2, width: 9, depth: 2, heads: 3, mlpRatio: 3, projectorHidden: 7,
    projectorOutput: 5, classes: 4),
  "many tokens": ViTConfiguration(
    imageSize: 8, patchSize: 2, channels: 1, width: 16, depth: 2, heads: 2, mlpRatio: 2, projectorHidden: 18,
    projectorOutput: 3, classes: 3),
  "one block": ViTConfiguration(
    imageSize: 4, patchSize: 4, channels: 3, width: 20, depth: 1, heads: 1, mlpRatio: 1, projectorHidden: 4,
    projectorOutput: 2, classes: 2),
]

private let everything = ForwardOptions(projector: .batchStatistics, head: true, keepsTape: true)

private func times(_ count: Int) -> [Float] {
  // A level shared by some samples and one of its own.
  (0..<count).map { $0 % 3 == 1 ? -17.25 : 140.5 }
}

@Suite("CPU network")
struct NetworkTests {
  @Test(
    "outputs and running statistics match the authors' pre-training forward pass",
    .enabled(if: ReferenceData.has("golden/model_a.safetensors", "golden/forward_b.safetensors"), ReferenceData.absent),
    arguments: ["a", "b"])
  func goldenForward(name: String) throws {
    let golden = try Golden("forward_\(name)")
    let c = name == "a" ? Golden.a : Golden.b
    let network = try device(threads: 2).makeNetwork(c, state: try Golden("model_\(name)").state)
    let (inputs, times) = (golden["model_input"], golden["rescaled_t"])
    let evaluated = try network.forward(inputs: inputs, times: times, options: .init(projector: .runningStatistics))
    #expect(largestDifference(evaluated.encoder, golden["cls"]) < 2e-5)
    #expect(largestDifference(evaluated.projection!, golden["proj_eval"]) < 2e-5)
    let raw = try network.forward(
      inputs: golden["x"], times: golden["raw_timesteps"], options: .init(projector: .runningStatistics))
    #expect(largestDifference(raw.encoder, golden["raw_cls"]) < 2e-5)
    #expect(largestDifference(raw.projection!, golden["raw_proj_eval"]) < 2e-5)
    let trained = try network.forward(inputs: inputs, times: times, options: .init(projector: .batchStatistics))
    #expect(bits(trained.encoder) == bits(evaluated.encoder))
    #expect(largestDifference(trained.projection!, golden["proj_train"]) < 2e-5)
    let state = try network.state()
    for norm in [1, 4] {
      for buffer in ["running_mean", "running_var", "num_batches_tracked"] {
        let key = "projection_head.\(norm).\(buffer)"
        #expect(largestDifference(state[key]!.values, golden["after_train_forward.\(key)"]) < 1e-5, "\(key)")
      }
    }
  }

  @Test(
    "every gradient matches finite differences of a double-precision network", arguments: small.keys.sorted(),
    [true, false])
  func finiteDifferences(name: String, batchStatistics: Bool) throws {
    let c = small[name]!
    let state = randomState(c, seed: 3)
    let batch = 5
    let inputs = normals(batch * c.imageElements, seed: 11)
    let options = ForwardOptions(
      projector: batchStatistics ? .batchStatistics : .runningStatistics, finalNorm: name != "odd", head: true,
      keepsTape: true)
    let network = try device(threads: 2).makeNetwork(c, state: state)
    let outputs = try network.forward(inputs: inputs, times: times(batch), options: options)
    // The loss is a random linear function of all three outputs.
    let slopes = OutputGradients(
      encoder: normals(outputs.encoder.count, seed: 21), projection: normals(outputs.projection!.count, seed: 22),
      logits: normals(outputs.logits!.count, seed: 23))
    try network.backward(outputs.tape!, gradients: slopes)
    let gradients = try network.gradients()

    func loss(_ network: ReferenceNetwork) -> Double {
      let o = network.forward(inputs: inputs, times: times(batch), options: options)
      func dot(_ a: [[Double]], _ b: [Float]) -> Double { zip(a.joined(), b).reduce(0) { $0 + $1.0 * Double($1.1) } }
      return dot(o.encoder, slopes.encoder!) + dot(o.projection, slopes.projection!) + dot(o.logits, slopes.logits!)
    }
    var reference = ReferenceNetwork(c, state)
    let plain = reference.forward(inputs: inputs, times: times(batch), options: options)
    #expect(largestDifference(outputs.encoder, plain.encoder.joined().map(Float.init)) < 1e-5)
    #expect(largestDifference(outputs.projection!, plain.projection.joined().map(Float.init)) < 5e-5)
    #expect(largestDifference(outputs.logits!, plain.logits.joined().map(Float.init)) < 1e-5)

    let step = 1e-5
    for entry in ParameterLayout(c).parameters {
      let gradient = gradients[entry.name]!.values
      #expect(gradients[entry.name]!.shape == entry.shape)
      for trial in 0..<2 {
        let direction = normals(gradient.count, seed: Int64(100 + trial)).map(Double.init)
        let values = reference.tensors[entry.name]!
        reference.tensors[entry.name] = zip(values, direction).map { $0 + step * $1 }
        let above = loss(reference)
        reference.tensors[entry.name] = zip(values, direction).map { $0 - step * $1 }
        let below = loss(reference)
        reference.tensors[entry.name] = values
        let expected = (above - below) / (2 * step)
        let found = zip(gradient, direction).reduce(0) { $0 + Double($1.0) * $1.1 }
        let size = zip(gradient, direction).reduce(0) { $0 + abs(Double($1.0) * $1.1) }
        #expect(abs(found - expected) < 1e-4 * (size + 0.1), "\(entry.name): \(found) against \(expected)")
      }
    }
  }

  @Test("gradients of several passes add up, and each output's gradient counts once")
  func accumulation() throws {
    let c = small["odd"]!
    let network = try device().makeNetwork(c, state: randomState(c))
    let inputs = normals(4 * c.imageElements, seed: 1)
    var options = everything
    options.projector = .runningStatistics
    func gradients(_ parts: [OutputGradients]) throws -> StateDict {
      try network.zeroGradients()
      let tapes = try parts.map { _ in
        try network.forward(inputs: inputs, times: times(4), options: options).tape!
      }
      for (tape, part) in zip(tapes, parts).reversed() { try network.backward(tape, gradients: part) }
      return try network.gradients()
    }
    let (e, p, l) = (normals(36, seed: 2), normals(20, seed: 3), normals(16, seed: 4))
    let together = try gradients([OutputGradients(encoder: e, projection: p, logits: l)])
    let apart = try gradients([OutputGradients(encoder: e), OutputGradients(projection: p), OutputGradients(logits: l)])
    for (name, tensor) in together.pairs {
      let size = tensor.values.map(abs).max()!
      #expect(largestDifference(tensor.values, apart[name]!.values) <= 2e-5 * (size + 1), "\(name)")
    }
    let squares = together.pairs.map { $0.tensor.values.reduce(0.0) { $0 + Double($1) * Double($1) } }
    _ = try gradients([OutputGradients(encoder: e, projection: p, logits: l)])
    #expect(try abs(network.gradientNorm(of: nil) - squares.reduce(0, +).squareRoot()) < 1e-6)
    let head: Set = ["linear_head.weight", "linear_head.bias"]
    let partial = together.pairs.indices.filter { head.contains(together.names[$0]) }.map { squares[$0] }
    #expect(try abs(network.gradientNorm(of: head) - partial.reduce(0, +).squareRoot()) < 1e-6)
    try network.zeroGradients()
    #expect(try network.gradientNorm(of: nil) == 0)
  }

  @Test(
    "training steps give the same bits with any thread count and instruction set", arguments: ["digits-2", "odd"])
  func threadInvariance(name: String) throws {
    let c = configurations[name]!
    let batch = 70
    func train(_ device: CPUDevice) throws -> [UInt32] {
      let network = try device.makeNetwork(c, state: randomState(c))
      var seen: [UInt32] = []
      for step in 1...2 {
        try network.zeroGradients()
        let outputs = try network.forward(
          inputs: normals(batch * c.imageElements, seed: Int64(step)), times: times(batch), options: everything)
        seen += bits(outputs.encoder) + bits(outputs.projection!) + bits(outputs.logits!)
        try network.backward(
          outputs.tape!,
          gradients: OutputGradients(
            encoder: normals(outputs.encoder.count, seed: 7), projection: normals(outputs.projection!.count, seed: 8),
            logits: normals(outputs.logits!.count, seed: 9)))
        try network.update(AdamWUpdate(step: step, groups: allParameters(c, learningRate: 1e-3, weightDecay: 0.1)))
      }
      return seen + (try network.state()).pairs.flatMap { bits($0.tensor.values) }
    }
    let expected = try train(device(threads: 1))
    for threads in [2, 3, 7] { #expect(try train(device(threads: threads)) == expected, "\(threads) threads") }
    for set in instructionSets { #expect(try train(device(threads: 2, set)) == expected, "\(set)") }
  }

  @Test("a pass without a tape gives the bits of one with a tape")
  func tapeChangesNothing() throws {
    let c = configurations["digits-2"]!
    let network = try device().makeNetwork(c, state: randomState(c))
    let inputs = normals(40 * c.imageElements, seed: 1)
    var options = everything
    options.projector = .runningStatistics
    let with = try network.forward(inputs: inputs, times: times(40), options: options)
    options.keepsTape = false
    let without = try network.forward(inputs: inputs, times: times(40), options: options)
    #expect(without.tape == nil)
    #expect(bits(with.encoder) == bits(without.encoder))
    #expect(bits(with.logits!) == bits(without.logits!))
    #expect(bits(with.projection!) == bits(without.projection!))
  }

  @Test("AdamW follows its formula in double precision, skips frozen parameters and scales gradients")
  func adamW() throws {
    let c = small["odd"]!
    let state = randomState(c)
    let network = try device(threads: 2).makeNetwork(c, state: state)
    var groups = allParameters(c, learningRate: 0.01, weightDecay: 0.1)
    groups["pos_embed"] = nil
    groups["norm.bias"] = (0.02, 0)
    var expected = Dictionary(uniqueKeysWithValues: state.pairs.map { ($0.name, $0.tensor.values.map(Double.init)) })
    var first = expected.mapValues { $0.map { _ in 0.0 } }
    var second = first
    for step in 1...3 {
      try network.zeroGradients()
      let outputs = try network.forward(
        inputs: normals(4 * c.imageElements, seed: Int64(step)), times: times(4), options: everything)
      try network.backward(
        outputs.tape!,
        gradients: OutputGradients(
          encoder: normals(36, seed: 1), projection: normals(20, seed: 5), logits: normals(16, seed: 6)))
      let gradients = try network.gradients()
      try network.update(AdamWUpdate(step: step, gradientScale: 0.25, groups: groups))
      for (name, group) in groups {
        for (i, g) in gradients[name]!.values.enumerated() {
          let g = Double(g) * 0.25
          first[name]![i] = 0.9 * first[name]![i] + 0.1 * g
          second[name]![i] = 0.999 * second[name]![i] + 0.001 * g * g
          let m = first[name]![i] / (1 - pow(0.9, Double(step)))
          let v = second[name]![i] / (1 - pow(0.999, Double(step)))
          let decayed = expected[name]![i] * (1 - group.learningRate * group.weightDecay)
          expected[name]![i] = decayed - group.learningRate * m / (v.squareRoot() + 1e-8)
        }
      }
      let found = try network.state()
      let moments = try network.optimizerState()
      for entry in ParameterLayout(c).parameters {
        let name = entry.name
        #expect(largestDifference(found[name]!.values, expected[name]!.map(Float.init)) < 2e-6, "\(name)")
        #expect(largestDifference(moments["exp_avg.\(name)"]!.values, first[name]!.map(Float.init)) < 1e-5, "\(name)")
        // Keeps the next step's gradients comparable.
        expected[name] = found[name]!.values.map(Double.init)
      }
    }
    #expect(try network.state()["pos_embed"]! == state["pos_embed"]!)
    #expect(try network.optimizerState()["exp_avg_sq.pos_embed"]!.values.allSatisfy { $0 == 0 })
  }

  @Test("state and optimizer state restore a network to the bit")
  func restore() throws {
    let c = small["many tokens"]!
    func step(_ network: any Network, _ step: Int) throws {
      try network.zeroGradients()
      let outputs = try network.forward(
        inputs: normals(4 * c.imageElements, seed: Int64(step)), times: times(4), options: everything)
      try network.backward(
        outputs.tape!, gradients: OutputGradients(projection: normals(4 * c.projectorOutput, seed: 5)))
      try network.update(AdamWUpdate(step: step, groups: allParameters(c, learningRate: 0.01, weightDecay: 0)))
    }
    let one = try device().makeNetwork(c, state: randomState(c))
    for k in 1...2 { try step(one, k) }
    let other = try device().makeNetwork(c, state: try one.state())
    try other.restoreOptimizer(try one.optimizerState())
    for k in 3...4 {
      try step(one, k)
      try step(other, k)
    }
    #expect(try one.state() == other.state())
    #expect(try one.optimizerState() == other.optimizerState())
    #expect(try one.state().names == ParameterLayout(c).entries.map(\.name))
    let error = #expect(throws: ComputeError.self) { try other.restoreOptimizer(StateDict()) }
    #expect(error!.message.contains("exp_avg.cls_token is missing"))
  }

  @Test("averaging moves parameters by the rate and leaves buffers alone, and the next pass sees it")
  func average() throws {
    let c = small["odd"]!
    let (a, b) = (randomState(c, seed: 1), randomState(c, seed: 2))
    let target = try device().makeNetwork(c, state: a)
    let online = try device().makeNetwork(c, state: b)
    let inputs = normals(4 * c.imageElements, seed: 1)
    _ = try target.forward(inputs: inputs, times: times(4), options: .init())
    try target.average(towards: online, rate: 0.75)
    let found = try target.state()
    for entry in ParameterLayout(c).entries {
      let expected =
        entry.isParameter
        ? zip(a[entry.name]!.values, b[entry.name]!.values).map { 0.75 * $0 + 0.25 * $1 } : a[entry.name]!.values
      #expect(largestDifference(found[entry.name]!.values, expected) < 1e-6, "\(entry.name)")
    }
    let fresh = try device().makeNetwork(c, state: found)
    #expect(
      try bits(target.forward(inputs: inputs, times: times(4), options: .init()).encoder)
        == bits(fresh.forward(inputs: inputs, times: times(4), options: .init()).encoder))
    let stranger = try device().makeNetwork(small["one block"]!, state: randomState(small["one block"]!))
    #expect(throws: ComputeError.self) { try target.average(towards: stranger, rate: 0.5) }
  }

  @Test("misuse is refused with a reason")
  func misuse() throws {
    let c = small["odd"]!
    let network = try device().makeNetwork(c, state: randomState(c))
    let inputs = normals(2 * c.imageElements, seed: 1)
    #expect(throws: ComputeError.self) { try network.forward(inputs: inputs, times: times(3), options: .init()) }
    #expect(throws: ComputeError.self) { try network.forward(inputs: [], times: [], options: .init()) }
    let tape = try network.forward(inputs: inputs, times: times(2), options: .init(keepsTape: true)).tape!
    #expect(throws: ComputeError.self) {
      try network.backward(tape, gradients: OutputGradients(logits: normals(8, seed: 1)))
    }
    #expect(throws: ComputeError.self) {
      try network.backward(tape, gradients: OutputGradients(encoder: [1]))
    }
    try network.backward(tape, gradients: OutputGradients(encoder: normals(18, seed: 1)))
    #expect(throws: ComputeError.self) {
      try network.backward(tape, gradients: OutputGradients(encoder: normals(18, seed: 1)))
    }
    var bare = c
    (bare.projectorHidden, bare.projectorOutput, bare.classes) = (0, 0, 0)
    let encoder = try device().makeNetwork(bare, state: randomState(bare))
    for options in [ForwardOptions(projector: .batchStatistics), ForwardOptions(head: true)] {
      #expect(throws: ComputeError.self) { try encoder.forward(inputs: inputs, times: times(2), options: options) }
    }
    bare.heads = 2
    let error = #expect(throws: ComputeError.self) { try device().makeNetwork(bare, state: randomState(c)) }
    #expect(error!.message.contains("model.width is 9"))
  }
}

private func allParameters(_ c: ViTConfiguration, learningRate: Double, weightDecay: Double)
  -> [String: (learningRate: Double, weightDecay: Double)]
{
  Dictionary(uniqueKeysWithValues: ParameterLayout(c).parameters.map { ($0.name, (learningRate, weightDecay)) })
}
