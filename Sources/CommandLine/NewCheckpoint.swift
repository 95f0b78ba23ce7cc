internal import Foundation
internal import Models
internal import Store
internal import Tensors
internal import Worker

extension Checkpoint {
  static let layout = RowLayout(columns: ["checkpoint", "digest", "kind", "model"])

  /// Stores the checkpoint and records it under a name.
  func record(as name: String, source: String, _ context: Context) async throws {
    let artifacts = try context.artifacts()
    let store = try await context.store("checkpoint")
    let digest = try await offPool { try artifacts.put(self) }
    try await store.insertCheckpoint(
      digest: digest, name: name, kind: kind.rawValue,
      configuration: String(decoding: try JSONEncoder().encode(configuration), as: UTF8.self), runID: nil,
      source: source)
  }

  func table(_ name: String) -> OutputTable {
    var table = OutputTable(Self.layout)
    table.add([.text(name), .digest(digest.hex), .text(kind.rawValue), .text(configuration.summary)])
    return table
  }
}

extension ViTConfiguration {
  /// For people: shape, head, number of parameters.
  var summary: String {
    "image \(channels)×\(imageSize)×\(imageSize), patch \(patchSize), width \(width), depth \(depth), heads \(heads)"
      + (hasProjector ? ", projector \(projectorHidden)→\(projectorOutput)" : "")
      + (classes > 0 ? ", \(classes) classes, final norm \(finalNorm ? "on" : "off"), \(levels) levels" : "")
      + ", \(ParameterLayout(self).parameterCount) parameters"
  }
}
