package import Tensors

/// Labelled images of one size, in memory or mapped: what training reads and what certification is about.
///
/// Order is part of the set: an image is named by its index. The bytes are what the network is fed, after resize and
/// crop; a pixel's value is byte/255.
package struct ImageSet: Sendable, Equatable {
  /// A name for people, for example `cifar10`.
  package let name: String
  /// Names of the classes; a label is an index into them.
  package let classNames: [String]
  /// Channels C: 3 for colour, 1 for grey.
  package let channels: Int
  package let height: Int
  package let width: Int
  /// Pixels [N, C, H, W], one byte each.
  package let images: Bytes
  /// One class per image, 0 ..< classNames.count.
  package let labels: [Int]
  /// The part each image belongs to, for example `train` or `heldout`; fixed when the set is made.
  package let splits: [String]
  /// Where each image came from: a path inside the folder or archive, or a line.
  package let sources: [String]

  /// - Throws: `FormatError` naming the part that does not fit the others.
  package init(
    name: String, classNames: [String], channels: Int, height: Int, width: Int, images: Bytes, labels: [Int],
    splits: [String], sources: [String]
  ) throws(FormatError) {
    func problem(_ field: String, _ value: String, _ remedy: String) -> FormatError {
      FormatError(file: "image set \"\(name)\"", field: field, value: value, remedy: remedy)
    }
    guard !labels.isEmpty else { throw problem("image count", "0", "a set has at least one image") }
    guard channels > 0, height > 0, width > 0,
      RawTensor.byteCount(type: .uint8, shape: [labels.count, channels, height, width]) == images.count
    else {
      throw problem(
        "pixels", "\(images.count) bytes",
        "\(labels.count) images of \(channels)×\(height)×\(width) were expected; make the set again")
    }
    guard splits.count == labels.count, sources.count == labels.count else {
      throw problem(
        "splits and sources", "\(splits.count) and \(sources.count) long",
        "each of the \(labels.count) images needs one; make the set again")
    }
    guard !classNames.isEmpty, classNames.count <= 32_767, Set(classNames).count == classNames.count else {
      throw problem("class names", "\(classNames.count) names", "1 to 32767 names are needed, all different")
    }
    if let bad = labels.firstIndex(where: { !classNames.indices.contains($0) }) {
      throw problem("label of image \(bad)", "\(labels[bad])", "labels are 0 to \(classNames.count - 1)")
    }
    if let bad = splits.firstIndex(of: "") { throw problem("split of image \(bad)", "empty", "give it a name") }
    guard Set(splits).count <= 255 else { throw problem("splits", "more than 255 names", "use fewer") }
    self.name = name
    self.classNames = classNames
    self.channels = channels
    self.height = height
    self.width = width
    self.images = images
    self.labels = labels
    self.splits = splits
    self.sources = sources
  }

  /// Number of images N.
  package var count: Int { labels.count }
  /// Bytes of one image, C·H·W.
  package var imageSize: Int { channels * height * width }

  /// Pixels [C, H, W] of image `index`; shares the set's storage.
  package func image(_ index: Int) -> Bytes { images.slice(index * imageSize..<(index + 1) * imageSize) }

  /// SHA-256 of the pixels of image `index`.
  package func imageDigest(_ index: Int) -> SHA256 { SHA256(hashing: image(index)) }

  /// Names of the parts, sorted.
  package var splitNames: [String] { Set(splits).sorted() }

  /// Indices of the images of one part, ascending.
  package func indices(split: String) -> [Int] { splits.indices.filter { splits[$0] == split } }

  /// The chosen images as a network takes them: [B, C, H, W] in -1...1 (spec section 4.1).
  package func normalised(_ indices: [Int]) -> Tensor {
    var values: [Float] = []
    values.reserveCapacity(indices.count * imageSize)
    for index in indices {
      image(index).withUnsafeBytes { bytes in values.append(contentsOf: bytes.lazy.map(PixelImage.normalise)) }
    }
    return Tensor(shape: [indices.count, channels, height, width], values: values)
  }
}
