internal import Glibc

/// A file that appears under its name only when all of it is on the disk.
///
/// Bytes go to a temporary file beside the target; `commit` flushes it, renames it over the target and flushes the
/// folder, so that after a crash the name holds either the old content or all of the new. Dropping the value without
/// `commit` removes the temporary file. Not for use from several threads.
package final class AtomicFile {
  private let path: String
  private let temporary: String
  private var descriptor: Int32
  private var committed = false

  /// Opens a temporary file in the folder of `path`, which must exist.
  package init(path: String, mode: UInt32 = 0o644) throws(FormatError) {
    self.path = path
    var template = Array((path + ".tmp-XXXXXX").utf8CString)
    descriptor = mkstemp(&template)
    temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard descriptor >= 0 else { throw Self.failure(path, "cannot be created", errno) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    guard fchmod(descriptor, mode) == 0 else { throw Self.failure(path, "cannot be made readable", errno) }
  }

  /// Appends `region`.
  package func write(_ region: UnsafeRawBufferPointer) throws(FormatError) {
    try Self.write(region, to: descriptor, path: path)
  }

  /// Appends `bytes`.
  package func write(_ bytes: Bytes) throws(FormatError) {
    try bytes.forEachPiece { (region) throws(FormatError) in try write(region) }
  }

  /// Makes the file appear, durably: under its name, or under another path in the same file system.
  package func commit(to other: String? = nil) throws(FormatError) {
    precondition(!committed, "a file is committed once")
    let path = other ?? path
    guard fsync(descriptor) == 0 else { throw Self.failure(path, "cannot be flushed", errno) }
    guard rename(temporary, path) == 0 else { throw Self.failure(path, "cannot be put in place", errno) }
    committed = true
    try Self.flushFolder(of: path)
  }

  /// Writes `bytes` under `path` in one go.
  package static func write(_ bytes: Bytes, to path: String, mode: UInt32 = 0o644) throws(FormatError) {
    let file = try AtomicFile(path: path, mode: mode)
    try file.write(bytes)
    try file.commit()
  }

  /// Writes `bytes` to what is there under `path` and no regular file: a terminal, a pipe, a device.
  package static func append(_ bytes: Bytes, toSpecialFile path: String) throws(FormatError) {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path, "cannot be opened", errno) }
    defer { close(descriptor) }
    try bytes.forEachPiece { (region) throws(FormatError) in try write(region, to: descriptor, path: path) }
  }

  private static func write(_ region: UnsafeRawBufferPointer, to descriptor: Int32, path: String) throws(FormatError) {
    var done = 0
    while done < region.count {
      let n = Glibc.write(descriptor, region.baseAddress! + done, region.count - done)
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else { throw failure(path, "cannot be written", errno) }
      done += n
    }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if !committed && descriptor >= 0 { unlink(temporary) }
  }

  private static func flushFolder(of path: String) throws(FormatError) {
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path, "is written, but its folder cannot be opened", errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw failure(path, "is written, but its folder cannot be flushed", errno)
    }
  }

  static func failure(_ path: String, _ what: String, _ number: Int32) -> FormatError {
    let remedy =
      switch number {
      case ENOSPC, EDQUOT: "the disk is full or the quota is used up: free space there, or choose another folder"
      case EFBIG: "a limit on file sizes is reached (ulimit -f): raise it or free space there"
      case EACCES, EPERM, EROFS: "choose a folder this user may write to"
      case ENOENT: "create the folder first"
      default: "check the disk and the folder"
      }
    return FormatError(
      file: path, field: "file", value: "\(what) (\(errorText(number)))", remedy: remedy, systemError: number)
  }
}
