/// The names and digests of the files that together are one thing, such as a checkpoint.
///
/// Its text is canonical, so the text's SHA-256 names the whole: a first line with the kind, then one line
/// `DIGEST NAME` per file, names in ascending order.
package struct Manifest: Sendable, Equatable {
  /// What the files are, for example `rrcm-checkpoint-1`.
  package let kind: String
  /// Digest by file name.
  package let files: [String: SHA256]

  package init(kind: String, files: [String: SHA256]) {
    self.kind = kind
    self.files = files
  }

  package var text: String {
    let lines = files.sorted { $0.key < $1.key }.map { "\($0.value.hex) \($0.key)\n" }
    return "\(kind)\n" + lines.joined()
  }

  package var bytes: Bytes { Bytes(Array(text.utf8)) }

  /// The name of the whole.
  package var digest: SHA256 { SHA256(hashing: bytes) }

  /// Reads a manifest of the given kind, which must be in canonical form.
  package init(parsing bytes: Bytes, kind: String, file: String) throws(FormatError) {
    let text = String(decoding: bytes.array.prefix(1 << 16), as: UTF8.self)
    let lines = text.split(separator: "\n")
    guard lines.first.map(String.init) == kind else {
      throw FormatError(
        file: file, field: "first line", value: "\"\((lines.first ?? "").prefix(40))\"",
        remedy: "\"\(kind)\" was expected")
    }
    var files: [String: SHA256] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: " ", maxSplits: 1)
      guard parts.count == 2, let digest = SHA256(hex: String(parts[0])) else {
        throw FormatError(file: file, field: "line", value: "\"\(line)\"", remedy: "a digest and a name were expected")
      }
      files[String(parts[1])] = digest
    }
    self.init(kind: kind, files: files)
    guard self.bytes == bytes else {
      throw FormatError(file: file, field: "text", value: "not in canonical form", remedy: "store the files again")
    }
  }
}
