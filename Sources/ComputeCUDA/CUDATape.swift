internal import Compute
internal import Models
internal import Tensors

/// What one forward pass keeps for its backward pass. Blocks of memory belong to the network's pool and return there.
final class CUDATape: Tape {
  /// Activations of one block. Q is every token, or in the last block the class token alone.
  struct Layer {
    /// [B, T, d], float32.
    let input: DeviceMemory
    /// Queries [B, Q, d], keys and values [B, T, 2d], attention's output before its projection [B, Q, d]: as products
    /// read them.
    let query, keyValue, mixed: DeviceMemory
    /// Residual stream after attention [B, Q, d], float32.
    let middle: DeviceMemory
    /// The MLP before its bias and GELU [B, Q, hidden], as products read it.
    let hidden: DeviceMemory

    var all: [DeviceMemory] { [input, query, keyValue, mixed, middle, hidden] }
  }

  /// The projector's activations: before each BatchNorm [B, h], after its ReLU [B, h], and the statistics used [h].
  struct Projection {
    var linear: [DeviceMemory] = []
    var active: [DeviceMemory] = []
    var mean: [DeviceMemory] = []
    var scale: [DeviceMemory] = []
    /// Whether the statistics were the batch's, so that gradients flow through them.
    let usesBatch: Bool
  }

  let batch: Int
  let options: ForwardOptions
  /// [B, N, C·p²]
  var patches: DeviceMemory?
  var layers: [Layer] = []
  /// Class tokens before the final norm, and the encoder output [B, d]; one where there is no final norm.
  var classTokens: DeviceMemory?
  var encoder: DeviceMemory?
  var projection: Projection?
  /// Nil after use.
  weak var network: CUDANetwork?

  init(batch: Int, options: ForwardOptions, network: CUDANetwork) {
    (self.batch, self.options, self.network) = (batch, options, network)
  }

  /// What returns to the pool, each block once.
  var buffers: [DeviceMemory] {
    var all = [patches, classTokens].compactMap { $0 } + layers.flatMap(\.all)
    if let encoder, encoder !== classTokens { all.append(encoder) }
    if let p = projection { all += p.linear + p.active + p.mean + p.scale }
    return all
  }

  func record(ofBlock block: Int) -> BlockRecord {
    guard let network, let classTokens else { preconditionFailure("the tape was used before") }
    let (t, d) = (network.configuration.tokens, network.configuration.width)
    let (layer, queries) = (layers[block], block == layers.count - 1 ? 1 : t)
    func values(_ memory: DeviceMemory, _ count: Int) -> [Float] {
      (try? memory.read(Float.self, count: count)) ?? [Float](repeating: .nan, count: count)
    }
    network.context.enter()
    let input = values(layer.input, batch * t * d)
    var attention = values(layer.middle, batch * queries * d)
    for row in 0..<batch * queries {
      let from = (row / queries * t + row % queries) * d
      for k in 0..<d { attention[row * d + k] -= input[from + k] }
    }
    let output = block + 1 < layers.count ? layers[block + 1].input : classTokens
    return BlockRecord(
      input: input, attention: attention, output: values(output, batch * queries * d), queries: queries)
  }
}
