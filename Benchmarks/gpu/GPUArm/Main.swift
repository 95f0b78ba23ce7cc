internal import Compute
internal import ComputeCUDA
internal import Foundation

/// Our arm of the GPU benchmark.
///
/// usage: GPUArm check GOLDEN-FOLDER [SHAPE SAMPLES]   compares this machine's GPU with the references and with its processor
///        GPUArm weights SHAPE SEED FOLDER     writes a checkpoint of random weights and a trained network's size, with
///          inputs.safetensors and training.safetensors to compare and to train on
///        GPUArm time CHECKPOINT-FOLDER PRECISION [BATCH]   answers requests on standard input, in seconds:
///          `votes N` what a worker does with N samples, `noise N` the same without the network, `peak SIDE`
///          bfloat16 products a second in FLOP/s, `logits FILE TO` writes a file, `train FILE N` also each step's loss
///
/// Ends with 0, with 1 when a check fails, with 64 for wrong usage, with 71 when there is no GPU to use.
@main
enum GPUArm {
  static func main() {
    let arguments = CommandLine.arguments
    do {
      switch arguments.dropFirst().first {
      case "check" where [3, 5].contains(arguments.count):
        let shape = try Shapes.named(arguments.count > 3 ? arguments[3] : "small")
        guard let samples = UInt32(arguments.count > 3 ? arguments[4] : "1000") else {
          throw ComputeError("SAMPLES is a number, not \(arguments[4])")
        }
        exit(try Checks(golden: arguments[2], configuration: shape, samples: samples).run() ? 0 : 1)
      case "weights" where arguments.count == 5:
        guard let seed = Int64(arguments[3]) else { throw ComputeError("SEED is an integer, not \(arguments[3])") }
        try Shapes.write(Shapes.named(arguments[2]), seed: seed, folder: arguments[4])
      case "time" where arguments.count >= 4:
        guard let precision = CUDADevice.Precision(rawValue: arguments[3]) else {
          throw ComputeError("PRECISION is bf16, tf32 or f32")
        }
        try Timing(
          folder: arguments[2], precision: precision, batch: arguments.count > 4 ? Int(arguments[4]) : nil
        ).serve()
      default:
        complain(
          "usage: GPUArm check GOLDEN [SHAPE SAMPLES] | weights SHAPE SEED FOLDER | time CHECKPOINT PRECISION [BATCH]")
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
