internal import CCUDA
internal import Compute

/// y = x·Wᵀ, plus a bias, plus what is added to: one linear layer over a fixed number of rows, or one of the two products
/// of its gradient, with one algorithm of cuBLASLt chosen once and kept.
///
/// Algorithms that add partial sums in an order of chance are not considered, so the same operands give the same bits.
final class Product {
  enum Form: Hashable {
    /// x [rows, depth] · (w [columns, depth])ᵀ: a layer's result.
    case forward
    /// x [rows, depth] · w [depth, columns]: from the result's gradient to the input's.
    case back
    /// (x [depth, rows])ᵀ · w [depth, columns]: from the result's gradient and the input to the weight's gradient.
    case weights
  }

  struct Shape: Hashable {
    var form = Form.forward
    var rows: Int
    var columns: Int
    var depth: Int
    /// Of x and W.
    var operands: Element
    var result: Element
    /// Distance between x's rows.
    var xRow: Int
    /// Distance between w's rows; nil when they lie side by side.
    var wRow: Int? = nil
    /// Distance between the result's rows.
    var yRow: Int
    /// Distance between the rows of what is added to; nil when nothing is.
    var baseRow: Int?
    var bias: Bool
    /// Float32 operands rounded to TF32.
    var tf32 = false
  }

  private let context: CUDAContext
  private let operation: rrcm_lt_operation
  private let layouts: (w: rrcm_lt_layout, x: rrcm_lt_layout, base: rrcm_lt_layout, y: rrcm_lt_layout)
  private let adds: Bool
  private let hasBias: Bool
  private var algorithm: rrcm_lt_algorithm
  /// What was chosen, in the library's own numbers: part of the numerics id.
  let choice: String

  static let workspaceLimit = 32 << 20

  init(_ shape: Shape, context: CUDAContext) throws {
    let lt = context.libraries.lt
    func check(_ status: Int32, _ what: String) throws {
      guard status == 0 else { throw ComputeError("cuBLASLt cannot \(what) for \(shape): status \(status)") }
    }
    func layout(_ type: Element, rows: Int, columns: Int, leading: Int) throws -> rrcm_lt_layout {
      var layout: rrcm_lt_layout?
      try check(
        lt.create_layout(&layout, type.ltType, UInt64(rows), UInt64(columns), Int64(leading)), "describe a matrix")
      return layout!
    }
    var operation: rrcm_lt_operation?
    let compute = shape.tf32 ? RRCM_LT_COMPUTE_TF32 : RRCM_LT_COMPUTE_FLOAT32
    try check(
      lt.create_operation(&operation, Int32(compute), Int32(RRCM_LT_FLOAT32)), "describe a product")
    func set(_ attribute: Int, _ value: Int32) throws {
      try withUnsafePointer(to: value) {
        try check(lt.set_operation(operation, Int32(attribute), $0, 4), "describe a product")
      }
    }
    // Theirs are columns where ours are rows: yᵀ = W·xᵀ with W stored as its transpose.
    let (transposesW, transposesX) = (shape.form == .forward, shape.form == .weights)
    if transposesW { try set(RRCM_LT_OPERATION_TRANSPOSE_A, 1) }
    if transposesX { try set(RRCM_LT_OPERATION_TRANSPOSE_B, 1) }
    if shape.bias {
      precondition(shape.result == .float32, "the bias has the result's type, and ours are float32")
      try set(RRCM_LT_OPERATION_EPILOGUE, Int32(RRCM_LT_EPILOGUE_BIAS))
      // Some versions choose nothing while the pointer is null; every product sets its own before it runs.
      var aligned: rrcm_cu_pointer = 256
      try check(lt.set_operation(operation, Int32(RRCM_LT_OPERATION_BIAS), &aligned, 8), "describe a product")
    }
    layouts = (
      transposesW
        ? try layout(shape.operands, rows: shape.depth, columns: shape.columns, leading: shape.wRow ?? shape.depth)
        : try layout(shape.operands, rows: shape.columns, columns: shape.depth, leading: shape.wRow ?? shape.columns),
      transposesX
        ? try layout(shape.operands, rows: shape.rows, columns: shape.depth, leading: shape.xRow)
        : try layout(shape.operands, rows: shape.depth, columns: shape.rows, leading: shape.xRow),
      try layout(shape.result, rows: shape.columns, columns: shape.rows, leading: shape.baseRow ?? shape.yRow),
      try layout(shape.result, rows: shape.columns, columns: shape.rows, leading: shape.yRow)
    )
    var preference: rrcm_lt_preference?
    try check(lt.create_preference(&preference), "prefer an algorithm")
    defer { _ = lt.destroy_preference(preference) }
    var limit = Self.workspaceLimit
    // The gradient of a weight is a small matrix of long sums: without cutting them most of the GPU would idle.
    var reductions = UInt32(shape.form == .weights ? RRCM_LT_REDUCTION_IN_ORDER : 0)
    try check(
      lt.set_preference(preference, Int32(RRCM_LT_PREFERENCE_WORKSPACE), &limit, 8), "limit its workspace")
    try check(
      lt.set_preference(preference, Int32(RRCM_LT_PREFERENCE_REDUCTIONS), &reductions, 4), "forbid split sums")
    var choices = [rrcm_lt_choice](repeating: rrcm_lt_choice(), count: 8)
    var found: Int32 = 0
    let status = lt.choose(
      context.lt, operation, layouts.w, layouts.x, layouts.base, layouts.y, preference, Int32(choices.count), &choices,
      &found)
    guard status == 0, let best = choices.prefix(Int(found)).first(where: { $0.state == 0 }) else {
      throw ComputeError(
        "cuBLASLt \(context.libraries.ltVersion) has no algorithm for \(shape) on this GPU (status \(status));"
          + " precision f32 takes every shape")
    }
    (self.context, self.operation, adds, hasBias) = (context, operation!, shape.baseRow != nil, shape.bias)
    var algorithm = best.algorithm
    choice = Self.attributes.map { attribute, bytes in
      var (value, written): (Int32, Int) = (0, 0)
      // Older libraries do not have the last ones.
      return lt.describe(&algorithm, attribute, &value, bytes, &written) == 0 ? "\(value)" : "-"
    }.joined(separator: ".")
    self.algorithm = algorithm
  }

