/// Types of stored elements, by their safetensors names.
package enum ElementType: String, Sendable, CaseIterable {
  case float64 = "F64"
  case float32 = "F32"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int64 = "I64"
  case int32 = "I32"
  case int16 = "I16"
  case int8 = "I8"
  case uint64 = "U64"
  case uint32 = "U32"
  case uint16 = "U16"
  case uint8 = "U8"
  case bool = "BOOL"

  /// Bytes of one element.
  package var size: Int {
    switch self {
    case .float64, .int64, .uint64: 8
    case .float32, .int32, .uint32: 4
    case .float16, .bfloat16, .int16, .uint16: 2
    case .int8, .uint8, .bool: 1
    }
  }
}

/// A tensor as a file holds it: element type, shape and little-endian bytes, row-major.
package struct RawTensor: Sendable, Equatable {
  package let type: ElementType
  /// Lengths of the axes, outermost first. Empty for a scalar.
  package let shape: [Int]
  /// `count · type.size` bytes; need not be aligned.
  package let bytes: Bytes

  /// - Precondition: `bytes` holds exactly the elements of `shape`.
  package init(type: ElementType, shape: [Int], bytes: Bytes) {
    precondition(
      Self.byteCount(type: type, shape: shape) == bytes.count,
      "shape \(shape) of \(type.rawValue) does not hold \(bytes.count) bytes")
    self.type = type
    self.shape = shape
    self.bytes = bytes
  }

  /// Number of elements.
  package var count: Int { bytes.count / type.size }

  /// Bytes of a tensor of this type and shape; nil when a length is negative or the product leaves `Int`.
  package static func byteCount(type: ElementType, shape: [Int]) -> Int? {
    var product = type.size
    var hasZero = false
    for length in shape {
      guard length >= 0 else { return nil }
      if length == 0 {
        hasZero = true
        continue
      }
      let (next, overflow) = product.multipliedReportingOverflow(by: length)
      guard !overflow else { return nil }
      product = next
    }
    return hasZero ? 0 : product
  }
}

// MARK: - From values

extension RawTensor {
  /// Float32 elements; shares the tensor's memory.
  package init(_ tensor: Tensor) { self.init(type: .float32, shape: tensor.shape, bytes: Bytes(floats: tensor.values)) }
  /// Int64 elements.
  package init(shape: [Int], int64s: [Int64]) { self.init(.int64, shape, int64s) }
  /// Unsigned bytes.
  package init(shape: [Int], uint8s: [UInt8]) { self.init(type: .uint8, shape: shape, bytes: Bytes(uint8s)) }
  /// Float64 elements.
  package init(shape: [Int], doubles: [Double]) { self.init(.float64, shape, doubles) }

  /// Copies the memory of `values`: this project runs on little-endian machines only.
  private init<T: BitwiseCopyable>(_ type: ElementType, _ shape: [Int], _ values: [T]) {
    self.init(type: type, shape: shape, bytes: Bytes(values.withUnsafeBytes { [UInt8]($0) }))
  }
}

// MARK: - To values

extension RawTensor {
  /// The values as float32, each rounded to the nearest. Exact for F32, F16, BF16, integers up to 2²⁴ and booleans.
  package func tensor() -> Tensor {
    let values: [Float] =
      switch type {
      case .float64: convert(Double.self) { Float($0) }
      case .float32: load(Float.self)
      case .float16: convert(Float16.self) { Float($0) }
      case .bfloat16: convert(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
      case .int64: convert(Int64.self) { Float($0) }
      case .int32: convert(Int32.self) { Float($0) }
      case .int16: convert(Int16.self) { Float($0) }
      case .int8: convert(Int8.self) { Float($0) }
      case .uint64: convert(UInt64.self) { Float($0) }
      case .uint32: convert(UInt32.self) { Float($0) }
      case .uint16: convert(UInt16.self) { Float($0) }
      case .uint8: convert(UInt8.self) { Float($0) }
      case .bool: convert(UInt8.self) { $0 == 0 ? 0 : 1 }
      }
    return Tensor(shape: shape, values: values)
  }

  /// The values as float64, each rounded to the nearest. Exact for every type but large 64-bit integers.
  package func doubles() -> [Double] {
    switch type {
    case .float64: load(Double.self)
    case .int64: convert(Int64.self) { Double($0) }
    case .uint64: convert(UInt64.self) { Double($0) }
    case .int32: convert(Int32.self) { Double($0) }
    case .uint32: convert(UInt32.self) { Double($0) }
    default: tensor().values.map(Double.init)
    }
  }

  /// The values as 64-bit integers; nil for floating-point types and for an unsigned value of 2⁶³ or more.
  package func int64s() -> [Int64]? {
    switch type {
    case .float64, .float32, .float16, .bfloat16: return nil
    case .int64: return load(Int64.self)
    case .int32: return convert(Int32.self) { Int64($0) }
    case .int16: return convert(Int16.self) { Int64($0) }
    case .int8: return convert(Int8.self) { Int64($0) }
    case .uint64:
      let values = load(UInt64.self)
      return values.contains { $0 > UInt64(Int64.max) } ? nil : values.map { Int64($0) }
    case .uint32: return convert(UInt32.self) { Int64($0) }
    case .uint16: return convert(UInt16.self) { Int64($0) }
    case .uint8: return convert(UInt8.self) { Int64($0) }
    case .bool: return convert(UInt8.self) { $0 == 0 ? 0 : 1 }
    }
  }

  /// The values as bytes; nil for types other than U8 and BOOL.
  package func uint8s() -> [UInt8]? {
    switch type {
    case .uint8, .bool: bytes.array
    default: nil
    }
  }

  /// A plain copy of the elements.
  private func load<T: BitwiseCopyable>(_: T.Type) -> [T] {
    bytes.withUnsafeBytes { source in
      [T](unsafeUninitializedCapacity: count) { target, initialized in
        UnsafeMutableRawBufferPointer(target).copyMemory(from: source)
        initialized = count
      }
    }
  }

  private func convert<T: BitwiseCopyable, R>(_: T.Type, _ body: (T) -> R) -> [R] {
    bytes.withUnsafeBytes { source in
      [R](unsafeUninitializedCapacity: count) { target, initialized in
        for i in 0..<count {
          let value = source.loadUnaligned(fromByteOffset: i * MemoryLayout<T>.size, as: T.self)
          target.initializeElement(at: i, to: body(value))
        }
        initialized = count
      }
    }
  }
}
