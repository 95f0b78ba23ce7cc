internal import CCUDA
internal import Compute
internal import Models
internal import Noise
internal import Tensors

/// A fine-tuned network on a GPU.
///
/// A chunk is a row of launches of one graph per stream, two batches in flight; the host waits once, at the end, and reads
/// one small array. Batches have one shape: samples past a chunk's end are computed and not counted, so a sample's logits
/// do not depend on its neighbours.
final class CUDAClassifier: Classifier {
  let configuration: ViTConfiguration
  let numerics: NumericsID
  private let context: CUDAContext
  private let encoder: CUDAEncoder
  private let levels: NoiseLevels
  private let slots: [Slot]
  private let chunk: DeviceMemory
  private let pixels: DeviceMemory
  private let votes: DeviceMemory
  private let spoiled: DeviceMemory
  private let tokenStart: DeviceMemory
  private let gridTable: DeviceMemory
  private var presentLevel: Double?
  private var tables: [String: GridOnDevice] = [:]

  /// One batch in flight.
  private final class Slot {
    let stream: CUDAStream
    let workspace: CUDAWorkspace
    /// Index of its next batch's first sample.
    let first: DeviceMemory
    var graphs: [String: CUDAGraph] = [:]

    init(_ stream: CUDAStream, _ workspace: CUDAWorkspace, first: DeviceMemory) {
      (self.stream, self.workspace, self.first) = (stream, workspace, first)
    }
  }

  private struct GridOnDevice {
    let thresholds: DeviceMemory
    let guide: DeviceMemory
    let bytes: [UInt8]
  }

  init(
    _ configuration: ViTConfiguration, state: any TensorSource, batch: Int?, precision: CUDADevice.Precision,
    context: CUDAContext, compiler: KernelCompiler
  ) throws {
    context.enter()
    let problems = configuration.problems
    guard problems.isEmpty else { throw ComputeError(problems.joined(separator: "; ")) }
    guard configuration.classes > 0 else {
      throw ComputeError("model.classes is 0: this checkpoint has no head to classify with; fine-tune it first")
    }
    var used = configuration
    (used.projectorHidden, used.projectorOutput) = (0, 0)
    let element = precision.element
    let weights = try CUDAWeights(used, source: state, element: element, context: context)
    let kernels = try CUDAKernels(element, context: context, compiler: compiler)
    var size = try Self.batch(wanted: batch, used, element: element, freeBytes: context.freeBytes)
    // What is free may be gone by now: halve until it fits, unless somebody chose the batch.
    var made: (encoder: CUDAEncoder, slots: [Slot])?
    while made == nil {
      do {
        let encoder = try CUDAEncoder(
          used, batch: size, weights: weights, kernels: kernels, tf32: precision == .tf32, context: context)
        let slots = try (0..<2).map { _ in
          Slot(
            try context.makeStream(),
            try CUDAWorkspace(used, batch: size, element: element, context: context),
            first: try context.allocate(bytes: 4))
        }
        made = (encoder, slots)
      } catch let error as OutOfDeviceMemory {
        guard batch == nil, size > 1 else { throw Self.tooBig(size, needed: error.bytes, free: try context.freeBytes) }
        size /= 2
      }
    }
    self.configuration = configuration
    self.context = context
    (encoder, slots) = made!
    levels = NoiseLevels(count: configuration.levels)
    chunk = try context.allocate(bytes: 32)
    pixels = try context.allocate(bytes: configuration.imageElements)
    votes = try context.allocate(bytes: 4 * configuration.classes)
    spoiled = try context.allocate(bytes: 4)
    tokenStart = try context.allocate(bytes: 4 * weights.tokenStart.count)
    gridTable = try context.allocate(bytes: 32)
    numerics = context.numerics(
      precision, algorithms: encoder.choices, batch: size, architecture: compiler.architecture)
  }

  /// Samples per pass: what is wanted, or about 50,000 tokens, as far as two batches fit into four fifths of what is free.
  static func batch(wanted: Int?, _ c: ViTConfiguration, element: Element, freeBytes: Int) throws -> Int {
    if let wanted {
      guard (1...65_535).contains(wanted) else {
        throw ComputeError("batch is \(wanted); it must be 1 to 65535. Leave it out for the default.")
      }
      return wanted
    }
    let fixed = CUDAWorkspace.bytes(c, batch: 0, element: element)
    let perSample = (CUDAWorkspace.bytes(c, batch: 64, element: element) - fixed) / 64
    let room = (freeBytes / 5 * 4 / 2 - fixed) / max(perSample, 1)
    guard room >= 1 else { throw tooBig(1, needed: 2 * (fixed + perSample), free: freeBytes) }
    let target = min(50_688 / c.tokens, 65_535)
    return max(1, min(target >= 8 ? target / 8 * 8 : target, room))
  }

