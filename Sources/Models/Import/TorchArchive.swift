package import Tensors

/// A file written by `torch.save` (1.6 or later): a zip of one pickle and the tensors' storages.
package struct TorchArchive: Sendable {
  /// The saved value.
  package let root: TorchValue

  /// Maps the file at `path`.
  package static func read(path: String) throws(FormatError) -> TorchArchive {
    try TorchArchive(parsing: Bytes(contentsOf: path), file: path)
  }

  /// - Throws: `FormatError` for a file that is damaged, of the format before 1.6, or in need of more than tensors and
  ///   plain values; the name of what it needs is in the message.
  package init(parsing bytes: Bytes, file: String) throws(FormatError) {
    guard ZipArchive.isZip(bytes) else {
      let start = bytes.slice(0..<min(2, bytes.count)).array
      let isOldPickle = start.first == 0x80
      throw FormatError(
        file: file, field: "format", value: isOldPickle ? "PyTorch's from before 1.6" : "not PyTorch's zip format",
        remedy: isOldPickle
          ? "load it with torch.load and save it again with torch.save(..., _use_new_zipfile_serialization=True)"
          : "give a .pth or .pt file written by torch.save; the file may also be cut short")
    }
    let zip = try ZipArchive(parsing: bytes, file: file)
    let pickles = zip.entries.keys.filter { $0.hasSuffix("/data.pkl") && $0.split(separator: "/").count == 2 }
    guard pickles.count == 1, let pickle = pickles.first else {
      throw FormatError(
        file: file, field: "zip", value: "\(pickles.count) entries named data.pkl",
        remedy: "a file written by torch.save has one; this is another kind of zip")
    }
    let stem = pickle.dropLast("data.pkl".count)
    if let order = zip.entries["\(stem)byteorder"]?.array, order != Array("little".utf8) {
      throw FormatError(
        file: file, field: "byte order", value: "\"\(String(decoding: order.prefix(20), as: UTF8.self))\"",
        remedy: "save the file again on a little-endian machine")
    }
    var reader = try PickleReader(zip.entries[pickle]!, file: file) { zip.entries["\(stem)data/\($0)"] }
    let value = try reader.read()
    root = TorchValue(value, lists: reader.lists, dictionaries: reader.dictionaries)
  }
}

/// A value read from a PyTorch file; containers are opened step by step, because they may be circular.
package struct TorchValue: Sendable {
  package typealias Member = (key: TorchValue, value: TorchValue)

  private let value: PickleReader.Value
  private let lists: [[PickleReader.Value]]
  private let dictionaries: [[(key: PickleReader.Value, value: PickleReader.Value)]]

  init(
    _ value: PickleReader.Value, lists: [[PickleReader.Value]],
    dictionaries: [[(key: PickleReader.Value, value: PickleReader.Value)]]
  ) {
    self.value = value
    self.lists = lists
    self.dictionaries = dictionaries
  }

  package var isNone: Bool { if case .none = value { true } else { false } }
  package var bool: Bool? { if case .bool(let flag) = value { flag } else { nil } }
  package var int: Int? { if case .int(let number) = value { number } else { nil } }
  /// A number with or without fraction.
  package var double: Double? { if case .double(let number) = value { number } else { int.map(Double.init) } }
  package var string: String? { if case .string(let text) = value { text } else { nil } }
  package var tensor: TorchTensor? { if case .tensor(let tensor) = value { tensor } else { nil } }

  /// The elements of a list or tuple.
  package var elements: [TorchValue]? {
    switch value {
    case .list(let index), .tuple(let index): lists[index].map(sibling)
    default: nil
    }
  }

  /// The items of a dictionary, in order.
  package var members: [Member]? {
    guard case .dictionary(let index) = value else { return nil }
    return dictionaries[index].map { (sibling($0.key), sibling($0.value)) }
  }

  /// The value of a dictionary under a text key.
  package subscript(key: String) -> TorchValue? { members?.last { $0.key.string == key }?.value }

  private func sibling(_ value: PickleReader.Value) -> TorchValue {
    TorchValue(value, lists: lists, dictionaries: dictionaries)
  }
}
