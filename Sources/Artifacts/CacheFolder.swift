internal import Glibc
internal import Tensors

/// A folder of files that can be fetched again, kept under a limit.
///
/// Files go in the order of their last use (their modification time, which every use renews). One that any process has in
/// use carries a shared `flock` (`Bytes(contentsOf:locked:)`) and stays; one that is still arriving carries an exclusive
/// one. While several processes fetch at once, the limit may be exceeded by what is on its way.
struct CacheFolder: Sendable {
  let path: String
  /// Bytes.
  let limit: Int64

  private struct Entry {
    let path: String
    let size: Int64
    let usedAt: timespec
  }

  /// Removes what was used longest ago until `size` more bytes fit.
  ///
  /// - Throws: `disk_full` when they cannot.
  func makeRoom(for size: Int64) throws(ArtifactError) {
    guard size <= limit else {
      throw ArtifactError(
        code: .diskFull,
        message: "a file of \(size) bytes does not fit into the cache \(path) of \(limit); raise RRCM_CACHE_GB")
    }
    // One process tidies at a time; the others see what it left.
    let lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if lock >= 0 { while flock(lock, LOCK_EX) != 0 && errno == EINTR {} }
    defer { if lock >= 0 { close(lock) } }
    let entries = entries().sorted { ($0.usedAt.tv_sec, $0.usedAt.tv_nsec) < ($1.usedAt.tv_sec, $1.usedAt.tv_nsec) }
    var total = entries.reduce(0) { $0 + $1.size }
    for entry in entries where total + size > limit && remove(entry) { total -= entry.size }
    guard total + size <= limit else {
      throw ArtifactError(
        code: .diskFull,
        message:
          "the cache \(path) of \(limit) bytes has no room for \(size) more: the \(total) in it are in use; raise"
          + " RRCM_CACHE_GB, or give this worker a cache of its own (RRCM_CACHE)")
    }
  }

  private func entries() -> [Entry] {
    names(in: path).flatMap { name in
      let inner = "\(path)/\(name)"
      guard let status = Self.status(inner) else { return [Entry]() }
      if status.st_mode & S_IFMT == S_IFREG {
        return [Entry(path: inner, size: Int64(status.st_size), usedAt: status.st_mtim)]
      }
      return names(in: inner).compactMap { name in
        Self.status("\(inner)/\(name)").map {
          Entry(path: "\(inner)/\(name)", size: Int64($0.st_size), usedAt: $0.st_mtim)
        }
      }
    }
  }

  /// - Returns: false when somebody has it in use, or has used it since it was listed.
  private func remove(_ entry: Entry) -> Bool {
    // Files that are still written (`incoming…`) lie outside the digests' folders and have no lock to tell.
    guard entry.path.dropFirst(path.utf8.count + 1).contains("/") else { return false }
    let descriptor = open(entry.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return errno == ENOENT }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, let now = Self.status(entry.path),
      now.st_mtim.tv_sec == entry.usedAt.tv_sec, now.st_mtim.tv_nsec == entry.usedAt.tv_nsec
    else { return false }
    return unlink(entry.path) == 0
  }

  private static func status(_ path: String) -> stat? {
    var status = stat()
    return lstat(path, &status) == 0 ? status : nil
  }

  private func names(in folder: String) -> [String] {
    guard let entries = opendir(folder) else { return [] }
    defer { closedir(entries) }
    var names: [String] = []
    while let entry = readdir(entries) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names
  }
}
