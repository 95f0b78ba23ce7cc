internal import CCodecs
internal import Glibc
internal import Tensors

/// Reads a file from front to back, decompressing it if it is gzip.
///
/// Blocking; not for use from several threads.
final class GzipReader: ByteStream {
  let path: String
  private let handle: gzFile
  /// Bytes given so far.
  private var given = 0
  private let mostPerByte: Int

  /// Compressed data may be this many times larger when unpacked, from `bombSize` on. Images hardly shrink; text and
  /// padding shrink ten- or twentyfold; gzip's limit, about 1030, is reached by files made for it.
  static let mostPerByte = 200
  private static let bombSize = 64 << 20

  /// - Parameter mostPerByte: bytes accepted per compressed byte.
  init(path: String, mostPerByte: Int = GzipReader.mostPerByte) throws(FormatError) {
    self.path = path
    self.mostPerByte = mostPerByte
    guard let handle = gzopen(path, "rb") else {
      throw FormatError(
        file: path, field: "file", value: "not readable (\(errorText(errno)))",
        remedy: "check the path and its permissions")
    }
    self.handle = handle
    gzbuffer(handle, 1 << 17)
  }

  deinit { gzclose(handle) }

  /// - Throws: `FormatError` when the compressed data are damaged, cut short, or unpack to more than anybody's images.
  func read(upTo count: Int) throws(FormatError) -> [UInt8] {
    var problem: FormatError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      do throws(FormatError) { initialized = try fill(UnsafeMutableRawBufferPointer(target)) } catch {
        problem = error
      }
    }
    if let problem { throw problem }
    return bytes
  }

  func skip(_ count: Int) throws(FormatError) {
    guard count > 0 else { return }
    if gzdirect(handle) == 1 {
      guard gzseek(handle, count, 1 /* from here */) >= 0 else { throw damaged() }
      return
    }
    var left = count
    while left > 0 {
      let step = min(left, Self.skipSize)
      guard try read(upTo: step).count == step else { return }
      left -= step
    }
  }

  private static let skipSize = 1 << 18

  /// Fills `target` as far as there is data. Returns how many bytes there were.
  private func fill(_ target: UnsafeMutableRawBufferPointer) throws(FormatError) -> Int {
    var done = 0
    while done < target.count {
      let status = gzread(handle, target.baseAddress! + done, UInt32(min(target.count - done, 1 << 20)))
      guard status > 0 else { break }
      done += Int(status)
      try account(for: Int(status))
    }
    // A short read at the end may hide that the stream stopped in the middle; the error state tells.
    var code: Int32 = 0
    gzerror(handle, &code)
    guard code == Z_OK || code == Z_STREAM_END else { throw damaged() }
    return done
  }

  private func account(for count: Int) throws(FormatError) {
    given += count
    guard given > Self.bombSize, gzdirect(handle) == 0 else { return }
    let compressed = gzoffset(handle)
    guard given / mostPerByte <= compressed else {
      throw FormatError(
        file: path, field: "compressed data",
        value: "\(given) bytes so far out of \(compressed), more than \(mostPerByte) to one",
        remedy: "this is not an archive of images; if it is yours, give it unpacked")
    }
  }

  private func damaged() -> FormatError {
    let message = gzerror(handle, nil).map { String(cString: $0) } ?? "unknown error"
    return FormatError(
      file: path, field: "compressed data", value: "damaged (\(message))",
      remedy: "the file is cut short or was changed; fetch it again")
  }
}

/// Bytes from front to back.
protocol ByteStream: AnyObject {
  /// Where they come from, for messages.
  var path: String { get }
  /// The next bytes, at most `count`; fewer only at the end.
  func read(upTo count: Int) throws(FormatError) -> [UInt8]
  /// Passes over `count` bytes.
  func skip(_ count: Int) throws(FormatError)
}
