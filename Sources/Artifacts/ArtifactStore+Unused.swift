internal import Glibc
internal import Tensors

// What may go from a folder of files.
extension ArtifactStore {
  /// A file of the folder that has not changed for a while.
  package struct OldFile: Sendable {
    package let path: String
    /// Nil for one that is still being written or fetched, or was left so.
    package let digest: String?
    /// Bytes.
    package let size: Int64
    fileprivate let changedAt: timespec
  }

  /// Files that have not changed for `days`, those that never became complete included.
  ///
  /// Storing the same content again renews its file's time, so that a file which is about to be needed looks young.
  package func oldFiles(days: Int) -> [OldFile] {
    let limit = time(nil) - days * 86_400
    var found: [OldFile] = []
    for name in Self.names(in: directory) {
      let path = "\(directory)/\(name)"
      if name.hasPrefix(Self.incoming + ".tmp-") {
        Self.look(path, nil, before: limit).map { found.append($0) }
      } else if name.utf8.count == 2 {
        for inner in Self.names(in: path) {
          let isWhole = inner.hasPrefix(name) && SHA256(hex: inner) != nil
          guard isWhole || inner.hasSuffix(".part") || inner.contains(".tmp-") else { continue }
          Self.look("\(path)/\(inner)", isWhole ? inner : nil, before: limit).map { found.append($0) }
        }
      }
    }
    return found
  }

  /// Removes a file that has not changed since it was found, unless a process has it in use.
  ///
  /// - Returns: whether it is gone.
  package func remove(_ file: OldFile) -> Bool {
    let descriptor = open(file.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return errno == ENOENT }
    defer { close(descriptor) }
    var now = stat()
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, lstat(file.path, &now) == 0,
      now.st_mtim.tv_sec == file.changedAt.tv_sec, now.st_mtim.tv_nsec == file.changedAt.tv_nsec
    else { return false }
    return unlink(file.path) == 0
  }

  /// The file when it is a plain one that was last changed before `limit`.
  private static func look(_ path: String, _ digest: String?, before limit: Int) -> OldFile? {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mtim.tv_sec < limit else {
      return nil
    }
    return OldFile(path: path, digest: digest, size: Int64(status.st_size), changedAt: status.st_mtim)
  }

  private static func names(in folder: String) -> [String] {
    guard let entries = opendir(folder) else { return [] }
    defer { closedir(entries) }
    var names: [String] = []
    while let entry = readdir(entries) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }
}