  private static func tooBig(_ batch: Int, needed: Int, free: Int) -> ComputeError {
    ComputeError(
      "a batch of \(batch) needs \(needed >> 20) MiB of the GPU's memory and \(free >> 20) MiB are free; choose a smaller"
        + " --batch, or stop what else uses this GPU")
  }

  func votes(for request: ChunkRequest) throws -> [Int32] {
    try prepare(request)
    try launch(request)
    let sample = try spoiled.read(UInt32.self, count: 1)[0]
    guard sample == .max else {
      throw ComputeError(
        "a logit of image \(request.imageIndex), \(request.phase) sample \(sample) is not finite; the checkpoint's "
          + "weights overflow or hold NaN")
    }
    return try votes.read(Int32.self, count: configuration.classes)
  }

  /// Puts a chunk where the kernels look for it.
  private func prepare(_ request: ChunkRequest) throws {
    context.enter()
    let c = configuration
    guard request.pixels.count == c.imageElements else {
      throw ComputeError(
        "image \(request.imageIndex) has \(request.pixels.count) bytes; a \(c.channels)×\(c.imageSize)×\(c.imageSize) "
          + "network takes \(c.imageElements). Use a dataset of the checkpoint's image size and channels.")
    }
    let scale = try setLevel(noiseLevel: 2 * request.noise.sigma.value)
    try setNoise(request.noise)
    try chunk.write([
      ChunkOnDevice(
        key: request.noise.key, image: request.imageIndex, phase: UInt32(request.phase.rawValue),
        end: request.samples.upperBound, scale: scale, sigma: Float(request.noise.sigma.value))
    ])
    try pixels.write(request.pixels)
    try votes.fill(0)
    try spoiled.fill(.max)
    for (i, slot) in slots.enumerated() {
      try slot.first.write([request.samples.lowerBound + UInt32(i * encoder.batch)])
    }
  }

  /// Runs the batches of a chunk, and waits for them.
  private func launch(_ request: ChunkRequest, network: Bool = true) throws {
    let batches = (request.samples.count + encoder.batch - 1) / encoder.batch
    for i in 0..<batches {
      let slot = slots[i % slots.count]
      try slot.stream.launch(try graph(slot, sampler: request.noise.sampler.name, network: network))
    }
    for slot in slots { try slot.stream.synchronize() }
  }

  // MARK: For measurements

  /// The patches [batch, N, C·p²] drawn from a chunk's first sample on.
  func patches(for request: ChunkRequest) throws -> [Float] {
    try prepare(request)
    let slot = slots[0]
    try enqueueNoise(slot, sampler: request.noise.sampler.name)
    try slot.stream.synchronize()
    return try slot.workspace.readPatches(count: encoder.batch * configuration.imageElements)
  }

  /// A chunk without the network: noise is drawn, and what logits are left there is counted.
  func withoutNetwork(_ request: ChunkRequest) throws {
    try prepare(request)
    try launch(request, network: false)
  }

  func logits(inputs: [Float], count: Int, noiseLevel: Double) throws -> [Float] {
    context.enter()
    let (elements, classes, batch) = (configuration.imageElements, configuration.classes, encoder.batch)
    guard count >= 0, inputs.count == count * elements else {
      throw ComputeError("inputs hold \(inputs.count) values; \(count) images of \(elements) were announced")
    }
    guard noiseLevel >= 0, noiseLevel.isFinite else {
      throw ComputeError("noise level is \(noiseLevel); it must be finite and at least 0")
    }
    let scale = try setLevel(noiseLevel: noiseLevel)
    try chunk.write([ChunkOnDevice(key: (0, 0), image: 0, phase: 0, end: 0, scale: scale, sigma: 0)])
    let images = try context.allocate(bytes: 4 * batch * elements)
    let slot = slots[0]
    var logits: [Float] = []
    for first in stride(from: 0, to: count, by: batch) {
      let n = min(batch, count - first)
      try images.fill(0)
      try images.write(Array(inputs[first * elements..<(first + n) * elements]))
      try encoder.kernels.launch(
        "input_patches",
        [
          .pointer(slot.workspace.patches), .pointer(images.pointer), .pointer(chunk.pointer), .geometry(geometry),
          .int(elements),
        ], blocks: ((elements + 255) / 256, batch, 1), threads: 256, on: slot.stream)
      try encoder.enqueue(slot.workspace, tokenStart: tokenStart, on: slot.stream)
      try slot.stream.synchronize()
      logits += try slot.workspace.readLogits(count: n * classes)
    }
    if let bad = logits.firstIndex(where: { !$0.isFinite }) {
      throw ComputeError("a logit of input \(bad / classes) is not finite; check the weights and the inputs")
    }
    return logits
  }

