internal import Datasets
internal import Store
internal import Tensors
internal import Worker

/// An image set that a command has read and is about to record.
struct NewImageSet {
  let images: ImageSet
  let source: String
  let digest: String

  static let layout = RowLayout(columns: [
    "dataset", "digest", "images", "channels", "height", "width", "classes", "splits",
  ])

  init(_ images: ImageSet, source: String) {
    self.images = images
    self.source = source
    digest = images.digest.hex
  }

  /// Stores the set and records it with a row per image; both happened before, nothing changes.
  ///
  /// - Throws: `CommandFailure` when another set has its name.
  func record(_ context: Context) async throws {
    let artifacts = try context.artifacts()
    let store = try await context.store("dataset")
    if let known = try await store.dataset(images.name), known.name == images.name, known.digest != digest {
      throw CommandFailure(
        "an image set named \"\(images.name)\" with other content is imported (\(known.digest.prefix(12))…); choose another --name",
        status: .badInput)
    }
    let rows = try await offPool { [images] in
      try artifacts.put(images)
      return (0..<images.count).map { index in
        DatasetImageRow(
          split: images.splits[index], label: images.labels[index], source: images.sources[index],
          digest: images.imageDigest(index).hex)
      }
    }
    try await store.insertDataset(
      digest: digest, name: images.name, channels: images.channels, height: images.height, width: images.width,
      classes: images.classNames, source: source, images: rows)
  }

  var table: OutputTable {
    var table = OutputTable(Self.layout)
    let splits = images.splitNames.map { "\($0) \(images.indices(split: $0).count)" }
    table.add([
      .text(images.name), .digest(digest), .int(images.count), .int(images.channels), .int(images.height),
      .int(images.width), .int(images.classNames.count), .text(splits.joined(separator: ", ")),
    ])
    return table
  }
}
