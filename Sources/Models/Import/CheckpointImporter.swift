package import Tensors

/// Turns the authors' weight files into checkpoints (spec section 8).
///
/// Accepts pre-trained networks (`nnet.pth`) and fine-tuned classifiers (`….pt`), with or without the prefixes `module.`
/// and `base_model.`. Widths, depth, image size and class count are read off the tensors' shapes.
package struct CheckpointImporter: Sendable {
  /// Attention heads H; not in the file.
  package var heads: Int?
  /// Whether the final LayerNorm is applied before the head; not in the file (ImageNet: true, CIFAR-10: false).
  package var finalNorm: Bool?
  /// Number of noise levels of the classifier; not in the file (81 for the published ones).
  package var levels: Int?

  package init(heads: Int? = nil, finalNorm: Bool? = nil, levels: Int? = nil) {
    self.heads = heads
    self.finalNorm = finalNorm
    self.levels = levels
  }

  package struct Result: Sendable {
    package let checkpoint: Checkpoint
    /// What a person should know: keys that were ignored, types that were converted.
    package let notes: [String]
  }

  /// Reads a `.pth` or `.pt` file.
  ///
  /// - Throws: `FormatError` for an unreadable file; for tensors that are missing or of a wrong shape; and for heads,
  ///   final norm and levels that were not given, all of them at once.
  package func read(path: String) throws(FormatError) -> Result {
    try read(Bytes(contentsOf: path), file: path)
  }

  /// Reads a file's bytes; `file` is its name for messages.
  package func read(_ bytes: Bytes, file: String) throws(FormatError) -> Result {
    let archive = try TorchArchive(parsing: bytes, file: file)
    let members = archive.root.members ?? []
    var tensors: [String: TorchTensor] = [:]
    var order: [String] = []
    var otherKeys: [String] = []
    for member in members {
      let key = member.key.string ?? "(a key that is not text)"
      guard let tensor = member.value.tensor, member.key.string != nil else {
        otherKeys.append(key)
        continue
      }
      let name = Self.plainName(key)
      guard tensors.updateValue(tensor, forKey: name) == nil else {
        throw FormatError(
          file: file, field: "key \"\(key)\"", value: "the second one for \(name)",
          remedy: "save the state dict of one network")
      }
      order.append(name)
    }
    guard !tensors.isEmpty else {
      let keys = otherKeys.isEmpty ? "" : " but the keys \(ParameterLayout.list(otherKeys))"
      throw FormatError(
        file: file, field: "content", value: "no dictionary of tensors\(keys)",
        remedy: "give the network's file (nnet.pth, or a fine-tuned .pt), or save the state dict alone")
    }
    let configuration = try configuration(ShapeReader(shapes: tensors.mapValues(\.shape), file: file), file: file)
    let layout = ParameterLayout(configuration)
    let wanted = Set(layout.entries.map(\.name))
    try requireShapes(tensors, layout, file: file)
    var notes: [String] = []
    let ignored = order.filter { !wanted.contains($0) } + otherKeys
    if !ignored.isEmpty { notes.append("ignored: \(ParameterLayout.list(ignored))") }
    let converted = order.filter { wanted.contains($0) && !$0.hasSuffix(".num_batches_tracked") }
      .filter { tensors[$0]!.type != .float32 }
    if !converted.isEmpty { notes.append("converted to float32: \(ParameterLayout.list(converted))") }
    var state = StateDict()
    for entry in layout.entries {
      let values = tensors[entry.name]!.contiguous.tensor()
      guard values.values.allSatisfy(\.isFinite) else {
        throw FormatError(
          file: file, field: entry.name, value: "in part infinite or not a number",
          remedy: "the training diverged; take an earlier checkpoint")
      }
      state[entry.name] = values
    }
    let checkpoint = try Checkpoint(
      kind: configuration.classes > 0 ? .classifier : .pretrained, configuration: configuration, state: state,
      provenance: [.init("imported_file_sha256", .string(SHA256(hashing: bytes).hex))])
    return Result(checkpoint: checkpoint, notes: notes)
  }

  /// The name without the wrappers' prefixes.
  private static func plainName(_ name: String) -> String {
    var rest = name[...]
    for prefix in ["module.", "base_model."] where rest.hasPrefix(prefix) { rest = rest.dropFirst(prefix.count) }
    return String(rest)
  }

  private func configuration(_ shapes: ShapeReader, file: String) throws(FormatError) -> ViTConfiguration {
    var c = try shapes.configuration()
    var absent: [String] = []
    if heads == nil {
      let divisors = (1...c.width).filter { c.width.isMultiple(of: $0) }
      absent.append("heads (one of \(divisors.map(String.init).joined(separator: ", ")): divisors of width \(c.width))")
    }
    if finalNorm == nil { absent.append("final norm (true for the authors' ImageNet runs, false for CIFAR-10)") }
    if levels == nil { absent.append("levels (81 for the authors' published checkpoints)") }
    guard let heads, let finalNorm, let levels else {
      throw FormatError(
        file: file, field: "configuration",
        value: "not complete: the file does not tell \(absent.joined(separator: "; "))",
        remedy: "give these values")
    }
    c.heads = heads
    c.finalNorm = finalNorm
    c.levels = levels
    try Checkpoint.require(c.classes > 0 ? .classifier : .pretrained, c, file: file)
    return c
  }

  private func requireShapes(_ tensors: [String: TorchTensor], _ layout: ParameterLayout, file: String)
    throws(FormatError)
  {
    // Types convert, and unknown tensors are ignored with a note; what is missing or misshapen is not forgiven.
    let present = layout.entries.filter { tensors[$0.name] != nil }
      .map { ($0.name, (type: $0.fileType, shape: tensors[$0.name]!.shape)) }
    try Checkpoint.require(layout.problems(in: Dictionary(uniqueKeysWithValues: present)), file: file)
  }
}

