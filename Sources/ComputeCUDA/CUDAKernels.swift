internal import CCUDA
internal import Compute

/// Our kernels, loaded on one GPU for one element type.
final class CUDAKernels {
  private let context: CUDAContext
  private let modules: [rrcm_cu_module]
  private let functions: [String: rrcm_cu_function]
  let element: Element
  /// Dynamic shared memory that a block may take.
  let sharedLimit: Int

  /// - Parameter training: also those that only training needs.
  init(_ element: Element, training: Bool = false, context: CUDAContext, compiler: KernelCompiler) throws {
    let driver = context.driver
    var limit: Int32 = 0
    try context.check(
      driver.device_attribute(&limit, Int32(RRCM_CU_ATTRIBUTE_SHARED_BYTES_OPT_IN), context.device),
      "asking for shared memory")
    var modules: [rrcm_cu_module] = []
    var functions: [String: rrcm_cu_function] = [:]
    func load(_ source: KernelCompiler.Source, _ names: [String]) throws {
      var module: rrcm_cu_module?
      let code = try compiler.compile(source).code
      try code.withUnsafeBytes {
        try context.check(driver.load_module(&module, $0.baseAddress), "loading \(source.file)")
      }
      modules.append(module!)
      for name in names {
        var function: rrcm_cu_function?
        try context.check(driver.function(&function, module, name), "finding kernel \(name)")
        functions[name] = function
      }
    }
    try load(.noise, ["grid_patches", "gaussian_patches", "input_patches", "advance"])
    try load(.network(element), ["embed", "layer_norm", "layer_norm_float", "bias_gelu", "count_votes"])
    let widths = element == .bfloat16 ? ["", "_32", "_64"] : [""]
    var attentions = widths.map { "attention" + $0 }
    try load(.attention(element), attentions)
    if training {
      try load(
        .training(element),
        [
          "train_embed", "patch_rows", "to_element", "gelu_of_sum", "gelu_backward", "layer_norm_backward",
          "column_sums", "column_sums_float", "norm_sums", "add_pieces", "batch_norm_moments", "running_scale",
          "batch_norm_relu", "batch_norm_relu_backward", "segment_squares", "adamw", "average",
        ])
      let backward = widths.flatMap { ["attention_backward_queries" + $0, "attention_backward_keys" + $0] }
      try load(.attentionBackward(element), backward)
      attentions += backward
    }
    for name in attentions {
      try context.check(
        driver.set_function_attribute(
          functions[name], Int32(RRCM_CU_FUNCTION_DYNAMIC_SHARED_BYTES), limit), "allowing shared memory")
    }
    (self.context, self.element, self.modules, self.functions) = (context, element, modules, functions)
    sharedLimit = Int(limit)
  }

  deinit {
    context.enter()
    for module in modules { _ = context.driver.unload_module(module) }
  }

  /// An argument of a kernel, as bytes with its alignment.
  enum Argument {
    case pointer(rrcm_cu_pointer)
    case int(Int)
    case long(Int)
    case float(Float)
    case places(AttentionPlaces)
    case gradientPlaces(AttentionGradientPlaces)
    case geometry(PatchGeometry)
    case adamW(AdamWConstants)
  }

  func launch(
    _ name: String, _ arguments: [Argument], blocks: (Int, Int, Int), threads: Int, sharedBytes: Int = 0,
    on stream: CUDAStream
  ) throws {
    guard sharedBytes <= sharedLimit else {
      throw ComputeError(
        "\(name) needs \(sharedBytes) bytes of shared memory and this GPU gives a block \(sharedLimit): the network has"
          + " too many tokens for it")
    }
    // Each argument in a slot of its own, aligned for the widest.
    let slot = 256
    let memory = UnsafeMutableRawPointer.allocate(byteCount: slot * arguments.count, alignment: 16)
    defer { memory.deallocate() }
    var pointers: [UnsafeMutableRawPointer?] = []
    for (i, argument) in arguments.enumerated() {
      let place = memory + i * slot
      switch argument {
      case .pointer(let value): place.storeBytes(of: value, as: rrcm_cu_pointer.self)
      case .int(let value): place.storeBytes(of: Int32(value), as: Int32.self)
      case .long(let value): place.storeBytes(of: Int64(value), as: Int64.self)
      case .float(let value): place.storeBytes(of: value, as: Float.self)
      case .gradientPlaces(let value): place.storeBytes(of: value, as: AttentionGradientPlaces.self)
      case .adamW(let value): place.storeBytes(of: value, as: AdamWConstants.self)
      case .places(let value): place.storeBytes(of: value, as: AttentionPlaces.self)
      case .geometry(let value): place.storeBytes(of: value, as: PatchGeometry.self)
      }
      pointers.append(place)
    }
    pointers.append(nil)
    try context.check(
      context.driver.launch(
        functions[name], UInt32(blocks.0), UInt32(blocks.1), UInt32(blocks.2), UInt32(threads), 1, 1,
        UInt32(sharedBytes), stream.handle, &pointers, nil), "launching \(name)")
  }

  func layerNorm(
    _ name: String = "layer_norm", rows: Int, width: Int, from x: rrcm_cu_pointer, _ norm: CUDAWeights.Norm,
    into y: rrcm_cu_pointer, on stream: CUDAStream
  ) throws {
    try launch(
      name, [.pointer(y), .pointer(x), .pointer(norm.gain), .pointer(norm.bias), .int(width), .long(rows)],
      blocks: ((rows + 3) / 4, 1, 1), threads: 128, on: stream)
  }

  /// x = GELU(x + bias) over rows of `columns`, in place.
  func biasGELU(rows: Int, columns: Int, _ x: rrcm_cu_pointer, bias: rrcm_cu_pointer, on stream: CUDAStream) throws {
    let count = rows * columns
    try launch(
      "bias_gelu", [.pointer(x), .pointer(bias), .int(columns), .long(count)], blocks: ((count + 2047) / 2048, 1, 1),
      threads: 256, on: stream)
  }

  /// Attention of `samples` samples with `heads` heads.
  func attention(_ places: AttentionPlaces, heads: Int, samples: Int, on stream: CUDAStream) throws {
    let (width, tokens, queries) = (Int(places.width), Int(places.tokens), Int(places.queries))
    if element == .bfloat16, width == 32 || width == 64 {
      let padded = (tokens + 15) / 16 * 16
      let shared = 2 * (padded * (width + 8) + width * (padded + 8))
      // Where keys and values do not fit, the plain kernel reads them from memory.
      if shared <= sharedLimit {
        return try launch(
          "attention_\(width)", [.places(places)], blocks: (heads, samples, 1), threads: 128, sharedBytes: shared,
          on: stream)
      }
    }
    try launch(
      "attention", [.places(places)], blocks: (heads, samples, (queries + 3) / 4), threads: 128,
      sharedBytes: 4 * 4 * (tokens + width), on: stream)
  }
}

/// As `AttentionPlaces` of attention.cu.
struct AttentionPlaces {
  var q: rrcm_cu_pointer
  var k: rrcm_cu_pointer
  var v: rrcm_cu_pointer
  var out: rrcm_cu_pointer
  var qRow: Int64
  var qSample: Int64
  var keyValueRow: Int64
  var keyValueSample: Int64
  var outRow: Int64
  var outSample: Int64
  var queries: Int32
  var tokens: Int32
  var width: Int32
}

/// As `Geometry` of noise.cu.
struct PatchGeometry {
  var channels: Int32
  var side: Int32
  var patch: Int32
}
