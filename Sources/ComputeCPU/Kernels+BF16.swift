internal import CKernels

/// A row-major [rows, columns] matrix of bfloat16 numbers.
struct BF16Matrix {
  var base: UnsafeMutablePointer<BFloat16Bits>
  /// Distance between rows.
  var row: Int

  init(_ storage: Storage<BFloat16Bits>, row: Int) { (base, self.row) = (storage.base, row) }
}

extension Kernels {
  /// c = base + bias + a·Wᵀ in float32. `base` may be c.
  func product(rows: Int, _ a: BF16Matrix, _ w: Linear, into c: Matrix, base: Matrix? = nil) {
    run(
      rrcm_product_bf16(
        rows: rows, columns: w.outputs, depth: w.inputs, a: a.base, a_row: a.row, b: w.bf16Panels, c: c.base,
        active: nil, c_row: c.row, base: base?.base, base_row: base?.row ?? 0, bias: w.bias))
  }

  /// y = GELU(bias + a·Wᵀ), rounded to bfloat16.
  func activeProduct(rows: Int, _ a: BF16Matrix, _ w: Linear, into y: BF16Matrix) {
    run(
      rrcm_product_bf16(
        rows: rows, columns: w.outputs, depth: w.inputs, a: a.base, a_row: a.row, b: w.bf16Panels, c: nil,
        active: y.base, c_row: y.row, base: nil, base_row: 0, bias: w.bias))
  }

  private func run(_ product: rrcm_product_bf16) {
    withUnsafePointer(to: product) { table.pointee.product_bf16($0) }
  }

  func layerNorm(rows: Int, width: Int, _ x: Matrix, _ norm: Affine, into y: BF16Matrix) {
    table.pointee.layer_norm_bf16(rows, width, x.base, x.row, norm.gain, norm.bias, y.base, y.row)
  }

  func round(count: Int, _ x: Floats, into y: BF16Matrix) { table.pointee.to_bf16(count, x, y.base) }
}
