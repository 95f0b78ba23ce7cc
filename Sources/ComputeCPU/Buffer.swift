internal import Glibc

typealias Floats = UnsafeMutablePointer<Float>

/// Float32 storage aligned to cache lines, with the room past its end that products may read (see rrcm_kernels.h).
///
/// Not synchronised: the passes of this target give each thread its own part.
final class Buffer: @unchecked Sendable {
  let base: Floats
  let count: Int
  private static let slack = 64

  /// Zeroed.
  init(_ count: Int) {
    var memory: UnsafeMutableRawPointer?
    let size = (count + Self.slack) * MemoryLayout<Float>.stride
    let status = posix_memalign(&memory, 64, size)
    precondition(status == 0, "no memory for \(size) bytes")
    base = memory!.bindMemory(to: Float.self, capacity: count + Self.slack)
    base.initialize(repeating: 0, count: count + Self.slack)
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
