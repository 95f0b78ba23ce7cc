internal import Compute
internal import Foundation
internal import Models
internal import Noise
internal import Tensors

/// The networks that are timed, a small one that is checked, and a tiny one for a trial of the benchmark itself.
enum Shapes {
  static let all: [String: ViTConfiguration] = [
    "cifar-b": ViTConfiguration(
      imageSize: 32, patchSize: 4, channels: 3, width: 768, depth: 12, heads: 12, classes: 10),
    "imagenet-b": ViTConfiguration(
      imageSize: 224, patchSize: 16, channels: 3, width: 768, depth: 12, heads: 12, classes: 1000, finalNorm: true),
    "small": ViTConfiguration(
      imageSize: 32, patchSize: 4, channels: 3, width: 384, depth: 4, heads: 6, classes: 10, finalNorm: true),
    "tiny": ViTConfiguration(imageSize: 8, patchSize: 4, channels: 3, width: 32, depth: 2, heads: 1, classes: 10),
  ]

  static func named(_ name: String) throws -> ViTConfiguration {
    if let shape = all[name] { return shape }
    throw ComputeError("SHAPE is one of \(all.keys.sorted().joined(separator: ", ")), not \(name)")
  }

  /// A checkpoint, eight inputs whose logits are compared, and 64 with labels to train on.
  static func write(_ c: ViTConfiguration, seed: Int64, folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let stream = RandomStream(seed: seed, purpose: "benchmark-inputs")
    for (place, name, count) in [(UInt32(0), "inputs", 8), (1, "training", 64)] {
      var file = SafetensorsFile()
      func append(_ name: String, _ shape: [Int], _ values: [Float]) {
        file.append(name, RawTensor(Tensor(shape: shape, values: values)))
      }
      append(
        "inputs", [count, c.channels, c.imageSize, c.imageSize],
        stream.normals(count: count * c.imageElements, at: place))
      append("labels", [count], (0..<count).map { Float($0 % c.classes) })
      append("level", [1], [0.5])
      try file.write(to: "\(folder)/\(name).safetensors")
    }
    // Last: who finds it finds the others.
    try Checkpoint(kind: .classifier, configuration: c, state: randomState(c, seed: seed)).write(folder: folder)
  }

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
