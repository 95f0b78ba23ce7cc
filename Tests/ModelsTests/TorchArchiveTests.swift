import Testing

import Models
import Tensors

private func parse(_ builder: TorchFileBuilder, wide: Bool = false) throws -> TorchArchive {
  try TorchArchive(parsing: Bytes(builder.file(wide: wide)), file: "test.pt")
}

@Suite struct TorchArchiveTests {
  /// A dictionary with one tensor "x".
  private func single(
    _ storageClass: String = "FloatStorage", bytes: [UInt8] = little([Float](arrayLiteral: 0, 1, 2, 3, 4, 5)),
    count: Int = 6,
    offset: Int = 0, shape: [Int], strides: [Int]
  ) -> TorchFileBuilder {
    var builder = TorchFileBuilder()
    builder.beginDictionary()
    builder.text("x")
    builder.tensor(
      storageClass, key: "0", bytes: bytes, count: count, offset: offset, shape: shape, strides: strides)
    builder.endDictionary()
    return builder
  }

  static let views: [(shape: [Int], strides: [Int], offset: Int, values: [Float])] = [
    ([2, 3], [3, 1], 0, [0, 1, 2, 3, 4, 5]), ([3, 2], [1, 3], 0, [0, 3, 1, 4, 2, 5]),
    ([2, 2], [3, 1], 1, [1, 2, 4, 5]),
    ([], [], 4, [4]), ([1, 6, 1], [77, 1, 99], 0, [0, 1, 2, 3, 4, 5]), ([0, 3], [3, 1], 0, []), ([2], [5], 0, [0, 5]),
    ([3], [0], 2, [2, 2, 2]), ([2, 1, 3], [1, 9, 2], 0, [0, 2, 4, 1, 3, 5]),
  ]

  @Test("views with any strides and offset come out in row-major order", arguments: views)
  func view(shape: [Int], strides: [Int], offset: Int, values: [Float]) throws {
    for wide in [false, true] {
      let archive = try parse(single(offset: offset, shape: shape, strides: strides), wide: wide)
      let tensor = try #require(archive.root["x"]?.tensor)
      #expect(tensor.contiguous.tensor() == Tensor(shape: shape, values: values))
    }
  }

  static let classes: [(String, ElementType, [UInt8])] = [
    ("FloatStorage", .float32, little([Float(3), -1])), ("DoubleStorage", .float64, little([Double(3), -1])),
    ("HalfStorage", .float16, little([Float16(3), -1])), ("BFloat16Storage", .bfloat16, [0x40, 0x40, 0x80, 0xBF]),
    ("LongStorage", .int64, little([Int64(3), -1])), ("IntStorage", .int32, little([Int32(3), -1])),
    ("ShortStorage", .int16, little([Int16(3), -1])), ("CharStorage", .int8, little([Int8(3), -1])),
  ]

  @Test("every storage class is read with its type", arguments: classes)
  func storageClass(name: String, type: ElementType, bytes: [UInt8]) throws {
    let archive = try parse(single(name, bytes: bytes, count: 2, shape: [2], strides: [1]))
    let tensor = try #require(archive.root["x"]?.tensor).contiguous
    #expect(tensor.type == type)
    #expect(tensor.doubles() == [3, -1])
  }

  @Test("bytes and booleans are read as such")
  func bytes() throws {
    for (name, type) in [("ByteStorage", ElementType.uint8), ("BoolStorage", .bool)] {
      let archive = try parse(single(name, bytes: [1, 0, 1], count: 3, shape: [3], strides: [1]))
      let tensor = try #require(archive.root["x"]?.tensor).contiguous
      #expect(tensor.type == type && tensor.uint8s() == [1, 0, 1])
    }
  }

  @Test("two tensors may share one storage")
  func shared() throws {
    var builder = TorchFileBuilder()
    builder.beginDictionary()
    builder.text("a")
    builder.tensor("FloatStorage", key: "7", bytes: little([Float(1), 2, 3]), count: 3, shape: [2], strides: [1])
    builder.text("b")
    builder.tensor("FloatStorage", key: "7", count: 3, offset: 1, shape: [2], strides: [1])
    builder.endDictionary()
    let root = try parse(builder).root
    #expect(root.members?.map { $0.key.string } == ["a", "b"])
    #expect(root["b"]?.tensor?.contiguous.tensor().values == [2, 3])
  }

  static let badViews: [(String, [Int], [Int], Int)] = [
    ("past the end", [7], [1], 0), ("offset past the end", [1], [1], 6), ("stride past the end", [2], [6], 0),
    ("negative offset", [1], [1], -1), ("negative stride", [2], [-1], 5), ("negative length", [-2], [1], 0),
    ("a rank that differs", [2, 3], [1], 0), ("more elements than stored", [100], [0], 0),
    ("a product past 64 bits", [1 << 40, 1 << 40], [0, 0], 0),
    ("a step past 64 bits", [3, 2], [Int.max / 2 + 2, 1], 0),
    ("a sum past 64 bits", [2, 2, 1], [Int.max, Int.max, 1], 0),
  ]

  @Test("a tensor that does not fit its storage is refused", arguments: badViews)
  func badView(what: String, shape: [Int], strides: [Int], offset: Int) {
    let builder = single(offset: offset, shape: shape, strides: strides)
    let error = #expect(throws: FormatError.self) { try parse(builder) }
    #expect(error?.value.contains("does not fit its storage") == true)
  }

  @Test("a storage whose declared length is not the stored one is refused", arguments: [5, 7, -1, Int.max])
  func badStorage(count: Int) {
    let builder = single(count: count, shape: [1], strides: [1])
    let error = #expect(throws: FormatError.self) { try parse(builder) }
    #expect(error?.value.contains("storage \"0\" has 24 bytes") == true)
  }

