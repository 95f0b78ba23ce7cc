import Models
import Tensors

/// Weight files of the authors' format: every number that the JSON file tells about them, and the imported network.
func checkCheckpoint(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let json = try context.folder.json(subject + ".json")
  let config = try json.require("config") { $0 }
  context.folder.claim(subject + "/")
  for file in try json.requireMembers("files") {
    let path = "\(context.folder.path)/\(subject)/\(file.key)"
    do {
      let archive = try TorchArchive.read(path: path)
      var comparison = ValueComparison()
      comparison.compare(archive.root, file.value, at: "")
      check.exact(file.key, comparison.differing, [])
      if let first = comparison.differing.first { check.skip(file.key, "the first difference is at \(first)") }
      check.absolute("\(file.key) sums", [comparison.sumError], [0], 1e-12)
      if let members = file.value.members, members.contains(where: { $0.key.hasSuffix("patch_embed.proj.weight") }) {
        try checkImport(path, file, config, &check)
      }
    } catch {
      throw GoldenError("\(file.key): \(error)")
    }
  }
}

/// What the importer makes of a network's file: configuration from shapes, and every tensor under its plain name.
private func checkImport(_ path: String, _ file: JSON.Member, _ config: JSON, _ check: inout GoldenCheck)
  throws
{
  let importer = CheckpointImporter(heads: try config.requireInt("num_heads"), finalNorm: false, levels: 81)
  let checkpoint = try importer.read(path: path).checkpoint
  let c = checkpoint.configuration
  check.exact(
    "\(file.key) configuration",
    [c.channels, c.imageSize, c.patchSize, c.width, c.depth, c.projectorHidden, c.projectorOutput],
    try ["in_channels", "image_size", "patch_size", "embed_dim", "depth", "hidden_dim", "output_dim"]
      .map(config.requireInt))
  let described = file.value.members ?? []
  let names = described.map { member in
    var name = member.key[...]
    for prefix in ["module.", "base_model."] where name.hasPrefix(prefix) { name = name.dropFirst(prefix.count) }
    return String(name)
  }
  check.exact("\(file.key) imported names", checkpoint.state.names.sorted(), names.sorted())
  let differing = zip(names, described).count { name, member in
    let first = member.value["first"]?.array?.compactMap(\.double) ?? []
    return checkpoint.state[name].map { $0.values.prefix(first.count).map(Double.init) != first } ?? true
  }
  check.exact("\(file.key) imported values", [differing], [0])
}

/// Compares a value of a PyTorch file with its description.
private struct ValueComparison {
  /// Places where something is missing or different.
  var differing: [String] = []
  /// Largest difference of a tensor's sums, relative to the sum of absolute values.
  var sumError = 0.0

  mutating func compare(_ value: TorchValue, _ reference: JSON, at place: String) {
    if let tensor = value.tensor {
      compare(tensor, reference, at: place)
    } else if let members = reference.members {
      let ours = Dictionary(
        (value.members ?? []).map { ($0.key.string ?? $0.key.int.map(String.init) ?? "?", $0.value) },
        uniquingKeysWith: { _, last in last })
      if Set(ours.keys) != Set(members.map(\.key)) { differing.append("\(place) (its keys)") }
      for member in members {
        if let item = ours[member.key] { compare(item, member.value, at: "\(place)/\(member.key)") }
      }
    } else if let elements = reference.array {
      let ours = value.elements ?? []
      if ours.count != elements.count { differing.append("\(place) (its length)") }
      for (i, pair) in zip(ours, elements).enumerated() { compare(pair.0, pair.1, at: "\(place)/\(i)") }
    } else {
      let same =
        switch reference {
        case .null: value.isNone
        case .bool(let flag): value.bool == flag
        case .string(let text): value.string == text
        default: value.bool == nil && value.double != nil && value.double == reference.double
        }
      if !same { differing.append(place) }
    }
  }

  private mutating func compare(_ tensor: TorchTensor, _ reference: JSON, at place: String) {
    let raw = tensor.contiguous
    let values = raw.doubles()
    guard reference["shape"]?.array?.compactMap(\.int) == tensor.shape else {
      differing.append("\(place) (its shape)")
      return
    }
    if let dtype = reference["dtype"]?.string, Self.types[dtype] != raw.type { differing.append("\(place) (its type)") }
    let size = values.reduce(0) { $0 + abs($1) }
    for (key, ours) in [("sum", values.reduce(0, +)), ("abs_sum", size)] {
      guard let stored = reference[key]?.double else { continue }
      let error = abs(ours - stored) / max(size, 1e-300)
      if !(error <= sumError) { sumError = error }
    }
    if let first = reference["first"]?.array?.compactMap(\.double), first != Array(values.prefix(first.count)) {
      differing.append("\(place) (its values)")
    }
  }

  private static let types: [String: ElementType] = [
    "torch.float64": .float64, "torch.float32": .float32, "torch.float16": .float16, "torch.bfloat16": .bfloat16,
    "torch.int64": .int64, "torch.int32": .int32, "torch.int16": .int16, "torch.int8": .int8, "torch.uint8": .uint8,
    "torch.bool": .bool,
  ]
}
