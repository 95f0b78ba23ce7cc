internal import Foundation

/// The fleet's processes on this machine: started in the background, found again by name, stopped on request.
///
/// A process outlives the one that started it. Its output is appended to `home/log/NAME.log`; `home/run/NAME.pid` holds
/// its pid, start time and the machine's boot, so a pid that the system gave to another program is never signalled.
package struct LocalProcesses: Sendable {
  /// One process that was started under a name.
  package struct Status: Sendable, Equatable {
    package let name: String
    /// nil when it has ended.
    package let pid: Int32?
    package let logFile: String
  }

  package let home: String

  package init(home: String) { self.home = URL(fileURLWithPath: home).standardizedFileURL.path }

  package func logFile(_ name: String) -> String { "\(home)/log/\(name).log" }

  /// Starts a process under `name`, unless one runs already.
  ///
  /// - Parameters:
  ///   - name: lower-case letters, digits and hyphens: `coordinator`, `worker-1`.
  ///   - arguments: after the program's own name. Seen by every user of the machine: secrets go into `environment`.
  ///   - environment: the whole environment of the process.
  ///   - executable: an absolute path; the program that runs this by default.
  ///   - settle: how long to watch for an early death before reporting success.
  /// - Returns: the pid, and whether this call started it.
  /// - Throws: ``LocalError``, with the log's last lines when the process died at once.
  @discardableResult
  package func start(
    _ name: String, arguments: [String], environment: [String: String] = ProcessInfo.processInfo.environment,
    executable: String? = nil, settle: Duration = .milliseconds(200)
  ) async throws -> (pid: Int32, isNew: Bool) {
    try checkName(name)
    return try await offPool {
      try makeFolders()
      return try Files.withLock("\(home)/run/\(name).lock") {
        if let pid = livePid(name) { return (pid, false) }
        let log = logFile(name)
        let logSize = Files.size(log)
        let program = try executable ?? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let pid = try Spawn.start(program, arguments, environment, log: log)
        guard let facts = ProcessFacts(pid: pid) else { throw died(name, logSize) }
        try Files.write("\(pid) \(facts.startTicks) \(ProcessFacts.bootIdentifier)\n", to: pidFile(name))
        let deadline = ContinuousClock.now + settle
        while ContinuousClock.now < deadline {
          if livePid(name) == nil {
            unlink(pidFile(name))
            throw died(name, logSize)
          }
          usleep(10_000)
        }
        return (pid, true)
      }
    }
  }

  /// Asks a process to drain (SIGTERM) and kills it when it has not ended in time. Does nothing when none runs.
  ///
  /// - Returns: true when a process was running and has ended by itself; false when none ran or it had to be killed.
  @discardableResult
  package func stop(_ name: String, timeout: Duration = .seconds(30)) async throws -> Bool {
    try checkName(name)
    return try await offPool {
      guard FileManager.default.fileExists(atPath: pidFile(name)) else { return false }
      return try Files.withLock("\(home)/run/\(name).lock") {
        guard let pid = livePid(name) else {
          unlink(pidFile(name))
          return false
        }
        try signal(pid, SIGTERM, name)
        if waitForEnd(name, timeout) {
          unlink(pidFile(name))
          return true
        }
        // The process leads a group of its own: its helpers go with it.
        try signal(-pid, SIGKILL, name)
        guard waitForEnd(name, .seconds(10)) else {
          throw LocalError(
            code: "stop_failed", message: "\(name), pid \(pid), survives SIGKILL: its disk or device hangs")
        }
        unlink(pidFile(name))
        return false
      }
    }
  }

  /// Every process that was started here and not stopped, by name; those that ended by themselves without a pid.
  package func status() async -> [Status] {
    let names = (try? await offPool { try FileManager.default.contentsOfDirectory(atPath: "\(home)/run") }) ?? []
    return names.filter { $0.hasSuffix(".pid") }.map { String($0.dropLast(4)) }.sorted().map { name in
      Status(name: name, pid: livePid(name), logFile: logFile(name))
    }
  }
}

extension LocalProcesses {
  private func pidFile(_ name: String) -> String { "\(home)/run/\(name).pid" }

  /// The pid of the process that was started under this name and still runs.
  private func livePid(_ name: String) -> Int32? {
    let words = (Files.text(pidFile(name)) ?? "").split(whereSeparator: \.isWhitespace)
    guard words.count == 3, let pid = Int32(words[0]), let ticks = UInt64(words[1]) else { return nil }
    // A child of ours that ended stays a zombie until it is waited for.
    var status: Int32 = 0
    waitpid(pid, &status, WNOHANG)
    guard words[2] == ProcessFacts.bootIdentifier, let facts = ProcessFacts(pid: pid), facts.startTicks == ticks,
      !facts.isZombie
    else { return nil }
    return pid
  }

  private func waitForEnd(_ name: String, _ timeout: Duration) -> Bool {
    let deadline = ContinuousClock.now + timeout
    while livePid(name) != nil {
      if ContinuousClock.now >= deadline { return false }
      usleep(20_000)
    }
    return true
  }

  private func signal(_ pid: Int32, _ number: Int32, _ name: String) throws {
    if kill(pid, number) != 0, errno != ESRCH {
      throw LocalError(
        code: "stop_failed",
        message: "\(name), pid \(abs(pid)), cannot be signalled (\(Files.reason())). Stop it as the user who started it"
      )
    }
  }

  private func died(_ name: String, _ logSize: Int) -> LocalError {
    LocalError(
      code: "start_failed",
      message: "\(name) ended right after its start. Last lines of \(logFile(name)):\n"
        + Files.tail(logFile(name), from: logSize))
  }

  private func makeFolders() throws {
    for folder in ["log", "run"] { try Files.makePrivateDirectory("\(home)/\(folder)", owner: nil) }
  }

  private func checkName(_ name: String) throws {
    if name.wholeMatch(of: #/[a-z0-9][a-z0-9-]{0,62}/#) == nil {
      throw LocalError(
        code: "bad_name",
        message: "\"\(name)\" is no process name: lower-case letters, digits and hyphens, at most 63, as in worker-1")
    }
  }
}
