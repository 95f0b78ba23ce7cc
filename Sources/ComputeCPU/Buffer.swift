internal import Glibc

typealias Floats = UnsafeMutablePointer<Float>

/// The bits of a bfloat16 number: the upper half of a float32.
typealias BFloat16Bits = UInt16

/// Float32 storage.
typealias Buffer = Storage<Float>

/// Numbers aligned to cache lines, with the room past its end that products may read (see rrcm_kernels.h).
///
/// Not synchronised: the passes of this target give each thread its own part.
final class Storage<Element: BitwiseCopyable & ExpressibleByIntegerLiteral>: @unchecked Sendable {
  let base: UnsafeMutablePointer<Element>
  let count: Int

  /// Zeroed.
  init(_ count: Int) {
    let room = count + 64
    var memory: UnsafeMutableRawPointer?
    let size = room * MemoryLayout<Element>.stride
    let status = posix_memalign(&memory, 64, size)
    precondition(status == 0, "no memory for \(size) bytes")
    base = memory!.bindMemory(to: Element.self, capacity: room)
    base.initialize(repeating: 0, count: room)
    self.count = count
  }

  deinit { free(base) }
}

/// Buffers that a training step uses again and again, so that steps do not fault fresh pages in.
final class BufferPool {
  private var free: [Int: [Buffer]] = [:]

  /// A buffer of exactly `count` floats with unspecified contents.
  func take(_ count: Int) -> Buffer { free[count]?.popLast() ?? Buffer(count) }

  func giveBack(_ buffers: [Buffer]) {
    for buffer in buffers { free[buffer.count, default: []].append(buffer) }
  }
}
