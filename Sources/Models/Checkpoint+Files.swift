package import Tensors

extension Checkpoint {
  package static let modelName = "model.safetensors"
  package static let configurationName = "config.json"
  package static let format = "rrcm-checkpoint-1"

  /// The digest that names this checkpoint.
  package var digest: SHA256 { manifest(model: modelFile.digest).digest }

  /// Writes both files into `folder`, which must exist; `config.json` comes last.
  package func write(folder: String) throws(FormatError) {
    try modelFile.write(to: "\(folder)/\(Self.modelName)")
    try AtomicFile.write(configurationBytes, to: "\(folder)/\(Self.configurationName)")
  }

  /// Hands the two files and then their manifest to a store of files by content.
  ///
  /// - Parameter put: stores the bytes that the given closure produces piece by piece, and returns their digest.
  /// - Returns: the digest of the manifest, which is the checkpoint's.
  package func store(
    with put: (_ produce: (_ emit: (Bytes) throws(FormatError) -> Void) throws(FormatError) -> Void) throws -> SHA256
  ) throws -> SHA256 {
    let file = modelFile
    let model = try put { (emit) throws(FormatError) in try file.serialize(emit) }
    _ = try put { (emit) throws(FormatError) in try emit(configurationBytes) }
    let manifest = manifest(model: model)
    return try put { (emit) throws(FormatError) in try emit(manifest.bytes) }
  }

  /// Reads the checkpoint named `digest` from a store of files by content.
  ///
  /// - Parameter open: gives the bytes of a digest.
  /// - Throws: what `open` throws, and `FormatError` where the files are not a checkpoint.
  package static func load(_ digest: SHA256, open: (SHA256) throws -> Bytes) throws -> Checkpoint {
    try Checkpoint(CheckpointFile.load(digest, open: open))
  }

  /// Reads `model.safetensors` and `config.json` in `folder`.
  ///
  /// - Throws: `FormatError` for a missing or malformed file, and for tensors that are missing, unknown or of another
  ///   type or shape, all named at once.
  package static func read(folder: String) throws(FormatError) -> Checkpoint {
    try Checkpoint(CheckpointFile.read(folder: folder))
  }

  /// Everything that `file` holds, in memory.
  package init(_ file: CheckpointFile) throws(FormatError) {
    let layout = ParameterLayout(file.configuration)
    try self.init(
      kind: file.kind, configuration: file.configuration,
      state: StateDict(layout.entries.map { ($0.name, file[$0.name]!) }), provenance: file.provenance)
  }

  private var modelFile: SafetensorsFile {
    var file = SafetensorsFile(metadata: ["format": Self.format])
    for entry in ParameterLayout(configuration).entries {
      let tensor = state[entry.name]!
      file.append(
        entry.name,
        entry.isCounter
          ? RawTensor(shape: tensor.shape, int64s: tensor.values.map { Int64($0) }) : RawTensor(tensor))
    }
    return file
  }

  private var configurationBytes: Bytes {
    let description = CheckpointDescription(kind: kind, configuration: configuration, provenance: provenance)
    return Bytes(Array(description.text.utf8))
  }

  private func manifest(model: SHA256) -> Manifest {
    Manifest(
      kind: Self.format,
      files: [Self.modelName: model, Self.configurationName: SHA256(hashing: configurationBytes)])
  }
}
