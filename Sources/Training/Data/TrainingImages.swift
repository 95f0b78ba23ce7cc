package import Datasets
import Models
package import Noise
import Tensors

/// The images of a set that a training or an evaluation reads, for example one of its splits.
package struct TrainingImages: Sendable {
  package let set: ImageSet
  /// Indices into the set. A batch names images by their position in this list.
  package let members: [Int]

  /// - Throws: `TrainingError` when there is no such image, or none at all.
  package init(_ set: ImageSet, members: [Int]) throws {
    guard !members.isEmpty, members.allSatisfy({ 0..<set.count ~= $0 }) else {
      throw TrainingError(
        "the \(members.count) chosen images are not among the \(set.count) of image set \"\(set.name)\"; choose others")
    }
    self.set = set
    self.members = members
  }

  /// - Throws: `TrainingError` when the set has no such split.
  package init(_ set: ImageSet, split: String) throws {
    let members = set.indices(split: split)
    guard !members.isEmpty else {
      throw TrainingError(
        "image set \"\(set.name)\" has no split \"\(split)\"; it has \(set.splitNames.joined(separator: ", "))")
    }
    try self.init(set, members: members)
  }

  package var count: Int { members.count }

  /// Class of the image at a position.
  package func label(_ position: Int) -> Int { set.labels[members[position]] }

  /// The images at `positions`, augmented and normalised to [−1, 1]: [B, C, S, S].
  ///
  /// Image number i of the batch takes its randomness from place (step, i, view) of the stream.
  package func batch(
    _ positions: [Int], augmentation: Augmentation, stream: RandomStream, step: Int, view: Int
  ) -> [Float] {
    var batch: [Float] = []
    batch.reserveCapacity(positions.count * set.imageSize)
    for (slot, position) in positions.enumerated() {
      let bytes = set.image(members[position])
      guard !augmentation.changes.isEmpty else {
        bytes.withUnsafeBytes { batch.append(contentsOf: $0.lazy.map(PixelImage.normalise)) }
        continue
      }
      var image = bytes.withUnsafeBytes { $0.map { Float($0) / 255 } }
      var generator = stream.generator(at: UInt32(step), UInt32(slot), UInt32(view))
      augmentation.apply(to: &image, channels: set.channels, size: set.width, using: &generator)
      for value in image { batch.append((value - 0.5) / 0.5) }
    }
    return batch
  }

  /// - Throws: `TrainingError` when a model cannot take these images or a batch does not fill.
  func require(_ model: ViTConfiguration, batch: Int) throws {
    guard model.channels == set.channels, model.imageSize == set.height, model.imageSize == set.width else {
      throw TrainingError(
        "the images are [\(set.channels), \(set.height), \(set.width)] and the model takes"
          + " [\(model.channels), \(model.imageSize), \(model.imageSize)]; set model.channels and model.image to fit")
    }
    guard batch <= count else {
      throw TrainingError("training.batch is \(batch) but there are only \(count) images; lower it")
    }
  }

  /// - Throws: `TrainingError` when the set has more classes than the head.
  func requireClasses(_ classes: Int) throws {
    guard set.classNames.count <= classes else {
      throw TrainingError(
        "the images have \(set.classNames.count) classes and the model \(classes); set model.classes to fit")
    }
  }
}

/// Which images a step sees: every epoch a fresh random order, whole batches only.
package struct DataOrder: Sendable {
  package let count: Int
  package let batch: Int
  let stream: RandomStream
  private var epoch = -1
  private var order: [Int] = []

  package init(count: Int, batch: Int, stream: RandomStream) {
    precondition(batch >= 1 && batch <= count)
    self.count = count
    self.batch = batch
    self.stream = stream
  }

  package var stepsPerEpoch: Int { count / batch }

  /// Indices of the batch after `completed` steps: a pure function of the stream and that number.
  package mutating func indices(completed: Int) -> [Int] {
    let wanted = completed / stepsPerEpoch
    if wanted != epoch {
      epoch = wanted
      var generator = stream.generator(at: UInt32(epoch))
      order = Array(0..<count)
      // Written out, because the standard library may change how it shuffles.
      for last in stride(from: count - 1, through: 1, by: -1) {
        order.swapAt(last, Int(generator.next().multipliedFullWidth(by: UInt64(last + 1)).high))
      }
    }
    let start = completed % stepsPerEpoch * batch
    return Array(order[start..<start + batch])
  }
}
