internal import CKernels

/// A row-major [rows, columns] matrix of bfloat16 numbers.
struct BF16Matrix {
  var base: UnsafeMutablePointer<BFloat16Bits>
  /// Distance between rows.
  var row: Int

  init(_ storage: Storage<BFloat16Bits>, row: Int) { (base, self.row) = (storage.base, row) }

  /// Its rows from `first` on.
  func fromRow(_ first: Int) -> BF16Matrix {
    var rest = self
    rest.base += first * row
    return rest
  }
}

extension Kernels {
  /// As `version`, of the bfloat16 kernels: 2 has attention's factors rounded too.
  static let bf16Version = 2

  /// c = base + bias + a·Wᵀ in float32. `base` may be c.
  ///
  /// - Parameter columns: those to compute, from a multiple of 16 on; nil for all.
  func product(
    rows: Int, _ a: BF16Matrix, _ w: Linear, columns: Range<Int>? = nil, into c: Matrix, base: Matrix? = nil
  ) {
    let columns = columns ?? 0..<w.outputs
    let first = columns.lowerBound
    run(
      rrcm_product_bf16(
        rows: rows, columns: columns.count, depth: w.inputs, a: a.base, a_row: a.row,
        b: w.bf16Panels + first * w.inputs, c: c.base + first, rounded: nil, c_row: c.row,
        base: base.map { $0.base + first }, base_row: base?.row ?? 0, bias: w.bias.map { $0 + first }, gain: nil,
        gelu: 0))
  }

  /// y = bias + a·Wᵀ, its GELU where asked, rounded to bfloat16.
  func product(
    rows: Int, _ a: BF16Matrix, _ w: Linear, columns: Range<Int>? = nil, into y: BF16Matrix, gelu: Bool = false
  ) {
    let columns = columns ?? 0..<w.outputs
    let first = columns.lowerBound
    run(
      rrcm_product_bf16(
        rows: rows, columns: columns.count, depth: w.inputs, a: a.base, a_row: a.row,
        b: w.bf16Panels + first * w.inputs, c: nil, rounded: y.base + first, c_row: y.row, base: nil, base_row: 0,
        bias: w.bias.map { $0 + first }, gain: nil, gelu: gelu ? 1 : 0))
  }

  func attention(_ attention: rrcm_attention_bf16) {
    withUnsafePointer(to: attention) { table.pointee.attention_bf16($0) }
  }

  private func run(_ product: rrcm_product_bf16) {
    withUnsafePointer(to: product) { table.pointee.product_bf16($0) }
  }

  func layerNorm(rows: Int, width: Int, _ x: Matrix, _ norm: Affine, into y: BF16Matrix) {
    table.pointee.layer_norm_bf16(rows, width, x.base, x.row, norm.gain, norm.bias, y.base, y.row)
  }
}