  private var geometry: PatchGeometry {
    PatchGeometry(
      channels: Int32(configuration.channels), side: Int32(configuration.imageSize),
      patch: Int32(configuration.patchSize))
  }

  /// Noise, network, votes and the step to the slot's next batch, recorded once per sampler.
  private func graph(_ slot: Slot, sampler: String, network: Bool) throws -> CUDAGraph {
    let name = network ? sampler : sampler + " alone"
    if let known = slot.graphs[name] { return known }
    let kernels = encoder.kernels
    let graph = try slot.stream.capture {
      try enqueueNoise(slot, sampler: sampler)
      if network { try encoder.enqueue(slot.workspace, tokenStart: tokenStart, on: slot.stream) }
      try kernels.launch(
        "count_votes",
        [
          .pointer(votes.pointer), .pointer(spoiled.pointer), .pointer(slot.workspace.logits), .pointer(chunk.pointer),
          .pointer(slot.first.pointer), .int(configuration.classes), .int(encoder.batch),
        ], blocks: ((encoder.batch + 3) / 4, 1, 1), threads: 128, on: slot.stream)
      try kernels.launch(
        "advance", [.pointer(slot.first.pointer), .int(slots.count * encoder.batch)], blocks: (1, 1, 1), threads: 32,
        on: slot.stream)
    }
    slot.graphs[name] = graph
    return graph
  }

  private func enqueueNoise(_ slot: Slot, sampler: String) throws {
    let elements = configuration.imageElements
    var arguments: [CUDAKernels.Argument] = [
      .pointer(slot.workspace.patches), .pointer(pixels.pointer), .pointer(chunk.pointer), .pointer(slot.first.pointer),
    ]
    if sampler == "grid" { arguments.append(.pointer(gridTable.pointer)) }
    try encoder.kernels.launch(
      sampler + "_patches", arguments + [.geometry(geometry), .int(elements)],
      blocks: (((elements + 1) / 2 + 255) / 256, encoder.batch, 1), threads: 256, on: slot.stream)
  }

  /// Puts the level's time embedding into token 1's start. Returns its c_in.
  private func setLevel(noiseLevel: Double) throws -> Float {
    let t = levels.levels[levels.classifierIndex(noiseLevel: noiseLevel)]
    if presentLevel != noiseLevel {
      let d = configuration.width
      var start = encoder.weights.tokenStart
      for (j, x) in timeEmbedding(NoiseLevels.rescaledTime(t), width: d).enumerated() { start[d + j] += x }
      presentLevel = nil
      try tokenStart.write(start)
      presentLevel = noiseLevel
    }
    return NoiseLevels.inputScale(t)
  }

  /// Puts the noise stream's table, if it has one, where the kernels look for it.
  private func setNoise(_ noise: NoiseStream) throws {
    guard let table = noise.table else { return }
    let key = "\(table.sigma)|\(table.m)"
    if tables[key] == nil {
      if tables.count >= 64 { tables.removeAll() }
      let thresholds = try context.upload(table.thresholds)
      let guide = try context.upload(table.guide)
      let header = GridTableOnDevice(
        thresholds: thresholds.pointer, guide: guide.pointer, count: UInt32(table.thresholds.count),
        guideBits: GridTable.guideBits, lowest: table.lowest, m: Int32(table.m))
      tables[key] = GridOnDevice(
        thresholds: thresholds, guide: guide, bytes: withUnsafeBytes(of: header) { Array($0) })
    }
    try gridTable.write(tables[key]!.bytes)
  }
}

/// As `Chunk` of common.cuh.
struct ChunkOnDevice: BitwiseCopyable {
  var key: (UInt32, UInt32)
  var image: UInt32
  var phase: UInt32
  var end: UInt32
  var scale: Float
  var sigma: Float
}

/// As `GridTable` of noise.cu.
private struct GridTableOnDevice: BitwiseCopyable {
  var thresholds: rrcm_cu_pointer
  var guide: rrcm_cu_pointer
  var count: UInt32
  var guideBits: UInt32
  var lowest: Int32
  var m: Int32
}
