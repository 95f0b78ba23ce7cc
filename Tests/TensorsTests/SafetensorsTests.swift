import TestSupport
import Testing

import Tensors

/// A file from a header text and data bytes.
private func file(_ header: String, data: [UInt8] = []) -> Bytes {
  let text = Array(header.utf8)
  return Bytes(withUnsafeBytes(of: UInt64(text.count).littleEndian) { [UInt8]($0) } + text + data)
}

@Suite struct SafetensorsTests {
  private func sample() -> SafetensorsFile {
    var file = SafetensorsFile(metadata: ["b": "2", "a": "line\n\"quoted\" é"])
    file.append("bytes", RawTensor(shape: [3], uint8s: [1, 2, 255]))
    file.append("weights", RawTensor(Tensor(shape: [2, 2], values: [1, -2.5, .infinity, 0])))
    file.append("counter", RawTensor(shape: [], int64s: [-7]))
    file.append("empty", RawTensor(Tensor(shape: [0, 4], values: [])))
    return file
  }

  @Test("what is written is read back with order, types, shapes, bytes and metadata")
  func roundTrip() throws {
    let folder = TemporaryFolder()
    let path = folder.file("x.safetensors")
    try sample().write(to: path)
    let read = try SafetensorsFile.read(path: path)
    #expect(read == sample())
    #expect(read.entries.map(\.name) == ["bytes", "weights", "counter", "empty"])
    #expect(read["weights"]?.tensor().values == [1, -2.5, .infinity, 0])
    #expect(read["counter"]?.int64s() == [-7])
    #expect(read["bytes"]?.uint8s() == [1, 2, 255])
    #expect(read.stateDict.names == ["bytes", "weights", "counter", "empty"])
    #expect(read.stateDict["counter"] == Tensor(shape: [], values: [-7]))
  }

  @Test("writing the same tensors gives the same bytes, in memory and on disk, whatever order metadata came in")
  func deterministic() throws {
    let folder = TemporaryFolder()
    let path = folder.file("x.safetensors")
    try sample().write(to: path)
    var other = SafetensorsFile()
    other.metadata["a"] = sample().metadata["a"]
    other.metadata["b"] = sample().metadata["b"]
    for entry in sample().entries { other.append(entry.name, entry.tensor) }
    #expect(try Bytes(contentsOf: path) == other.serialized())
    #expect(other.digest == SHA256(hashing: other.serialized()))
  }

  @Test("every tensor starts at a multiple of its element size")
  func aligned() throws {
    let bytes = sample().serialized()
    let length = bytes.withUnsafeBytes { Int($0.loadUnaligned(as: UInt64.self)) }
    let header = try JSON(parsing: bytes.slice(8..<8 + length), file: "test")
    for entry in sample().entries {
      let start = try #require(header[entry.name]?["data_offsets"]?.array?.first?.int)
      #expect((8 + length + start) % entry.tensor.type.size == 0)
    }
  }

  @Test("tensors are read from wherever a foreign writer put them, in the order of the header")
  func foreignOrder() throws {
    let read = try SafetensorsFile(
      parsing: file(
        #"{"z":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"a":{"dtype":"I16","shape":[1],"data_offsets":[0,2]}}  "#,
        data: [1, 2, 9]), file: "test")
    #expect(read.entries.map(\.name) == ["z", "a"])
    #expect(read["z"]?.uint8s() == [9])
    #expect(read["a"]?.int64s() == [0x0201])
  }

  static let hostile: [(String, Bytes, String)] = [
    ("no bytes", Bytes([]), "file size"),
    ("seven bytes", Bytes([1, 0, 0, 0, 0, 0, 0]), "file size"),
    ("header longer than the file", Bytes([200, 0, 0, 0, 0, 0, 0, 0, 0x7B]), "header length"),
    ("header length of all ones", Bytes([UInt8](repeating: 255, count: 16)), "header length"),
    ("header that is not JSON", file("{]"), "JSON at byte 1"),
    ("header that is a list", file("[]"), "header"),
    ("text after the header's object", file("{}x"), "JSON at byte 2"),
    (
      "a name twice",
      file(
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        data: [0]), "JSON at byte"
    ),
    ("an unknown type", file(#"{"a":{"dtype":"F7","shape":[1],"data_offsets":[0,1]}}"#, data: [0]), "dtype"),
    ("a negative length", file(#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#, data: [0]), "shape"),
    ("a fractional length", file(#"{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}"#, data: [0]), "shape"),
    (
      "a product past 64 bits",
      file(#"{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#), "shape"
    ),
    (
      "fewer bytes than the shape",
      file(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, data: [0, 0, 0, 0]), "data_offsets"
    ),
    (
      "a range past the end", file(#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, data: [0]), "data_offsets"
    ),
    ("a backward range", file(#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}"#, data: [0]), "data_offsets"),
    (
      "overlapping ranges",
      file(
        #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
        data: [0, 0, 0]), "tensor \"b\" data_offsets"
    ),
    (
      "a hole",
      file(
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#,
        data: [0, 0, 0]), "tensor \"b\" data_offsets"
    ),
    (
      "bytes after the last tensor", file(#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, data: [0, 0]),
      "data size"
    ),
    ("an extra field", file(#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}}"#), "tensor \"a\""),
    ("metadata that is not text", file(#"{"__metadata__":{"a":1}}"#), "__metadata__"),
  ]

  @Test("a malformed file is refused with the field that is wrong", arguments: hostile)
  func refused(what: String, bytes: Bytes, field: String) {
    let error = #expect(throws: FormatError.self) { try SafetensorsFile(parsing: bytes, file: "evil.safetensors") }
    #expect(error?.file == "evil.safetensors")
    #expect(error?.field.contains(field) == true, "\(what): \(error?.description ?? "accepted")")
  }

  @Test("cutting a file at any byte is refused")
  func truncated() {
    let whole = sample().serialized()
    for length in 0..<whole.count {
      #expect(throws: FormatError.self) { try SafetensorsFile(parsing: whole.slice(0..<length), file: "cut") }
    }
  }

  @Test("a missing file and a folder are refused by path", arguments: ["/nowhere/x.safetensors", "/tmp"])
  func notAFile(path: String) {
    let error = #expect(throws: FormatError.self) { try SafetensorsFile.read(path: path) }
    #expect(error?.file == path)
  }

  @Test(
    "a state dict saved by the reference implementation is read whole",
    .enabled(if: ReferenceData.has("golden/model_a.safetensors"), ReferenceData.absent))
  func reference() throws {
    let file = try SafetensorsFile.read(path: ReferenceData.path("golden/model_a.safetensors"))
    #expect(file["blocks.0.attn.qkv.weight"]?.shape == [192, 64])
    #expect(file["projection_head.1.num_batches_tracked"]?.type == .int64)
    let cls = try #require(file["cls_token"]?.tensor())
    #expect(cls.shape == [1, 1, 64])
    #expect(cls.values.allSatisfy { $0.isFinite && abs($0) < 10 })
  }
}
