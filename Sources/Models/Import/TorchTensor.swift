package import Tensors

/// A tensor of a PyTorch file: a view, by offset and strides, into a storage that tensors may share.
package struct TorchTensor: Sendable {
  package let type: ElementType
  package let shape: [Int]
  /// Elements between neighbours along each axis.
  private let strides: [Int]
  /// First element within the storage.
  private let offset: Int
  private let storage: Bytes

  /// - Returns: nil when the view is malformed, reaches outside the storage, or has more elements than it (which would
  ///   let a small file ask for any amount of memory).
  init?(type: ElementType, shape: [Int], strides: [Int], offset: Int, storage: Bytes) {
    let elements = storage.count / type.size
    guard shape.count == strides.count, shape.count <= 64, offset >= 0, strides.allSatisfy({ $0 >= 0 }),
      let size = RawTensor.byteCount(type: type, shape: shape), size <= storage.count
    else { return nil }
    var last = offset
    if size > 0 {
      for (length, stride) in zip(shape, strides) {
        let (step, overflow) = (length - 1).multipliedReportingOverflow(by: stride)
        let (sum, second) = last.addingReportingOverflow(step)
        guard !overflow, !second else { return nil }
        last = sum
      }
      guard last < elements else { return nil }
    }
    self.type = type
    self.shape = shape
    self.strides = strides
    self.offset = offset
    self.storage = storage
  }

  /// The elements in row-major order; copies only where the view is not already so.
  package var contiguous: RawTensor {
    let size = RawTensor.byteCount(type: type, shape: shape)!
    guard size > 0 else { return RawTensor(type: type, shape: shape, bytes: Bytes([UInt8]())) }
    if isContiguous {
      let start = offset * type.size
      return RawTensor(type: type, shape: shape, bytes: storage.slice(start..<start + size))
    }
    let width = type.size
    let out = storage.withUnsafeBytes { source in
      [UInt8](unsafeUninitializedCapacity: size) { target, initialized in
        var position = [Int](repeating: 0, count: shape.count)
        var element = offset
        for i in 0..<size / width {
          for b in 0..<width { target[i * width + b] = source[element * width + b] }
          // Count up, last axis fastest, keeping `element` in step.
          for axis in shape.indices.reversed() {
            position[axis] += 1
            element += strides[axis]
            guard position[axis] == shape[axis] else { break }
            element -= shape[axis] * strides[axis]
            position[axis] = 0
          }
        }
        initialized = size
      }
    }
    return RawTensor(type: type, shape: shape, bytes: Bytes(out))
  }

  private var isContiguous: Bool {
    var expected = 1
    for (length, stride) in zip(shape, strides).reversed() where length != 1 {
      guard stride == expected else { return false }
      expected *= length
    }
    return true
  }
}
