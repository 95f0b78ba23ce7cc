/// Assembles PyTorch files byte by byte, well-formed ones and others.
struct TorchFileBuilder {
  private var pickle: [UInt8] = [0x80, 2]
  private var storages: [(key: String, bytes: [UInt8])] = []
  var byteOrder = "little"

  // MARK: Pickle instructions

  mutating func raw(_ bytes: [UInt8]) { pickle += bytes }
  mutating func text(_ text: String) {
    pickle += [UInt8(ascii: "X")] + little(UInt32(text.utf8.count)) + Array(text.utf8)
  }
  mutating func int(_ value: Int) {
    if let small = Int32(exactly: value) {
      pickle += [UInt8(ascii: "J")] + little(small)
    } else {
      pickle += [0x8A, 8] + little(value)
    }
  }
  mutating func global(_ module: String, _ name: String) { pickle += Array("c\(module)\n\(name)\n".utf8) }
  mutating func mark() { pickle.append(UInt8(ascii: "(")) }
  mutating func tuple() { pickle.append(UInt8(ascii: "t")) }
  mutating func reduce() { pickle.append(UInt8(ascii: "R")) }
  mutating func ints(_ values: [Int]) {
    mark()
    for value in values { int(value) }
    tuple()
  }

  /// Starts an ordered dictionary; follow with keys and values, then `endDictionary`.
  mutating func beginDictionary() {
    global("collections", "OrderedDict")
    raw(Array(")R(".utf8))
  }
  mutating func endDictionary() { raw(Array("u".utf8)) }

  /// A tensor over a storage of its own, or over the one already stored under `key`.
  mutating func tensor(
    _ storageClass: String, key: String, bytes: [UInt8]? = nil, count: Int, offset: Int = 0, shape: [Int],
    strides: [Int]
  ) {
    if let bytes { storages.append((key, bytes)) }
    global("torch._utils", "_rebuild_tensor_v2")
    mark()
    mark()
    text("storage")
    global("torch", storageClass)
    text(key)
    text("cpu")
    int(count)
    tuple()
    raw([UInt8(ascii: "Q")])
    int(offset)
    ints(shape)
    ints(strides)
    raw([0x89])
    global("collections", "OrderedDict")
    raw(Array(")R".utf8))
    tuple()
    reduce()
  }

  // MARK: Zip

  /// The file. `wide` writes sizes and positions as 64-bit extensions, as for large files.
  func file(wide: Bool = false) -> [UInt8] {
    let entries =
      [("net/data.pkl", pickle + [UInt8(ascii: ".")]), ("net/byteorder", Array(byteOrder.utf8))]
      + storages.map { ("net/data/\($0.key)", $0.bytes) } + [("net/version", Array("3\n".utf8))]
    return Self.zip(entries, wide: wide)
  }

  static func zip(_ entries: [(String, [UInt8])], wide: Bool = false, method: UInt16 = 0) -> [UInt8] {
    var out: [UInt8] = []
    var directory: [UInt8] = []
    for (name, content) in entries {
      let position = out.count
      let size = UInt32(content.count)
      let padding = [UInt8](repeating: 0, count: (64 - (position + 30 + name.utf8.count) % 64) % 64)
      out += little(UInt32(0x0403_4B50)) + little(UInt16(20)) + little(UInt16(0)) + little(method)
      out += little(UInt32(0)) + little(UInt32(0)) + little(size) + little(size)
      out += little(UInt16(name.utf8.count)) + little(UInt16(padding.count)) + Array(name.utf8) + padding + content
      let extra =
        wide
        ? little(UInt16(1)) + little(UInt16(24)) + little(UInt64(size)) + little(UInt64(size))
          + little(UInt64(position)) : []
      let small = wide ? UInt32.max : size
      directory += little(UInt32(0x0201_4B50)) + little(UInt16(20)) + little(UInt16(20)) + little(UInt16(0))
      directory += little(method) + little(UInt32(0)) + little(UInt32(0)) + little(small) + little(small)
      directory += little(UInt16(name.utf8.count)) + little(UInt16(extra.count)) + little(UInt16(0))
      directory += little(UInt16(0)) + little(UInt16(0)) + little(UInt32(0))
      directory += little(wide ? UInt32.max : UInt32(position)) + Array(name.utf8) + extra
    }
    let start = out.count
    out += directory
    if wide {
      let record = out.count
      out += little(UInt32(0x0606_4B50)) + little(UInt64(44)) + little(UInt16(45)) + little(UInt16(45))
      out += little(UInt32(0)) + little(UInt32(0)) + little(UInt64(entries.count)) + little(UInt64(entries.count))
      out += little(UInt64(directory.count)) + little(UInt64(start))
      out += little(UInt32(0x0706_4B50)) + little(UInt32(0)) + little(UInt64(record)) + little(UInt32(1))
    }
    out += little(UInt32(0x0605_4B50)) + little(UInt16(0)) + little(UInt16(0))
    out += little(wide ? UInt16.max : UInt16(entries.count)) + little(wide ? UInt16.max : UInt16(entries.count))
    out += little(wide ? UInt32.max : UInt32(directory.count)) + little(wide ? UInt32.max : UInt32(start))
    return out + little(UInt16(0))
  }
}

/// Little-endian bytes of a number.
func little<T: BitwiseCopyable>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { [UInt8]($0) } }

/// Little-endian bytes of numbers, one after the other.
func little<T: BitwiseCopyable>(_ values: [T]) -> [UInt8] { values.flatMap { little($0) } }
