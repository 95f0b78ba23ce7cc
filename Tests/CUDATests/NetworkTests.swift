import Compute
import ComputeCPU
import ComputeCUDA
import CUDAEmulator
import Foundation
import Golden
import Models
import Tensors
import TestSupport
import Testing

/// Trainable networks with odd widths, one block, and both head widths of the matrix units with tokens that fill no tile.
private let trained: [String: ViTConfiguration] = [
  "odd": ViTConfiguration(
    imageSize: 6, patchSize: 3, channels: 2, width: 9, depth: 2, heads: 3, mlpRatio: 3, projectorHidden: 7,
    projectorOutput: 5, classes: 4),
  "one-block": ViTConfiguration(
    imageSize: 4, patchSize: 4, channels: 3, width: 20, depth: 1, heads: 1, mlpRatio: 1, projectorHidden: 4,
    projectorOutput: 2, classes: 2),
  "heads-32": ViTConfiguration(
    imageSize: 10, patchSize: 2, channels: 1, width: 64, depth: 2, heads: 2, mlpRatio: 2, projectorHidden: 40,
    projectorOutput: 8, classes: 5),
  "heads-64": ViTConfiguration(
    imageSize: 8, patchSize: 2, channels: 1, width: 64, depth: 2, heads: 1, mlpRatio: 1, projectorHidden: 8,
    projectorOutput: 4, classes: 3),
]

/// Levels that samples share, and one of its own.
private func times(_ count: Int) -> [Float] { (0..<count).map { $0 % 3 == 1 ? -17.25 : 140.5 } }

private func groups(_ c: ViTConfiguration, _ learningRate: Double = 1e-3) -> [String: (
  learningRate: Double, weightDecay: Double
)] {
  Dictionary(uniqueKeysWithValues: ParameterLayout(c).parameters.map { ($0.name, (learningRate, 0.1)) })
}

private func relativeRMS(_ a: [Float], _ b: [Float]) -> Double {
  var (off, size) = (0.0, 0.0)
  for (x, y) in zip(a, b) {
    off += Double(x - y) * Double(x - y)
    size += Double(y) * Double(y)
  }
  return (off / max(size, 1e-12 * Double(b.count))).squareRoot()
}

@Suite("Training on an emulated GPU", .serialized)
struct CUDANetworkTests {
  private struct Pass {
    var outputs: ForwardOutputs
    var gradients: StateDict
    var norm: Double
  }

  /// A forward and a backward pass from all three outputs.
  private func pass(_ network: any Network, batch: Int, running: Bool = false, finalNorm: Bool = true) throws -> Pass {
    let c = network.configuration
    let options = ForwardOptions(
      projector: running ? .runningStatistics : .batchStatistics, finalNorm: finalNorm, head: true, keepsTape: true)
    let outputs = try network.forward(
      inputs: normals(batch * c.imageElements), times: times(batch), options: options)
    try network.zeroGradients()
    try network.backward(
      outputs.tape!,
      gradients: OutputGradients(
        encoder: normals(outputs.encoder.count, seed: 7), projection: normals(outputs.projection!.count, seed: 8),
        logits: normals(outputs.logits!.count, seed: 9)))
    return Pass(outputs: outputs, gradients: try network.gradients(), norm: try network.gradientNorm(of: nil))
  }

