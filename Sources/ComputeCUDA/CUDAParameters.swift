internal import CCUDA
internal import Compute
internal import Models
internal import Tensors

/// Tensors of a network in one block of device memory, float32, in the order of their layout.
///
/// Parameters, gradients and optimizer moments have one layout, so one offset finds a tensor in all of them.
final class CUDAParameters {
  struct Place {
    let entry: ParameterLayout.Entry
    /// In elements; a multiple of 64, so that products find every matrix well aligned.
    let offset: Int
    let count: Int
  }

  let places: [Place]
  let memory: DeviceMemory
  private let index: [String: Int]

  /// All zero.
  init(_ entries: [ParameterLayout.Entry], context: CUDAContext) throws {
    var places: [Place] = []
    var offset = 0
    for entry in entries {
      let count = entry.shape.reduce(1, *)
      places.append(Place(entry: entry, offset: offset, count: count))
      offset += (count + 63) / 64 * 64
    }
    self.places = places
    index = Dictionary(uniqueKeysWithValues: places.enumerated().map { ($1.entry.name, $0) })
    memory = try context.allocate(bytes: 4 * offset)
    try memory.fill(0)
  }

  var count: Int { memory.bytes / 4 }

  func place(_ name: String) -> Place {
    guard let i = index[name] else { preconditionFailure("the layout has no tensor \(name)") }
    return places[i]
  }

  subscript(name: String) -> rrcm_cu_pointer { memory.pointer + UInt64(4 * place(name).offset) }

  /// Copies every tensor of the layout from `state`, where it is called `prefix` + name; others there are ignored.
  /// - Throws: `ComputeError` listing each tensor that is missing or of another shape.
  func load(_ state: any TensorSource, prefix: String = "", parametersOnly: Bool = false) throws {
    let wanted = places.filter { !parametersOnly || $0.entry.isParameter }
    try requireTensors(wanted.map(\.entry), in: state, prefix: prefix)
    for place in wanted { try memory.write(state[prefix + place.entry.name]!.values, at: 4 * place.offset) }
  }

  /// Every tensor, or the trained ones, as host tensors called `prefix` + name.
  func state(prefix: String = "", parametersOnly: Bool = false) throws -> StateDict {
    StateDict(
      try places.filter { !parametersOnly || $0.entry.isParameter }.map { place in
        let values = try memory.read(Float.self, count: place.count, at: 4 * place.offset)
        return (prefix + place.entry.name, Tensor(shape: place.entry.shape, values: values))
      })
  }
}

/// Device memory that a training step uses again and again.
final class DevicePool {
  private let context: CUDAContext
  private var free: [Int: [DeviceMemory]] = [:]

  init(_ context: CUDAContext) { self.context = context }

  /// Unspecified contents. Work enqueued later may use a block as soon as it was given back: there is one stream.
  func take(bytes: Int) throws -> DeviceMemory {
    if let known = free[bytes]?.popLast() { return known }
    do {
      return try context.allocate(bytes: bytes)
    } catch is OutOfDeviceMemory {
      // Blocks of other sizes may be in the way.
      free = [:]
    }
    do {
      return try context.allocate(bytes: bytes)
    } catch is OutOfDeviceMemory {
      throw ComputeError(
        "\(bytes >> 20) MiB more for this step do not fit into the GPU's memory, of which"
          + " \(try context.freeBytes >> 20) MiB are free; choose a smaller training.batch, or stop what else uses this GPU"
      )
    }
  }

  func floats(_ count: Int) throws -> DeviceMemory { try take(bytes: 4 * count) }

  func giveBack(_ blocks: [DeviceMemory]) {
    for block in blocks { free[block.bytes, default: []].append(block) }
  }
}
