/// Named tensors and text metadata in the safetensors format.
///
/// The file is an 8-byte little-endian header length, a JSON header (name → type, shape, byte range; `__metadata__` →
/// text pairs), and the tensors' bytes without gaps. Reading is strict and costs no copy: tensors point into the mapped
/// file. Writing is deterministic, because files are named by the hash of their bytes.
package struct SafetensorsFile: Sendable, Equatable {
  package struct Entry: Sendable, Equatable {
    package let name: String
    package let tensor: RawTensor
  }

  /// In the order of the header.
  package private(set) var entries: [Entry] = []
  /// Free text pairs; written in the order of their keys.
  package var metadata: [String: String] = [:]
  private var index: [String: Int] = [:]

  package init(metadata: [String: String] = [:]) { self.metadata = metadata }

  /// The tensor under `name`.
  package subscript(name: String) -> RawTensor? { index[name].map { entries[$0].tensor } }

  /// Adds a tensor at the end.
  ///
  /// - Precondition: `name` is new and is not `__metadata__`.
  package mutating func append(_ name: String, _ tensor: RawTensor) {
    precondition(index[name] == nil && name != Self.metadataKey, "tensor name \"\(name)\" is taken")
    index[name] = entries.count
    entries.append(Entry(name: name, tensor: tensor))
  }

  /// All tensors as float32, in the order of the header.
  package var stateDict: StateDict { StateDict(entries.map { ($0.name, $0.tensor.tensor()) }) }

  fileprivate static let metadataKey = "__metadata__"
  /// Longest header accepted, as in the reference implementation.
  fileprivate static let maximumHeader = 100_000_000
}

// MARK: - Writing

extension SafetensorsFile {
  /// Writes the file so that it appears complete or not at all.
  package func write(to path: String) throws(FormatError) {
    let file = try AtomicFile(path: path)
    try serialize { (part) throws(FormatError) in try file.write(part) }
    try file.commit()
  }

  /// The whole file in memory.
  package func serialized() -> Bytes {
    var out: [UInt8] = []
    serialize { part in part.withUnsafeBytes { out.append(contentsOf: $0) } }
    return Bytes(out)
  }

  /// The SHA-256 of the file as it is or would be written; takes no copy of it.
  package var digest: SHA256 {
    let accumulator = SHA256.Accumulator()
    serialize { part in accumulator.update(part) }
    return accumulator.finish()
  }

  /// Hands out the file piece by piece. Tensors of wider elements come first, so that each starts at a multiple of its
  /// element size (some readers need that); otherwise their order is kept. The header keeps it in any case.
  package func serialize<E: Error>(_ emit: (Bytes) throws(E) -> Void) throws(E) {
    let layout = entries.indices.sorted { a, b in
      let (x, y) = (entries[a].tensor.type.size, entries[b].tensor.type.size)
      return x != y ? x > y : a < b
    }
    var starts = [Int](repeating: 0, count: entries.count)
    var end = 0
    for i in layout {
      starts[i] = end
      end += entries[i].tensor.bytes.count
    }
    var members: [JSON.Member] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { JSON.Member($0.key, .string($0.value)) }
      members.append(JSON.Member(Self.metadataKey, .object(pairs)))
    }
    for (entry, start) in zip(entries, starts) {
      let tensor = entry.tensor
      let fields: [JSON.Member] = [
        .init("dtype", .string(tensor.type.rawValue)),
        .init("shape", .array(tensor.shape.map { .number($0) })),
        .init("data_offsets", .array([.number(start), .number(start + tensor.bytes.count)])),
      ]
      members.append(JSON.Member(entry.name, .object(fields)))
    }
    var header = Array(JSON.object(members).text().utf8)
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    try emit(Bytes(withUnsafeBytes(of: UInt64(header.count).littleEndian) { [UInt8]($0) } + header))
    for i in layout { try emit(entries[i].tensor.bytes) }
  }
}

// MARK: - Reading

extension SafetensorsFile {
  /// Reads the file at `path`, mapping it.
  ///
  /// - Throws: `FormatError` for anything outside the format; see `init(parsing:file:)`.
  package static func read(path: String) throws(FormatError) -> SafetensorsFile {
    try SafetensorsFile(parsing: Bytes(contentsOf: path), file: path)
  }

