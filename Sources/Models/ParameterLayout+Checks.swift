package import Tensors

extension ParameterLayout {
  /// Everything that keeps these tensors from being this network's state, one sentence each; empty when they fit.
  ///
  /// - Parameter tensors: type and shape by name.
  package func problems(in tensors: [String: (type: ElementType, shape: [Int])]) -> [String] {
    var found: [String] = []
    let missing = entries.map(\.name).filter { tensors[$0] == nil }
    if !missing.isEmpty { found.append("missing \(Self.list(missing))") }
    let extra = Set(tensors.keys).subtracting(entries.map(\.name)).sorted()
    if !extra.isEmpty { found.append("unknown \(Self.list(extra))") }
    for entry in entries {
      guard let tensor = tensors[entry.name] else { continue }
      if tensor.shape != entry.shape { found.append("\(entry.name) of shape \(tensor.shape), not \(entry.shape)") }
      if tensor.type != entry.fileType {
        found.append("\(entry.name) of type \(tensor.type.rawValue), not \(entry.fileType.rawValue)")
      }
    }
    return found
  }

  /// The first names, and how many more there are.
  static func list(_ names: [String]) -> String {
    let shown = names.prefix(8).joined(separator: ", ")
    return names.count > 8 ? "\(shown) and \(names.count - 8) more" : shown
  }
}

extension ParameterLayout.Entry {
  /// Whether this is a BatchNorm's step counter: an integer in files, a float32 scalar in memory.
  package var isCounter: Bool { name.hasSuffix(".num_batches_tracked") }

  /// The type it has in a checkpoint file.
  package var fileType: ElementType { isCounter ? .int64 : .float32 }
}
