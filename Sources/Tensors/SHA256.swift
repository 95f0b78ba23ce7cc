internal import CCrypto

/// SHA-256 of bytes: the name of everything this project stores by content.
package struct SHA256: Sendable, Hashable {
  /// 32 bytes.
  package let bytes: [UInt8]

  /// The digest of `data`.
  package init(hashing data: some Sequence<UInt8>) {
    let array = Array(data)
    self = array.withUnsafeBytes { SHA256(hashing: $0) }
  }

  /// The digest of a memory region.
  package init(hashing region: UnsafeRawBufferPointer) {
    var digest = [UInt8](repeating: 0, count: 32)
    _ = CCrypto.SHA256(region.bindMemory(to: UInt8.self).baseAddress, region.count, &digest)
    bytes = digest
  }

  /// 64 lower-case hexadecimal digits.
  package var hex: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
