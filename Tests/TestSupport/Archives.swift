internal import CCodecs
internal import Foundation

/// CRC-32 of a PNG chunk.
package enum CRC32 {
  package static func of(_ bytes: some Collection<UInt8>) -> UInt32 {
    let array = Array(bytes)
    return UInt32(crc32(0, array, UInt32(array.count)))
  }
}

/// gzip's form of `bytes`.
package func gzipped(_ bytes: [UInt8]) -> [UInt8] {
  let path = NSTemporaryDirectory() + "/rrcm-gz-\(UUID().uuidString)"
  defer { try? FileManager.default.removeItem(atPath: path) }
  let file = gzopen(path, "wb")
  gzwrite(file, bytes, UInt32(bytes.count))
  gzclose(file)
  return [UInt8](FileManager.default.contents(atPath: path)!)
}

/// Builds tar archives entry by entry, valid ones and others.
package struct TarBuilder {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  /// - Parameter size: what the header says of it; nil for the truth.
  package mutating func add(
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
  package var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }
}

/// The files of CIFAR-10's binary distribution, with `perFile` random images in each `.bin`.
package struct CIFAR10Fixture {
  package var files: [(name: String, content: [UInt8])]

  package init(perFile: Int = 3) {
    let bins = (1...5).map { "data_batch_\($0).bin" } + ["test_batch.bin"]
    files = bins.enumerated().map { place, name in
      let records = (0..<perFile).map { Self.record(place + $0) }
      return (name, Array(records.joined()))
    }
    files.append(
      ("batches.meta.txt", Array("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n".utf8)))
  }

  private static func record(_ number: Int) -> [UInt8] {
    [UInt8(number % 10)] + (0..<3072).map { UInt8(($0 * 7 + number) % 256) }
  }

  /// As the authors pack it: a folder, files in no order.
  package var archive: [UInt8] {
    var tar = TarBuilder()
    tar.add("cifar-10-batches-bin/", kind: "5")
    for file in files.reversed() { tar.add("cifar-10-batches-bin/" + file.name, file.content) }
    tar.add("cifar-10-batches-bin/readme.html", Array("<html>".utf8))
    return gzipped(tar.finished)
  }

  package mutating func change(_ name: String, _ change: (inout [UInt8]) -> Void) {
    change(&files[files.firstIndex { $0.name == name }!].content)
  }
}

/// Small pictures, right ones and others.
package enum PNG {
  /// An RGB picture.
  ///
  /// - Parameters:
  ///   - width, height: what its header says.
  ///   - rows: how many rows its data have; nil for all.
  package static func image(width: Int, height: Int, rows: Int? = nil) -> [UInt8] {
    var pixels: [UInt8] = []
    for y in 0..<(rows ?? height) {
      pixels.append(0)
      for x in 0..<min(width, 4096) * 3 { pixels.append(UInt8((x * 31 + y) % 256)) }
    }
    var size = compressBound(UInt(pixels.count))
    var packed = [UInt8](repeating: 0, count: Int(size))
    compress(&packed, &size, pixels, UInt(pixels.count))
    return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
      + chunk("IHDR", big(width) + big(height) + [8, 2, 0, 0, 0]) + chunk("IDAT", Array(packed.prefix(Int(size))))
      + chunk("IEND", [])
  }

  private static func big(_ value: Int) -> [UInt8] { withUnsafeBytes(of: UInt32(value).bigEndian) { [UInt8]($0) } }

  private static func chunk(_ kind: String, _ content: [UInt8]) -> [UInt8] {
    let body = Array(kind.utf8) + content
    return big(content.count) + body + big(Int(CRC32.of(body)))
  }
}
