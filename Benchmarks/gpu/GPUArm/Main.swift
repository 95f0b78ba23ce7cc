internal import Compute
internal import ComputeCPU
internal import ComputeCUDA
internal import Foundation
internal import Golden
internal import Models
internal import Noise
internal import Tensors

/// Our arm of the GPU benchmark.
///
/// usage: GPUArm check GOLDEN-FOLDER           compares this machine's GPU with the references and with its processor
///        GPUArm weights SHAPE SEED FOLDER     writes a checkpoint of random weights and a trained network's size
///        GPUArm time CHECKPOINT-FOLDER PRECISION [BATCH]   answers requests on standard input, in seconds:
///          `votes N` what a worker does with N samples, `noise N` the same without the network, `peak` bfloat16
///          products a second in FLOP/s, `logits FILE` writes FILE.ours
///
/// Ends with 0, with 1 when a check fails, with 64 for wrong usage, with 71 when there is no GPU to use.
@main
enum GPUArm {
  static func main() {
    let arguments = CommandLine.arguments
    do {
      switch arguments.dropFirst().first {
      case "check" where arguments.count == 3: exit(try Checks(golden: arguments[2]).run() ? 0 : 1)
      case "weights" where arguments.count == 5:
        guard let shape = Shapes.all[arguments[2]], let seed = Int64(arguments[3]) else {
          throw ComputeError("SHAPE is one of \(Shapes.all.keys.sorted().joined(separator: ", ")); SEED is an integer")
        }
        let state = Shapes.randomState(shape, seed: seed)
        try FileManager.default.createDirectory(atPath: arguments[4], withIntermediateDirectories: true)
        try Checkpoint(kind: .classifier, configuration: shape, state: state).write(folder: arguments[4])
      case "time" where arguments.count >= 4:
        guard let precision = CUDADevice.Precision(rawValue: arguments[3]) else {
          throw ComputeError("PRECISION is bf16, tf32 or f32")
        }
        try Timing(
          folder: arguments[2], precision: precision, batch: arguments.count > 4 ? Int(arguments[4]) : nil
        ).serve()
      default:
        complain("usage: GPUArm check GOLDEN | weights SHAPE SEED FOLDER | time CHECKPOINT PRECISION [BATCH]")
        exit(64)
      }
    } catch let problems as CUDAProblems {
      complain("no GPU to use:\n\(problems)")
      exit(71)
    } catch {
      complain("\(error)")
      exit(1)
    }
  }

  static func complain(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
  static func say(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }
}

/// The networks that are timed, and a small one that is checked.
enum Shapes {
  static let all: [String: ViTConfiguration] = [
    "cifar-b": ViTConfiguration(
      imageSize: 32, patchSize: 4, channels: 3, width: 768, depth: 12, heads: 12, classes: 10),
    "imagenet-b": ViTConfiguration(
      imageSize: 224, patchSize: 16, channels: 3, width: 768, depth: 12, heads: 12, classes: 1000, finalNorm: true),
    "small": ViTConfiguration(
      imageSize: 32, patchSize: 4, channels: 3, width: 384, depth: 4, heads: 6, classes: 10, finalNorm: true),
  ]

  /// No layer saturates or vanishes.
  static func randomState(_ configuration: ViTConfiguration, seed: Int64) -> StateDict {
    let stream = RandomStream(seed: seed, purpose: "benchmark-weights")
    return StateDict(
      ParameterLayout(configuration).entries.enumerated().map { i, entry in
        let count = entry.shape.reduce(1, *)
        let normals = stream.normals(count: count, at: UInt32(i))
        let values =
          entry.shape.count > 1 && entry.name.hasSuffix("weight")
          ? normals.map { $0 / Float(count / entry.shape[0]).squareRoot() }
          : entry.name.hasSuffix("weight") ? normals.map { 1 + 0.1 * $0 } : normals.map { 0.1 * $0 }
        return (entry.name, Tensor(shape: entry.shape, values: values))
      })
  }

  static func request(_ c: ViTConfiguration, _ samples: Range<UInt32>, sampler: String = "grid") throws -> ChunkRequest
  {
    let sigma = Sigma("0.25")!
    let noise = try NoiseStream(
      seed: 1, sigma: sigma, sampler: sampler == "grid" ? .grid(m: GridTable.defaultM(for: sigma)) : .gaussian)
    return ChunkRequest(
      pixels: (0..<c.imageElements).map { UInt8(truncatingIfNeeded: $0 &* 37) }, imageIndex: 0, phase: .estimation,
      samples: samples, noise: noise)
  }
}
