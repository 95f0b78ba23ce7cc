package import Tensors

/// A network's weights with everything needed to run it, as two files named by one content hash.
///
/// `model.safetensors` holds the tensors of `ParameterLayout` in its order, float32, counters int64. `config.json` holds
/// the kind, the configuration and where the weights come from. The digest is that of the `Manifest` of the two files,
/// so any change to either gives another checkpoint. Nothing that changes between equal trainings (times, machines) may
/// go into `provenance`.
package struct Checkpoint: Sendable, Equatable {
  package enum Kind: String, Sendable, CaseIterable {
    /// An encoder, usually with its projector, without a head.
    case pretrained
    /// An encoder with a linear head; a projector may have stayed attached.
    case classifier
  }

  package let kind: Kind
  package let configuration: ViTConfiguration
  /// The tensors of the configuration's `ParameterLayout`, in its order.
  package let state: StateDict
  /// Free members, for example the run's resolved settings, in the order in which they are written.
  package let provenance: [JSON.Member]

  /// - Throws: `FormatError` listing all that does not fit the configuration.
  package init(
    kind: Kind, configuration: ViTConfiguration, state: StateDict, provenance: [JSON.Member] = []
  ) throws(FormatError) {
    try Self.require(kind, configuration, file: "checkpoint")
    let layout = ParameterLayout(configuration)
    let tensors = Dictionary(
      uniqueKeysWithValues: state.pairs.map { pair in
        let isCounter = pair.name.hasSuffix(".num_batches_tracked")
        return (pair.name, (type: isCounter ? ElementType.int64 : .float32, shape: pair.tensor.shape))
      })
    try Self.require(layout.problems(in: tensors), file: "checkpoint")
    for entry in layout.entries where entry.isCounter {
      try Self.require(counter: Double(state[entry.name]!.values[0]), entry.name, file: "checkpoint")
    }
    self.kind = kind
    self.configuration = configuration
    self.state = StateDict(layout.entries.map { ($0.name, state[$0.name]!) })
    self.provenance = provenance
  }

  static func require(_ problems: [String], file: String) throws(FormatError) {
    guard !problems.isEmpty else { return }
    throw FormatError(
      file: file, field: "tensors", value: "not those of the configuration: \(problems.joined(separator: "; "))",
      remedy: "check that weights and configuration belong together")
  }

  /// Counters live as float32 in memory and as int64 in files; this range is exact in both.
  static func require(counter: Double, _ name: String, file: String) throws(FormatError) {
    guard counter >= 0, counter <= 0x1p24, counter.rounded() == counter else {
      throw FormatError(
        file: file, field: name, value: "\(counter)", remedy: "a counter is a whole number from 0 to 2^24; set it to 0")
    }
  }

  static func require(_ kind: Kind, _ configuration: ViTConfiguration, file: String) throws(FormatError) {
    var problems = configuration.problems
    if (kind == .classifier) != (configuration.classes > 0) {
      problems.append("model.classes is \(configuration.classes), which does not make a \(kind.rawValue)")
    }
    guard !problems.isEmpty else { return }
    throw FormatError(
      file: file, field: "configuration", value: "not usable: \(problems.joined(separator: "; "))",
      remedy: "correct these values")
  }
}