  /// All that tells one algorithm's kernel from another's, with the bytes of each.
  private static let attributes: [(Int32, Int)] =
    [
      RRCM_LT_ALGORITHM_ID, RRCM_LT_ALGORITHM_TILE, RRCM_LT_ALGORITHM_STAGES, RRCM_LT_ALGORITHM_SPLIT_K,
      RRCM_LT_ALGORITHM_REDUCTION, RRCM_LT_ALGORITHM_SWIZZLE, RRCM_LT_ALGORITHM_CUSTOM,
    ].map { (Int32($0), 4) }
    + [RRCM_LT_ALGORITHM_INNER_SHAPE, RRCM_LT_ALGORITHM_CLUSTER_SHAPE].map { (Int32($0), 2) }

  deinit {
    let lt = context.libraries.lt
    for layout in [layouts.w, layouts.x, layouts.base, layouts.y] { _ = lt.destroy_layout(layout) }
    _ = lt.destroy_operation(operation)
  }

  /// Enqueues the product + bias + base. `base` may be y itself.
  func enqueue(
    x: rrcm_cu_pointer, weight: rrcm_cu_pointer, into y: rrcm_cu_pointer, base: rrcm_cu_pointer? = nil,
    bias: rrcm_cu_pointer? = nil, workspace: DeviceMemory, on stream: CUDAStream
  ) throws {
    precondition(adds == (base != nil) && hasBias == (bias != nil))
    let lt = context.libraries.lt
    if var bias {
      let status = lt.set_operation(operation, Int32(RRCM_LT_OPERATION_BIAS), &bias, 8)
      guard status == 0 else { throw ComputeError("cuBLASLt cannot take a bias: status \(status)") }
    }
    var (alpha, beta): (Float, Float) = (1, adds ? 1 : 0)
    let status = lt.multiply(
      context.lt, operation, &alpha, weight, layouts.w, x, layouts.x, &beta, base ?? y, layouts.base, y, layouts.y,
      &algorithm, workspace.pointer, workspace.bytes, stream.handle)
    guard status == 0 else { throw ComputeError("cuBLASLt cannot multiply: status \(status)") }
  }
}

extension Element {
  var ltType: Int32 {
    switch self {
    case .float32: Int32(RRCM_LT_FLOAT32)
    case .bfloat16: Int32(RRCM_LT_BFLOAT16)
    }
  }
}
