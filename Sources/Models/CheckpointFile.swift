package import Tensors

/// A stored checkpoint whose tensors are read when they are asked for: what a device loads weights from without holding
/// them twice.
package struct CheckpointFile: TensorSource, Sendable {
  package let kind: Checkpoint.Kind
  package let configuration: ViTConfiguration
  package let provenance: [JSON.Member]
  private let model: SafetensorsFile

  /// Opens the checkpoint named `digest` in a store of files by content.
  ///
  /// - Parameter open: gives the bytes of a digest.
  /// - Throws: what `open` throws, and `FormatError` where the files are not a checkpoint.
  package static func load(_ digest: SHA256, open: (SHA256) throws -> Bytes) throws -> CheckpointFile {
    let place = "checkpoint \(digest)"
    let manifest = try Manifest(parsing: open(digest), kind: Checkpoint.format, file: place)
    guard let model = manifest.files[Checkpoint.modelName],
      let configuration = manifest.files[Checkpoint.configurationName]
    else {
      throw FormatError(
        file: place, field: "files", value: "\(manifest.files.keys.sorted())",
        remedy: "\(Checkpoint.modelName) and \(Checkpoint.configurationName) were expected")
    }
    return try CheckpointFile(model: open(model), configuration: open(configuration), place: place)
  }

  /// Opens `model.safetensors` and `config.json` in `folder`.
  package static func read(folder: String) throws(FormatError) -> CheckpointFile {
    try CheckpointFile(
      model: Bytes(contentsOf: "\(folder)/\(Checkpoint.modelName)"),
      configuration: Bytes(contentsOf: "\(folder)/\(Checkpoint.configurationName)"), place: folder)
  }

  /// - Parameter place: what errors call the folder of both files.
  /// - Throws: `FormatError` for a malformed file, and for tensors that are missing, unknown or of another type or shape,
  ///   all named at once.
  init(model: Bytes, configuration: Bytes, place: String) throws(FormatError) {
    let description = try CheckpointDescription(
      parsing: configuration, file: "\(place)/\(Checkpoint.configurationName)")
    let path = "\(place)/\(Checkpoint.modelName)"
    let file = try SafetensorsFile(parsing: model, file: path)
    let layout = ParameterLayout(description.configuration)
    let tensors = Dictionary(
      uniqueKeysWithValues: file.entries.map { ($0.name, (type: $0.tensor.type, shape: $0.tensor.shape)) })
    try Checkpoint.require(layout.problems(in: tensors), file: path)
    for entry in layout.entries where entry.isCounter {
      // Before rounding to float32, which would hide a value that is slightly too large.
      try Checkpoint.require(counter: file[entry.name]!.doubles()[0], entry.name, file: path)
    }
    try Checkpoint.require(description.kind, description.configuration, file: path)
    self.kind = description.kind
    self.configuration = description.configuration
    self.provenance = description.provenance
    self.model = file
  }

  package subscript(name: String) -> Tensor? {
    guard let raw = model[name] else { return nil }
    defer { raw.bytes.releasePages() }
    return raw.tensor()
  }

  package func shape(of name: String) -> [Int]? { model[name]?.shape }
}
