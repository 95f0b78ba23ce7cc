package import Models
package import Noise

/// Square images in memory, with labels.
package struct TrainingImages: Sendable {
  /// [count, C, S, S]
  package let pixels: [UInt8]
  /// Class index per image; empty where there are no labels.
  package let labels: [Int]
  package let channels: Int
  /// Side S.
  package let size: Int
  package let count: Int

  /// - Throws: `TrainingError` when the numbers do not fit together.
  package init(pixels: [UInt8], labels: [Int], channels: Int, size: Int) throws {
    let elements = channels * size * size
    guard elements > 0, !pixels.isEmpty, pixels.count % elements == 0 else {
      throw TrainingError("\(pixels.count) bytes are not a whole number of images [\(channels), \(size), \(size)]")
    }
    count = pixels.count / elements
    guard labels.isEmpty || labels.count == count else {
      throw TrainingError("there are \(labels.count) labels for \(count) images; give one per image, or none")
    }
    self.pixels = pixels
    self.labels = labels
    self.channels = channels
    self.size = size
  }

  /// Bytes of one image.
  package func bytes(of index: Int) -> ArraySlice<UInt8> {
    let elements = channels * size * size
    return pixels[index * elements..<(index + 1) * elements]
  }

  /// The images at `indices`, augmented and normalised to [−1, 1]: [B, C, S, S].
  ///
  /// Image number i of the batch takes its randomness from place (step, i, view) of the stream.
  package func batch(_ indices: [Int], augmentation: Augmentation, stream: RandomStream, step: Int, view: Int)
    -> [Float]
  {
    var batch: [Float] = []
    batch.reserveCapacity(indices.count * channels * size * size)
    for (slot, index) in indices.enumerated() {
      var image = bytes(of: index).map { Float($0) / 255 }
      if !augmentation.changes.isEmpty {
        var generator = stream.generator(at: UInt32(step), UInt32(slot), UInt32(view))
        augmentation.apply(to: &image, channels: channels, size: size, using: &generator)
      }
      for value in image { batch.append((value - 0.5) / 0.5) }
    }
    return batch
  }

  /// - Throws: `TrainingError` when a model cannot take these images or a batch does not fill.
  func require(_ model: ViTConfiguration, batch: Int) throws {
    guard model.channels == channels, model.imageSize == size else {
      throw TrainingError(
        "the images are [\(channels), \(size), \(size)] and the model takes"
          + " [\(model.channels), \(model.imageSize), \(model.imageSize)]; set model.channels and model.image to fit")
    }
    guard batch <= count else {
      throw TrainingError("training.batch is \(batch) but there are only \(count) images; lower it")
    }
  }

  /// - Throws: `TrainingError` when an image has no label below `classes`.
  func requireLabels(classes: Int) throws {
    guard labels.count == count else {
      throw TrainingError("the images have no labels; fine-tuning and evaluation need one per image")
    }
    if let wrong = labels.first(where: { !(0..<classes).contains($0) }) {
      throw TrainingError("label \(wrong) is outside the model's \(classes) classes; set model.classes to fit")
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
