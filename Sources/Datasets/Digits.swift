package import Tensors

/// The UCI handwritten digits: grey images of 8×8, classes 0 to 9.
package enum Digits {
  /// Reads `digits.csv` or `digits.csv.gz`: per line 64 grey values 0 to 16 and the digit.
  ///
  /// A grey value v becomes the byte round(v·255/16). Within each digit, one image in six is held out: those whose
  /// SHA-256 of `rrcm-digits-split-1|INDEX` is smallest. The split depends on nothing else and never changes.
  ///
  /// - Throws: `FormatError` with the line and what is wrong in it.
  package static func read(path: String) throws(FormatError) -> ImageSet {
    let reader = try GzipReader(path: path)
    let text = try reader.read(upTo: maximumSize + 1)
    guard text.count <= maximumSize else {
      throw FormatError(
        file: path, field: "size", value: "more than \(maximumSize) bytes", remedy: "this is not the digits file")
    }
    var pixels: [UInt8] = []
    var labels: [Int] = []
    var sources: [String] = []
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (number, line) in zip(1..., lines) where !line.isEmpty {
      let values = try parse(line, "line \(number)", path)
      pixels.append(contentsOf: values.dropLast().map { UInt8(($0 * 255 + 8) / 16) })
      labels.append(values[64])
      sources.append("line \(number)")
    }
    return try ImageSet(
      name: "digits", classNames: (0...9).map(String.init), channels: 1, height: 8, width: 8, images: Bytes(pixels),
      labels: labels, splits: split(labels), sources: sources)
  }

  private static let maximumSize = 1 << 26

  private static func parse(_ line: ArraySlice<UInt8>, _ place: String, _ path: String) throws(FormatError) -> [Int] {
    let fields = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard fields.count == 65 else {
      throw FormatError(
        file: path, field: place, value: "\(fields.count) fields", remedy: "64 grey values and a digit are expected")
    }
    var values: [Int] = []
    for (i, field) in fields.enumerated() {
      let text = String(decoding: field, as: UTF8.self).filter { $0 != " " && $0 != "\r" }
      let limit = i < 64 ? 16 : 9
      guard let value = Int(text), (0...limit).contains(value) else {
        throw FormatError(
          file: path, field: "\(place) field \(i + 1)", value: "\"\(text)\"",
          remedy: "a whole number from 0 to \(limit) is expected")
      }
      values.append(value)
    }
    return values
  }

  private static func split(_ labels: [Int]) -> [String] {
    var splits = [String](repeating: "train", count: labels.count)
    for digit in 0...9 {
      let members = labels.indices.filter { labels[$0] == digit }
      let ranked = members.map { (SHA256(hashing: Array("rrcm-digits-split-1|\($0)".utf8)).hex, $0) }
        .sorted { $0.0 < $1.0 }
      for (_, index) in ranked.prefix((members.count + 3) / 6) { splits[index] = "heldout" }
    }
    return splits
  }
}
