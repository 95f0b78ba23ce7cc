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

  /// The digest of `bytes`.
  package init(hashing bytes: Bytes) {
    let accumulator = Accumulator()
    accumulator.update(bytes)
    self = accumulator.finish()
  }

  /// The digest written as 64 hexadecimal digits of either case; nil for any other text.
  package init?(hex: String) {
    let digits = hex.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count == 64, !digits.contains(nil) else { return nil }
    bytes = stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0]! << 4 | digits[$0 + 1]!) }
  }

  /// 64 lower-case hexadecimal digits.
  package var hex: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

extension SHA256: CustomStringConvertible {
  package var description: String { hex }
}

extension SHA256 {
  /// A digest taken piece by piece, for data that is never in memory as a whole.
  package final class Accumulator {
    private let context: OpaquePointer

    package init() {
      context = EVP_MD_CTX_new()
      let ready = EVP_DigestInit_ex(context, EVP_sha256(), nil)
      precondition(ready == 1, "SHA-256 is not available in libcrypto")
    }

    package func update(_ region: UnsafeRawBufferPointer) {
      EVP_DigestUpdate(context, region.baseAddress, region.count)
    }

    package func update(_ bytes: Bytes) { bytes.forEachPiece { update($0) } }

    /// The digest of all that was given; the accumulator must not be used afterwards.
    package func finish() -> SHA256 {
      SHA256(
        digest: [UInt8](unsafeUninitializedCapacity: 32) { target, count in
          EVP_DigestFinal_ex(context, target.baseAddress, nil)
          count = 32
        })
    }

    deinit { EVP_MD_CTX_free(context) }
  }

  private init(digest: [UInt8]) { bytes = digest }
}
