internal import Glibc
internal import Synchronization
package import Tensors

/// Files named by the SHA-256 of their content, in a directory that several processes and users may share.
///
/// The file of digest `ab12…` is `DIRECTORY/ab/ab12…`. It appears complete or not at all, is never changed afterwards,
/// and is hashed again before this process trusts it for the first time. Every method blocks on the disk, and with a
/// remote on the network: call them from a thread that may wait.
///
/// With a remote the directory is a cache of it: what is missing or damaged here is fetched, what is put goes there too,
/// and the least recently used files make room for new ones.
package final class ArtifactStore: Sendable {
  /// Absolute or relative path of the store.
  package let directory: String
  /// Digests whose files this process has hashed or written.
  private let verified = Mutex<Set<SHA256>>([])
  private let remote: ArtifactRemote?
  private let cache: CacheFolder?

  /// Opens the store in `directory`, making it if needed, and removes what writers that died left more than a day ago.
  ///
  /// - Throws: `ArtifactError` when it cannot be made or read.
  package init(directory: String) throws(ArtifactError) {
    self.directory = directory
    remote = nil
    cache = nil
    try Self.makeDirectories(directory)
    removeAbandonedFiles()
  }

  /// Opens a cache of `remote` in `directory`.
  ///
  /// - Parameter limit: bytes that the cache may hold, files in use included.
  package init(cache directory: String, limit: Int64, of remote: ArtifactRemote) throws(ArtifactError) {
    self.directory = directory
    self.remote = remote
    cache = CacheFolder(path: directory, limit: limit)
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
      let incoming = try Incoming(folder: directory)
      try produce { (part) throws(FormatError) in try incoming.write(part) }
      let digest = incoming.finish()
      _ = try keep(incoming, digest)
      if let remote, let cache {
        try remote.put(Bytes(contentsOf: location(of: digest), locked: true), digest)
        // What no longer fits may go: the remote has it.
        try? cache.makeRoom(for: 0)
      }
      return digest
    } catch let error as FormatError {
      throw ArtifactError.refusal(error)
    }
  }

  /// Begins a file that arrives from elsewhere, to be given to `accept`.
  package func receive() throws -> Incoming {
    do throws(FormatError) {
      return try Incoming(folder: directory)
    } catch {
      throw ArtifactError.refusal(error)
    }
  }

  /// Stores what has arrived under `digest`.
  ///
  /// - Returns: false when a good file of that digest was there already.
  /// - Throws: `ArtifactError` `corrupt` when it has another digest; nothing is then stored.
  package func accept(_ incoming: Incoming, as digest: SHA256) throws -> Bool {
    let found = incoming.finish()
    guard found == digest else {
      throw ArtifactError(code: .corrupt, message: "what arrived has digest \(found) and not \(digest); send it again")
    }
    do { return try keep(incoming, digest) } catch let error as FormatError {
      throw ArtifactError.refusal(error)
    }
  }

  private func keep(_ incoming: Incoming, _ digest: SHA256) throws -> Bool {
    // A damaged file of this name is replaced; a good one stays, and may belong to another user.
    if (try? local(digest)) != nil {
      // Young again: whoever removes what nothing needs leaves it to the one who stores it now.
      utimes(location(of: digest), nil)
      return false
    }
    try Self.makeDirectories("\(directory)/\(digest.hex.prefix(2))")
    try incoming.file.commit(to: location(of: digest))
    _ = verified.withLock { $0.insert(digest) }
    return true
  }

  // MARK: Reading

  /// Whether a file of this digest is in the directory; its content is not looked at, and a remote not asked.
  package func contains(_ digest: SHA256) -> Bool { access(location(of: digest), F_OK) == 0 }

  /// The path of the file, whose content has been checked at least once by this process. In a cache it may make room for
  /// others at any time afterwards: prefer `read`.
  ///
  /// - Throws: `ArtifactError` when it is nowhere, cannot be read or fetched, or has other content.
  package func path(for digest: SHA256) throws(ArtifactError) -> String {
    _ = try read(digest)
    return location(of: digest)
  }

  /// The content of the file, mapped and checked as by `path(for:)`. A cache keeps it while these bytes are in use.
  package func read(_ digest: SHA256) throws(ArtifactError) -> Bytes {
    guard let remote, let cache else { return try local(digest) }
    var last: ArtifactError?
    // More than once: another process may make room just between.
    for _ in 0..<3 {
      if contains(digest) {
        do throws(ArtifactError) {
          let bytes = try local(digest)
          utimes(location(of: digest), nil)
          return bytes
        } catch {
          // Damaged, or gone meanwhile.
          last = error
          remove(locally: digest)
        }
      }
      try Self.makeDirectories("\(directory)/\(digest.hex.prefix(2))")
      try remote.fetch(digest, to: location(of: digest), limit: cache.limit) { (size) throws(ArtifactError) in
        try cache.makeRoom(for: size)
      }
    }
    throw last ?? ArtifactError(code: .inaccessible, message: "\(location(of: digest)) disappears again and again")
  }

  /// The file in the directory, checked if this process has not done so before.
  private func local(_ digest: SHA256) throws(ArtifactError) -> Bytes {
    let path = location(of: digest)
    guard contains(digest) else {
      throw ArtifactError(
        code: .notFound,
        message:
          "no file with digest \(digest) in \(directory) (looked for \(path)); import it here, or point the store"
          + " at the directory that has it")
    }
    let bytes: Bytes
    do throws(FormatError) {
      bytes = try Bytes(contentsOf: path, locked: cache != nil)
    } catch {
      throw ArtifactError(code: .inaccessible, message: error.description)
    }
    if verified.withLock({ $0.contains(digest) }) { return bytes }
    let found = SHA256(hashing: bytes)
    guard found == digest else {
      throw ArtifactError(
        code: .corrupt,
        message: "\(path) has digest \(found) instead of the one in its name; remove it and import it again, and check"
          + " the disk")
    }
    _ = verified.withLock { $0.insert(digest) }
    return bytes
  }

  // MARK: Removing

  /// Removes the file of this digest, if it is here, and from the remote. For training states that a newer one has
  /// replaced: a remote keeps everything else.
  package func remove(_ digest: SHA256) {
    remove(locally: digest)
    try? remote?.remove(digest)
  }

  private func remove(locally digest: SHA256) {
    _ = verified.withLock { $0.remove(digest) }
    unlink(location(of: digest))
  }

  // MARK: Files and directories

  /// Beginning of the names of files that are being written.
  static let incoming = "incoming"

  /// Where the file is, or would be. Nothing is checked.
  package func location(of digest: SHA256) -> String { "\(directory)/\(digest.path)" }

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

