internal import Tensors

/// The uncompressed entries of a zip file, located through its central directory; nothing is copied.
///
/// Understands what PyTorch writes: stored entries, with 64-bit extensions. Every position is checked against the file.
struct ZipArchive {
  /// Content by entry name.
  private(set) var entries: [String: Bytes] = [:]

  private let bytes: Bytes
  private let file: String
  private static let maximumEntries = 1 << 20

  /// Whether the first bytes are those of a zip file.
  static func isZip(_ bytes: Bytes) -> Bool {
    bytes.count >= 4 && bytes.slice(0..<4).array == [0x50, 0x4B, 0x03, 0x04]
  }

  init(parsing bytes: Bytes, file: String) throws(FormatError) {
    self.bytes = bytes
    self.file = file
    let directory = try locateDirectory()
    var position = directory.start
    for _ in 0..<directory.count {
      position = try readEntry(at: position, end: directory.end)
    }
  }

  private func problem(_ field: String, _ value: String) -> FormatError {
    FormatError(
      file: file, field: "zip \(field)", value: value, remedy: "the file is cut short or damaged; fetch it again")
  }

  /// A little-endian number of the file.
  private func number<T: FixedWidthInteger & UnsignedInteger>(_: T.Type, at position: Int) throws(FormatError) -> Int {
    guard position >= 0, position <= bytes.count - MemoryLayout<T>.size else {
      throw problem("position", "\(position), outside the file of \(bytes.count) bytes")
    }
    let value = bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: T.self)) }
    guard let result = Int(exactly: value) else { throw problem("number", "\(value)") }
    return result
  }

  private func slice(_ start: Int, _ length: Int, _ what: String) throws(FormatError) -> Bytes {
    guard start >= 0, length >= 0, start <= bytes.count, length <= bytes.count - start else {
      throw problem(what, "\(length) bytes at \(start), outside the file of \(bytes.count) bytes")
    }
    return bytes.slice(start..<start + length)
  }

  /// Finds the central directory from the end of the file.
  private func locateDirectory() throws(FormatError) -> (start: Int, end: Int, count: Int) {
    let endSize = 22
    let longestComment = 65_535
    var end = bytes.count - endSize
    while end >= max(0, bytes.count - endSize - longestComment) {
      if try number(UInt32.self, at: end) == 0x0605_4B50,
        try number(UInt16.self, at: end + 20) == bytes.count - end - endSize
      {
        break
      }
      end -= 1
    }
    guard end >= max(0, bytes.count - endSize - longestComment) else { throw problem("end record", "missing") }
    var count = try number(UInt16.self, at: end + 10)
    var size = try number(UInt32.self, at: end + 12)
    var start = try number(UInt32.self, at: end + 16)
    let locator = end - 20
    if locator >= 0, try number(UInt32.self, at: locator) == 0x0706_4B50 {
      let wide = try number(UInt64.self, at: locator + 8)
      guard wide <= locator, try number(UInt32.self, at: wide) == 0x0606_4B50 else {
        throw problem("64-bit end record", "missing")
      }
      count = try number(UInt64.self, at: wide + 32)
      size = try number(UInt64.self, at: wide + 40)
      start = try number(UInt64.self, at: wide + 48)
    }
    guard count <= Self.maximumEntries else { throw problem("entry count", "\(count)") }
    _ = try slice(start, size, "directory")
    return (start, start + size, count)
  }

  /// Adds the entry whose directory record starts at `position` and returns where the next one does.
  private mutating func readEntry(at position: Int, end: Int) throws(FormatError) -> Int {
    guard position <= end - 46, try number(UInt32.self, at: position) == 0x0201_4B50 else {
      throw problem("directory", "malformed at byte \(position)")
    }
    let flags = try number(UInt16.self, at: position + 8)
    let method = try number(UInt16.self, at: position + 10)
    var place = Place(
      size: try number(UInt32.self, at: position + 24), compressed: try number(UInt32.self, at: position + 20),
      header: try number(UInt32.self, at: position + 42))
    let nameLength = try number(UInt16.self, at: position + 28)
    let extraLength = try number(UInt16.self, at: position + 30)
    let commentLength = try number(UInt16.self, at: position + 32)
    let next = position + 46 + nameLength + extraLength + commentLength
    guard next <= end else { throw problem("directory", "cut short at byte \(position)") }
    guard let name = String(validating: try slice(position + 46, nameLength, "name").array, as: UTF8.self) else {
      throw problem("entry name", "not UTF-8")
    }
    let extras = position + 46 + nameLength
    try readWideFields(&place, in: extras..<extras + extraLength, of: name)
    guard method == 0, flags & 1 == 0, place.compressed == place.size else {
      throw FormatError(
        file: file, field: "zip entry \"\(name)\"", value: "compressed or encrypted",
        remedy: "PyTorch stores its entries plainly: save the file again with torch.save")
    }
    let header = place.header
    guard header <= bytes.count - 30, try number(UInt32.self, at: header) == 0x0403_4B50 else {
      throw problem("entry \"\(name)\"", "without its header at byte \(header)")
    }
    let start = header + 30 + (try number(UInt16.self, at: header + 26)) + (try number(UInt16.self, at: header + 28))
    let content = try slice(start, place.size, "entry \"\(name)\"")
    guard entries.updateValue(content, forKey: name) == nil else { throw problem("entry \"\(name)\"", "present twice") }
    return next
  }

  /// Where an entry's content is.
  private struct Place {
    var size: Int
    var compressed: Int
    var header: Int
  }

  /// Replaces those fields whose 32 bits are all ones by the 64-bit values that follow in the extra fields.
  private func readWideFields(_ place: inout Place, in range: Range<Int>, of name: String) throws(FormatError) {
    var extra = range.lowerBound
    while extra + 4 <= range.upperBound {
      let end = extra + 4 + (try number(UInt16.self, at: extra + 2))
      guard end <= range.upperBound else { throw problem("entry \"\(name)\"", "malformed") }
      if try number(UInt16.self, at: extra) == 1 {
        var field = extra + 4
        for value in [\Place.size, \.compressed, \.header] where place[keyPath: value] == 0xFFFF_FFFF {
          guard field + 8 <= end else { throw problem("entry \"\(name)\"", "malformed") }
          place[keyPath: value] = try number(UInt64.self, at: field)
          field += 8
        }
      }
      extra = end
    }
  }
}
