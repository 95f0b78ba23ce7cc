internal import Foundation

/// The few file operations that need more care than Foundation takes: owners, modes, locks.
enum Files {
  /// Makes a directory for `owner` alone (mode 0700), and its missing parents.
  ///
  /// - Parameter owner: user and group; nil leaves this process's.
  /// - Throws: ``LocalError`` `folder_unusable`, also when something that is not ours stands at the path.
  static func makePrivateDirectory(_ path: String, owner: Account?) throws {
    let parent = (path as NSString).deletingLastPathComponent
    if !parent.isEmpty { try makeOpenDirectory(parent) }
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      throw LocalError(
        code: "folder_unusable",
        message: "the folder \(path) cannot be made (\(reason())). Choose another home or fix the rights of \(parent)")
    }
    var facts = stat()
    guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR else {
      throw LocalError(code: "folder_unusable", message: "\(path) is in the way: it is no folder. Move it elsewhere")
    }
    let wanted = owner?.uid ?? geteuid()
    if facts.st_uid != wanted, geteuid() != 0 || facts.st_uid != 0 || chown(path, wanted, owner?.gid ?? getegid()) != 0
    {
      throw LocalError(
        code: "folder_unusable",
        message:
          "the folder \(path) belongs to user id \(facts.st_uid), not \(wanted). Remove it or choose another home")
    }
    if facts.st_mode & 0o777 != 0o700, chmod(path, 0o700) != 0 {
      throw LocalError(
        code: "folder_unusable", message: "the mode of \(path) cannot be set to 0700 (\(reason())). Fix its owner")
    }
  }

  /// Makes a directory and its missing parents with mode 0755 whatever the umask, so that the server's account can pass.
  static func makeOpenDirectory(_ path: String) throws {
    if FileManager.default.fileExists(atPath: path) { return }
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    } catch {
      throw LocalError(
        code: "folder_unusable",
        message: "the folder \(path) cannot be made (\(reason())). Choose another home or fix its parent's rights")
    }
  }

  /// The C library's words for `errno`.
  static func reason() -> String { String(cString: strerror(errno)) }

  /// The text of a file; nil when it is missing or unreadable.
  static func text(_ path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    return String(decoding: data, as: UTF8.self)
  }

  /// Writes a file in one step: readers see the old text or the new, never half of it.
  static func write(_ text: String, to path: String, owner: Account? = nil) throws {
    do { try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
      throw LocalError(
        code: errno == ENOSPC ? "disk_full" : "folder_unusable",
        message: "\(path) cannot be written (\(reason())). Check free space and rights")
    }
    if let owner { _ = chown(path, owner.uid, owner.gid) }
    _ = chmod(path, 0o600)
  }

  /// The last `count` lines of a file from byte `offset` on.
  static func tail(_ path: String, from offset: Int = 0, lines count: Int = 12) -> String {
    guard let file = FileHandle(forReadingAtPath: path) else { return "" }
    defer { try? file.close() }
    let size = (try? file.seekToEnd()) ?? 0
    try? file.seek(toOffset: max(UInt64(offset), size > 65_536 ? size - 65_536 : 0))
    let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    return text.split(separator: "\n").suffix(count).joined(separator: "\n")
  }

  static func size(_ path: String) -> Int {
    var facts = stat()
    return stat(path, &facts) == 0 ? Int(facts.st_size) : 0
  }

  /// Runs `body` while holding an exclusive lock on a file, which is made if missing and left there.
  static func withLock<T>(_ path: String, _ body: () throws -> T) throws -> T {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw LocalError(
        code: "folder_unusable",
        message: "the lock file \(path) cannot be opened (\(reason())). Check the folder's rights")
    }
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX) != 0 {
      if errno != EINTR {
        throw LocalError(code: "folder_unusable", message: "the file \(path) cannot be locked (\(reason()))")
      }
    }
    return try body()
  }

  /// True when `account` may pass through every folder down to and including `path`'s nearest existing ancestor.
  static func canEnter(_ path: String, _ account: Account) -> Bool {
    var prefix = ""
    for part in path.split(separator: "/") {
      prefix += "/" + part
      var facts = stat()
      guard stat(prefix, &facts) == 0 else { return true }
      let mask: mode_t = facts.st_uid == account.uid ? 0o100 : facts.st_gid == account.gid ? 0o010 : 0o001
      if facts.st_mode & mask == 0 { return false }
    }
    return true
  }
}

/// A user of this machine, as far as we need one.
struct Account: Sendable, Equatable {
  let name: String
  let uid: uid_t
  let gid: gid_t

  static func named(_ name: String) -> Account? {
    guard let entry = getpwnam(name) else { return nil }
    return Account(name: name, uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid)
  }

  /// The user this process runs as; its number where it has no name.
  static var current: Account {
    let name = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) }
    return Account(name: name ?? String(geteuid()), uid: geteuid(), gid: getegid())
  }
}
