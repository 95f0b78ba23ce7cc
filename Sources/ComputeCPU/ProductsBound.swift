internal import CKernels
internal import Foundation
package import Models

/// The time that a classifier's matrix products take by themselves: the same shapes, attention's two included, back to
/// back on the same kernels, nothing between them. What a forward pass can reach at best; for benchmarks.
package struct ProductsBound {
  private let configuration: ViTConfiguration
  private let device: CPUDevice
  private let batch: Int

  package init(_ configuration: ViTConfiguration, device: CPUDevice) {
    self.configuration = configuration
    self.device = device
    batch = CPUClassifier.defaultBatch(configuration)
  }

  /// Seconds for `samples` samples in batches of the default size; incomplete batches count as their share.
  package func seconds(samples: Int) -> Double {
    let rounds = max(1, samples / batch / device.threads)
    let sets = (0..<device.threads).map { _ in Set(configuration, precision: device.precision, batch: batch) }
    parallel(device.threads, threads: device.threads) { _, i in sets[i].run(device.kernels) }  // touch memory
    let start = DispatchTime.now().uptimeNanoseconds
    parallel(device.threads, threads: device.threads) { _, i in
      for _ in 0..<rounds { sets[i].run(device.kernels) }
    }
    let time = Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    return time * Double(samples) / Double(rounds * batch * device.threads)
  }

  /// The least seconds of ten products [rows, depth]·[depth, columns] on one thread, the second factor packed before.
  package static func seconds(rows: Int, columns: Int, depth: Int, device: CPUDevice) -> Double {
    let linear = Linear(outputs: columns, inputs: depth, weight: nil, bias: nil, precision: device.precision)
    let (a, a16, c) = (Buffer(rows * depth), Storage<BFloat16Bits>(rows * depth), Buffer(rows * columns))
    let into = Matrix(c.base, row: columns)
    return (0..<10).map { _ in
      let start = DispatchTime.now().uptimeNanoseconds
      switch device.precision {
      case .f32:
        device.kernels.product(
          rows: rows, columns: columns, depth: depth, Matrix(a.base, row: depth), linear.operand, into: into)
      case .bf16: device.kernels.product(rows: rows, BF16Matrix(a16, row: depth), linear, into: into)
      }
      return Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9
    }.min()!
  }

  /// One thread's operands. Weights are its own: each block's in turn, as a forward pass reads them.
  private final class Set: @unchecked Sendable {
    private let c: ViTConfiguration
    private let batch: Int
    private let blocks: [[Linear]]
    private let patch: Linear
    private let wide: Buffer
    private let wide16: Storage<BFloat16Bits>
    private let out16: Storage<BFloat16Bits>
    /// Attention's products, [stride, w] keys and [w, T] values.
    private let scoring: Linear
    private let mixing: Linear
    private let out: Buffer
    private let panels: Buffer
    private let scores: Buffer
    private let precision: CPUDevice.Precision

    init(_ c: ViTConfiguration, precision: CPUDevice.Precision, batch: Int) {
      (self.c, self.batch, self.precision) = (c, batch, precision)
      func linear(_ outputs: Int, _ inputs: Int, _ precision: CPUDevice.Precision) -> Linear {
        Linear(outputs: outputs, inputs: inputs, weight: nil, bias: nil, precision: precision)
      }
      let (d, m, t) = (c.width, c.mlpHidden, c.tokens)
      blocks = (0..<c.depth).map { _ in
        [(d, d), (2 * d, d), (d, d), (m, d), (d, m)].map { linear($0.0, $0.1, precision) }
      }
      patch = linear(d, c.patchElements, .f32)
      wide = Buffer(batch * t * max(m, c.patchElements))
      wide16 = Storage(batch * t * m)
      out = Buffer(batch * t * max(m, 2 * d))
      let stride = (t + 15) / 16 * 16
      panels = Buffer(stride * c.headWidth)
      scores = Buffer(stride * t)
      out16 = Storage(batch * t * d)
      scoring = linear(stride, c.headWidth, precision)
      mixing = linear(c.headWidth, (t + 1) / 2 * 2, precision)
    }

    func run(_ kernels: Kernels) {
      let (t, d) = (c.tokens, c.width)
      product(kernels, rows: batch * t, patch)
      for (index, linears) in blocks.enumerated() {
        let queries = index == c.depth - 1 ? 1 : t
        product(kernels, rows: batch * queries, linears[0])
        product(kernels, rows: batch * t, linears[1])
        let (w, stride) = (c.headWidth, (t + 15) / 16 * 16)
        for _ in 0..<batch * c.heads where precision == .bf16 {
          kernels.product(
            rows: queries, BF16Matrix(wide16, row: d), scoring, into: Matrix(scores.base, row: stride))
          kernels.product(
            rows: queries, BF16Matrix(wide16, row: stride), mixing, into: BF16Matrix(out16, row: d))
        }
        for _ in 0..<batch * c.heads where precision == .f32 {
          kernels.product(
            rows: queries, columns: stride, depth: w, Matrix(wide.base, row: d), .panels(panels.base, depth: w),
            into: Matrix(scores.base, row: stride))
          kernels.product(
            rows: queries, columns: w, depth: t, Matrix(scores.base, row: stride), .rows(wide.base, row: 2 * d),
            into: Matrix(out.base, row: d))
        }
        for linear in linears[2...] { product(kernels, rows: batch * queries, linear) }
      }
    }

    private func product(_ kernels: Kernels, rows: Int, _ linear: Linear) {
      let c = Matrix(out.base, row: linear.outputs)
      switch linear.precision {
      case .f32:
        kernels.product(
          rows: rows, columns: linear.outputs, depth: linear.inputs, Matrix(wide.base, row: linear.inputs),
          linear.operand, into: c)
      case .bf16: kernels.product(rows: rows, BF16Matrix(wide16, row: linear.inputs), linear, into: c)
      }
    }
  }
}
