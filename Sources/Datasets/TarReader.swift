internal import Tensors

/// Reads the regular files of a tar archive (plain or gzip) one after the other, without unpacking it.
///
/// Understands ustar, GNU long names and POSIX extended headers. Entries that could reach outside a folder, or that are
/// links or devices, are refused, although nothing is ever written.
final class TarReader {
  struct Entry {
    let path: String
    let size: Int
  }

  private let reader: GzipReader
  /// Bytes of the current entry, padding included, that have not been read.
  private var pending = 0
  /// Content size of the current entry.
  private var current = 0
  private static let block = 512
  /// Longest path or extended header accepted.
  private static let maximumHeader = 1 << 20

  init(path: String) throws(FormatError) { reader = try GzipReader(path: path) }

  /// Moves to the next regular file; nil at the end of the archive. Folders are passed over.
  ///
  /// - Throws: `FormatError` for a damaged or foreign archive and for entries as described above.
  func next() throws(FormatError) -> Entry? {
    var longPath: String?
    var longSize: Int?
    while true {
      try reader.skip(pending)
      pending = 0
      let header = try reader.read(upTo: Self.block)
      // Without the end mark there is no telling how many files are missing.
      guard header.count == Self.block else { throw problem("archive", "cut short: its end mark is missing") }
      if header.allSatisfy({ $0 == 0 }) { return nil }
      try requireChecksum(header)
      let path = longPath ?? Self.name(in: header)
      guard let size = longSize ?? Self.number(header[124..<136]), size >= 0, size <= Int.max - Self.block else {
        throw problem("size of \"\(path)\"", "not a number")
      }
      pending = (size + Self.block - 1) / Self.block * Self.block
      current = size
      let kind = header[156]
      switch kind {
      case UInt8(ascii: "x"):
        let records = try extendedHeader(size)
        longPath = records["path"] ?? longPath
        if let text = records["size"] {
          guard let value = Int(text) else { throw problem("extended header size", "\"\(text)\"") }
          longSize = value
        }
      case UInt8(ascii: "L"):
        longPath = String(decoding: try description(of: size).prefix { $0 != 0 }, as: UTF8.self)
      case UInt8(ascii: "g"): break
      case UInt8(ascii: "5"):
        (longPath, longSize) = (nil, nil)
      case 0, UInt8(ascii: "0"), UInt8(ascii: "7"):
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard !path.hasPrefix("/"), !parts.contains(".."), !parts.isEmpty else {
          throw problem("entry", "\"\(path)\"", "paths must stay inside the archive's own folder; pack it again")
        }
        return Entry(path: parts.filter { $0 != "." }.joined(separator: "/"), size: size)
      case UInt8(ascii: "1"), UInt8(ascii: "2"), UInt8(ascii: "K"):
        throw problem("entry", "\"\(path)\", a link", "pack the archive again with links followed (tar --dereference)")
      default:
        let letter = Character(Unicode.Scalar(kind))
        throw problem("entry", "\"\(path)\" of type '\(letter)'", "only files and folders may be in it; pack it again")
      }
    }
  }

  /// The content of the file that `next` has just returned.
  func content() throws(FormatError) -> Bytes {
    let bytes = try reader.read(upTo: current)
    guard bytes.count == current else { throw problem("archive", "cut short inside a file") }
    pending -= current
    return Bytes(bytes)
  }

  /// The content of an entry that describes the next one.
  private func description(of size: Int) throws(FormatError) -> [UInt8] {
    guard size <= Self.maximumHeader else { throw problem("extended header", "\(size) bytes long") }
    return try content().array
  }

  /// Records `LENGTH KEY=VALUE\n` of a POSIX extended header.
  private func extendedHeader(_ size: Int) throws(FormatError) -> [String: String] {
    var rest = try description(of: size)[...]
    var records: [String: String] = [:]
    while !rest.isEmpty {
      guard let space = rest.firstIndex(of: UInt8(ascii: " ")),
        let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
        length > space - rest.startIndex + 1, length <= rest.count,
        let equals = rest[space..<rest.startIndex + length].firstIndex(of: UInt8(ascii: "="))
      else { throw problem("extended header", "malformed") }
      let end = rest.startIndex + length
      let key = String(decoding: rest[(space + 1)..<equals], as: UTF8.self)
      records[key] = String(decoding: rest[(equals + 1)..<max(equals + 1, end - 1)], as: UTF8.self)
      rest = rest[end...]
    }
    return records
  }

  private func requireChecksum(_ header: [UInt8]) throws(FormatError) {
    // The checksum's own eight bytes count as spaces.
    let sum = header.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
    guard Self.number(header[148..<156]) == sum else {
      throw problem("archive", "not a tar archive, or damaged (a header's checksum is wrong)")
    }
  }

  private static func name(in header: [UInt8]) -> String {
    func text(_ range: Range<Int>) -> String { String(decoding: header[range].prefix { $0 != 0 }, as: UTF8.self) }
    // GNU's older format uses the prefix field for other things and says so with a trailing space.
    let isPOSIX = header[257..<263].elementsEqual(Array("ustar".utf8) + [0])
    let prefix = isPOSIX ? text(345..<500) : ""
    return prefix.isEmpty ? text(0..<100) : prefix + "/" + text(0..<100)
  }

  /// Octal digits, or a big-endian number after a byte of 0x80 (for files of 8 GB and more).
  private static func number(_ field: ArraySlice<UInt8>) -> Int? {
    if field.first == 0x80 {
      return field.dropFirst().reduce(Int?(0)) { value, byte in
        guard let value, value < 1 << 53 else { return nil }
        return value << 8 | Int(byte)
      }
    }
    let text = String(decoding: field, as: UTF8.self).trimmingPrefix { $0 == " " }.prefix { ("0"..."7").contains($0) }
    return text.isEmpty ? nil : Int(text, radix: 8)
  }

  private func problem(_ field: String, _ value: String, _ remedy: String = "fetch or pack the archive again")
    -> FormatError
  {
    FormatError(file: reader.path, field: field, value: value, remedy: remedy)
  }
}
