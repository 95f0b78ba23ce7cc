internal import Compute
internal import Foundation
internal import Models
internal import Tensors

/// Training steps on one batch: forward, mean cross-entropy, backward, AdamW on every parameter that has a gradient.
struct TrainingArm {
  private let network: any Network
  private let inputs: [Float]
  private let times: [Float]
  private let labels: [Int]
  private let groups: [String: (learningRate: Double, weightDecay: Double)]
  private var step = 0

  /// - Parameters:
  ///   - path: `inputs` [B, C, H, W] before c_in, `labels` [B] and `level` [1] in a safetensors file.
  init(_ checkpoint: CheckpointFile, device: any Device, batch path: String) throws {
    let configuration = checkpoint.configuration
    let layout = ParameterLayout(configuration).entries
    network = try device.makeNetwork(
      configuration, state: StateDict(layout.map { ($0.name, checkpoint[$0.name]!) }))
    let file = try SafetensorsFile.read(path: path)
    let images = file["inputs"]!.tensor()
    let levels = NoiseLevels(count: configuration.levels)
    let t = levels.levels[levels.classifierIndex(noiseLevel: Double(file["level"]!.tensor().values[0]))]
    inputs = images.values.map { $0 * NoiseLevels.inputScale(t) }
    times = [Float](repeating: NoiseLevels.rescaledTime(t), count: images.shape[0])
    labels = file["labels"]!.tensor().values.map { Int($0) }
    groups = Dictionary(
      uniqueKeysWithValues: layout.filter { entry in
        entry.isParameter && (configuration.finalNorm || !entry.name.hasPrefix("norm."))
      }.map { ($0.name, (learningRate: 1e-5, weightDecay: 0.01)) })
  }

  /// One step; its loss.
  mutating func run() throws -> Double {
    let classes = network.configuration.classes
    let outputs = try network.forward(
      inputs: inputs, times: times,
      options: ForwardOptions(finalNorm: network.configuration.finalNorm, head: true, keepsTape: true))
    var gradient = outputs.logits!
    var loss = 0.0
    for (i, label) in labels.enumerated() {
      let row = gradient[i * classes..<(i + 1) * classes]
      let top = row.max()!
      let total = row.reduce(0.0) { $0 + exp(Double($1 - top)) }
      loss += log(total) - Double(row[i * classes + label] - top)
      for k in row.indices {
        let probability = exp(Double(gradient[k] - top)) / total
        gradient[k] = Float((probability - (k == i * classes + label ? 1 : 0)) / Double(labels.count))
      }
    }
    try network.zeroGradients()
    try network.backward(outputs.tape!, gradients: OutputGradients(logits: gradient))
    step += 1
    try network.update(AdamWUpdate(step: step, groups: groups))
    return loss / Double(labels.count)
  }
}
