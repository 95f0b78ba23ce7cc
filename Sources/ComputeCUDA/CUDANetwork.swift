internal import CCUDA
internal import Compute
internal import Models
internal import Tensors

/// A trainable network on a GPU: parameters, gradients and AdamW moments in float32; the products of its blocks read
/// what the precision says, with a second copy of the parameters where that is bfloat16.
///
/// Work is enqueued on one stream, and every sum has one order, so equal calls give equal bits on one kind of GPU.
final class CUDANetwork: Network {
  let configuration: ViTConfiguration
  let context: CUDAContext
  let kernels: CUDAKernels
  let stream: CUDAStream
  let pool: DevicePool
  let parameters: CUDAParameters
  let gradientStore: CUDAParameters
  /// AdamW's exp_avg and exp_avg_sq; created by the first update.
  var moments: (first: CUDAParameters, second: CUDAParameters)?
  /// The parameters as products read them, one layout with them; nil where that is float32.
  let operands: DeviceMemory?
  /// Trained tensors in pieces, for the kernels that go over the whole network.
  let segments: Segments
  /// Whether products of float32 operands outside the head may round them to TF32.
  let tf32: Bool
  private let scratch: DeviceMemory
  private var products: [Product.Shape: Product] = [:]
  /// The algorithm of each shape that was ever multiplied.
  private var choices: [String: String] = [:]
  /// Samples of the largest pass that kept what its gradient needs.
  private var batch = 0
  private let precision: CUDADevice.Precision
  private let architecture: String

  var element: Element { kernels.element }

  init(
    _ configuration: ViTConfiguration, state: StateDict, precision: CUDADevice.Precision, context: CUDAContext,
    compiler: KernelCompiler
  ) throws {
    context.enter()
    let problems = configuration.problems
    guard problems.isEmpty else { throw ComputeError(problems.joined(separator: "; ")) }
    self.configuration = configuration
    self.context = context
    (self.precision, architecture) = (precision, compiler.architecture)
    tf32 = precision != .f32
    kernels = try CUDAKernels(precision.element, training: true, context: context, compiler: compiler)
    stream = try context.makeStream()
    pool = DevicePool(context)
    let layout = ParameterLayout(configuration).entries
    do {
      parameters = try CUDAParameters(layout, context: context)
      gradientStore = try CUDAParameters(layout, context: context)
      scratch = try context.allocate(bytes: Product.workspaceLimit)
      operands =
        precision.element == .float32 ? nil : try context.allocate(bytes: parameters.count * precision.element.bytes)
      segments = try Segments(parameters, context: context)
    } catch let error as OutOfDeviceMemory {
      throw ComputeError(
        "the network's \(ParameterLayout(configuration).parameterCount) parameters do not fit into the GPU's memory"
          + " (\(error.bytes >> 20) MiB more, \(try context.freeBytes >> 20) MiB free); stop what else uses this GPU")
    }
    try parameters.load(state)
    try renewOperands()
  }

  /// Where products find a tensor.
  func operand(_ name: String) -> rrcm_cu_pointer {
    guard let operands else { return parameters[name] }
    return operands.pointer + UInt64(element.bytes * parameters.place(name).offset)
  }

  private func renewOperands() throws {
    guard let operands else { return }
    try kernels.launch(
      "to_element", [.pointer(operands.pointer), .pointer(parameters.memory.pointer), .long(parameters.count)],
      blocks: (blocks(parameters.count), 1, 1), threads: 256, on: stream)
  }

  var numerics: NumericsID {
    let algorithms = choices.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ";")
    return context.numerics(precision, algorithms: algorithms, batch: batch, architecture: architecture)
  }

  // MARK: Forward

  func forward(inputs: [Float], times: [Float], options: ForwardOptions) throws -> ForwardOutputs {
    context.enter()
    let (c, d, batch) = (configuration, configuration.width, times.count)
    guard batch > 0, inputs.count == batch * c.imageElements else {
      throw ComputeError(
        "inputs hold \(inputs.count) values; \(batch) times need \(batch) images of \(c.imageElements)")
    }
    guard batch <= 65_535 else { throw ComputeError("a GPU takes 65535 images at once, not \(batch)") }
    if options.head, c.classes == 0 { throw ComputeError("the head was asked for, but model.classes is 0") }
    if options.projector != .none, !c.hasProjector {
      throw ComputeError("the projector was asked for, but model.projector is 0")
    }
    if options.keepsTape { self.batch = max(self.batch, batch) }
    let tape = CUDATape(batch: batch, options: options, network: self)
    let classTokens = try encode(inputs: inputs, times: times, into: tape)
    var encoder = classTokens
    if options.finalNorm {
      encoder = try pool.floats(batch * d)
      try kernels.layerNorm(
        "layer_norm_float", rows: batch, width: d, from: classTokens.pointer, norm("norm"), into: encoder.pointer,
        on: stream)
    }
    (tape.classTokens, tape.encoder) = (classTokens, encoder)
    var outputs = ForwardOutputs(encoder: [])
    if options.head {
      let logits = try pool.floats(batch * c.classes)
      try product(
        Product.Shape(
          rows: batch, columns: c.classes, depth: d, operands: .float32, result: .float32, xRow: d, yRow: c.classes,
          bias: true), encoder.pointer, parameters["linear_head.weight"], into: logits.pointer,
        bias: parameters["linear_head.bias"])
      outputs.logits = try logits.read(Float.self, count: batch * c.classes)
      pool.giveBack([logits])
    }
    if options.projector != .none { outputs.projection = try project(tape, options.projector) }
    outputs.encoder = try encoder.read(Float.self, count: batch * d)
    if options.keepsTape {
      outputs.tape = tape
    } else {
      tape.network = nil
      pool.giveBack(tape.buffers)
    }
    return outputs
  }

  func norm(_ name: String) -> CUDAWeights.Norm {
    CUDAWeights.Norm(gain: parameters[name + ".weight"], bias: parameters[name + ".bias"])
  }

  // MARK: Products

  func product(
    _ shape: Product.Shape, _ x: rrcm_cu_pointer, _ w: rrcm_cu_pointer, into y: rrcm_cu_pointer,
    base: rrcm_cu_pointer? = nil, bias: rrcm_cu_pointer? = nil
  ) throws {
    let product: Product
    if let known = products[shape] {
      product = known
    } else {
      // Batches of an evaluation's end come and go.
      if products.count >= 512 { products = [:] }
      product = try Product(shape, context: context)
      products[shape] = product
      choices["\(shape)"] = product.choice
    }
    try product.enqueue(x: x, weight: w, into: y, base: base, bias: bias, workspace: scratch, on: stream)
  }

  /// Blocks of 256 threads for `count` elements.
  func blocks(_ count: Int) -> Int { (count + 255) / 256 }

  // MARK: State

  func zeroGradients() throws {
    context.enter()
    try gradientStore.memory.fill(0)
  }

  func gradients() throws -> StateDict {
    context.enter()
    return try gradientStore.state(parametersOnly: true)
  }

  func state() throws -> StateDict {
    context.enter()
    return try parameters.state()
  }
}
