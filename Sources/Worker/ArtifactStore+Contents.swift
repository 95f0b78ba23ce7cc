package import Artifacts
internal import Compute
package import Datasets
internal import Foundation
package import Models
internal import Tensors
package import Training

// What the fleet keeps in its store of files by content. Digests are hexadecimal, as the database holds them.
extension ArtifactStore {
  /// The checkpoint named `digest`.
  package func checkpoint(_ digest: String) throws -> Checkpoint {
    try Checkpoint.load(Self.parse(digest), open: read)
  }

  /// Stores a checkpoint. Returns its digest.
  @discardableResult
  package func put(_ checkpoint: Checkpoint) throws -> String {
    try checkpoint.store(with: { try put($0) }).hex
  }

  /// The image set named `digest`.
  package func imageSet(_ digest: String) throws -> ImageSet {
    try ImageSet.read(path: path(for: Self.parse(digest)))
  }

  /// Stores an image set. Returns its digest.
  @discardableResult
  package func put(_ images: ImageSet) throws -> String {
    let file = images.packed()
    return try put { (emit) throws(FormatError) in try file.serialize(emit) }.hex
  }

  private static let snapshotFormat = "rrcm-training-1"

  /// The training state named `digest`.
  package func snapshot(_ digest: String) throws -> TrainingSnapshot {
    let place = "training state \(digest)"
    let file = try SafetensorsFile(parsing: read(Self.parse(digest)), file: place)
    guard file.metadata["format"] == Self.snapshotFormat, let header = file.metadata["header"] else {
      throw FormatError(
        file: place, field: "format", value: file.metadata["format"] ?? "missing",
        remedy: "it is not a training state; submit the run again")
    }
    var tensors = StateDict()
    for entry in file.entries { tensors[entry.name] = entry.tensor.tensor() }
    return try TrainingSnapshot(
      header: JSONDecoder().decode(TrainingSnapshot.Header.self, from: Data(header.utf8)), tensors: tensors)
  }

  /// Stores a training state. Returns its digest.
  package func put(_ snapshot: TrainingSnapshot) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var file = SafetensorsFile(metadata: [
      "format": Self.snapshotFormat, "header": String(decoding: try encoder.encode(snapshot.header), as: UTF8.self),
    ])
    for (name, tensor) in snapshot.tensors.pairs { file.append(name, RawTensor(tensor)) }
    return try put { (emit) throws(FormatError) in try file.serialize(emit) }.hex
  }

  private static func parse(_ digest: String) throws -> SHA256 {
    guard let parsed = SHA256(hex: digest) else {
      throw ComputeError("\(digest) is not the SHA-256 of a stored file; it must be 64 hexadecimal digits")
    }
    return parsed
  }
}
