internal import Compute
internal import ComputeCUDA
internal import Models
internal import Tensors

/// A classifier on the GPU that answers how long things take.
struct Timing {
  let folder: String
  let precision: CUDADevice.Precision
  let batch: Int?

  func serve() throws {
    let checkpoint = try CheckpointFile.read(folder: folder)
    let c = checkpoint.configuration
    let device = try CUDADevice(precision: precision)
    let classifier = try device.makeClassifier(c, state: checkpoint, batch: batch)
    var next = UInt32(0)
    func chunk(_ count: UInt32) throws -> ChunkRequest {
      defer { next += count }
      return try Shapes.request(c, next..<next + count)
    }
    var training: TrainingArm?
    _ = try classifier.votes(for: try chunk(1))
    GPUArm.say("ready \(device.summary), \(classifier.numerics)")
    while let line = readLine() {
      let words = line.split(separator: " ").map(String.init)
      switch (words.first, words.last.flatMap { UInt32($0) }) {
      case ("votes", let count?):
        let request = try chunk(count)
        GPUArm.say("\(try seconds { _ = try classifier.votes(for: request) })")
      case ("noise", let count?):
        let request = try chunk(count)
        GPUArm.say("\(try seconds { try device.noiseAndCounting(classifier, for: request) })")
      case ("peak", let side?):
        GPUArm.say("\(try device.productRate(side: Int(side), repetitions: side < 1024 ? 2 : 50))")
      case ("train", let count?) where words.count == 3:
        var arm = try training ?? TrainingArm(checkpoint, device: device, batch: words[1])
        var losses: [Double] = []
        let time = try seconds { for _ in 0..<count { losses.append(try arm.run()) } }
        training = arm
        GPUArm.say(([time] + losses).map { "\($0)" }.joined(separator: " "))
      case ("logits", _) where words.count == 3:
        let file = try SafetensorsFile.read(path: words[1])
        let inputs = file["inputs"]!.tensor()
        let logits = try classifier.logits(
          inputs: inputs.values, count: inputs.shape[0], noiseLevel: Double(file["level"]!.tensor().values[0]))
        var output = SafetensorsFile()
        output.append("logits", RawTensor(Tensor(shape: [inputs.shape[0], c.classes], values: logits)))
        try output.write(to: words[2])
        GPUArm.say("written")
      default: throw ComputeError("unknown request: \(line)")
      }
    }
  }

  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    let time = start.duration(to: .now).components
    return Double(time.seconds) + Double(time.attoseconds) * 1e-18
  }
}
