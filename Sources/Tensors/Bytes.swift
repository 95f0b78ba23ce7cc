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

  /// Maps the file that `descriptor` is open on, which may be closed afterwards; `path` is for messages.
  init(mapping descriptor: Int32, path: String) throws(FormatError) {
    let mapping = try FileMapping(descriptor: descriptor, path: path)
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

  /// Gives `body` the bytes in place, some megabytes at a time, and hands a mapping's pages back after each piece: going
  /// over a file of any size takes no memory to speak of.
  package func forEachPiece<E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> Void) throws(E) {
    for start in stride(from: 0, to: count, by: Self.pieceSize) {
      let piece = slice(start..<min(start + Self.pieceSize, count))
      try piece.withUnsafeBytes(body)
      piece.releasePages()
    }
  }

  /// Lets the system take back the memory of a mapping's pages; they are read again when touched. Nothing happens to
  /// bytes that are held in memory.
  package func releasePages() {
    guard case .mapping(let mapping) = storage else { return }
    mapping.release(range)
  }

  private static let pieceSize = 8 << 20

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

  convenience init(path: String, locked: Bool) throws(FormatError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw FormatError(
        file: path, field: "file", value: "not readable (\(errorText(errno)))",
        remedy: "check the path and its permissions")
    }
    var keepsOpen = false
    defer { if !keepsOpen { close(descriptor) } }
    if locked {
      var status = stat()
      while flock(descriptor, LOCK_SH) != 0 && errno == EINTR {}
      guard fstat(descriptor, &status) == 0, status.st_nlink > 0 else {
        throw FormatError(file: path, field: "file", value: "removed meanwhile", remedy: "fetch it again")
      }
    }
    try self.init(descriptor: descriptor, path: path, lock: locked ? descriptor : -1)
    keepsOpen = locked
  }

  /// Maps what `descriptor` is open on; `path` is for messages.
  init(descriptor: Int32, path: String, lock: Int32 = -1) throws(FormatError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw FormatError(file: path, field: "file", value: "not a regular file", remedy: "give the path of a file")
    }
    self.lock = lock
    let size = Int(status.st_size)
    guard size > 0 else {
      region = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
      throw FormatError(
        file: path, field: "file", value: "not mappable (\(errorText(errno)))", remedy: "check free address space")
    }
    region = UnsafeRawBufferPointer(start: base, count: size)
  }

  /// Drops the pages that hold bytes of `range`, also those shared with neighbours: any of them can be read again.
  func release(_ range: Range<Int>) {
    guard let base = region.baseAddress, !range.isEmpty else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = range.lowerBound / page * page
    madvise(UnsafeMutableRawPointer(mutating: base + start), range.upperBound - start, MADV_DONTNEED)
  }

  deinit {
    if let base = region.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), region.count) }
    if lock >= 0 { close(lock) }
  }
}

/// The system's sentence for an error number.
package func errorText(_ number: Int32) -> String { String(cString: strerror(number)) }
