import Compute
import ComputeCPU
import Foundation
import Models
import Noise
import Tensors
import TestSupport

/// Small networks that between them have odd widths, partial vectors, one channel, one block, many heads.
let configurations: [String: ViTConfiguration] = [
  "digits-2": ViTConfiguration(
    imageSize: 8, patchSize: 2, channels: 1, width: 64, depth: 2, heads: 4, projectorHidden: 32, projectorOutput: 16,
    classes: 10),
  "digits-4": ViTConfiguration(imageSize: 8, patchSize: 4, channels: 1, width: 48, depth: 3, heads: 3, classes: 10),
  "odd": ViTConfiguration(
    imageSize: 6, patchSize: 3, channels: 2, width: 27, depth: 2, heads: 3, mlpRatio: 3, projectorHidden: 21,
    projectorOutput: 5, classes: 4, finalNorm: true),
  "one-block": ViTConfiguration(
    imageSize: 8, patchSize: 8, channels: 3, width: 8, depth: 1, heads: 1, projectorHidden: 7, projectorOutput: 3,
    classes: 2),
  "cifar": ViTConfiguration(
    imageSize: 32, patchSize: 4, channels: 3, width: 96, depth: 2, heads: 2, classes: 10, finalNorm: true),
]

/// Random tensors of a plausible size for every entry of a layout, gains near 1 and variances positive.
func randomState(_ configuration: ViTConfiguration, seed: Int64 = 1) -> StateDict {
  let stream = RandomStream(seed: seed, purpose: "test-weights")
  let layout = ParameterLayout(configuration)
  return StateDict(
    layout.entries.enumerated().map { i, entry in
      let count = entry.shape.reduce(1, *)
      let normals = stream.normals(count: count, at: UInt32(i))
      let values: [Float]
      if entry.name.hasSuffix("running_var") {
        values = normals.map { 0.5 + $0 * $0 }
      } else if entry.name.hasSuffix("num_batches_tracked") {
        values = [3]
      } else if entry.shape.count == 1 && entry.name.hasSuffix("weight") {
        values = normals.map { 1 + 0.2 * $0 }
      } else if entry.shape.count >= 2 && entry.name.hasSuffix("weight") {
        let fan = Float(count / entry.shape[0])
        values = normals.map { $0 / fan.squareRoot() }
      } else {
        values = normals.map { 0.3 * $0 }
      }
      return (entry.name, Tensor(shape: entry.shape, values: values))
    })
}

func normals(_ count: Int, seed: Int64) -> [Float] {
  RandomStream(seed: seed, purpose: "test-inputs").normals(count: count, at: 0)
}

func device(
  threads: Int = 1, _ instructionSet: String? = nil, _ precision: CPUDevice.Precision = .f32,
  _ arrangement: CPUDevice.Arrangement? = .apart
) -> CPUDevice {
  try! CPUDevice(threads: threads, precision: precision, arrangement: arrangement, instructionSet: instructionSet)
}

func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
  precondition(a.count == b.count)
  return zip(a, b).reduce(0) { max($0, ($1.0 - $1.1).magnitude.isNaN ? .infinity : ($1.0 - $1.1).magnitude) }
}

/// A reference file's tensors as float32.
struct Golden {
  let file: SafetensorsFile

  init(_ name: String) throws {
    file = try SafetensorsFile.read(path: ReferenceData.path("golden/\(name).safetensors"))
  }

  subscript(name: String) -> [Float] { file[name]!.tensor().values }

  var state: StateDict { StateDict(file.entries.map { ($0.name, $0.tensor.tensor()) }) }

  static let a = ViTConfiguration(
    imageSize: 32, patchSize: 4, width: 64, depth: 2, heads: 4, projectorHidden: 128, projectorOutput: 32)
  static let b = ViTConfiguration(
    imageSize: 16, patchSize: 4, width: 48, depth: 3, heads: 3, projectorHidden: 96, projectorOutput: 24)
}
