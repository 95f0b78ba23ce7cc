internal import CCodecs
internal import Glibc
internal import Tensors

/// Reads a file from front to back, decompressing it if it is gzip.
///
/// Blocking; not for use from several threads.
final class GzipReader {
  let path: String
  private let handle: gzFile

  init(path: String) throws(FormatError) {
    self.path = path
    guard let handle = gzopen(path, "rb") else {
      throw FormatError(
        file: path, field: "file", value: "not readable (\(errorText(errno)))",
        remedy: "check the path and its permissions")
    }
    self.handle = handle
    gzbuffer(handle, 1 << 17)
  }

  deinit { gzclose(handle) }

  /// The next bytes, at most `count`; fewer only at the end of the file.
  ///
  /// - Throws: `FormatError` when the compressed data are damaged or cut short.
  func read(upTo count: Int) throws(FormatError) -> [UInt8] {
    var status = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      while initialized < count {
        let step = UInt32(min(count - initialized, 1 << 30))
        status = Int(gzread(handle, target.baseAddress! + initialized, step))
        guard status > 0 else { return }
        initialized += status
      }
    }
    // A short read at the end may hide that the stream stopped in the middle; the error state tells.
    var code: Int32 = 0
    let message = gzerror(handle, &code)
    guard status >= 0, code == Z_OK || code == Z_STREAM_END else { throw damaged(message.map { String(cString: $0) }) }
    return bytes
  }

  /// Passes over `count` bytes.
  func skip(_ count: Int) throws(FormatError) {
    guard count > 0 else { return }
    guard gzseek(handle, count, 1 /* from here */) >= 0 else {
      throw damaged(gzerror(handle, nil).map { String(cString: $0) })
    }
  }

  private func damaged(_ message: String?) -> FormatError {
    FormatError(
      file: path, field: "compressed data", value: "damaged (\(message ?? "unknown error"))",
      remedy: "the file is cut short or was changed; fetch it again")
  }
}
