/// Reads a section of a run file in which every key is optional and unknown keys are errors.
struct StrictKeys<Key: CodingKey & CaseIterable> {
  private let container: KeyedDecodingContainer<Key>

  /// - Throws: `DecodingError` that lists the unknown keys and the known ones.
  init(_ decoder: any Decoder, _: Key.Type) throws {
    container = try decoder.container(keyedBy: Key.self)
    let known = Key.allCases.map(\.stringValue)
    let unknown = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue).filter { !known.contains($0) }
    guard unknown.isEmpty else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "unknown \(unknown.sorted().joined(separator: ", ")); known keys here: "
            + known.sorted().joined(separator: ", ")))
    }
  }

  func value<T: Decodable>(_ key: Key, default value: T) throws -> T {
    try container.decodeIfPresent(T.self, forKey: key) ?? value
  }

  private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}
