internal import Glibc

/// A nameless file for data that is too large for memory and is written in any order: gone with the value, also when
/// the process is killed.
///
/// Any thread may write; two must not write the same place.
package final class ScratchFile: Sendable {
  private let directory: String
  private let descriptor: Int32

  /// - Throws: `FormatError` when no file can be made in `directory`.
  package init(in directory: String) throws(FormatError) {
    self.directory = directory
    var template = Array("\(directory)/scratch.tmp-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else {
      throw AtomicFile.failure("a scratch file in \(directory)", "cannot be created", errno)
    }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    unlink(template)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Writes `region` so that it begins at byte `offset`.
  package func write(_ region: UnsafeRawBufferPointer, at offset: Int) throws(FormatError) {
    var done = 0
    while done < region.count {
      let n = pwrite(descriptor, region.baseAddress! + done, region.count - done, offset + done)
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else { throw AtomicFile.failure("a scratch file in \(directory)", "cannot be written", errno) }
      done += n
    }
  }

  /// Writes `bytes` so that they begin at byte `offset`.
  package func write(_ bytes: Bytes, at offset: Int) throws(FormatError) {
    try bytes.withUnsafeBytes { (region) throws(FormatError) in try write(region, at: offset) }
  }

  /// Everything written, mapped. Places never written, below the last, read as zeros.
  package func bytes() throws(FormatError) -> Bytes {
    try Bytes(mapping: descriptor, path: "a scratch file in \(directory)")
  }
}
