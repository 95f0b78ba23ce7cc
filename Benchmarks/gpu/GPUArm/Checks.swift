internal import Compute
internal import ComputeCPU
internal import ComputeCUDA
internal import Golden
internal import Models
internal import Noise

/// What must hold on a GPU before its times mean anything. A line each on standard output.
struct Checks {
  let golden: String

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

    let c = Shapes.all["small"]!
    let state = Shapes.randomState(c, seed: 1)
    let inputs = RandomStream(seed: 2, purpose: "benchmark-inputs").normals(count: 64 * c.imageElements, at: 0)
    let expected = try CPUDevice().makeClassifier(c, state: state, batch: nil)
      .logits(inputs: inputs, count: 64, noiseLevel: 0.5)
    let size = expected.map(\.magnitude).max()!
    for precision in CUDADevice.Precision.allCases {
      let device = try CUDADevice(precision: precision)
      let classifier = try device.makeClassifier(c, state: state, batch: 128)
      let logits = try classifier.logits(inputs: inputs, count: 64, noiseLevel: 0.5)
      let error = zip(logits, expected).map { ($0 - $1).magnitude }.max()!
      let bound: Float = precision == .f32 ? 1e-4 : precision == .tf32 ? 1e-2 : 6e-2
      report(
        error <= bound * size, "logits in \(precision.rawValue) against cpu-f32",
        "largest difference \(error / size) of the largest logit, at most \(bound); \(classifier.numerics)")
      let turned = Array(inputs[(32 * c.imageElements)...] + inputs[..<(32 * c.imageElements)])
      let moved = try classifier.logits(inputs: turned, count: 64, noiseLevel: 0.5)
      let back = moved[(32 * c.classes)...] + moved[..<(32 * c.classes)]
      report(
        back.map(\.bitPattern) == logits.map(\.bitPattern), "logits in \(precision.rawValue) in other slots",
        "to the bit")
      let whole = try classifier.votes(for: Shapes.request(c, 0..<1000))
      let again = try classifier.votes(for: Shapes.request(c, 0..<1000))
      let pieces = [
        try classifier.votes(for: Shapes.request(c, 0..<137)), try classifier.votes(for: Shapes.request(c, 137..<1000)),
      ]
      report(
        whole == again && whole == whole.indices.map { pieces[0][$0] + pieces[1][$0] },
        "votes in \(precision.rawValue), twice and in other pieces", "\(whole)")
    }
    for sampler in ["grid", "gaussian"] {
      let classifier = try exact.makeClassifier(c, state: state, batch: 128)
      let request = try Shapes.request(c, 5..<133, sampler: sampler)
      let differing = zip(
        try exact.patches(classifier, for: request), NoiseComparison.patches(c, request, count: 128)
      ).count { $0.bitPattern != $1.bitPattern }
      report(differing == 0, "noise, \(sampler), against the CPU's", "\(differing) of \(128 * c.imageElements) differ")
    }
    return holds
  }
}
