internal import Glibc
internal import Tensors

/// The files under a directory or inside a tar archive, listed first and read afterwards.
///
/// A tar archive inside counts as a directory of its name, as in ImageNet's training archive, where each class is one.
struct ImageTree {
  struct File {
    /// Relative, with single slashes.
    let path: String
    let size: Int
  }

  /// What is there: usable files, in no particular order, and entries that must not be in an archive.
  struct Listing {
    var files: [File] = []
    var refusals: [FormatError] = []
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
  /// Largest file read.
  static let maximumFile = 1 << 28
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

  /// Every regular file. Archives are read through once for it.
  ///
  /// - Throws: `FormatError` for a damaged archive or an unreadable directory.
  func listing() throws(FormatError) -> Listing {
    var found = Listing()
    func add(_ path: String, _ entry: TarReader.Entry) {
      if let refusal = entry.refusal {
        found.refusals.append(refusal)
      } else {
        found.files.append(File(path: path, size: entry.size))
      }
    }
    guard isDirectory else {
      try walk(TarReader(path: path), under: "") { path, entry, _ in add(path, entry) }
      return found
    }
    var files: [File] = []
    try list("", depth: 0, into: &files)
    for file in files {
      if let name = Self.archiveName(file.path) {
        try walk(TarReader(path: path + "/" + file.path), under: name + "/") { path, entry, _ in add(path, entry) }
      } else {
        found.files.append(file)
      }
    }
    return found
  }

  /// Gives `body` the wanted files, some at a time, in the order in which they are stored.
  func forEachBatch(of wanted: Set<String>, _ body: ([Content]) throws(FormatError) -> Void) throws(FormatError) {
    var batch: [Content] = []
    var bytes = 0
    func add(_ content: Content, size: Int) throws(FormatError) {
      batch.append(content)
      bytes += size
      guard batch.count == Self.batchFiles || bytes >= Self.batchBytes else { return }
      try body(batch)
      batch = []
      bytes = 0
    }
    func read(_ archive: TarReader, under prefix: String) throws(FormatError) {
      try walk(archive, under: prefix) { (path, entry, archive) throws(FormatError) in
        guard entry.refusal == nil, wanted.contains(path) else { return }
        try add(Content(path: path, bytes: .memory(archive.content(limit: Self.maximumFile))), size: entry.size)
      }
    }
    if isDirectory {
      var files: [File] = []
      try list("", depth: 0, into: &files)
      for file in files.sorted(by: { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }) {
        if let name = Self.archiveName(file.path) {
          try read(TarReader(path: path + "/" + file.path), under: name + "/")
        } else if wanted.contains(file.path) {
          try add(Content(path: file.path, bytes: .file(path + "/" + file.path)), size: 0)
        }
      }
    } else {
      try read(TarReader(path: path), under: "")
    }
    if !batch.isEmpty { try body(batch) }
  }

  /// Every entry of an archive and of the archives in it; those may not hold further ones.
  private func walk(
    _ archive: TarReader, under prefix: String, isNested: Bool = false,
    _ body: (_ path: String, TarReader.Entry, TarReader) throws(FormatError) -> Void
  ) throws(FormatError) {
    while let entry = try archive.next() {
      let path = prefix + entry.path
      guard entry.refusal == nil, let name = Self.archiveName(path) else {
        try body(path, entry, archive)
        continue
      }
      if isNested {
        let refusal = FormatError(
          file: self.path, field: "entry", value: "\"\(path)\", an archive in an archive in an archive",
          remedy: "unpack the outermost one")
        try body(path, TarReader.Entry(path: path, size: 0, refusal: refusal), archive)
      } else {
        try walk(archive.nested(entry), under: name + "/", isNested: true, body)
      }
    }
  }

  /// The directory that an archive among the files stands for; nil for other files and hidden ones.
  private static func archiveName(_ path: String) -> String? {
    guard path.lowercased().hasSuffix(".tar"), !path.split(separator: "/").contains(where: { $0.hasPrefix(".") })
    else { return nil }
    return String(path.dropLast(".tar".count))
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