extension SHA256 {
  /// Where the file of this digest is in a store's folder and under a store's address: `ab/ab12…`.
  package var path: String { "\(hex.prefix(2))/\(hex)" }
}

extension ArtifactStore {
  /// A file of a store that is still being written; it vanishes when it is dropped before it was accepted. One thread at a
  /// time uses it.
  package final class Incoming: @unchecked Sendable {
    let file: AtomicFile
    private let accumulator = SHA256.Accumulator()
    /// Bytes so far.
    package private(set) var count: Int64 = 0

    init(folder: String) throws(FormatError) {
      file = try AtomicFile(path: "\(folder)/\(ArtifactStore.incoming)", mode: 0o444)
    }

    package func write(_ part: Bytes) throws(FormatError) {
      accumulator.update(part)
      try file.write(part)
      count += Int64(part.count)
    }

    func finish() -> SHA256 { accumulator.finish() }
  }
}

extension ArtifactError {
  /// The operating system's refusal as one of ours; another error as it is.
  package static func refusal(_ error: FormatError) -> any Error {
    guard let number = error.systemError else { return error }
    let isFull = number == ENOSPC || number == EDQUOT || number == EFBIG
    return ArtifactError(code: isFull ? .diskFull : .inaccessible, message: error.description)
  }
}
