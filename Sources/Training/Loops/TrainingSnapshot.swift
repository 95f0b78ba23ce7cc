internal import FoundationEssentials
package import Models
package import Tensors

/// The whole state of a training between two steps: enough to go on to the bit.
///
/// Random numbers and the order of the images are functions of (seed, completed steps), so they take no room here.
package struct TrainingSnapshot: Sendable, Equatable {
  package enum Kind: String, Sendable, Hashable, Codable {
    case pretrain
    case finetune
  }

  package struct Header: Sendable, Hashable, Codable {
    package var kind: Kind
    /// Completed steps.
    package var step: Int
    package var seed: Int64
    package var model: ViTConfiguration
    /// Set in a pre-training.
    package var pretrain: PretrainConfiguration?
    /// Set in a fine-tuning.
    package var finetune: FinetuneConfiguration?
  }

  package var header: Header
  /// Weights and buffers, by network: `nnet`, `target_model`, `nnet_ema`.
  package var networks: [String: StateDict]
  /// Moments of `nnet`.
  package var optimizer: StateDict

  /// All tensors in one dictionary, as `nnet/NAME`, `optimizer/NAME`, …: the content of one safetensors file.
  package var tensors: StateDict {
    var all = StateDict()
    for (network, state) in networks.sorted(by: { $0.key < $1.key }) {
      for (name, tensor) in state.pairs { all["\(network)/\(name)"] = tensor }
    }
    for (name, tensor) in optimizer.pairs { all["optimizer/\(name)"] = tensor }
    return all
  }

  package init(header: Header, networks: [String: StateDict], optimizer: StateDict) {
    self.header = header
    self.networks = networks
    self.optimizer = optimizer
  }

  /// Takes apart what `tensors` put together.
  package init(header: Header, tensors: StateDict) throws {
    var parts: [String: StateDict] = [:]
    for (name, tensor) in tensors.pairs {
      guard let slash = name.firstIndex(of: "/") else {
        throw TrainingError(
          "tensor \(name) of a training snapshot has no part before a slash; the file is of another kind")
      }
      parts[String(name[..<slash]), default: StateDict()][String(name[name.index(after: slash)...])] = tensor
    }
    self.init(
      header: header, networks: parts.filter { $0.key != "optimizer" }, optimizer: parts["optimizer"] ?? StateDict())
  }

  // MARK: As a file

  private static let headerKey = "rrcm_training"

  /// The whole snapshot as one safetensors file; equal snapshots give equal files.
  package func file() throws -> SafetensorsFile {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let header = String(decoding: try encoder.encode(header), as: UTF8.self)
    var file = SafetensorsFile(metadata: [Self.headerKey: header])
    for (name, tensor) in tensors.pairs { file.append(name, RawTensor(tensor)) }
    return file
  }

  /// Reads the bytes of what `file` made; other metadata are ignored.
  ///
  /// - Parameter file: a name for error messages.
  /// - Throws: `FormatError` for a damaged file, `TrainingError` for one that is no snapshot.
  package init(parsing bytes: Bytes, file: String) throws {
    let content = try SafetensorsFile(parsing: bytes, file: file)
    guard let text = content.metadata[Self.headerKey] else {
      throw TrainingError("\(file) has no \(Self.headerKey) metadata; it is not a training snapshot")
    }
    let header: Header
    do { header = try JSONDecoder().decode(Header.self, from: Data(text.utf8)) } catch {
      throw TrainingError("\(file): its \(Self.headerKey) metadata cannot be read (\(error)); it is of another version")
    }
    try self.init(header: header, tensors: content.stateDict)
  }

  /// Whether these bytes are a training state, by their header alone.
  package static func isOne(_ bytes: Bytes) -> Bool {
    (try? SafetensorsFile(parsing: bytes, file: "a file"))?.metadata[headerKey] != nil
  }

  /// - Throws: `TrainingError` when this is not the state of such a training.
  func require(_ kind: Kind, networks names: Set<String>) throws {
    guard header.kind == kind else {
      throw TrainingError("the snapshot is of a \(header.kind.rawValue); a \(kind.rawValue) cannot resume from it")
    }
    guard Set(networks.keys) == names else {
      throw TrainingError(
        "the snapshot holds networks \(networks.keys.sorted().joined(separator: ", ")); this training needs"
          + " \(names.sorted().joined(separator: ", "))")
    }
  }
}
