import Compute
import Datasets
import Models
import Noise

/// Accuracy under noise of a network that is in training.
struct Evaluator {
  let network: any Network
  /// Levels in the grid in which the level of a noise deviation is looked up.
  let levels: Int
  let seed: Int64
  private static let batch = 256

  /// Share of images whose single noisy prediction is right, per noise level.
  func accuracies(_ images: TrainingImages, noiseLevels: [Double]) throws -> [(noiseLevel: Double, accuracy: Double)] {
    let classes = network.configuration.classes
    try images.require(network.configuration, batch: 1)
    try images.requireClasses(classes)
    return try noiseLevels.enumerated().map { slot, v in
      var correct = 0
      try forEachBatch(images, noiseLevel: v, slot: slot) { indices, outputs in
        let logits = outputs.logits!
        for (row, index) in indices.enumerated()
        where largestIndex(logits[row * classes..<(row + 1) * classes]) == images.label(index) { correct += 1 }
      }
      return (v, Double(correct) / Double(images.count))
    }
  }

  /// Share of images nearest, by cosine similarity of encoder outputs, to the mean direction of their class.
  func centroidAccuracies(
    reference: TrainingImages, heldOut: TrainingImages, noiseLevels: [Double]
  ) throws -> [(noiseLevel: Double, accuracy: Double)] {
    for images in [reference, heldOut] {
      try images.require(network.configuration, batch: 1)
    }
    let d = network.configuration.width
    let classes = reference.set.classNames.count
    var centroids = [Float](repeating: 0, count: classes * d)
    try forEachBatch(reference, noiseLevel: 0, slot: 0) { indices, outputs in
      for (row, index) in indices.enumerated() {
        let unit = direction(outputs.encoder[row * d..<(row + 1) * d])
        for k in 0..<d { centroids[reference.label(index) * d + k] += unit[k] }
      }
    }
    for c in 0..<classes {
      centroids.replaceSubrange(c * d..<(c + 1) * d, with: direction(centroids[c * d..<(c + 1) * d]))
    }
    return try noiseLevels.enumerated().map { slot, v in
      var correct = 0
      try forEachBatch(heldOut, noiseLevel: v, slot: slot) { indices, outputs in
        for (row, index) in indices.enumerated() {
          let similarities = (0..<classes).map { c in
            (0..<d).reduce(Float(0)) { $0 + centroids[c * d + $1] * outputs.encoder[row * d + $1] }
          }
          if largestIndex(similarities[...]) == heldOut.label(index) { correct += 1 }
        }
      }
      return (v, Double(correct) / Double(heldOut.count))
    }
  }

  private func direction(_ vector: ArraySlice<Float>) -> [Float] {
    let norm = max(vector.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot(), 1e-12)
    return vector.map { $0 / norm }
  }

  private func forEachBatch(
    _ images: TrainingImages, noiseLevel v: Double, slot: Int, _ body: ([Int], ForwardOutputs) throws -> Void
  ) throws {
    let model = network.configuration
    let grid = NoiseLevels(count: levels)
    let level = grid.levels[grid.classifierIndex(noiseLevel: v)]
    let stream = RandomStream(seed: seed, purpose: "evaluation")
    for start in stride(from: 0, to: images.count, by: Self.batch) {
      let indices = Array(start..<min(start + Self.batch, images.count))
      let clean = images.batch(indices, augmentation: Augmentation([]), stream: stream, step: 0, view: 0)
      // One place per image, so that the noise does not depend on how images are batched.
      let noise = indices.flatMap { stream.normals(count: model.imageElements, at: UInt32($0), UInt32(slot)) }
      let inputs = NetworkInputs.noisy(images: clean, noise: noise, deviation: Float(v), level: level)
      try body(
        indices,
        network.forward(
          inputs: inputs, times: NetworkInputs.times(level: level, count: indices.count),
          options: ForwardOptions(finalNorm: model.classes == 0 || model.finalNorm, head: model.classes > 0)))
    }
  }
}
