internal import FoundationEssentials
import Models
import Tensors

/// Why a reference file cannot be compared with.
struct GoldenError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A folder of reference files and what its files say about each other.
final class GoldenFolder {
  let path: String
  /// Names in the folder, sorted; directories end in a slash.
  let names: [String]
  /// Files that a check has read.
  private(set) var used: Set<String> = []
  private var jsons: [String: JSON] = [:]
  private var files: [String: GoldenTensors] = [:]

  init(path: String) throws {
    self.path = path
    let manager = FileManager.default
    do {
      names = try manager.contentsOfDirectory(atPath: path).sorted().map { name in
        var isDirectory = false
        _ = manager.fileExists(atPath: path + "/" + name, isDirectory: &isDirectory)
        return isDirectory ? name + "/" : name
      }
    } catch {
      throw GoldenError("\(path) cannot be listed; give a folder with reference files")
    }
  }

  func contains(_ name: String) -> Bool { names.contains(name) }

  /// Counts a file as used by a check without reading it here.
  func claim(_ name: String) { used.insert(name) }

  func json(_ name: String) throws -> JSON {
    used.insert(name)
    if let known = jsons[name] { return known }
    guard contains(name) else { throw GoldenError("\(name) is missing from the folder") }
    let parsed = try JSON(parsing: Bytes(contentsOf: path + "/" + name), file: name)
    jsons[name] = parsed
    return parsed
  }

  func tensors(_ name: String) throws -> GoldenTensors {
    used.insert(name)
    if let known = files[name] { return known }
    guard contains(name) else { throw GoldenError("\(name) is missing from the folder") }
    let read = try GoldenTensors(file: name, content: SafetensorsFile.read(path: path + "/" + name))
    files[name] = read
    return read
  }

  /// Weights of `model_NAME.safetensors` or of another file, and the configuration they have.
  ///
  /// Shapes decide everything but the number of heads, which comes from a JSON file whose `start_weights` names this
  /// file or whose `config` has this shape.
  func model(file: String) throws -> (configuration: ViTConfiguration, state: StateDict) {
    let tensors = try tensors(file)
    var state = StateDict()
    for name in tensors.names { state[name] = try tensors[name] }
    var configuration = try configuration(of: tensors)
    configuration.heads = try heads(of: configuration, file: file)
    if let problem = configuration.problems.first { throw GoldenError("\(file): \(problem)") }
    for entry in ParameterLayout(configuration).entries {
      guard let tensor = state[entry.name] else { throw GoldenError("\(file) lacks tensor \(entry.name)") }
      guard tensor.shape == entry.shape else {
        throw GoldenError("\(file): \(entry.name) has shape \(tensor.shape), \(entry.shape) fits the other tensors")
      }
    }
    return (configuration, state)
  }

  private func configuration(of tensors: GoldenTensors) throws -> ViTConfiguration {
    let patch = try tensors.tensor("patch_embed.proj.weight", shape: [nil, nil, nil, nil]).shape
    let positions = try tensors.tensor("pos_embed", shape: [1, nil, patch[0]]).shape
    guard positions[1] > 2 else {
      throw GoldenError("\(tensors.file): pos_embed has \(positions[1]) tokens; 2 and at least one patch are needed")
    }
    let side = Int(Double(positions[1] - 2).squareRoot().rounded())
    let width = patch[0]
    let depth = tensors.names.count { $0.hasPrefix("blocks.") && $0.hasSuffix(".attn.qkv.weight") }
    let hidden = try tensors.tensor("blocks.0.mlp.fc1.weight", shape: [nil, width]).shape[0]
    let hasProjector = tensors.names.contains("projection_head.0.weight")
    return ViTConfiguration(
      imageSize: side * patch[3], patchSize: patch[3], channels: patch[1], width: width, depth: depth, heads: 1,
      mlpRatio: hidden / max(1, width),
      projectorHidden: hasProjector ? try tensors.tensor("projection_head.0.weight", shape: [nil, nil]).shape[0] : 0,
      projectorOutput: hasProjector ? try tensors.tensor("projection_head.6.weight", shape: [nil, nil]).shape[0] : 0)
  }

  private func heads(of configuration: ViTConfiguration, file: String) throws -> Int {
    var fitting: Set<Int> = []
    for name in names where name.hasSuffix(".json") {
      // A JSON file that cannot be read fails its own check.
      guard let json = try? JSON(parsing: Bytes(contentsOf: path + "/" + name), file: name),
        let config = json["config"], let heads = config["num_heads"]?.int
      else { continue }
      if json["start_weights"]?.string.flatMap(Self.fileName) == file { return heads }
      if config["embed_dim"]?.int == configuration.width, config["depth"]?.int == configuration.depth,
        config["image_size"]?.int == configuration.imageSize, config["patch_size"]?.int == configuration.patchSize
      {
        fitting.insert(heads)
      }
    }
    guard let heads = fitting.first, fitting.count == 1 else {
      throw GoldenError(
        "\(fitting.isEmpty ? "no" : "more than one") number of heads is given for \(file);"
          + " a JSON file with start_weights \"\(file)\" and config.num_heads is needed")
    }
    return heads
  }

