package import Artifacts
internal import Compute
package import Datasets
package import Models
internal import Noise
internal import Tensors
package import Training

// What the fleet keeps in its store of files by content. Digests are hexadecimal, as the database holds them.
extension ArtifactStore {
  /// The checkpoint named `digest`.
  package func checkpoint(_ digest: String) throws -> Checkpoint {
    try Checkpoint.load(Self.parse(digest), open: read)
  }

  /// The checkpoint named `digest`, whose tensors are read when they are asked for.
  package func checkpointFile(_ digest: String) throws -> CheckpointFile {
    try CheckpointFile.load(Self.parse(digest), open: read)
  }

  /// Stores a checkpoint. Returns its digest.
  @discardableResult
  package func put(_ checkpoint: Checkpoint) throws -> String {
    try checkpoint.store(with: { try put($0) }).hex
  }

  /// The image set named `digest`.
  package func imageSet(_ digest: String) throws -> ImageSet {
    try ImageSet(parsing: read(Self.parse(digest)), file: "image set \(digest)")
  }

  /// Stores an image set. Returns its digest.
  @discardableResult
  package func put(_ images: ImageSet) throws -> String {
    let file = images.packed()
    return try put { (emit) throws(FormatError) in try file.serialize(emit) }.hex
  }

  /// The noise table named `digest`; nil where the store cannot give it: it is then computed.
  func gridTable(_ digest: String?, sigma: Sigma, m: Int) -> GridTable? {
    guard let digest = digest.flatMap({ SHA256(hex: $0) }), let bytes = try? read(digest) else { return nil }
    return GridTable(parsing: String(decoding: bytes.array, as: UTF8.self), sigma: sigma, m: m)
  }

  /// The training state named `digest`.
  package func snapshot(_ digest: String) throws -> TrainingSnapshot {
    try TrainingSnapshot(parsing: read(Self.parse(digest)), file: "training state \(digest)")
  }

  /// Stores a training state. Returns its digest.
  ///
  /// - Parameter run: written into the file, so that no two runs share one: states are removed once they are replaced.
  package func put(_ snapshot: TrainingSnapshot, ofRun run: Int64) throws -> String {
    var file = try snapshot.file()
    file.metadata["run"] = "\(run)"
    return try put { (emit) throws(FormatError) in try file.serialize(emit) }.hex
  }

  private static func parse(_ digest: String) throws -> SHA256 {
    guard let parsed = SHA256(hex: digest) else {
      throw ComputeError("\(digest) is not the SHA-256 of a stored file; it must be 64 hexadecimal digits")
    }
    return parsed
  }
}
