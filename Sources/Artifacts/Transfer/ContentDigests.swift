internal import CCrypto
internal import Glibc
package import Tensors

/// What a file's content must be.
package struct ExpectedContent: Sendable, Hashable {
  package var sha256: SHA256?
  /// 32 hexadecimal digits. For files whose publisher states nothing better; it does not protect against forgery.
  package var md5: String?
  /// Bytes, where known.
  package var size: Int64?

  package init(sha256: SHA256? = nil, md5: String? = nil, size: Int64? = nil) {
    self.sha256 = sha256
    self.md5 = md5?.lowercased()
    self.size = size
  }
}

/// Size and digests of content that passes by piece by piece.
final class ContentDigests {
  private(set) var count: Int64 = 0
  private let sha256 = SHA256.Accumulator()
  private let md5: MD5?

  init(usesMD5: Bool) { md5 = usesMD5 ? MD5() : nil }

  func update(_ piece: UnsafeRawBufferPointer) {
    sha256.update(piece)
    md5?.update(piece)
    count += Int64(piece.count)
  }

  /// Takes in the rest of an open file.
  func takeIn(_ descriptor: Int32, path: String) throws(ArtifactError) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let n = read(descriptor, buffer.baseAddress, buffer.count)
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw PartialFile.refusal(path, "cannot be read") }
      if n == 0 { return }
      update(UnsafeRawBufferPointer(rebasing: buffer[..<n]))
    }
  }

  /// What is wrong with the content; nil when it is as expected. Nothing may be added afterwards.
  func mismatch(with expected: ExpectedContent) -> String? {
    if let size = expected.size, size != count { return "it has \(count) bytes and should have \(size)" }
    if let wanted = expected.sha256 {
      let found = sha256.finish()
      if found != wanted { return "its SHA-256 is \(found) and should be \(wanted)" }
    }
    if let wanted = expected.md5, let md5 {
      let found = md5.finish()
      if found != wanted { return "its MD5 is \(found) and should be \(wanted)" }
    }
    return nil
  }

  /// What is wrong with a file's content; nil when it is as expected.
  static func mismatch(ofFileAt path: String, with expected: ExpectedContent) throws(ArtifactError) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw PartialFile.refusal(path, "cannot be opened") }
    defer { close(descriptor) }
    let digests = ContentDigests(usesMD5: expected.md5 != nil)
    try digests.takeIn(descriptor, path: path)
    return digests.mismatch(with: expected)
  }
}

/// MD5, for files whose publisher states nothing else.
private final class MD5 {
  private let context: OpaquePointer

  init() {
    context = EVP_MD_CTX_new()
    let ready = EVP_DigestInit_ex(context, EVP_md5(), nil)
    precondition(ready == 1, "MD5 is not available in libcrypto")
  }

  func update(_ region: UnsafeRawBufferPointer) { EVP_DigestUpdate(context, region.baseAddress, region.count) }

  func finish() -> String {
    var bytes = [UInt8](repeating: 0, count: 16)
    EVP_DigestFinal_ex(context, &bytes, nil)
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  deinit { EVP_MD_CTX_free(context) }
}