  static let functions: [(String, String)] = [
    ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("__builtin__", "exec"), ("torch", "load"),
    ("torch._utils", "_rebuild_tensor"), ("numpy.core.multiarray", "scalar"), ("collections", "defaultdict"),
  ]

  @Test("a function that is not needed for tensors is refused by its name, in both spellings", arguments: functions)
  func otherFunction(module: String, name: String) {
    var old = TorchFileBuilder()
    old.global(module, name)
    old.mark()
    old.text("echo hacked > /tmp/hacked")
    old.tuple()
    old.reduce()
    var new = TorchFileBuilder()
    new.text(module)
    new.text(name)
    new.raw([0x93])
    for builder in [old, new] {
      let error = #expect(throws: FormatError.self) { try parse(builder) }
      #expect(error?.value.contains("\(module).\(name)") == true)
      #expect(error?.remedy.contains("nothing is executed") == true)
    }
  }

  static let damaged: [(String, [UInt8])] = [
    ("nothing on the stack", []), ("a tuple from nothing", [0x87]), ("no mark", Array("t".utf8)),
    ("a reference to nothing", Array("h\u{5}".utf8)), ("text cut short", Array("X\u{FF}".utf8)),
    ("a text length of 4 GB", [UInt8(ascii: "X"), 255, 255, 255, 255]),
    ("items without a dictionary", Array("N((u".utf8)),
    ("an odd number of items", Array("}(Nu".utf8)), ("a call of nothing", Array("NNR".utf8)),
    ("a storage that is no tuple", Array("NQ".utf8)), ("an object instruction", Array("(i".utf8)),
    ("a class instruction", [0x81]), ("an unending line", Array("cos".utf8)), ("a mark as a value", Array("((R".utf8)),
    ("an integer of 9 bytes", [0x8A, 9] + [UInt8](repeating: 1, count: 9)), ("state for a tuple", Array(")Nb".utf8)),
    ("values left over", Array("NN".utf8)), ("text that is not UTF-8", [0x8C, 1, 0xFF]),
  ]

  @Test("a malformed pickle is refused", arguments: damaged)
  func malformed(what: String, instructions: [UInt8]) {
    var builder = TorchFileBuilder()
    builder.raw(instructions)
    #expect(throws: FormatError.self, "\(what)") { try parse(builder) }
  }

  @Test("containers nested a million deep, or in themselves, cost neither stack nor time")
  func nesting() throws {
    var deep = TorchFileBuilder()
    deep.raw([UInt8](repeating: UInt8(ascii: "]"), count: 1_000_000))
    deep.raw([UInt8](repeating: UInt8(ascii: "a"), count: 999_999))
    #expect(try parse(deep).root.elements?.count == 1)
    var circular = TorchFileBuilder()
    circular.raw(Array("]q\u{0}h\u{0}a".utf8))
    #expect(try parse(circular).root.elements?.first?.elements?.first?.elements?.count == 1)
  }

  @Test("doubling references do not multiply")
  func doubling() throws {
    var builder = TorchFileBuilder()
    builder.raw(Array("]q\u{0}".utf8))
    for level in 1..<100 {
      builder.raw(
        Array("](h".utf8) + [UInt8(level - 1)] + Array("h".utf8) + [UInt8(level - 1)] + Array("eq".utf8) + [
          UInt8(level)
        ])
    }
    // Only the outermost list may remain on the stack: the inner ones are dropped from under it.
    builder.raw([UInt8](repeating: UInt8(ascii: "0"), count: 99) + Array("h".utf8) + [99, UInt8(ascii: "0")])
    #expect(try parse(builder).root.elements != nil)
  }

  @Test("a file cut at any length is refused")
  func truncated() {
    let whole = Bytes(single(shape: [2, 3], strides: [3, 1]).file())
    for length in 0..<whole.count {
      #expect(throws: FormatError.self, "cut at \(length)") {
        try TorchArchive(parsing: whole.slice(0..<length), file: "cut.pt")
      }
    }
  }

  @Test("no change of a single byte crashes the reader")
  func mutated() {
    let whole = single(shape: [2, 3], strides: [3, 1]).file()
    var read = 0
    for position in whole.indices {
      for value: UInt8 in [0, 0x7F, 0xFF, whole[position] ^ 1] {
        var bytes = whole
        bytes[position] = value
        if let archive = try? TorchArchive(parsing: Bytes(bytes), file: "x.pt") {
          _ = archive.root["x"]?.tensor?.contiguous.tensor()
          read += 1
        }
      }
    }
    #expect(read > 0 && read < whole.count * 4)
  }

  @Test("files of other kinds are refused with what to do")
  func otherKinds() {
    func refusal(_ bytes: [UInt8]) -> FormatError? {
      #expect(throws: FormatError.self) { try TorchArchive(parsing: Bytes(bytes), file: "x") }
    }
    #expect(refusal([0x80, 2, 0x8A, 10])?.value.contains("before 1.6") == true)
    #expect(refusal([0x80, 2, 0x8A, 10])?.remedy.contains("save it again") == true)
    #expect(refusal([])?.field == "format")
    #expect(refusal(TorchFileBuilder.zip([("a.txt", [1])]))?.value.contains("data.pkl") == true)
    #expect(refusal(TorchFileBuilder.zip([("n/data.pkl", [1])], method: 8))?.value == "compressed or encrypted")
    #expect(refusal(TorchFileBuilder.zip([("n/data.pkl", [1]), ("n/data.pkl", [1])]))?.value == "present twice")
    var big = single(shape: [6], strides: [1])
    big.byteOrder = "big"
    #expect(refusal(big.file())?.field == "byte order")
  }
}
