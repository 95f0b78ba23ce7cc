package import Database
internal import Foundation
internal import Logging

/// A PostgreSQL server of our own, for people who have none: data, socket and log under one folder, reachable through a
/// Unix socket only.
///
/// The folder has mode 0700 and belongs to the user who runs this; when that is root, to the system account `postgres`,
/// because the server refuses to run as root. Root and that user connect by peer authentication, without a password.
/// Commits are durable unless ``Durability/none`` is asked for, which is for tests.
///
/// All calls are idempotent and may come from several processes at once.
package struct PrivateCluster: Sendable {
  /// Whether a commit survives a power cut.
  package enum Durability: Sendable { case full, none }

  /// Where the server stands.
  package enum Status: Sendable, Equatable {
    /// Never started: there is no data.
    case absent
    case stopped
    case running(pid: Int32)
  }

  /// Where everything lives.
  package let layout: ClusterLayout
  private let durability: Durability
  private let environment: [String: String]

  /// Names the cluster under `home/postgres`; touches nothing yet.
  ///
  /// - Parameters:
  ///   - home: an absolute path, or one relative to the working folder.
  ///   - environment: where `RRCM_PG_BIN` and `PATH` are looked up.
  /// - Throws: ``LocalError`` `account_missing` when this is root and the account `postgres` does not exist.
  package init(
    home: String, durability: Durability = .full,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws {
    layout = try ClusterLayout(home: home)
    self.durability = durability
    self.environment = environment
  }

  /// The database `rrcm`, as the role `rrcm`, which owns it. Holds no secret.
  package var url: DatabaseURL {
    get throws {
      try DatabaseURL(
        "host='\(layout.socketFolder)' port=\(ClusterLayout.port) user=\(ClusterLayout.role) dbname=\(ClusterLayout.database)"
      )
    }
  }

  /// Makes the cluster if it is missing, starts it if it is stopped, makes the database if it is missing, and waits until
  /// it takes connections.
  ///
  /// - Throws: ``LocalError`` with the remedy, or ``DatabaseError``.
  package func start() async throws {
    try await offPool { try startServer() }
    let connection = Connection(
      try url.withDatabase("postgres"), applicationName: "rrcm up",
      logger: Logger(label: "rrcm.local") { _ in
        SwiftLogNoOpLogHandler()
      })
    let known = try await connection.query(
      "SELECT 1 AS one FROM pg_database WHERE datname = $1", [.text(ClusterLayout.database)])
    if known.isEmpty {
      do { try await connection.script("CREATE DATABASE \(ClusterLayout.database)") } catch let error as DatabaseError {
        // Another `start` was faster.
        if error.code != "42P04" && !error.isUniqueViolation { throw error }
      }
    }
    await connection.close()
  }

  /// Stops the server: sessions are ended, open transactions rolled back. Does nothing when it does not run.
  package func stop() async throws { try await offPool { try stopServer() } }

  package func status() async throws -> Status { try await offPool { serverStatus() } }

  /// ``stop()`` for exit handlers. Blocks.
  package func stopServer(timeout: Duration = .seconds(60)) throws {
    guard case .running = serverStatus() else { return }
    try Files.withLock(layout.lockFile) {
      guard case .running(let pid) = serverStatus() else { return }
      // SIGINT asks the postmaster for a fast shutdown (PostgreSQL documentation, "Shutting Down the Server").
      guard kill(pid, SIGINT) == 0 || errno == ESRCH else {
        throw LocalError(
          code: "stop_failed",
          message: "the server, pid \(pid), cannot be signalled (\(Files.reason())). "
            + "Stop it as the user who started it")
      }
      let deadline = ContinuousClock.now + timeout
      while serverStatus() == .running(pid: pid) {
        if ContinuousClock.now >= deadline {
          throw LocalError(
            code: "stop_failed",
            message: "the server, pid \(pid), still runs \(timeout) after it was asked to stop. See \(layout.logFile)")
        }
        usleep(20_000)
      }
    }
  }

  func serverStatus() -> Status {
    guard FileManager.default.fileExists(atPath: layout.versionFile) else { return .absent }
    guard let pid = recordedPid, isOurServer(pid) else { return .stopped }
    return .running(pid: pid)
  }
}

extension PrivateCluster {
  private func startServer() throws {
    try layout.makeFolders()
    try Files.withLock(layout.lockFile) {
      if case .running = serverStatus() { return }
      let installations = try PostgresInstallation.find(environment: environment)
      let installation = try installationForData(installations)
      if serverStatus() == .absent { try initialise(installation) }
      try refuseTakenPid()
      try writeSettings()
      let logSize = Files.size(layout.logFile)
      let answer = try Command.run(
        [
          "\(installation.folder)/pg_ctl", "start", "-D", layout.dataFolder, "-l", layout.logFile, "-w", "-s", "-t",
          "60",
        ], as: layout.account, in: layout.baseFolder)
      if answer.status != 0 {
        let log = Files.tail(layout.logFile, from: logSize)
        throw explain("the server did not start", log.isEmpty ? answer.output : log)
      }
    }
  }

  /// The newest installation, or the one that the data was made by.
  private func installationForData(_ installations: [PostgresInstallation]) throws -> PostgresInstallation {
    guard let text = Files.text(layout.versionFile) else { return installations[0] }
    let version = text.trimmingCharacters(in: .whitespacesAndNewlines)
    if let installation = installations.first(where: { String($0.major) == version }) { return installation }
    let found = installations.map { String($0.major) }.joined(separator: ", ")
    throw LocalError(
      code: "other_major",
      message: "the data in \(layout.dataFolder) was made by PostgreSQL \(version), and this machine has \(found). "
        + "Install that version (apt-get install -y postgresql-\(version)), convert the data with pg_upgrade, or move the "
        + "folder away to start empty")
  }

  /// Makes the data folder in one step: a half-made one never stands at its final place.
  private func initialise(_ installation: PostgresInstallation) throws {
    let data = layout.dataFolder
    if let contents = try? FileManager.default.contentsOfDirectory(atPath: data), !contents.isEmpty {
      throw LocalError(
        code: "data_unusable",
        message: "\(data) holds files but no PostgreSQL data (no PG_VERSION). Move it away to start empty")
    }
    let fresh = data + ".new"
    try? FileManager.default.removeItem(atPath: fresh)
    let answer = try Command.run(
      [
        "\(installation.folder)/initdb", "--pgdata=\(fresh)", "--username=\(ClusterLayout.role)", "--encoding=UTF8",
        "--locale=C", "--data-checksums", "--auth-local=peer", "--auth-host=scram-sha-256",
      ] + (durability == .none ? ["--no-sync"] : []), as: layout.account, in: layout.baseFolder)
    if answer.status != 0 {
      try? FileManager.default.removeItem(atPath: fresh)
      throw explain("initdb failed", Array(answer.output.split(separator: "\n").suffix(12)).joined(separator: "\n"))
    }
    if rename(fresh, data) != 0 {
      throw LocalError(
        code: "folder_unusable", message: "\(fresh) cannot be renamed to \(data) (\(Files.reason())). Check its rights")
    }
  }

  /// Our settings and our rules of access, rewritten at every start: PostgreSQL's own files stay as they came.
  private func writeSettings() throws {
    let data = layout.dataFolder
    let include = "include = 'rrcm.conf'"
    let main = Files.text("\(data)/postgresql.conf") ?? ""
    if !main.contains(include) {
      try Files.write(main + "\n\(include)\n", to: "\(data)/postgresql.conf", owner: layout.account)
    }
    try Files.write(layout.settings(durability), to: "\(data)/rrcm.conf", owner: layout.account)
    try Files.write(
      "# Written by rrcm: whoever can reach the socket folder's owner connects by peer, nobody over TCP.\n"
        + "local all all peer map=rrcm\n", to: "\(data)/pg_hba.conf", owner: layout.account)
    try Files.write(layout.identities, to: "\(data)/pg_ident.conf", owner: layout.account)
  }

  /// PostgreSQL takes any live pid in `postmaster.pid` for its own server and refuses to start; say what it really is.
  private func refuseTakenPid() throws {
    guard let pid = recordedPid, let facts = ProcessFacts(pid: pid), !facts.isZombie, pid != getpid(), pid != getppid()
    else { return }
    throw LocalError(
      code: "pid_taken",
      message: "\(layout.pidFile) is left over from a server that died: its pid \(pid) now belongs to another program "
        + "(\(facts.name)). If no PostgreSQL uses \(layout.dataFolder), remove the file: rm '\(layout.pidFile)'")
  }

  private var recordedPid: Int32? {
    Files.text(layout.pidFile)?.split(separator: "\n").first.flatMap { Int32($0) }
  }

  /// A live `postgres` that works in our data folder. Where its folder may not be seen, its name must do.
  private func isOurServer(_ pid: Int32) -> Bool {
    guard let facts = ProcessFacts(pid: pid), !facts.isZombie, facts.name == "postgres" else { return false }
    guard let folder = ProcessFacts.workingDirectory(pid) else { return true }
    return folder == URL(fileURLWithPath: layout.dataFolder).resolvingSymlinksInPath().path
  }

  /// Turns what PostgreSQL printed into an error with a remedy.
  private func explain(_ what: String, _ log: String) -> LocalError {
    func error(_ code: String, _ remedy: String) -> LocalError {
      LocalError(code: code, message: "\(what). \(remedy)\nLast lines of its log (\(layout.logFile)):\n\(log)")
    }
    if log.contains("No space left on device") || log.contains("Disk quota exceeded") {
      return error("disk_full", "The disk with \(layout.baseFolder) is full: free some space, then start again.")
    }
    if log.contains("Unix-domain socket") || log.contains(".s.PGSQL.") {
      return error(
        "folder_unusable", "Its socket folder \(layout.socketFolder) cannot be used: check that it is writable.")
    }
    if log.contains("Permission denied") {
      return error(
        "folder_unusable", "The user \(layout.account.name) lacks rights in \(layout.baseFolder): fix its owner.")
    }
    return error("start_failed", "The log says why.")
  }
}
