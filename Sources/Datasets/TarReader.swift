internal import Tensors

/// Reads the regular files of a tar archive (plain or gzip) one after the other, without unpacking it.
///
/// Understands ustar, GNU long names and POSIX extended headers. Entries that could reach outside a folder, or that are
/// links or devices, come with a refusal, although nothing is ever written.
final class TarReader {
  struct Entry {
    let path: String
    let size: Int
    /// Why it cannot be used; nil for a regular file inside the archive's own folder.
    var refusal: FormatError?
  }

  private let reader: any ByteStream
  /// Bytes of the current entry, padding included, that have not been read.
  private var pending = 0
  /// Bytes of the current entry's content that have not been read.
  private var current = 0
  private static let block = 512
  /// Longest path or extended header accepted.
  private static let maximumHeader = 1 << 20

  convenience init(path: String) throws(FormatError) { self.init(try GzipReader(path: path)) }

  private init(_ reader: any ByteStream) { self.reader = reader }

  /// The archive that the file just returned by `next` is. To be read before the next call of `next` on this one.
  func nested(_ entry: Entry) -> TarReader { TarReader(EntryStream(of: self, path: "\(reader.path): \(entry.path)")) }

  /// Moves to the next file; nil at the end of the archive. Folders are passed over.
  ///
  /// - Throws: `FormatError` for a damaged or foreign archive.
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
        let records = try extendedHeader()
        longPath = records["path"] ?? longPath
        if let text = records["size"] {
          guard let value = Int(text) else { throw problem("extended header size", "\"\(text)\"") }
          longSize = value
        }
      case UInt8(ascii: "L"):
        longPath = String(decoding: try description().prefix { $0 != 0 }, as: UTF8.self)
      case UInt8(ascii: "g"): break
      case UInt8(ascii: "5"):
        (longPath, longSize) = (nil, nil)
      case 0, UInt8(ascii: "0"), UInt8(ascii: "7"):
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard !path.hasPrefix("/"), !parts.contains(".."), parts.contains(where: { $0 != "." }) else {
          return refused(path, "\"\(path)\"", "paths must stay inside the archive's own folder; pack it again")
        }
        return Entry(path: parts.filter { $0 != "." }.joined(separator: "/"), size: size)
      case UInt8(ascii: "K"): break  // A link's long target; the link itself follows.
      case UInt8(ascii: "1"), UInt8(ascii: "2"):
        return refused(
          path, "\"\(path)\", a link", "pack the archive again with links followed (tar --dereference)")
      default:
        let type = (0x21...0x7E).contains(kind) ? "'\(Character(Unicode.Scalar(kind)))'" : "\(kind)"
        return refused(path, "\"\(path)\" of type \(type)", "only files and folders may be in it; pack it again")
      }
    }
  }

  private func refused(_ path: String, _ value: String, _ remedy: String) -> Entry {
    Entry(path: path, size: 0, refusal: problem("entry", value, remedy))
  }

  /// The content of the file that `next` has just returned.
  ///
  /// - Parameter limit: the largest size accepted, in bytes.
  func content(limit: Int) throws(FormatError) -> Bytes {
    guard current <= limit else { throw problem("file size", "\(current) bytes", "at most \(limit) are read") }
    let bytes = try part(upTo: current)
    guard current == 0 else { throw problem("archive", "cut short inside a file") }
    return Bytes(bytes)
  }

  /// The next bytes of the present file's content; fewer only at its end or the archive's.
  fileprivate func part(upTo count: Int) throws(FormatError) -> [UInt8] {
    let bytes = try reader.read(upTo: min(count, current))
    current -= bytes.count
    pending -= bytes.count
    return bytes
  }

  /// Passes over bytes of the present file's content.
  fileprivate func skipPart(_ count: Int) throws(FormatError) {
    let count = min(count, current)
    try reader.skip(count)
    current -= count
    pending -= count
  }

  /// The content of an entry that describes the next one.
  private func description() throws(FormatError) -> [UInt8] {
    try content(limit: Self.maximumHeader).array
  }

  /// Records `LENGTH KEY=VALUE\n` of a POSIX extended header.
  private func extendedHeader() throws(FormatError) -> [String: String] {
    var rest = try description()[...]
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

/// The content of one file of an archive.
private final class EntryStream: ByteStream {
  let path: String
  private let archive: TarReader

  init(of archive: TarReader, path: String) {
    self.archive = archive
    self.path = path
  }

  func read(upTo count: Int) throws(FormatError) -> [UInt8] { try archive.part(upTo: count) }
  func skip(_ count: Int) throws(FormatError) { try archive.skipPart(count) }
}
