internal import Compute
internal import ComputeCPU
internal import ComputeCUDA
internal import Golden
internal import Models
internal import Noise

/// What must hold on a GPU before its times mean anything. A line each on standard output.
struct Checks {
  let golden: String
  /// Of the network that is compared with the processor's.
  let configuration: ViTConfiguration
  /// Votes that are cast twice, and again in pieces.
  let samples: UInt32

  /// - Returns: whether all hold.
  func run() throws -> Bool {
    var holds = true
    func report(_ passes: Bool, _ name: String, _ detail: String) {
      GPUArm.say("\(passes ? "pass" : "FAIL")  \(name): \(detail)")
      holds = holds && passes
    }
    let exact = try CUDADevice(precision: .f32)
    GPUArm.say("device  \(exact.summary)")
    var lines: [String] = []
    let summary = verifyGolden(directory: golden, device: exact) { lines.append($0) }
    report(!summary.isFailure, "golden files in f32", lines.last ?? "")
    for line in lines where line.contains("FAIL") { GPUArm.say("      \(line)") }

    let c = configuration
    let batch = samples < 1000 ? 16 : 128
    let count = batch / 2
    let half = count / 2 * c.imageElements
    let state = Shapes.randomState(c, seed: 1)
    let inputs = RandomStream(seed: 2, purpose: "benchmark-inputs").normals(count: count * c.imageElements, at: 0)
    let expected = try CPUDevice().makeClassifier(c, state: state, batch: nil)
      .logits(inputs: inputs, count: count, noiseLevel: 0.5)
    let size = expected.map(\.magnitude).max()!
    for precision in CUDADevice.Precision.allCases {
      let device = try CUDADevice(precision: precision)
      let classifier = try device.makeClassifier(c, state: state, batch: batch)
      let logits = try classifier.logits(inputs: inputs, count: count, noiseLevel: 0.5)
      let error = zip(logits, expected).map { ($0 - $1).magnitude }.max()!
      let bound: Float = precision == .f32 ? 1e-4 : precision == .tf32 ? 1e-2 : 6e-2
      report(
        error <= bound * size, "logits in \(precision.rawValue) against cpu-f32",
        "largest difference \(error / size) of the largest logit, at most \(bound); \(classifier.numerics)")
      let turned = Array(inputs[half...] + inputs[..<half])
      let moved = try classifier.logits(inputs: turned, count: count, noiseLevel: 0.5)
      let back = moved[(count / 2 * c.classes)...] + moved[..<(count / 2 * c.classes)]
      report(
        back.map(\.bitPattern) == logits.map(\.bitPattern), "logits in \(precision.rawValue) in other slots",
        "to the bit")
      let whole = try classifier.votes(for: Shapes.request(c, 0..<samples))
      let again = try classifier.votes(for: Shapes.request(c, 0..<samples))
      let pieces = [
        try classifier.votes(for: Shapes.request(c, 0..<samples / 7)),
        try classifier.votes(for: Shapes.request(c, (samples / 7)..<samples)),
      ]
      report(
        whole == again && whole == whole.indices.map { pieces[0][$0] + pieces[1][$0] },
        "votes in \(precision.rawValue), twice and in other pieces", "\(whole)")
    }
    for sampler in ["grid", "gaussian"] {
      let classifier = try exact.makeClassifier(c, state: state, batch: batch)
      let request = try Shapes.request(c, 5..<5 + UInt32(batch), sampler: sampler)
      let differing = zip(
        try exact.patches(classifier, for: request), NoiseComparison.patches(c, request, count: batch)
      ).count { $0.bitPattern != $1.bitPattern }
      report(
        differing == 0, "noise, \(sampler), against the CPU's", "\(differing) of \(batch * c.imageElements) differ")
    }
    return holds
  }
}
