package import Tensors

/// What `config.json` says about a checkpoint.
package struct CheckpointDescription: Sendable, Equatable {
  package var kind: Checkpoint.Kind
  package var configuration: ViTConfiguration
  package var provenance: [JSON.Member]

  package init(kind: Checkpoint.Kind, configuration: ViTConfiguration, provenance: [JSON.Member]) {
    self.kind = kind
    self.configuration = configuration
    self.provenance = provenance
  }

  private static let integers: [(key: String, path: any WritableKeyPath<ViTConfiguration, Int> & Sendable)] = [
    ("image_size", \.imageSize), ("patch_size", \.patchSize), ("channels", \.channels), ("width", \.width),
    ("depth", \.depth), ("heads", \.heads), ("mlp_ratio", \.mlpRatio), ("projector_hidden", \.projectorHidden),
    ("projector_output", \.projectorOutput), ("classes", \.classes), ("levels", \.levels),
  ]

  /// The file's text; the same description always gives the same bytes.
  package var text: String {
    var model = Self.integers.map { JSON.Member($0.key, .number(configuration[keyPath: $0.path])) }
    model.append(JSON.Member("final_norm", .bool(configuration.finalNorm)))
    let document = JSON.object([
      .init("format", .string(Checkpoint.format)), .init("kind", .string(kind.rawValue)),
      .init("model", .object(model)), .init("provenance", .object(provenance)),
    ])
    return document.text(indent: 2) + "\n"
  }

  /// Reads the file's text.
  ///
  /// - Throws: `FormatError` for malformed JSON; else one that lists every missing, unknown or unusable member.
  package init(parsing bytes: Bytes, file: String) throws(FormatError) {
    let document = try JSON(parsing: bytes, file: file)
    var problems: [String] = []
    func requireKeys(_ value: JSON?, _ known: [String], in place: String) {
      let keys = (value?.members ?? []).map(\.key)
      problems += keys.filter { !known.contains($0) }.map { "\(place)\($0) is unknown" }
      problems += known.filter { !keys.contains($0) }.map { "\(place)\($0) is missing" }
    }
    requireKeys(document, ["format", "kind", "model", "provenance"], in: "")
    if let format = document["format"], format.string != Checkpoint.format {
      problems.append("format is \(format.text()), not \"\(Checkpoint.format)\"")
    }
    let kind = document["kind"]?.string.flatMap(Checkpoint.Kind.init)
    if let value = document["kind"], kind == nil {
      problems.append("kind is \(value.text()), not one of \(Checkpoint.Kind.allCases.map(\.rawValue))")
    }
    let model = document["model"]
    requireKeys(model, Self.integers.map(\.key) + ["final_norm"], in: "model.")
    var configuration = ViTConfiguration(imageSize: 0, patchSize: 0, width: 0, depth: 0, heads: 0)
    for (key, path) in Self.integers {
      guard let value = model?[key] else { continue }
      // Far above any network, and far below where sizes computed from these numbers would overflow.
      if let number = value.int, (0...1_000_000).contains(number) {
        configuration[keyPath: path] = number
      } else {
        problems.append("model.\(key) is \(value.text()), not a whole number up to 1000000")
      }
    }
    if let value = model?["final_norm"] {
      if let flag = value.bool {
        configuration.finalNorm = flag
      } else {
        problems.append("model.final_norm is \(value.text()), not true or false")
      }
    }
    let provenance = document["provenance"]?.members
    if let value = document["provenance"], provenance == nil {
      problems.append("provenance is \(value.text()), not an object")
    }
    guard problems.isEmpty, let kind, let provenance else {
      throw FormatError(
        file: file, field: "members", value: "not usable: \(problems.joined(separator: "; "))",
        remedy: "restore the file, or import the checkpoint again")
    }
    try Checkpoint.require(kind, configuration, file: file)
    self.init(kind: kind, configuration: configuration, provenance: provenance)
  }
}
