import Compute
import ComputeCPU
import ComputeCUDA
import CUDAEmulator
import Models
import Noise
import Tensors

/// Small networks that between them have odd widths, one channel, one block, and both head widths of the matrix units.
let networks: [String: ViTConfiguration] = [
  "plain": ViTConfiguration(imageSize: 8, patchSize: 4, channels: 1, width: 48, depth: 3, heads: 3, classes: 10),
  "odd": ViTConfiguration(
    imageSize: 6, patchSize: 3, channels: 2, width: 27, depth: 2, heads: 3, mlpRatio: 3, classes: 4, finalNorm: true),
  "one-block": ViTConfiguration(imageSize: 8, patchSize: 8, channels: 3, width: 8, depth: 1, heads: 1, classes: 2),
  "heads-32": ViTConfiguration(
    imageSize: 20, patchSize: 2, channels: 3, width: 64, depth: 2, heads: 2, classes: 40, finalNorm: true),
  "heads-64": ViTConfiguration(imageSize: 8, patchSize: 2, channels: 3, width: 128, depth: 2, heads: 2, classes: 7),
]

/// Random tensors of a plausible size, gains near 1, variances positive.
func randomState(_ configuration: ViTConfiguration, seed: Int64 = 1) -> StateDict {
  let stream = RandomStream(seed: seed, purpose: "test-weights")
  return StateDict(
    ParameterLayout(configuration).entries.enumerated().map { i, entry in
      let count = entry.shape.reduce(1, *)
      let normals = stream.normals(count: count, at: UInt32(i))
      let isMatrix = entry.shape.count >= 2 && entry.name.hasSuffix("weight")
      let values =
        entry.name.hasSuffix("running_var")
        ? normals.map { 0.5 + $0.magnitude }
        : isMatrix
          ? normals.map { $0 / Float(count / entry.shape[0]).squareRoot() }
          : entry.name.hasSuffix("weight") ? normals.map { 1 + 0.2 * $0 } : normals.map { 0.3 * $0 }
      return (entry.name, Tensor(shape: entry.shape, values: values))
    })
}

func normals(_ count: Int, seed: Int64 = 5) -> [Float] {
  RandomStream(seed: seed, purpose: "test-inputs").normals(count: count, at: 0)
}

/// The GPU that the tests bring along.
func emulated(_ precision: CUDADevice.Precision = .f32, choice: String = "0", cache: String? = nil) throws -> CUDADevice
{
  try CUDADevice(libraries: .emulated, choice: choice, precision: precision, cache: cache)
}

extension CUDALibraries {
  static var emulated: CUDALibraries {
    CUDALibraries(driver: rrcm_emulated_driver(), nvrtc: rrcm_emulated_nvrtc(), lt: rrcm_emulated_lt())
  }
}

func difference(_ a: [Float], _ b: [Float]) -> Float {
  precondition(a.count == b.count)
  return zip(a, b).reduce(0) { max($0, ($1.0 - $1.1).magnitude.isNaN ? .infinity : ($1.0 - $1.1).magnitude) }
}

/// The same state with logits centred on what noise makes of them, so that the noise decides votes.
func centred(_ state: StateDict, _ configuration: ViTConfiguration) throws -> StateDict {
  var state = state
  let probe = try CPUDevice(threads: 1).makeClassifier(configuration, state: state, batch: nil)
  let logits = try probe.logits(
    inputs: normals(64 * configuration.imageElements, seed: 2), count: 64, noiseLevel: 1)
  for (i, logit) in logits.enumerated() {
    state["linear_head.bias"]!.values[i % configuration.classes] -= logit / 64
  }
  return state
}