  @Test(
    "outputs and every gradient are the CPU's, as far as the precision allows", arguments: trained.keys.sorted(),
    CUDADevice.Precision.allCases)
  func gradients(name: String, precision: CUDADevice.Precision) throws {
    let c = trained[name]!
    let state = randomState(c)
    let (running, finalNorm) = (name == "odd", name != "one-block")
    let expected = try pass(
      CPUDevice(threads: 1).makeNetwork(c, state: state), batch: 5, running: running, finalNorm: finalNorm)
    let found = try pass(
      emulated(precision).makeNetwork(c, state: state), batch: 5, running: running, finalNorm: finalNorm)
    let tolerance = [CUDADevice.Precision.f32: 2e-5, .tf32: 1e-2, .bf16: 0.1][precision]!
    #expect(relativeRMS(found.outputs.encoder, expected.outputs.encoder) < tolerance)
    #expect(relativeRMS(found.outputs.logits!, expected.outputs.logits!) < tolerance)
    #expect(relativeRMS(found.outputs.projection!, expected.outputs.projection!) < 2 * tolerance)
    #expect(abs(found.norm / expected.norm - 1) < tolerance)
    var worst = 0.0
    for (parameter, gradient) in expected.gradients.pairs {
      let error = relativeRMS(found.gradients[parameter]!.values, gradient.values)
      worst = max(worst, error)
      #expect(error < 2 * tolerance, "\(parameter): \(error)")
    }
    // Reduced precisions are reduced.
    if precision != .f32 { #expect(worst > 1e-6, "\(worst)") }
  }

  @Test("in float32 golden pre-training steps and fine-tuning steps agree, gradients included")
  func golden() async throws {
    let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../Fixtures/golden").standardizedFileURL.path
    let summary = try await withTemporaryFolder { folder async throws in
      // Emulated, the others take minutes.
      for name in try FileManager.default.contentsOfDirectory(atPath: fixtures)
      where name.contains("_odd") && !name.contains("forward") {
        try FileManager.default.copyItem(atPath: "\(fixtures)/\(name)", toPath: "\(folder)/\(name)")
      }
      var lines: [String] = []
      let summary = verifyGolden(directory: folder, device: try emulated(), print: { lines.append($0) })
      #expect(summary.failed.isEmpty, "\(lines.filter { $0.contains("FAIL") }.joined(separator: "\n"))")
      return summary
    }
    #expect(Set(summary.passed) == ["pretrain_odd", "finetune_odd"])
  }

  @Test("two trainings give equal bits, and one that is restored between steps gives them too", arguments: ["heads-32"])
  func restored(name: String) throws {
    let c = trained[name]!
    func step(_ network: any Network, _ k: Int) throws -> [UInt32] {
      let outputs = try pass(network, batch: 3).outputs
      try network.update(AdamWUpdate(step: k, gradientScale: 0.5, groups: groups(c)))
      return (outputs.encoder + outputs.logits!).map(\.bitPattern)
    }
    let one = try emulated(.bf16).makeNetwork(c, state: randomState(c))
    let two = try emulated(.bf16).makeNetwork(c, state: randomState(c))
    #expect(try step(one, 1) == step(two, 1))
    let three = try emulated(.bf16).makeNetwork(c, state: try one.state())
    try three.restoreOptimizer(one.optimizerState())
    #expect(try step(one, 2) == step(three, 2))
    #expect(try one.state() == three.state())
    #expect(try one.optimizerState() == three.optimizerState())
    #expect(try two.state() != one.state())
  }

  @Test("losses of a small training follow the CPU's", arguments: [CUDADevice.Precision.f32, .bf16])
  func trajectory(precision: CUDADevice.Precision) throws {
    let c = trained["odd"]!
    let targets = normals(6 * c.classes, seed: 31)
    func losses(_ device: any Device) throws -> [Float] {
      let network = try device.makeNetwork(c, state: randomState(c))
      return try (1...12).map { k in
        let outputs = try network.forward(
          inputs: normals(6 * c.imageElements), times: times(6), options: .init(head: true, keepsTape: true))
        let off = zip(outputs.logits!, targets).map { $0 - $1 }
        try network.zeroGradients()
        try network.backward(outputs.tape!, gradients: OutputGradients(logits: off))
        try network.update(AdamWUpdate(step: k, groups: groups(c, 0.02)))
        return off.reduce(0) { $0 + $1 * $1 } / Float(off.count)
      }
    }
    let expected = try losses(CPUDevice(threads: 1))
    let found = try losses(emulated(precision))
    #expect(expected.last! < expected[0] / 4)
    let tolerance: Float = precision == .f32 ? 1e-3 : 0.1
    for (a, b) in zip(found, expected) { #expect(abs(a - b) < tolerance * (b + 0.05), "\(found) against \(expected)") }
  }

  @Test("frozen tensors stay, averages move by the rate, and the next pass sees both")
  func averages() throws {
    let c = trained["odd"]!
    let device = try emulated(.bf16)
    let (a, b) = (randomState(c, seed: 1), randomState(c, seed: 2))
    let (target, online) = (try device.makeNetwork(c, state: a), try device.makeNetwork(c, state: b))
    _ = try pass(online, batch: 2)
    var some = groups(c)
    some["pos_embed"] = nil
    try online.update(AdamWUpdate(step: 1, groups: some))
    let moved = try online.state()
    #expect(moved["pos_embed"] == b["pos_embed"] && moved["cls_token"] != b["cls_token"])
    try target.average(towards: online, rate: 0.75)
    let found = try target.state()
    for entry in ParameterLayout(c).entries {
      let (x, y) = (a[entry.name]!.values, moved[entry.name]!.values)
      let expected = entry.isParameter ? zip(x, y).map { 0.75 * $0 + 0.25 * $1 } : x
      #expect(difference(found[entry.name]!.values, expected) < 1e-6, "\(entry.name)")
    }
    let inputs = normals(2 * c.imageElements)
    let fresh = try device.makeNetwork(c, state: found)
    #expect(
      try target.forward(inputs: inputs, times: times(2), options: .init()).encoder
        == fresh.forward(inputs: inputs, times: times(2), options: .init()).encoder)
    #expect(throws: ComputeError.self) {
      try target.average(towards: CPUDevice(threads: 1).makeNetwork(c, state: b), rate: 0.5)
    }
  }

  @Test("misuse, a full device and a failing one are errors with a reason; memory goes back")
  func refusals() throws {
    let c = trained["odd"]!
    let device = try emulated()
    let before = rrcm_emulator_allocations()
    do {
      let network = try device.makeNetwork(c, state: randomState(c))
      let inputs = normals(2 * c.imageElements)
      #expect(throws: ComputeError.self) { try network.forward(inputs: inputs, times: times(3), options: .init()) }
      let tape = try network.forward(inputs: inputs, times: times(2), options: .init(keepsTape: true)).tape!
      #expect(tape.record(ofBlock: 0).input.count == 2 * c.tokens * c.width)
      #expect(throws: ComputeError.self) { try network.backward(tape, gradients: OutputGradients(logits: [1])) }
      try network.backward(tape, gradients: OutputGradients(encoder: normals(2 * c.width)))
      #expect(throws: ComputeError.self) { try network.backward(tape, gradients: OutputGradients(encoder: [1])) }
      rrcm_emulator_fail("launch", 719, 1)
      let failed = #expect(throws: ComputeError.self) { _ = try network.gradientNorm(of: nil) }
      #expect(failed!.message.contains("CUDA_ERROR_LAUNCH_FAILED"))
      rrcm_emulator_fail("allocate", 2, 2)
      let full = #expect(throws: ComputeError.self) {
        try network.forward(inputs: normals(3 * c.imageElements), times: times(3), options: .init())
      }
      #expect(full!.message.contains("training.batch"))
    }
    #expect(rrcm_emulator_allocations() == before)
  }
}