  /// Compares the numbers of a JSON file's `config` with the network that the tensors' shapes gave.
  static func compareConfiguration(_ json: JSON, with c: ViTConfiguration, _ check: inout GoldenCheck) {
    guard let config = json.optional("config") else { return }
    let numbers = [
      ("in_channels", c.channels), ("image_size", c.imageSize), ("patch_size", c.patchSize), ("embed_dim", c.width),
      ("depth", c.depth), ("num_heads", c.heads), ("mlp_ratio", c.mlpRatio), ("hidden_dim", c.projectorHidden),
      ("output_dim", c.projectorOutput),
    ]
    let given = numbers.filter { config.optional($0.0)?.int != nil }
    check.exact("config", given.map(\.1), given.map { config.optional($0.0)!.int! })
  }

  /// The file that a sentence such as `model_a.safetensors (add the prefix …)` begins with.
  static func fileName(_ sentence: String) -> String? {
    sentence.split(separator: " ").first.map(String.init).flatMap { $0.hasSuffix(".safetensors") ? $0 : nil }
  }
}

/// Tensors of one reference file, with errors that name it.
struct GoldenTensors {
  let file: String
  let content: SafetensorsFile

  var names: [String] { content.entries.map(\.name) }
  func contains(_ name: String) -> Bool { content[name] != nil }

  /// A tensor as float32.
  subscript(name: String) -> Tensor {
    get throws { try raw(name).tensor() }
  }

  func raw(_ name: String) throws -> RawTensor {
    guard let tensor = content[name] else { throw GoldenError("\(file) lacks tensor \(name)") }
    return tensor
  }

  func integers(_ name: String) throws -> [Int] {
    guard let values = try raw(name).int64s() else { throw GoldenError("\(file): \(name) does not hold integers") }
    return values.map(Int.init)
  }

  func bytes(_ name: String) throws -> (shape: [Int], values: [UInt8]) {
    let tensor = try raw(name)
    guard let values = tensor.uint8s() else { throw GoldenError("\(file): \(name) does not hold bytes") }
    return (tensor.shape, values)
  }

  /// A tensor of a known shape; nil lengths may be anything but 0.
  func tensor(_ name: String, shape: [Int?]) throws -> Tensor {
    let tensor = try self[name]
    guard tensor.shape.count == shape.count, zip(tensor.shape, shape).allSatisfy({ $0 > 0 && ($1 == nil || $0 == $1) })
    else {
      let wanted = shape.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
      throw GoldenError("\(file): \(name) has shape \(tensor.shape); [\(wanted)] is needed")
    }
    return tensor
  }
}

extension StateDict {
  /// The values of a tensor of ours; none when there is no such tensor or it has another shape than the reference.
  func values(_ name: String, like reference: Tensor) -> [Float] {
    guard let tensor = self[name], tensor.shape == reference.shape else { return [] }
    return tensor.values
  }
}

// MARK: - JSON with errors that name what is missing

extension JSON {
  func require<T>(_ key: String, _ read: (JSON) -> T?) throws -> T {
    guard let member = self[key] else { throw GoldenError("the JSON lacks \"\(key)\"") }
    guard let value = read(member) else {
      throw GoldenError("\"\(key)\" is \(member.text().prefix(60)), another type is needed")
    }
    return value
  }

  func requireDouble(_ key: String) throws -> Double { try require(key, \.double) }
  func requireInt(_ key: String) throws -> Int { try require(key, \.int) }
  func requireBool(_ key: String) throws -> Bool { try require(key, \.bool) }
  func requireString(_ key: String) throws -> String { try require(key, \.string) }
  func requireArray(_ key: String) throws -> [JSON] { try require(key, \.array) }
  func requireMembers(_ key: String) throws -> [Member] { try require(key, \.members) }

  func requireDoubles(_ key: String) throws -> [Double] {
    try require(key) { json in
      json.array.flatMap { values in
        let numbers = values.compactMap(\.double)
        return numbers.count == values.count ? numbers : nil
      }
    }
  }

  func requireInts(_ key: String) throws -> [Int] {
    try requireDoubles(key).map { value in
      guard let whole = Int(exactly: value) else { throw GoldenError("\"\(key)\" holds \(value), which is no integer") }
      return whole
    }
  }

  /// Nil where the member is missing or null.
  func optional(_ key: String) -> JSON? { self[key].flatMap { $0 == .null ? nil : $0 } }
}
