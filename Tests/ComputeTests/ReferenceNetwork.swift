import Compute
import Foundation
import Models
import Tensors

/// The network of spec section 2 in double precision and plain loops, written without regard to the product's code.
struct ReferenceNetwork {
  let c: ViTConfiguration
  var tensors: [String: [Double]]

  init(_ configuration: ViTConfiguration, _ state: StateDict) {
    c = configuration
    tensors = Dictionary(uniqueKeysWithValues: state.pairs.map { ($0.name, $0.tensor.values.map(Double.init)) })
  }

  struct Outputs {
    var encoder: [[Double]]
    var projection: [[Double]] = []
    var logits: [[Double]] = []
  }

  func forward(inputs: [Float], times: [Float], options: ForwardOptions) -> Outputs {
    let images = inputs.map(Double.init)
    var encoder = times.indices.map { i in
      encode(Array(images[i * c.imageElements..<(i + 1) * c.imageElements]), time: times[i])
    }
    if options.finalNorm { encoder = encoder.map { layerNorm($0, "norm") } }
    var outputs = Outputs(encoder: encoder)
    if options.head { outputs.logits = encoder.map { linear($0, "linear_head", outputs: c.classes) } }
    if options.projector != .none {
      var z = encoder
      for i in [0, 3] {
        z = z.map { linear($0, "projection_head.\(i)", outputs: c.projectorHidden, bias: false) }
        z = batchNorm(z, "projection_head.\(i + 1)", batchStatistics: options.projector == .batchStatistics)
        z = z.map { $0.map { max(0, $0) } }
      }
      outputs.projection = z.map { linear($0, "projection_head.6", outputs: c.projectorOutput, bias: false) }
    }
    return outputs
  }

  private func encode(_ image: [Double], time: Float) -> [Double] {
    let (d, s, p) = (c.width, c.imageSize, c.patchSize)
    var tokens = [tensors["cls_token"]!, timeEmbedding(time, width: d).map(Double.init)]
    for top in stride(from: 0, to: s, by: p) {
      for left in stride(from: 0, to: s, by: p) {
        var patch: [Double] = []
        for channel in 0..<c.channels {
          for y in 0..<p { for x in 0..<p { patch.append(image[(channel * s + top + y) * s + left + x]) } }
        }
        tokens.append(linear(patch, "patch_embed.proj", outputs: d))
      }
    }
    for t in tokens.indices { for j in 0..<d { tokens[t][j] += tensors["pos_embed"]![t * d + j] } }
    for i in 0..<c.depth {
      let name = "blocks.\(i)."
      let mixed = attention(tokens.map { layerNorm($0, name + "norm1") }, name + "attn")
      tokens = zip(tokens, mixed).map { zip($0, $1).map(+) }
      tokens = tokens.map { x in
        let hidden = linear(layerNorm(x, name + "norm2"), name + "mlp.fc1", outputs: c.mlpHidden)
        return zip(x, linear(hidden.map { $0 / 2 * (1 + erf($0 / 2.0.squareRoot())) }, name + "mlp.fc2", outputs: d))
          .map(+)
      }
    }
    return tokens[0]
  }

  private func attention(_ x: [[Double]], _ name: String) -> [[Double]] {
    let (d, w) = (c.width, c.headWidth)
    let qkv = x.map { linear($0, name + ".qkv", outputs: 3 * d, bias: false) }
    var out = [[Double]](repeating: [Double](repeating: 0, count: d), count: x.count)
    for h in 0..<c.heads {
      for i in x.indices {
        let scores = x.indices.map { j in
          (0..<w).reduce(0.0) { $0 + qkv[i][h * w + $1] * qkv[j][d + h * w + $1] } / Double(w).squareRoot()
        }
        let exponentials = scores.map { exp($0 - scores.max()!) }
        let sum = exponentials.reduce(0, +)
        for j in x.indices { for k in 0..<w { out[i][h * w + k] += exponentials[j] / sum * qkv[j][2 * d + h * w + k] } }
      }
    }
    return out.map { linear($0, name + ".proj", outputs: d) }
  }

  private func linear(_ x: [Double], _ name: String, outputs: Int, bias: Bool = true) -> [Double] {
    let weight = tensors[name + ".weight"]!
    return (0..<outputs).map { o in
      var sum = bias ? tensors[name + ".bias"]![o] : 0
      for k in x.indices { sum += weight[o * x.count + k] * x[k] }
      return sum
    }
  }

  private func layerNorm(_ x: [Double], _ name: String) -> [Double] {
    let mean = x.reduce(0, +) / Double(x.count)
    let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
    return x.indices.map {
      (x[$0] - mean) / (variance + 1e-5).squareRoot() * tensors[name + ".weight"]![$0] + tensors[name + ".bias"]![$0]
    }
  }

  private func batchNorm(_ x: [[Double]], _ name: String, batchStatistics: Bool) -> [[Double]] {
    var y = x
    for j in x[0].indices {
      let column = x.map { $0[j] }
      var mean = tensors[name + ".running_mean"]![j]
      var variance = tensors[name + ".running_var"]![j]
      if batchStatistics {
        mean = column.reduce(0, +) / Double(column.count)
        variance = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(column.count)
      }
      for i in x.indices {
        y[i][j] =
          (x[i][j] - mean) / (variance + 1e-5).squareRoot() * tensors[name + ".weight"]![j]
          + tensors[name + ".bias"]![j]
      }
    }
    return y
  }
}
