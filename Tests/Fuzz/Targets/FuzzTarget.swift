internal import Datasets
internal import Models
internal import RunFile
internal import Smoothing
internal import Tensors

/// The readers of outside data, each as a function that any bytes may be given to.
///
/// A reader may refuse the bytes, with an error of its own; it may not crash, hang, or take memory without measure. What
/// it accepts must survive being written and read again.
package enum FuzzTarget: String, CaseIterable, Sendable {
  /// A checkpoint's tensors; also JSON.
  case safetensors
  /// A file of `torch.save`: zip, pickle, storages.
  case torch
  /// A tar archive, plain or gzip, nested ones included.
  case tar
  /// A run file.
  case yaml
  /// Tables of counts (CSV).
  case table
  /// Certification logs of other programs (TSV).
  case log

  package func run(_ bytes: [UInt8]) {
    switch self {
    case .safetensors: Self.safetensors(bytes)
    case .torch: Self.torch(bytes)
    case .tar: Self.tar(bytes)
    case .yaml: Self.yaml(bytes)
    case .table: Self.table(bytes)
    case .log: Self.log(bytes)
    }
  }

  private static func safetensors(_ bytes: [UInt8]) {
    guard let file = try? SafetensorsFile(parsing: Bytes(bytes), file: "input") else { return }
    let again = try? SafetensorsFile(parsing: file.serialized(), file: "again")
    precondition(again == file, "what was written reads back differently")
    for entry in file.entries where entry.tensor.count <= 1 << 16 { _ = entry.tensor.doubles() }
  }

  private static func torch(_ bytes: [UInt8]) {
    let importer = CheckpointImporter(heads: 1, finalNorm: false, levels: 81)
    _ = try? importer.read(Bytes(bytes), file: "input")
    guard let archive = try? TorchArchive(parsing: Bytes(bytes), file: "input") else { return }
    for member in (archive.root.members ?? []).prefix(64) { _ = member.value.tensor?.contiguous.tensor() }
  }

  private static func yaml(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let spec = try? RunFile.parse(text) else { return }
    let again = try? RunFile.parse(spec.settings.json)
    precondition(again == spec, "what was stored reads back differently")
  }

  private static func table(_ bytes: [UInt8]) {
    guard let answer = try? RadiusTable.answer(String(decoding: bytes, as: UTF8.self)) else { return }
    // An answer has the columns it adds, so it cannot be a question.
    precondition((try? RadiusTable.answer(answer)) == nil, "an answer was taken for a question")
  }

  private static func log(_ bytes: [UInt8]) {
    guard let log = try? CohenLog.read(bytes) else { return }
    for sigma in log.sigmas.prefix(8) { _ = log.level(sigma).notes }
    for row in log.rows.prefix(64) { precondition(row.radius >= 0 && row.radius.isFinite, "a radius of \(row.radius)") }
  }
}
