internal import Glibc
internal import Synchronization
package import Tensors

/// Files named by the SHA-256 of their content, in a directory that several processes and users may share.
///
/// The file of digest `ab12…` is `DIRECTORY/ab/ab12…`. It appears complete or not at all, is never changed afterwards,
/// and is hashed again before this process trusts it for the first time. Every method blocks on the disk: call them from
/// a thread that may wait.
package final class ArtifactStore: Sendable {
  /// Absolute or relative path of the store.
  package let directory: String
  /// Digests whose files this process has hashed or written.
  private let verified = Mutex<Set<SHA256>>([])

  /// Opens the store in `directory`, making it if needed, and removes what writers that died left more than a day ago.
  ///
  /// - Throws: `ArtifactError` when it cannot be made or read.
  package init(directory: String) throws(ArtifactError) {
    self.directory = directory
    try Self.makeDirectories(directory)
    removeAbandonedFiles()
  }

  // MARK: Writing

  /// Stores `bytes`; storing the same again changes nothing.
  package func put(_ bytes: Bytes) throws -> SHA256 {
    try put { (emit) throws(FormatError) in try emit(bytes) }
  }

  /// Stores a copy of the file at `path`.
  package func put(fileAt path: String) throws -> SHA256 { try put(Bytes(contentsOf: path)) }

  /// Stores what `produce` emits piece by piece, so that it need not be in memory as a whole.
  ///
  /// - Throws: `ArtifactError` when the disk refuses, and what `produce` throws.
  package func put(
    _ produce: (_ emit: (Bytes) throws(FormatError) -> Void) throws(FormatError) -> Void
  ) throws -> SHA256 {
    do {
      let file = try AtomicFile(path: "\(directory)/\(Self.incoming)", mode: 0o444)
      let accumulator = SHA256.Accumulator()
      try produce { (part) throws(FormatError) in
        part.withUnsafeBytes { accumulator.update($0) }
        try file.write(part)
      }
      let digest = accumulator.finish()
      // A damaged file of this name is replaced; a good one stays, and may belong to another user.
      if (try? path(for: digest)) != nil { return digest }
      try Self.makeDirectories("\(directory)/\(digest.hex.prefix(2))")
      try file.commit(to: location(of: digest))
      _ = verified.withLock { $0.insert(digest) }
      return digest
    } catch let error as FormatError {
      guard let number = error.systemError else { throw error }
      let isFull = number == ENOSPC || number == EDQUOT
      throw ArtifactError(code: isFull ? .diskFull : .inaccessible, message: error.description)
    }
  }

  // MARK: Reading

  /// Whether a file of this digest is here; its content is not looked at.
  package func contains(_ digest: SHA256) -> Bool { access(location(of: digest), F_OK) == 0 }

  /// The path of the file, whose content has been checked at least once by this process.
  ///
  /// - Throws: `ArtifactError` when it is not here, cannot be read, or has other content.
  package func path(for digest: SHA256) throws(ArtifactError) -> String {
    let path = location(of: digest)
    guard contains(digest) else {
      throw ArtifactError(
        code: .notFound,
        message:
          "no file with digest \(digest) in \(directory) (looked for \(path)); import it here, or point the store"
          + " at the directory that has it")
    }
    if verified.withLock({ $0.contains(digest) }) { return path }
    let found: SHA256
    do throws(FormatError) {
      found = SHA256(hashing: try Bytes(contentsOf: path))
    } catch {
      throw ArtifactError(code: .inaccessible, message: error.description)
    }
    guard found == digest else {
      throw ArtifactError(
        code: .corrupt,
        message: "\(path) has digest \(found) instead of the one in its name; remove it and import it again, and check"
          + " the disk")
    }
    _ = verified.withLock { $0.insert(digest) }
    return path
  }

  /// The content of the file, mapped and checked as by `path(for:)`.
  package func read(_ digest: SHA256) throws(ArtifactError) -> Bytes {
    let path = try path(for: digest)
    do throws(FormatError) {
      return try Bytes(contentsOf: path)
    } catch {
      throw ArtifactError(code: .inaccessible, message: error.description)
    }
  }

  // MARK: Removing

  /// Removes the file of this digest, if it is here. For states that a newer one has replaced.
  package func remove(_ digest: SHA256) {
    _ = verified.withLock { $0.remove(digest) }
    unlink(location(of: digest))
  }

  // MARK: Files and directories

  /// Beginning of the names of files that are being written.
  private static let incoming = "incoming"

  private func location(of digest: SHA256) -> String { "\(directory)/\(digest.hex.prefix(2))/\(digest.hex)" }

  /// Makes a directory and those above it, readable for everyone.
  private static func makeDirectories(_ path: String) throws(ArtifactError) {
    var status = stat()
    if stat(path, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFDIR else {
        throw ArtifactError(
          code: .inaccessible, message: "\(path) is not a directory; give another place for the store")
      }
      return
    }
    if let slash = path.lastIndex(of: "/"), slash > path.startIndex { try makeDirectories(String(path[..<slash])) }
    if mkdir(path, 0o755) == 0 {
      // Regardless of the umask: other users' workers read here.
      chmod(path, 0o755)
    } else if errno != EEXIST {
      let isFull = errno == ENOSPC || errno == EDQUOT
      throw ArtifactError(
        code: isFull ? .diskFull : .inaccessible,
        message: "\(path) cannot be made (\(errorText(errno))); give a place this user may write to")
    }
  }

  private func removeAbandonedFiles() {
    guard let entries = opendir(directory) else { return }
    defer { closedir(entries) }
    let yesterday = time(nil) - 86_400
    while let entry = readdir(entries) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      let path = "\(directory)/\(name)"
      var status = stat()
      guard name.hasPrefix(Self.incoming + ".tmp-"), stat(path, &status) == 0, status.st_mtim.tv_sec < yesterday else {
        continue
      }
      unlink(path)
    }
  }
}
