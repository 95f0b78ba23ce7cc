internal import Glibc
internal import Tensors

/// The files under a directory or inside a tar archive, listed first and read afterwards.
struct ImageTree {
  struct File {
    /// Relative, with single slashes.
    let path: String
    let size: Int
  }

  /// A file whose bytes are at hand or can be mapped from any thread.
  struct Content: Sendable {
    enum Source: Sendable {
      case memory(Bytes)
      case file(String)

      func open() throws(FormatError) -> Bytes {
        switch self {
        case .memory(let bytes): bytes
        case .file(let path): try Bytes(contentsOf: path)
        }
      }
    }
    let path: String
    let bytes: Source
  }

  let path: String
  private let isDirectory: Bool
  /// Directories deeper than this are refused; it also ends a cycle of links.
  private static let maximumDepth = 16
  private static let batchFiles = 256
  private static let batchBytes = 64 << 20

  init(path: String) throws(FormatError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw FormatError(
        file: path, field: "path", value: "not readable (\(errorText(errno)))",
        remedy: "give a directory or a .tar or .tar.gz file")
    }
    self.path = path
    isDirectory = status.st_mode & S_IFMT == S_IFDIR
  }

  /// Every regular file, in no particular order. An archive is read through once for it.
  func files() throws(FormatError) -> [File] {
    var found: [File] = []
    if isDirectory {
      try list("", depth: 0, into: &found)
    } else {
      let reader = try TarReader(path: path)
      while let entry = try reader.next() { found.append(File(path: entry.path, size: entry.size)) }
    }
    return found
  }

  /// Gives `body` the wanted files, some at a time, in the order in which they are stored.
  func forEachBatch(of wanted: Set<String>, _ body: ([Content]) throws(FormatError) -> Void) throws(FormatError) {
    if isDirectory {
      let paths = wanted.sorted()
      for start in stride(from: 0, to: paths.count, by: Self.batchFiles) {
        let batch = paths[start..<min(start + Self.batchFiles, paths.count)]
        try body(batch.map { Content(path: $0, bytes: .file(path + "/" + $0)) })
      }
      return
    }
    let reader = try TarReader(path: path)
    var batch: [Content] = []
    var bytes = 0
    while let entry = try reader.next() {
      guard wanted.contains(entry.path) else { continue }
      batch.append(Content(path: entry.path, bytes: .memory(try reader.content())))
      bytes += entry.size
      if batch.count == Self.batchFiles || bytes >= Self.batchBytes {
        try body(batch)
        batch = []
        bytes = 0
      }
    }
    if !batch.isEmpty { try body(batch) }
  }

  private func list(_ relative: String, depth: Int, into found: inout [File]) throws(FormatError) {
    let full = relative.isEmpty ? path : path + "/" + relative
    guard depth < Self.maximumDepth else {
      throw FormatError(
        file: full, field: "directory", value: "deeper than \(Self.maximumDepth) levels",
        remedy: "look for a link that leads back up")
    }
    guard let directory = opendir(full) else {
      throw FormatError(
        file: full, field: "directory", value: "not readable (\(errorText(errno)))", remedy: "check its permissions")
    }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let length = Int(strlen(&entry.pointee.d_name.0))
      let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { [UInt8]($0.prefix(length)) }
      guard let name = String(validating: bytes, as: UTF8.self) else {
        throw FormatError(
          file: full, field: "file name", value: String(decoding: bytes, as: UTF8.self),
          remedy: "rename it: names must be UTF-8")
      }
      guard !name.hasPrefix(".") else { continue }
      let child = relative.isEmpty ? name : relative + "/" + name
      var status = stat()
      guard stat(path + "/" + child, &status) == 0 else {
        throw FormatError(
          file: path + "/" + child, field: "file", value: "not readable (\(errorText(errno)))",
          remedy: "remove it, or repair what it links to")
      }
      switch status.st_mode & S_IFMT {
      case S_IFDIR: try list(child, depth: depth + 1, into: &found)
      case S_IFREG: found.append(File(path: child, size: Int(status.st_size)))
      default: continue
      }
    }
  }
}
