internal import Glibc
internal import Tensors

/// The beginning of a file that is still arriving, `TARGET.part`, held by one process at a time.
///
/// It outlives the process that began it; the next one goes on from its end.
final class PartialFile {
  let path: String
  private let target: String
  private let descriptor: Int32
  private let usesMD5: Bool
  private var digests: ContentDigests
  /// Bytes that are here.
  var count: Int64 { digests.count }

  /// Opens or makes the part of `target`; waits while another process holds it.
  ///
  /// - Returns: nil when `isThere` says that the target is complete, for instance because another process finished it.
  static func open(
    target: String, usesMD5: Bool, shouldStop: () -> Bool, isThere: () throws(ArtifactError) -> Bool
  ) throws(ArtifactError) -> PartialFile? {
    while true {
      // Looked at again each time: whoever holds the part may finish it meanwhile.
      if try isThere() { return nil }
      if let file = try PartialFile(target: target, usesMD5: usesMD5) {
        guard try isThere() else { return file }
        file.discard()
        return nil
      }
      if shouldStop() { throw ArtifactError(code: .stopped, message: "\(target) is being fetched by another process") }
      usleep(50_000)
    }
  }

  /// Nil when another process holds it, or has just finished or removed it.
  private init?(target: String, usesMD5: Bool) throws(ArtifactError) {
    self.target = target
    self.usesMD5 = usesMD5
    digests = ContentDigests(usesMD5: usesMD5)
    path = target + ".part"
    descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode_t(0o644))
    guard descriptor >= 0 else { throw Self.refusal(path, "cannot be made") }
    var (held, named) = (stat(), stat())
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &held) == 0, lstat(path, &named) == 0,
      held.st_ino == named.st_ino, held.st_dev == named.st_dev
    else { return nil }
    try digests.takeIn(descriptor, path: path)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  func append(_ piece: UnsafeRawBufferPointer) throws(ArtifactError) {
    var done = 0
    while done < piece.count {
      let n = write(descriptor, piece.baseAddress! + done, piece.count - done)
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else {
        let error = Self.refusal(path, "cannot be written")
        // Only what was digested stays, so that the next attempt goes on from a known place.
        ftruncate(descriptor, off_t(count))
        throw error
      }
      done += n
    }
    digests.update(piece)
  }

  /// Begins again with nothing.
  func restart() throws(ArtifactError) {
    guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
      throw Self.refusal(path, "cannot be emptied")
    }
    digests = ContentDigests(usesMD5: usesMD5)
  }

  /// Removes it; a later attempt begins with nothing.
  func discard() { unlink(path) }

  /// What is wrong with the content; nil when it is as expected. Nothing may be appended afterwards.
  func mismatch(with expected: ExpectedContent) -> String? {
    digests.mismatch(with: expected)
  }

  /// Makes it the target, durably and with these rights.
  func commit(mode: UInt32) throws(ArtifactError) {
    guard fchmod(descriptor, mode_t(mode)) == 0 else { throw Self.refusal(path, "cannot be made readable") }
    guard fsync(descriptor) == 0 else { throw Self.refusal(path, "cannot be flushed") }
    guard rename(path, target) == 0 else { throw Self.refusal(target, "cannot be put in place") }
    let folder = target.lastIndex(of: "/").map { String(target[...$0]) } ?? "."
    let directory = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { return }
    fsync(directory)
    close(directory)
  }

  static func refusal(_ path: String, _ what: String) -> ArtifactError {
    let number = errno
    // EFBIG: a limit on file sizes (ulimit -f).
    let isFull = number == ENOSPC || number == EDQUOT || number == EFBIG
    return ArtifactError(
      code: isFull ? .diskFull : .inaccessible,
      message: "\(path) \(what) (\(errorText(number))); "
        + (isFull
          ? "free space there and ask again: it goes on where it stopped"
          : "choose a folder that exists and that this user may write to"))
  }
}
