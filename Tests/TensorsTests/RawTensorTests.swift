import Testing

import Tensors

@Suite struct RawTensorTests {
  private func tensor(_ type: ElementType, _ bytes: [UInt8]) -> RawTensor {
    RawTensor(type: type, shape: [bytes.count / type.size], bytes: Bytes(bytes))
  }

  static let small: [(ElementType, [UInt8], Float)] = [
    (.float64, [0, 0, 0, 0, 0, 0, 0xF8, 0xBF], -1.5),
    (.float32, [0, 0, 0xC0, 0xBF], -1.5),
    (.float16, [0x00, 0xBE], -1.5),
    (.float16, [0x01, 0x00], 5.9604644775390625e-8),
    (.bfloat16, [0xC0, 0xBF], -1.5),
    (.int64, [254, 255, 255, 255, 255, 255, 255, 255], -2),
    (.int32, [254, 255, 255, 255], -2),
    (.int16, [254, 255], -2),
    (.int8, [254], -2),
    (.uint16, [254, 255], 65534),
    (.uint8, [254], 254),
    (.bool, [1], 1),
  ]

  @Test("every element type converts to float32 and to double", arguments: small)
  func converts(type: ElementType, bytes: [UInt8], value: Float) {
    #expect(tensor(type, bytes).tensor().values == [value])
    #expect(tensor(type, bytes).doubles() == [Double(value)])
  }

  @Test("integers come out exactly, and floating-point types are not taken for integers")
  func integers() {
    let large = RawTensor(shape: [2], int64s: [.max, .min])
    #expect(large.int64s() == [.max, .min])
    #expect(tensor(.uint64, [UInt8](repeating: 255, count: 8)).int64s() == nil)
    #expect(tensor(.float32, [0, 0, 0, 0]).int64s() == nil)
    #expect(tensor(.float32, [0, 0, 0, 0]).uint8s() == nil)
  }

  @Test("doubles keep all their digits")
  func doubles() {
    #expect(RawTensor(shape: [1], doubles: [0.1]).doubles() == [0.1])
  }

  @Test("sizes that leave 64 bits are noticed")
  func overflow() {
    #expect(RawTensor.byteCount(type: .float32, shape: [1 << 40, 1 << 40]) == nil)
    #expect(RawTensor.byteCount(type: .float32, shape: [1 << 40, 1 << 40, 0]) == nil)
    #expect(RawTensor.byteCount(type: .float32, shape: [-1]) == nil)
    #expect(RawTensor.byteCount(type: .float32, shape: []) == 4)
    #expect(RawTensor.byteCount(type: .float32, shape: [3, 0]) == 0)
  }
}
