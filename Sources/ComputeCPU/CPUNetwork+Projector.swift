internal import CKernels
internal import Compute
internal import Models

/// The projector (spec 2.4): linear, BatchNorm, ReLU, linear, BatchNorm, ReLU, linear.
extension CPUNetwork {
  /// Projector output [B, o] of encoder outputs [B, d]. With batch statistics the running ones move.
  func project(_ encoded: Buffer, batch: Int, _ mode: ForwardOptions.Projector, tape: CPUTape?) -> [Float] {
    var kept = CPUTape.Projection(usesBatch: mode == .batchStatistics)
    var input = encoded
    for i in 0..<2 {
      let linear = weights.projector[i]
      let (h, prefix) = (linear.outputs, "projection_head.\(3 * i + 1).")
      let (x, y, mean, scale) = (pool.take(batch * h), pool.take(batch * h), pool.take(h), pool.take(h))
      product(batch, linear, input, into: x)
      let (runningMean, runningVariance) = (parameters[prefix + "running_mean"], parameters[prefix + "running_var"])
      if mode == .batchStatistics {
        parameters[prefix + "num_batches_tracked"].pointee += 1
      } else {
        for j in 0..<h {
          mean.base[j] = runningMean[j]
          scale.base[j] = 1 / (runningVariance[j] + 1e-5).squareRoot()
        }
      }
      split(h) { columns in
        let first = columns.lowerBound
        var norm = batchNorm(i, columns, batch, x: x, mean: mean, scale: scale)
        if mode == .batchStatistics {
          rrcm_batch_norm_moments(&norm, 0.1, runningMean + first, runningVariance + first)
        }
        rrcm_batch_norm_relu(&norm, y.base + first)
      }
      kept.linear.append(x)
      kept.active.append(y)
      kept.mean.append(mean)
      kept.scale.append(scale)
      input = y
    }
    let last = weights.projector[2]
    let output = pool.take(batch * last.outputs)
    product(batch, last, input, into: output)
    defer { pool.giveBack([output]) }
    if let tape {
      tape.projection = kept
    } else {
      pool.giveBack(kept.linear + kept.active + kept.mean + kept.scale)
    }
    return [Float](output, batch * last.outputs)
  }

  /// Adds the projector's parameter gradients and, to `encoderGradient` [B, d], what it carries back.
  func projectBackward(_ tape: CPUTape, _ kept: CPUTape.Projection, gradient: [Float], encoderGradient: Buffer) {
    let batch = tape.batch
    var outer = pool.take(gradient.count)
    outer.base.update(from: gradient, count: gradient.count)
    for i in [2, 1, 0] {
      let linear = weights.projector[i]
      let input = i == 0 ? tape.encoder : kept.active[i - 1]
      weightGradients(
        weightTasks(
          linear, rows: batch, gradient: outer.matrix(linear.outputs), input: input.base, inputRow: linear.inputs))
      let inner = i == 0 ? encoderGradient : pool.take(batch * linear.inputs)
      split(batch) { range in
        let into = Matrix(inner.base + range.lowerBound * linear.inputs, row: linear.inputs)
        kernels.product(
          rows: range.count, columns: linear.inputs, depth: linear.outputs,
          Matrix(outer.base + range.lowerBound * linear.outputs, row: linear.outputs), linear.backOperand, into: into,
          base: i == 0 ? into : nil)
      }
      pool.giveBack([outer])
      if i == 0 { break }
      let affine = weights.projectorNorms[i - 1]
      split(linear.inputs) { columns in
        let first = columns.lowerBound
        var norm = batchNorm(
          i - 1, columns, batch, x: kept.linear[i - 1], mean: kept.mean[i - 1], scale: kept.scale[i - 1])
        rrcm_batch_norm_relu_backward(
          &norm, kept.usesBatch ? 1 : 0, kept.active[i - 1].base + first, inner.base + first,
          self.gradient(of: affine.gain) + first, self.gradient(of: affine.bias) + first)
      }
      outer = inner
    }
  }

  /// Columns of the i-th BatchNorm.
  private func batchNorm(_ i: Int, _ columns: Range<Int>, _ batch: Int, x: Buffer, mean: Buffer, scale: Buffer)
    -> rrcm_batch_norm
  {
    let (first, norm) = (columns.lowerBound, weights.projectorNorms[i])
    return rrcm_batch_norm(
      rows: batch, columns: columns.count, stride: configuration.projectorHidden, x: x.base + first,
      gain: norm.gain + first, bias: norm.bias + first, mean: mean.base + first, scale: scale.base + first)
  }
}

extension Buffer {
  /// As a dense matrix with rows of `width`.
  func matrix(_ width: Int) -> Matrix { Matrix(base, row: width) }
}
