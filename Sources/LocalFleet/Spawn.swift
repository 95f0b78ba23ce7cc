internal import Foundation

/// Starts programs that do not belong to our terminal and may outlive us.
///
/// Foundation's `Process` takes a program for running as long as any descendant holds one of its files, so it would never
/// see the end of `pg_ctl start`.
enum Spawn {
  /// `POSIX_SPAWN_SETSID` (glibc `spawn.h`, behind a feature macro that Swift's module does not set).
  private static let newSession: Int32 = 0x80

  /// Starts `program` in a session of its own: no terminal, standard input empty, output appended to `log`, signals at
  /// their defaults, none of our other files open.
  ///
  /// - Returns: the pid, which is also its process group.
  static func start(
    _ program: String, _ arguments: [String], _ environment: [String: String], log: String
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    for descriptor in open.compactMap({ Int32($0) }) where descriptor > 2 {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(newSession | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in words + variables { free(text) } }
    var pid: pid_t = 0
    let status = posix_spawn(&pid, program, &actions, &attributes, &words, &variables)
    if status != 0 {
      throw LocalError(
        code: "spawn_failed",
        message:
          "\(program) cannot be started (\(String(cString: strerror(status)))). Check that it and \(log) can be opened")
    }
    return pid
  }

  /// Waits for a child to end. Blocks.
  ///
  /// - Returns: its exit status, or 128 plus the signal that ended it.
  static func wait(for pid: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
      if errno != EINTR { return -1 }
    }
    return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
  }
}
