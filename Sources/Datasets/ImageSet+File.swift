package import Tensors

/// The packed file: one safetensors file, named by its SHA-256.
///
/// Tensors: `images` U8 [N, C, H, W], `labels` I64 [N], `splits` U8 [N] (index into the metadata's list), `sources` U8
/// (UTF-8 text of all names, one after the other) and `source_ends` I64 [N] (where each name ends). Metadata: `format`,
/// `name`, `classes` and `splits` as JSON lists.
extension ImageSet {
  private static let format = "rrcm-image-set-1"

  /// The digest of the packed file: the set's name in the store and in certificates.
  package var digest: SHA256 { packed().digest }

  /// Writes the packed file so that it appears complete or not at all.
  package func write(to path: String) throws(FormatError) { try packed().write(to: path) }

  /// Reads a packed file; pixels stay mapped.
  ///
  /// - Throws: `FormatError` for a damaged or foreign file.
  package static func read(path: String) throws(FormatError) -> ImageSet {
    try ImageSet(packed: SafetensorsFile.read(path: path), file: path)
  }

  /// Reads a packed file's bytes, which stay in use.
  ///
  /// - Parameter file: a name for error messages.
  package init(parsing bytes: Bytes, file: String) throws(FormatError) {
    try self.init(packed: SafetensorsFile(parsing: bytes, file: file), file: file)
  }

  /// The packed file's content.
  package func packed() -> SafetensorsFile {
    func list(_ names: [String]) -> String { JSON.array(names.map { .string($0) }).text() }
    let splitNames = splitNames
    let splitIndex = Dictionary(uniqueKeysWithValues: zip(splitNames, UInt8(0)...))
    var text: [UInt8] = []
    var ends: [Int64] = []
    for source in sources {
      text.append(contentsOf: source.utf8)
      ends.append(Int64(text.count))
    }
    var file = SafetensorsFile(metadata: [
      "format": Self.format, "name": name, "classes": list(classNames), "splits": list(splitNames),
    ])
    file.append("images", RawTensor(type: .uint8, shape: [count, channels, height, width], bytes: images))
    file.append("labels", RawTensor(shape: [count], int64s: labels.map(Int64.init)))
    file.append("splits", RawTensor(shape: [count], uint8s: splits.map { splitIndex[$0]! }))
    file.append("source_ends", RawTensor(shape: [count], int64s: ends))
    file.append("sources", RawTensor(shape: [text.count], uint8s: text))
    return file
  }

  private init(packed file: SafetensorsFile, file path: String) throws(FormatError) {
    func problem(_ field: String, _ value: String) -> FormatError {
      FormatError(file: path, field: field, value: value, remedy: "the file is not a packed image set; import it again")
    }
    func metadata(_ key: String) throws(FormatError) -> String {
      guard let text = file.metadata[key] else { throw problem("metadata \"\(key)\"", "missing") }
      return text
    }
    func names(_ key: String) throws(FormatError) -> [String] {
      let text = try metadata(key)
      let list = try JSON(parsing: Bytes(Array(text.utf8)), file: "\(path) metadata \"\(key)\"").array
      guard let list, let names = list.map(\.string) as? [String] else { throw problem("metadata \"\(key)\"", text) }
      return names
    }
    func tensor(_ name: String, _ type: ElementType, axes: Int) throws(FormatError) -> RawTensor {
      guard let tensor = file[name] else { throw problem("tensor \"\(name)\"", "missing") }
      guard tensor.type == type, tensor.shape.count == axes else {
        throw problem("tensor \"\(name)\"", "\(tensor.type.rawValue) of shape \(tensor.shape)")
      }
      return tensor
    }
    let format = try metadata("format")
    guard format == Self.format else { throw problem("metadata \"format\"", "\"\(format)\"") }
    let images = try tensor("images", .uint8, axes: 4)
    let labels = try tensor("labels", .int64, axes: 1).int64s()!
    let splitNames = try names("splits")
    let splitIndices = try tensor("splits", .uint8, axes: 1).uint8s()!
    if let bad = splitIndices.first(where: { !splitNames.indices.contains(Int($0)) }) {
      throw problem("tensor \"splits\"", "\(bad) among \(splitNames.count) names")
    }
    let text = try tensor("sources", .uint8, axes: 1).uint8s()!
    var sources: [String] = []
    var start = 0
    for end in try tensor("source_ends", .int64, axes: 1).int64s()!.map({ Int($0) }) {
      guard end >= start, end <= text.count, let name = String(validating: text[start..<end], as: UTF8.self) else {
        throw problem("tensor \"source_ends\"", "\(end) after \(start)")
      }
      sources.append(name)
      start = end
    }
    guard images.shape[0] == labels.count else { throw problem("tensor \"images\" shape", "\(images.shape)") }
    try self.init(
      name: metadata("name"), classNames: names("classes"), channels: images.shape[1], height: images.shape[2],
      width: images.shape[3], images: images.bytes, labels: labels.map { Int($0) },
      splits: splitIndices.map { splitNames[Int($0)] }, sources: sources)
  }
}
