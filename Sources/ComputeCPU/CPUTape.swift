internal import Compute

/// What one forward pass keeps for its backward pass. Buffers belong to the network's pool and return there.
final class CPUTape: Tape {
  /// Activations of one block, [B, T or Q, …] as in `BlockActivations`.
  struct Layer {
    let input, query, keyValue, mixed, middle, hidden: Buffer
  }

  /// The projector's activations: before each BatchNorm [B, h], after its ReLU [B, h], and the statistics used.
  struct Projection {
    var linear: [Buffer] = []
    var active: [Buffer] = []
    var mean: [Buffer] = []
    var scale: [Buffer] = []
    /// Whether the statistics were the batch's, so that gradients flow through them.
    let usesBatch: Bool
  }

  let batch: Int
  let options: ForwardOptions
  /// [B, T, C·p²]
  let patches: Buffer
  let layers: [Layer]
  /// Class tokens before the final norm, and the encoder output [B, d].
  let classTokens: Buffer
  let encoder: Buffer
  var projection: Projection?
  /// Nil after use.
  weak var network: CPUNetwork?

  init(
    batch: Int, options: ForwardOptions, patches: Buffer, layers: [Layer], classTokens: Buffer, encoder: Buffer,
    network: CPUNetwork
  ) {
    self.batch = batch
    self.options = options
    self.patches = patches
    self.layers = layers
    self.classTokens = classTokens
    self.encoder = encoder
    self.network = network
  }

  var buffers: [Buffer] {
    var all = [patches, classTokens, encoder]
    for layer in layers {
      all += [layer.input, layer.query, layer.keyValue, layer.mixed, layer.middle, layer.hidden]
    }
    if let p = projection { all += p.linear + p.active + p.mean + p.scale }
    return all
  }
}

extension CPUTape {
  func record(ofBlock block: Int) -> BlockRecord {
    let layer = layers[block]
    let input = [Float](layer.input, layer.input.count)
    let middle = [Float](layer.middle, layer.middle.count)
    let output = block + 1 < layers.count ? layers[block + 1].input : classTokens
    // Rows of the input that have a query: all of them, or the first of each image.
    let width = classTokens.count / batch
    let (tokens, queries) = (input.count / (batch * width), middle.count / (batch * width))
    var attention = middle
    for row in 0..<batch * queries {
      let from = (row / queries * tokens + row % queries) * width
      for k in 0..<width { attention[row * width + k] -= input[from + k] }
    }
    return BlockRecord(
      input: input, attention: attention, output: [Float](output, output.count), queries: queries)
  }
}
