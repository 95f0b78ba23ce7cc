internal import Glibc
package import Models

/// Learning rate and weight decay of every trained tensor.
package typealias ParameterGroups = [String: (learningRate: Double, weightDecay: Double)]

/// Depth of a tensor for layer-wise decay (spec 6.3): 0 for class token, positional and patch embedding, j + 1 for
/// block j, L + 1 for everything behind the blocks.
package func layerID(of name: String, depth: Int) -> Int {
  if name == "cls_token" || name == "pos_embed" || name.hasPrefix("patch_embed.") { return 0 }
  let parts = name.split(separator: ".")
  if parts.count > 1, parts[0] == "blocks", let block = Int(parts[1]) { return block + 1 }
  return depth + 1
}

/// The fine-tuning optimizer's groups (spec 6.3): rate · gamma^(L + 1 − layer id), no weight decay on vectors.
///
/// Every parameter of the layout is listed, projector included, as in the authors' optimizer; those without gradients
/// are left out when a step is taken.
///
/// - Parameter decay: gamma; 0 or less puts everything into one group with the full rate and weight decay.
/// - Note: class token and positional embedding have weight decay like other tensors of more than one axis. Their
///   exemption in the authors' code never takes effect (spec 12.23); all recipes use weight decay 0.
package func layerwiseGroups(
  _ configuration: ViTConfiguration, learningRate: Double, weightDecay: Double, decay: Double
) -> ParameterGroups {
  var groups: ParameterGroups = [:]
  for entry in ParameterLayout(configuration).parameters {
    guard decay > 0 else {
      groups[entry.name] = (learningRate, weightDecay)
      continue
    }
    let behind = configuration.depth + 1 - layerID(of: entry.name, depth: configuration.depth)
    groups[entry.name] = (learningRate * pow(decay, Double(behind)), entry.shape.count == 1 ? 0 : weightDecay)
  }
  return groups
}
