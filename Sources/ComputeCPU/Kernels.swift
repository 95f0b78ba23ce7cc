internal import CKernels

/// A [rows, columns] matrix in memory: element (i, j) at base + i·row + j·step. Sizes come from the operation.
struct Matrix {
  var base: Floats
  var row: Int
  var step = 1

  var transposed: Matrix { Matrix(base: base, row: step, step: row) }

  /// Row-major with rows `row` apart.
  init(_ base: Floats, row: Int) { (self.base, self.row) = (base, row) }

  /// Its columns from `column` on.
  func from(_ column: Int) -> Matrix { Matrix(base: base + column * step, row: row, step: step) }
  /// Its rows from `first` on.
  func fromRow(_ first: Int) -> Matrix { Matrix(base: base + first * row, row: row, step: step) }

  private init(base: Floats, row: Int, step: Int) { (self.base, self.row, self.step) = (base, row, step) }
}

/// The second operand of a product, [depth, columns].
struct Operand {
  let base: Floats
  let step: Int
  let panel: Int

  /// A row-major matrix as it stands.
  static func rows(_ base: Floats, row: Int) -> Operand { Operand(base: base, step: row, panel: 16) }
  /// Panels written by `Kernels.pack`.
  static func panels(_ base: Floats, depth: Int) -> Operand { Operand(base: base, step: 16, panel: 16 * depth) }
}

/// One instruction set's kernels. All sets give the same bits (rrcm_kernels.h).
struct Kernels: @unchecked Sendable {
  let table: UnsafePointer<rrcm_kernels>

  /// Changes whenever a kernel's arithmetic does, to the last bit: part of the numerics id.
  static let version = 1

  static let best = Kernels(table: rrcm_kernels_best())
  /// Those this processor runs, slowest first.
  static let available: [Kernels] = (0..<8).compactMap { rrcm_kernels_at($0).map(Kernels.init(table:)) }

  private init(table: UnsafePointer<rrcm_kernels>) { self.table = table }

  /// `portable`, `avx2`, `avx512` or `avx512bf16`.
  var name: String { String(cString: table.pointee.name) }

  /// c = base + bias + a·b, then GELU where asked. `base` may be c; c must be row-major.
  func product(
    rows: Int, columns: Int, depth: Int, _ a: Matrix, _ b: Operand, into c: Matrix, base: Matrix? = nil,
    bias: Floats? = nil, gelu: Bool = false
  ) {
    var product = rrcm_product(
      rows: rows, columns: columns, depth: depth, a: a.base, a_row: a.row, a_step: a.step, b: b.base, b_step: b.step,
      b_panel: b.panel, c: c.base, c_row: c.row, base: base?.base, base_row: base?.row ?? 0, bias: bias,
      gelu: gelu ? 1 : 0)
    table.pointee.product(&product)
  }

  func layerNorm(rows: Int, width: Int, _ x: Matrix, _ norm: Affine, into y: Matrix) {
    table.pointee.layer_norm(rows, width, x.base, x.row, norm.gain, norm.bias, y.base, y.row)
  }

  /// Adds to `xGradient`.
  func layerNormBackward(rows: Int, width: Int, _ x: Matrix, gain: Floats, gradient: Matrix, into xGradient: Matrix) {
    table.pointee.layer_norm_backward(
      rows, width, x.base, x.row, gain, gradient.base, gradient.row, xGradient.base, xGradient.row)
  }

  /// Adds to the gradients of gain and bias.
  func layerNormGradients(rows: Int, width: Int, _ x: Matrix, gradient: Matrix, into norm: Affine) {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * width) {
      table.pointee.layer_norm_gradients(
        rows, width, x.base, x.row, gradient.base, gradient.row, norm.gain, norm.bias, $0.baseAddress)
    }
  }

  func gelu(count: Int, _ x: Floats, into y: Floats) { table.pointee.gelu(count, x, y) }

  func geluBackward(count: Int, _ x: Floats, gradient: Floats) { table.pointee.gelu_backward(count, x, gradient) }

  func attention(_ attention: rrcm_attention) { withUnsafePointer(to: attention) { table.pointee.attention($0) } }

  func attentionBackward(_ gradient: rrcm_attention_gradient) {
    withUnsafePointer(to: gradient) { table.pointee.attention_backward($0) }
  }

  /// Adds each column's sum to `sums`.
  func columnSums(rows: Int, columns: Int, _ y: Matrix, into sums: Floats) {
    table.pointee.column_sums(rows, columns, y.base, y.row, sums)
  }

  /// Floats that `pack` writes for a [columns, depth] weight.
  static func packedCount(columns: Int, depth: Int) -> Int { (columns + 15) / 16 * 16 * depth }
}

/// Gain and bias [d] of a LayerNorm or BatchNorm, or their gradients.
struct Affine {
  let gain: Floats
  let bias: Floats
}
