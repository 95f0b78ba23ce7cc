import CCodecs
import Foundation

/// CRC-32 of a PNG chunk.
enum CRC32 {
  static func of(_ bytes: some Collection<UInt8>) -> UInt32 {
    let array = Array(bytes)
    return UInt32(crc32(0, array, UInt32(array.count)))
  }
}

/// gzip's form of `bytes`.
func gzipped(_ bytes: [UInt8]) -> [UInt8] {
  let path = NSTemporaryDirectory() + "/rrcm-gz-\(UUID().uuidString)"
  defer { try? FileManager.default.removeItem(atPath: path) }
  let file = gzopen(path, "wb")
  gzwrite(file, bytes, UInt32(bytes.count))
  gzclose(file)
  return [UInt8](FileManager.default.contents(atPath: path)!)
}

/// Builds tar archives entry by entry, valid ones and others.
struct TarBuilder {
  private(set) var bytes: [UInt8] = []

  /// - Parameter size: what the header says of it; nil for the truth.
  mutating func add(
    _ name: String, _ content: [UInt8] = [], kind: Character = "0", prefix: String = "", size: Int? = nil
  ) {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
      header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
    }
    func octal(_ value: Int, _ width: Int) -> String {
      let digits = String(value, radix: 8)
      return String(repeating: "0", count: width - digits.count) + digits
    }
    put(String(name.prefix(100)), at: 0)
    put("0000644", at: 100)
    put(octal(size ?? content.count, 11), at: 124)
    put(String(kind), at: 156)
    put("ustar\u{0}00", at: 257)
    put(prefix, at: 345)
    let sum = header.reduce(8 * 32) { $0 + Int($1) }
    put(octal(sum, 6) + "\u{0} ", at: 148)
    bytes += header + content
    bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
  }

  /// The archive with its end mark.
  var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }
}
