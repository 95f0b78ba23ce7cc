internal import CCUDA
internal import Compute
internal import Models

/// The projector (spec 2.4): linear, BatchNorm, ReLU, linear, BatchNorm, ReLU, linear; float32, its products perhaps TF32.
extension CUDANetwork {
  /// Projector output [B, o] of the tape's encoder outputs [B, d]. With batch statistics the running ones move.
  func project(_ tape: CUDATape, _ mode: ForwardOptions.Projector) throws -> [Float] {
    let (batch, c) = (tape.batch, configuration)
    var kept = CUDATape.Projection(usesBatch: mode == .batchStatistics)
    var input = tape.encoder!
    for i in 0..<2 {
      let (h, prefix) = (c.projectorHidden, "projection_head.\(3 * i + 1).")
      let x = try pool.floats(batch * h), y = try pool.floats(batch * h)
      let mean = try pool.floats(h), scale = try pool.floats(h)
      try product(projectorLinear(batch, h, depth: i == 0 ? c.width : h), input.pointer, weight(i), into: x.pointer)
      if mode == .batchStatistics {
        try kernels.launch(
          "batch_norm_moments",
          [
            .pointer(mean.pointer), .pointer(scale.pointer), .pointer(parameters[prefix + "running_mean"]),
            .pointer(parameters[prefix + "running_var"]), .pointer(parameters[prefix + "num_batches_tracked"]),
            .pointer(x.pointer), .int(h), .int(batch),
          ], blocks: ((h + 31) / 32, 1, 1), threads: 256, sharedBytes: 8 * 256, on: stream)
      } else {
        // A copy: another pass may move the running one before this pass's gradient is asked for.
        try mean.fill(0)
        try addPieces(
          parameters[prefix + "running_mean"], columns: h, row: h, count: 1, into: mean.pointer)
        try kernels.launch(
          "running_scale", [.pointer(scale.pointer), .pointer(parameters[prefix + "running_var"]), .int(h)],
          blocks: (blocks(h), 1, 1), threads: 256, on: stream)
      }
      try kernels.launch(
        "batch_norm_relu",
        [
          .pointer(y.pointer), .pointer(x.pointer), .pointer(mean.pointer), .pointer(scale.pointer),
          .pointer(parameters[prefix + "weight"]), .pointer(parameters[prefix + "bias"]), .int(h), .long(batch * h),
        ], blocks: (blocks(batch * h), 1, 1), threads: 256, on: stream)
      kept.linear.append(x)
      kept.active.append(y)
      kept.mean.append(mean)
      kept.scale.append(scale)
      input = y
    }
    tape.projection = kept
    let o = c.projectorOutput
    let output = try pool.floats(batch * o)
    try product(projectorLinear(batch, o, depth: c.projectorHidden), input.pointer, weight(2), into: output.pointer)
    defer { pool.giveBack([output]) }
    return try output.read(Float.self, count: batch * o)
  }

  /// Adds the projector's parameter gradients and, to `encoderGradient` [B, d], what it carries back.
  func projectBackward(
    _ tape: CUDATape, _ kept: CUDATape.Projection, gradient: [Float], encoderGradient: DeviceMemory
  ) throws {
    let (batch, c, h) = (tape.batch, configuration, configuration.projectorHidden)
    var outer = try pool.floats(gradient.count)
    try outer.write(gradient)
    for i in [2, 1, 0] {
      let (outputs, inputs) = (i == 2 ? c.projectorOutput : h, i == 0 ? c.width : h)
      let input = i == 0 ? tape.encoder! : kept.active[i - 1]
      try weightGradient(
        "projection_head.\(3 * i)", rows: batch, outputs: outputs, inputs: inputs, gradient: outer.pointer,
        input: input.pointer, operands: .float32, tf32: tf32)
      let inner = i == 0 ? encoderGradient : try pool.floats(batch * inputs)
      try product(
        back(
          rows: batch, inputs, depth: outputs, operands: .float32, into: .float32, base: i == 0 ? inputs : nil,
          tf32: tf32), outer.pointer, weight(i), into: inner.pointer, base: i == 0 ? inner.pointer : nil)
      pool.giveBack([outer])
      if i == 0 { break }
      let name = "projection_head.\(3 * i - 2)."
      try kernels.launch(
        "batch_norm_relu_backward",
        [
          .pointer(inner.pointer), .pointer(gradientStore[name + "weight"]), .pointer(gradientStore[name + "bias"]),
          .pointer(kept.active[i - 1].pointer), .pointer(kept.linear[i - 1].pointer),
          .pointer(kept.mean[i - 1].pointer), .pointer(kept.scale[i - 1].pointer),
          .pointer(parameters[name + "weight"]), .int(inputs), .int(batch), .int(kept.usesBatch ? 1 : 0),
        ], blocks: ((inputs + 31) / 32, 1, 1), threads: 256, sharedBytes: 8 * 256, on: stream)
      outer = inner
    }
  }

  private func weight(_ linear: Int) -> rrcm_cu_pointer { parameters["projection_head.\(3 * linear).weight"] }

  private func projectorLinear(_ rows: Int, _ columns: Int, depth: Int) -> Product.Shape {
    Product.Shape(
      rows: rows, columns: columns, depth: depth, operands: .float32, result: .float32, xRow: depth, yRow: columns,
      bias: false, tf32: tf32)
  }
}
