internal import CCUDA
internal import Compute
internal import Glibc
internal import Models
internal import Tensors

/// A network's trained tensors cut into pieces, one to a block of threads.
struct Segments {
  private static let length = 8192
  /// As `Segment` of training.cu.
  private struct Segment: BitwiseCopyable {
    var first: Int64
    var count: Int32
    /// Index of its tensor among the layout's places.
    var tensor: Int32
  }

  /// Index of each segment's tensor.
  let tensors: [Int]
  fileprivate let table: DeviceMemory
  fileprivate let squares: DeviceMemory
  fileprivate let groups: DeviceMemory

  init(_ parameters: CUDAParameters, context: CUDAContext) throws {
    var segments: [Segment] = []
    for (index, place) in parameters.places.enumerated() where place.entry.isParameter {
      for start in stride(from: 0, to: place.count, by: Self.length) {
        segments.append(
          Segment(
            first: Int64(place.offset + start), count: Int32(min(Self.length, place.count - start)),
            tensor: Int32(index)))
      }
    }
    tensors = segments.map { Int($0.tensor) }
    table = try context.upload(segments)
    squares = try context.allocate(bytes: 8 * segments.count)
    groups = try context.allocate(bytes: MemoryLayout<AdamWGroup>.stride * parameters.places.count)
  }
}

/// As `AdamWGroup` of training.cu.
private struct AdamWGroup: BitwiseCopyable {
  var decay: Float = 1
  var stepSize: Float = 0
  var trains: Int32 = 0
}

/// As `AdamW` of training.cu.
struct AdamWConstants {
  var gradientScale: Float
  var oneMinusBeta1: Float
  var beta2: Float
  var oneMinusBeta2: Float
  var rootCorrection: Float
  var epsilon: Float
}

extension CUDANetwork {
  func gradientNorm(of names: Set<String>?) throws -> Double {
    context.enter()
    try kernels.launch(
      "segment_squares",
      [.pointer(segments.squares.pointer), .pointer(gradientStore.memory.pointer), .pointer(segments.table.pointer)],
      blocks: (segments.tensors.count, 1, 1), threads: 256, sharedBytes: 8 * 256, on: stream)
    let squares = try segments.squares.read(Double.self, count: segments.tensors.count)
    return zip(squares, segments.tensors).reduce(0.0) { sum, segment in
      names?.contains(gradientStore.places[segment.1].entry.name) ?? true ? sum + segment.0 : sum
    }.squareRoot()
  }

  func update(_ update: AdamWUpdate) throws {
    context.enter()
    let moments = try heldMoments()
    let correction1 = 1 - pow(update.beta1, Double(update.step))
    let correction2 = 1 - pow(update.beta2, Double(update.step))
    try segments.groups.write(
      parameters.places.map { place in
        guard place.entry.isParameter, let group = update.groups[place.entry.name] else { return AdamWGroup() }
        return AdamWGroup(
          decay: Float(1 - group.learningRate * group.weightDecay), stepSize: Float(group.learningRate / correction1),
          trains: 1)
      })
    let constants = AdamWConstants(
      gradientScale: update.gradientScale, oneMinusBeta1: Float(1 - update.beta1), beta2: Float(update.beta2),
      oneMinusBeta2: Float(1 - update.beta2), rootCorrection: Float(correction2.squareRoot()),
      epsilon: Float(update.epsilon))
    try kernels.launch(
      "adamw",
      [
        .pointer(parameters.memory.pointer), .pointer(operands?.pointer ?? 0), .pointer(gradientStore.memory.pointer),
        .pointer(moments.first.memory.pointer), .pointer(moments.second.memory.pointer),
        .pointer(segments.table.pointer), .pointer(segments.groups.pointer), .adamW(constants),
      ], blocks: (segments.tensors.count, 1, 1), threads: 256, on: stream)
  }

  func average(towards other: any Network, rate: Float) throws {
    guard let other = other as? CUDANetwork, other.configuration == configuration,
      other.context === context
    else {
      throw ComputeError("only a network of the same configuration on the same GPU can be averaged into this one")
    }
    context.enter()
    // Two streams: what the other one does must be done.
    try other.stream.synchronize()
    try kernels.launch(
      "average",
      [
        .pointer(parameters.memory.pointer), .pointer(operands?.pointer ?? 0),
        .pointer(other.parameters.memory.pointer), .pointer(segments.table.pointer), .float(rate),
      ], blocks: (segments.tensors.count, 1, 1), threads: 256, on: stream)
    try stream.synchronize()
  }

  func optimizerState() throws -> StateDict {
    context.enter()
    let moments = try heldMoments()
    return StateDict(
      try moments.first.state(prefix: "exp_avg.", parametersOnly: true).pairs.map { ($0.name, $0.tensor) }
        + moments.second.state(prefix: "exp_avg_sq.", parametersOnly: true).pairs.map { ($0.name, $0.tensor) })
  }

  func restoreOptimizer(_ state: StateDict) throws {
    context.enter()
    let moments = try heldMoments()
    try moments.first.load(state, prefix: "exp_avg.", parametersOnly: true)
    try moments.second.load(state, prefix: "exp_avg_sq.", parametersOnly: true)
  }

  private func heldMoments() throws -> (first: CUDAParameters, second: CUDAParameters) {
    if let moments { return moments }
    let layout = ParameterLayout(configuration).entries
    do {
      let created = (
        try CUDAParameters(layout, context: context), try CUDAParameters(layout, context: context)
      )
      moments = created
      return created
    } catch let error as OutOfDeviceMemory {
      throw ComputeError(
        "AdamW's moments do not fit into the GPU's memory (\(error.bytes >> 20) MiB more); choose a smaller"
          + " training.batch, or stop what else uses this GPU")
    }
  }
}
