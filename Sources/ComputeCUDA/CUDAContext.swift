internal import CCUDA
internal import Compute
internal import Tensors

/// One GPU: its context, memory and streams. Everything that is made of it keeps it alive.
final class CUDAContext: @unchecked Sendable {
  let libraries: CUDALibraries
  let device: rrcm_cu_device
  private let context: rrcm_cu_context
  let lt: rrcm_lt_handle

  var driver: rrcm_cu_driver { libraries.driver }

  init(libraries: CUDALibraries, device: rrcm_cu_device) throws {
    var (context, lt): (rrcm_cu_context?, rrcm_lt_handle?)
    try ComputeCUDA.check(libraries.driver.context_retain(&context, device), libraries, "taking the GPU")
    try ComputeCUDA.check(libraries.driver.context_current(context), libraries, "choosing the GPU")
    let status = libraries.lt.create(&lt)
    guard status == 0, let lt, let context else {
      _ = libraries.driver.context_release(device)
      throw ComputeError("cuBLASLt cannot start on this GPU (status \(status)); does its version fit the driver's?")
    }
    (self.libraries, self.device, self.context, self.lt) = (libraries, device, context, lt)
  }

  deinit {
    enter()
    _ = libraries.lt.destroy(lt)
    _ = driver.context_release(device)
  }

  /// Makes this GPU the calling thread's. Every entry point does so first: threads come and go.
  func enter() { _ = driver.context_current(context) }

  func check(_ status: Int32, _ doing: @autoclosure () -> String) throws {
    try ComputeCUDA.check(status, libraries, doing())
  }

  /// Of what this context computes with pinned algorithms, in the library's own numbers.
  func numerics(_ precision: CUDADevice.Precision, algorithms: String, batch: Int, architecture: String) -> NumericsID {
    NumericsID(
      backend: "cuda", precision: precision.rawValue,
      library: "rrcm-cuda-\(CUDADevice.kernelsVersion)+cublaslt-\(libraries.ltVersion)"
        + "+nvrtc-\(libraries.nvrtcVersion)",
      simd: "algorithms-\(SHA256(hashing: algorithms.utf8).hex.prefix(12))", batch: batch, device: architecture)
  }

  var freeBytes: Int {
    get throws {
      var (free, total) = (0, 0)
      try check(driver.memory_info(&free, &total), "asking for free memory")
      return free
    }
  }

  /// Uninitialised memory of the device.
  func allocate(bytes: Int) throws -> DeviceMemory { try DeviceMemory(self, bytes: bytes) }

  /// Memory of the device that holds these values.
  func upload<T: BitwiseCopyable>(_ values: [T]) throws -> DeviceMemory {
    let memory = try allocate(bytes: values.count * MemoryLayout<T>.stride)
    try memory.write(values)
    return memory
  }

  func makeStream() throws -> CUDAStream { try CUDAStream(self) }
}

/// A block of device memory; given back when nothing refers to it any more.
final class DeviceMemory {
  private let context: CUDAContext
  let pointer: rrcm_cu_pointer
  let bytes: Int

  fileprivate init(_ context: CUDAContext, bytes: Int) throws {
    var pointer: rrcm_cu_pointer = 0
    let status = context.driver.allocate(&pointer, max(bytes, 16))
    guard status != Int32(RRCM_CU_OUT_OF_MEMORY) else { throw OutOfDeviceMemory(bytes: bytes) }
    try context.check(status, "allocating \(bytes) bytes on the GPU")
    (self.context, self.pointer, self.bytes) = (context, pointer, bytes)
  }

  deinit {
    context.enter()
    _ = context.driver.release(pointer)
  }

  /// Copies to the start of the block; waits until it is done.
  func write<T: BitwiseCopyable>(_ values: [T], at offset: Int = 0) throws {
    try values.withUnsafeBytes { from in
      precondition(offset + from.count <= bytes)
      guard let base = from.baseAddress else { return }
      try context.check(
        context.driver.to_device(pointer + UInt64(offset), base, from.count), "copying \(from.count) bytes to the GPU")
    }
  }

  /// Waits for everything on the device before it copies.
  func read<T: BitwiseCopyable>(_ type: T.Type, count: Int, at offset: Int = 0) throws -> [T] {
    let size = count * MemoryLayout<T>.stride
    precondition(offset + size <= bytes)
    return try [T](unsafeUninitializedCapacity: count) { buffer, initialized in
      if size > 0 {
        try context.check(
          context.driver.to_host(buffer.baseAddress, pointer + UInt64(offset), size),
          "copying \(size) bytes from the GPU")
      }
      initialized = count
    }
  }

  /// Sets every whole 32-bit word.
  func fill(_ word: UInt32) throws {
    try context.check(context.driver.fill(pointer, word, bytes / 4), "filling memory of the GPU")
  }
}

/// An allocation that did not fit: a smaller batch may.
struct OutOfDeviceMemory: Error, CustomStringConvertible {
  let bytes: Int

  var description: String {
    "the GPU has no \(bytes >> 10) KiB left; stop what else uses it, or start the worker with a smaller --batch"
  }
}

/// A queue of work on the device. It waits for the copies and fills that the host asked for before, and later ones wait
/// for it, so memory that the host writes is never read too early.
final class CUDAStream {
  private let context: CUDAContext
  let handle: rrcm_cu_stream

  fileprivate init(_ context: CUDAContext) throws {
    var handle: rrcm_cu_stream?
    try context.check(
      context.driver.create_stream(&handle, UInt32(RRCM_CU_STREAM_DEFAULT)), "making a stream")
    (self.context, self.handle) = (context, handle!)
  }

  deinit {
    context.enter()
    _ = context.driver.destroy_stream(handle)
  }

  func synchronize() throws { try context.check(context.driver.synchronize(handle), "waiting for the GPU") }

  /// What `body` enqueues on this stream, as one graph to launch again and again.
  func capture(_ body: () throws -> Void) throws -> CUDAGraph {
    let driver = context.driver
    try context.check(
      driver.begin_capture(handle, Int32(RRCM_CU_CAPTURE_THREAD_LOCAL)), "beginning a graph")
    var graph: rrcm_cu_graph?
    do {
      try body()
    } catch {
      _ = driver.end_capture(handle, &graph)
      if let graph { _ = driver.destroy_graph(graph) }
      throw error
    }
    try context.check(driver.end_capture(handle, &graph), "ending a graph")
    defer { _ = driver.destroy_graph(graph) }
    var exec: rrcm_cu_graph_exec?
    try context.check(driver.instantiate(&exec, graph, 0), "preparing a graph")
    return CUDAGraph(context, exec!)
  }

  func launch(_ graph: CUDAGraph) throws {
    try context.check(context.driver.launch_graph(graph.handle, handle), "launching a graph")
  }
}

final class CUDAGraph {
  private let context: CUDAContext
  let handle: rrcm_cu_graph_exec

  fileprivate init(_ context: CUDAContext, _ handle: rrcm_cu_graph_exec) {
    (self.context, self.handle) = (context, handle)
  }

  deinit {
    context.enter()
    _ = context.driver.destroy_graph_exec(handle)
  }
}

/// - Throws: `ComputeError` with the driver's name for the error, unless `status` is 0.
func check(_ status: Int32, _ libraries: CUDALibraries, _ doing: @autoclosure () -> String) throws {
  guard status != 0 else { return }
  var name: UnsafePointer<CChar>?
  _ = libraries.driver.error_name(status, &name)
  throw ComputeError("\(doing()) failed: \(name.map { String(cString: $0) } ?? "error \(status)")")
}
