/// Names and shapes of a network's tensors, in the order of the authors' state dict (spec section 8).
///
/// These names are the ones in every checkpoint, in gradients, and in optimizer state.
package struct ParameterLayout: Sendable {
  package struct Entry: Sendable, Equatable {
    package let name: String
    package let shape: [Int]
    /// False for BatchNorm running statistics, which are state but not trained.
    package let isParameter: Bool
  }

  /// Encoder, then projector (where the configuration has one), then head (where it has one).
  package let entries: [Entry]

  package init(_ c: ViTConfiguration) {
    let d = c.width
    var entries: [Entry] = []
    func parameter(_ name: String, _ shape: [Int]) {
      entries.append(Entry(name: name, shape: shape, isParameter: true))
    }
    func buffer(_ name: String, _ shape: [Int]) {
      entries.append(Entry(name: name, shape: shape, isParameter: false))
    }
    parameter("cls_token", [1, 1, d])
    parameter("pos_embed", [1, c.tokens, d])
    parameter("patch_embed.proj.weight", [d, c.channels, c.patchSize, c.patchSize])
    parameter("patch_embed.proj.bias", [d])
    for i in 0..<c.depth {
      let block = "blocks.\(i)."
      parameter(block + "norm1.weight", [d])
      parameter(block + "norm1.bias", [d])
      parameter(block + "attn.qkv.weight", [3 * d, d])
      parameter(block + "attn.proj.weight", [d, d])
      parameter(block + "attn.proj.bias", [d])
      parameter(block + "norm2.weight", [d])
      parameter(block + "norm2.bias", [d])
      parameter(block + "mlp.fc1.weight", [c.mlpHidden, d])
      parameter(block + "mlp.fc1.bias", [c.mlpHidden])
      parameter(block + "mlp.fc2.weight", [d, c.mlpHidden])
      parameter(block + "mlp.fc2.bias", [d])
    }
    parameter("norm.weight", [d])
    parameter("norm.bias", [d])
    if c.hasProjector {
      let h = c.projectorHidden
      for (linear, shape, norm) in [(0, [h, d], 1), (3, [h, h], 4), (6, [c.projectorOutput, h], nil)] {
        parameter("projection_head.\(linear).weight", shape)
        guard let norm else { continue }
        parameter("projection_head.\(norm).weight", [h])
        parameter("projection_head.\(norm).bias", [h])
        buffer("projection_head.\(norm).running_mean", [h])
        buffer("projection_head.\(norm).running_var", [h])
        // A counter; held as a float32 scalar in memory and written as int64 in files.
        buffer("projection_head.\(norm).num_batches_tracked", [])
      }
    }
    if c.classes > 0 {
      parameter("linear_head.weight", [c.classes, d])
      parameter("linear_head.bias", [c.classes])
    }
    self.entries = entries
  }

  /// Trained tensors only.
  package var parameters: [Entry] { entries.filter(\.isParameter) }
  /// Number of trained values.
  package var parameterCount: Int { parameters.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}
