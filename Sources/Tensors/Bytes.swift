internal import Glibc

/// An immutable run of bytes that is either held in memory or mapped from a file; slices share the storage.
///
/// A mapping costs no copy: pages are read when touched. Files must therefore be replaced by renaming a new one over
/// them (as everything in this project does), never shortened in place while they are open here: touching a page that
/// is gone ends the process.
package struct Bytes: Sendable {
  private enum Storage: Sendable {
    case array([UInt8])
    case floats([Float])
    case mapping(FileMapping)
  }

  private let storage: Storage
  private let range: Range<Int>

  /// Holds `array` without copying it.
  package init(_ array: [UInt8]) {
    storage = .array(array)
    range = 0..<array.count
  }

  /// The memory of `values`, little-endian, without copying it.
  package init(floats values: [Float]) {
    storage = .floats(values)
    range = 0..<values.count * MemoryLayout<Float>.size
  }

  /// Maps the regular file at `path`.
  ///
  /// - Parameter locked: holds a shared `flock` on the file for as long as any of these bytes are in use, so that whoever
  ///   tidies its folder can see that.
  /// - Throws: `FormatError` when it cannot be opened or is not a regular file; with `locked` also when it was removed
  ///   meanwhile.
  package init(contentsOf path: String, locked: Bool = false) throws(FormatError) {
    let mapping = try FileMapping(path: path, locked: locked)
    storage = .mapping(mapping)
    range = 0..<mapping.count
  }

  private init(storage: Storage, range: Range<Int>) {
    self.storage = storage
    self.range = range
  }

  package var count: Int { range.count }

  /// The bytes at `offsets`, counted from the start of this run.
  ///
  /// - Precondition: `offsets` lies within `0..<count`.
  package func slice(_ offsets: Range<Int>) -> Bytes {
    precondition(offsets.lowerBound >= 0 && offsets.upperBound <= count, "slice \(offsets) of \(count) bytes")
    return Bytes(
      storage: storage, range: range.lowerBound + offsets.lowerBound..<range.lowerBound + offsets.upperBound)
  }

  /// Gives `body` the bytes in place. The pointer is valid during the call only.
  package func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    // The standard library's accessors forward untyped errors; a result carries the typed one across.
    func part(_ whole: UnsafeRawBufferPointer) -> Result<R, E> {
      do throws(E) { return .success(try body(UnsafeRawBufferPointer(rebasing: whole[range]))) } catch {
        return .failure(error)
      }
    }
    switch storage {
    case .array(let array): return try array.withUnsafeBytes(part).get()
    case .floats(let values): return try values.withUnsafeBytes(part).get()
    case .mapping(let mapping): return try part(mapping.region).get()
    }
  }

  /// Lets go of the memory that reading a mapped file has filled; reading again fills it anew. For big files read once.
  package func releasePages() {
    guard case .mapping = storage else { return }
    withUnsafeBytes { part in
      guard let base = part.baseAddress else { return }
      let page = UInt(getpagesize())
      let (first, end) = (
        (UInt(bitPattern: base) + page - 1) / page * page, (UInt(bitPattern: base) + UInt(part.count)) / page * page
      )
      if first < end { madvise(UnsafeMutableRawPointer(bitPattern: first), Int(end - first), MADV_DONTNEED) }
    }
  }

  /// A copy as an array.
  package var array: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}

extension Bytes: Equatable {
  package static func == (a: Bytes, b: Bytes) -> Bool {
    a.count == b.count
      && a.withUnsafeBytes { x in
        b.withUnsafeBytes { y in x.count == 0 || memcmp(x.baseAddress!, y.baseAddress!, x.count) == 0 }
      }
  }
}

extension Bytes: CustomStringConvertible {
  package var description: String { "\(count) bytes" }
}

/// A read-only mapping of a whole file, unmapped when the last `Bytes` that uses it goes.
///
/// Sendable because nobody writes through it.
private final class FileMapping: @unchecked Sendable {
  let region: UnsafeRawBufferPointer
  /// The open file that carries the lock; −1 without one.
  private let lock: Int32
  var count: Int { region.count }

  init(path: String, locked: Bool) throws(FormatError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw FormatError(
        file: path, field: "file", value: "not readable (\(errorText(errno)))",
        remedy: "check the path and its permissions")
    }
    var keepsOpen = false
    defer { if !keepsOpen { close(descriptor) } }
    var status = stat()
    if locked {
      while flock(descriptor, LOCK_SH) != 0 && errno == EINTR {}
      guard fstat(descriptor, &status) == 0, status.st_nlink > 0 else {
        throw FormatError(file: path, field: "file", value: "removed meanwhile", remedy: "fetch it again")
      }
    }
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw FormatError(file: path, field: "file", value: "not a regular file", remedy: "give the path of a file")
    }
    let size = Int(status.st_size)
    guard size > 0 else {
      region = UnsafeRawBufferPointer(start: nil, count: 0)
      lock = -1
      return
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
      throw FormatError(
        file: path, field: "file", value: "not mappable (\(errorText(errno)))", remedy: "check free address space")
    }
    region = UnsafeRawBufferPointer(start: base, count: size)
    keepsOpen = locked
    lock = locked ? descriptor : -1
  }

  deinit {
    if let base = region.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), region.count) }
    if lock >= 0 { close(lock) }
  }
}

/// The system's sentence for an error number.
package func errorText(_ number: Int32) -> String { String(cString: strerror(number)) }
