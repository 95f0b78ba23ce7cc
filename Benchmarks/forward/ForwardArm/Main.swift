internal import Compute
internal import ComputeCPU
internal import Foundation
internal import Models
internal import Noise
internal import Tensors

/// Our arm of the forward benchmark: what a worker does with a chunk, on request over standard input.
///
/// usage: ForwardArm CHECKPOINT-FOLDER THREADS PRECISION [BATCH]
/// `votes N` answers seconds for N noise samples; `bound N` seconds of the network's products alone for N samples;
/// `product ROWS COLUMNS DEPTH` the least seconds of one such product of ten, its second factor packed beforehand;
/// `train FILE N` seconds for N training steps on the batch in FILE and each step's loss (see `TrainingArm`);
/// `logits FILE` writes those of the inputs in a safetensors file beside it; `memory` the peak resident size in KiB.
@main
enum ForwardArm {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count >= 4, let threads = Int(arguments[2]),
      let precision = CPUDevice.Precision(rawValue: arguments[3])
    else {
      throw ComputeError("usage: ForwardArm CHECKPOINT-FOLDER THREADS f32|bf16 [BATCH]")
    }
    let checkpoint = try CheckpointFile.read(folder: arguments[1])
    let configuration = checkpoint.configuration
    let device = try CPUDevice(threads: threads, precision: precision)
    let classifier = try device.makeClassifier(
      configuration, state: checkpoint, batch: arguments.count > 4 ? Int(arguments[4]) : nil)
    let sigma = Sigma("0.25")!
    let noise = try NoiseStream(seed: 1, sigma: sigma, sampler: .grid(m: GridTable.defaultM(for: sigma)))
    let pixels = (0..<configuration.imageElements).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    var next = UInt32(0)
    func votes(_ count: UInt32) throws {
      defer { next += count }
      _ = try classifier.votes(
        for: ChunkRequest(
          pixels: pixels, imageIndex: 0, phase: .estimation, samples: next..<next + count, noise: noise))
    }
    try votes(1)
    var training: TrainingArm?
    answer("ready \(device.summary), \(classifier.numerics), \(classifier.arrangement)")
    while let line = readLine() {
      let words = line.split(separator: " ").map(String.init)
      switch (words.first, words.last.flatMap { UInt32($0) }) {
      case ("votes", let count?): try answer("\(seconds { try votes(count) })")
      case ("bound", let count?):
        answer("\(ProductsBound(configuration, device: device).seconds(samples: Int(count)))")
      case ("product", _):
        let sizes = words.dropFirst().map { Int($0)! }
        answer("\(ProductsBound.seconds(rows: sizes[0], columns: sizes[1], depth: sizes[2], device: device))")
      case ("train", let count?):
        var arm = try training ?? TrainingArm(checkpoint, device: device, batch: words[1])
        var losses: [Double] = []
        let time = try seconds { for _ in 0..<count { losses.append(try arm.run()) } }
        training = arm
        answer(([time] + losses).map { "\($0)" }.joined(separator: " "))
      case ("noise", let count?):
        var values = [Float](repeating: 0, count: pixels.count)
        let time = seconds {
          for sample in 0..<count {
            values.withUnsafeMutableBufferPointer { values in
              pixels.withUnsafeBufferPointer {
                noise.noisyPixels(into: values, pixels: $0, imageIndex: 0, phase: .estimation, sample: sample)
              }
            }
          }
        }
        answer("\(time)")
      case ("logits", _):
        let file = try SafetensorsFile.read(path: words[1])
        let inputs = file["inputs"]!.tensor()
        let level = file["level"]!.tensor().values[0]
        let logits = try classifier.logits(
          inputs: inputs.values, count: inputs.shape[0], noiseLevel: Double(level))
        var output = SafetensorsFile()
        output.append(
          "logits", RawTensor(Tensor(shape: [inputs.shape[0], configuration.classes], values: logits)))
        try output.write(to: words[1] + ".ours")
        answer("written")
      case ("memory", _): answer(peakMemory())
      default: throw ComputeError("unknown request: \(line)")
      }
    }
  }

  private static func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    let time = start.duration(to: .now).components
    return Double(time.seconds) + Double(time.attoseconds) * 1e-18
  }

  private static func answer(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

  /// `VmHWM` of this process, KiB.
  private static func peakMemory() -> String {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM") } ?? ""
    return line.filter(\.isNumber)
  }
}