/// Reads a network's numbers off its tensors' shapes.
private struct ShapeReader {
  let shapes: [String: [Int]]
  let file: String

  func problem(_ name: String, _ value: String) -> FormatError {
    FormatError(
      file: file, field: name, value: value, remedy: "this is not an rRCM network; give nnet.pth or a fine-tuned .pt")
  }

  /// The shape under `name`, with as many axes as `axes` and no length of 0.
  func shape(_ name: String, axes: Int) throws(FormatError) -> [Int] {
    guard let shape = shapes[name] else { throw problem(name, "missing") }
    guard shape.count == axes, shape.allSatisfy({ (1...1_000_000).contains($0) }) else {
      throw problem(name, "of shape \(shape)")
    }
    return shape
  }

  /// All but heads, final norm and levels.
  func configuration() throws(FormatError) -> ViTConfiguration {
    let patch = try shape("patch_embed.proj.weight", axes: 4)
    let width = patch[0]
    let tokens = try shape("pos_embed", axes: 3)[1]
    let grid = tokens > 2 ? Int(Double(tokens - 2).squareRoot()) : 0
    guard grid > 0, grid * grid == tokens - 2 else {
      throw problem("pos_embed", "for \(tokens) tokens, which are not 2 more than a square of patches")
    }
    let blocks = Set(
      shapes.keys.compactMap { key in
        key.hasPrefix("blocks.") ? Int(key.dropFirst("blocks.".count).prefix { ("0"..."9").contains($0) }) : nil
      })
    guard let last = blocks.max(), blocks == Set(0...min(last, 100_000)) else {
      throw problem("blocks", "numbered \(blocks.sorted().prefix(8)), not from 0 without gaps")
    }
    let hidden = try shape("blocks.0.mlp.fc1.weight", axes: 2)[0]
    guard hidden.isMultiple(of: width) else {
      throw problem("blocks.0.mlp.fc1.weight", "\(hidden) wide, not a multiple of width \(width)")
    }
    var c = ViTConfiguration(
      imageSize: grid * patch[2], patchSize: patch[2], channels: patch[1], width: width, depth: last + 1, heads: 1,
      mlpRatio: hidden / width)
    if shapes.keys.contains(where: { $0.hasPrefix("projection_head.") }) {
      c.projectorHidden = try shape("projection_head.0.weight", axes: 2)[0]
      c.projectorOutput = try shape("projection_head.6.weight", axes: 2)[0]
    }
    if shapes.keys.contains(where: { $0.hasPrefix("linear_head.") }) {
      c.classes = try shape("linear_head.weight", axes: 2)[0]
    }
    return c
  }
}