  /// Reads a file held in memory.
  ///
  /// - Throws: `FormatError` when the header is cut short, too long, not JSON or has a repeated name; when a type is
  ///   unknown, a shape does not fit its byte range, or the ranges leave the file, overlap or leave bytes unused.
  package init(parsing bytes: Bytes, file: String) throws(FormatError) {
    func problem(_ field: String, _ value: String, _ remedy: String) -> FormatError {
      FormatError(file: file, field: field, value: value, remedy: remedy)
    }
    guard bytes.count >= 8 else {
      throw problem("file size", "\(bytes.count) bytes", "a safetensors file has at least 8; the file is cut short")
    }
    let declared = bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    guard declared <= UInt64(min(Self.maximumHeader, bytes.count - 8)) else {
      throw problem(
        "header length", "\(declared)",
        "the file has \(bytes.count - 8) bytes after it: it is cut short or is not a safetensors file")
    }
    let headerEnd = 8 + Int(declared)
    let header = try JSON(parsing: bytes.slice(8..<headerEnd), file: file)
    guard let members = header.members else {
      throw problem("header", "not a JSON object", "the file is not a safetensors file")
    }
    let body = bytes.slice(headerEnd..<bytes.count)
    var ranges: [(range: Range<Int>, name: String)] = []
    for member in members {
      if member.key == Self.metadataKey {
        metadata = try Self.metadata(member.value, problem)
        continue
      }
      let (tensor, range) = try Self.tensor(member, body: body, problem)
      ranges.append((range, member.key))
      append(member.key, tensor)
    }
    try Self.requireCover(ranges, of: body.count, problem)
  }

  private typealias Problem = (_ field: String, _ value: String, _ remedy: String) -> FormatError

  private static func metadata(_ value: JSON, _ problem: Problem) throws(FormatError) -> [String: String] {
    guard let members = value.members else {
      throw problem("__metadata__", "not an object", "it must map names to text")
    }
    var pairs: [String: String] = [:]
    for member in members {
      guard let text = member.value.string else {
        throw problem("__metadata__ \"\(member.key)\"", member.value.text(), "values must be text")
      }
      pairs[member.key] = text
    }
    return pairs
  }

  private static func tensor(_ member: JSON.Member, body: Bytes, _ problem: Problem) throws(FormatError)
    -> (RawTensor, Range<Int>)
  {
    let name = "tensor \"\(member.key)\""
    guard let fields = member.value.members, Set(fields.map(\.key)) == ["dtype", "shape", "data_offsets"] else {
      throw problem(name, member.value.text(), "an entry has exactly dtype, shape and data_offsets")
    }
    guard let typeName = member.value["dtype"]?.string, let type = ElementType(rawValue: typeName) else {
      let known = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw problem("\(name) dtype", member.value["dtype"]!.text(), "known types are \(known)")
    }
    func naturals(_ key: String) -> [Int]? {
      guard let values = member.value[key]?.array else { return nil }
      let numbers = values.compactMap { $0.int }.filter { $0 >= 0 }
      return numbers.count == values.count ? numbers : nil
    }
    guard let shape = naturals("shape"), let size = RawTensor.byteCount(type: type, shape: shape) else {
      throw problem(
        "\(name) shape", member.value["shape"]!.text(), "it must list whole numbers with a product that fits")
    }
    guard let offsets = naturals("data_offsets"), offsets.count == 2, offsets[0] <= offsets[1], offsets[1] <= body.count
    else {
      throw problem(
        "\(name) data_offsets", member.value["data_offsets"]!.text(),
        "it must be [begin, end] with begin ≤ end ≤ \(body.count), the bytes after the header; the file may be cut short"
      )
    }
    guard offsets[1] - offsets[0] == size else {
      throw problem(
        "\(name) data_offsets", "\(offsets[1] - offsets[0]) bytes", "\(typeName) of shape \(shape) takes \(size)")
    }
    let range = offsets[0]..<offsets[1]
    return (RawTensor(type: type, shape: shape, bytes: body.slice(range)), range)
  }

  /// The ranges must tile the body: no byte twice, none unused.
  private static func requireCover(_ ranges: [(range: Range<Int>, name: String)], of count: Int, _ problem: Problem)
    throws(FormatError)
  {
    var end = 0
    let ordered = ranges.sorted { a, b in
      (a.range.lowerBound, a.range.upperBound) < (b.range.lowerBound, b.range.upperBound)
    }
    for (range, name) in ordered {
      guard range.lowerBound == end else {
        throw problem(
          "tensor \"\(name)\" data_offsets", "\(range.lowerBound) at its beginning",
          range.lowerBound < end
            ? "it overlaps the tensor before it, which ends at \(end)" : "bytes \(end) to there belong to no tensor")
      }
      end = range.upperBound
    }
    guard end == count else {
      throw problem("data size", "\(count) bytes", "the tensors take \(end); the rest belongs to none")
    }
  }
}
