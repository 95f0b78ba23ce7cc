internal import Foundation

/// Where a private cluster keeps its files, and as whom it runs.
package struct ClusterLayout: Sendable {
  static let port = 5432
  /// Owner of the database, and the cluster's superuser.
  static let role = "rrcm"
  static let database = "rrcm"
  /// The longest path of a Unix socket (`sun_path` less its NUL; unix(7)).
  static let longestSocketPath = 107

  /// What the caller named.
  package let home: String
  /// Data, log and (where the path is short enough) socket; `home/postgres`, or a folder that it links to.
  package let baseFolder: String
  package let socketFolder: String
  /// The user that the server runs as.
  let account: Account

  package var dataFolder: String { baseFolder + "/data" }
  package var logFile: String { baseFolder + "/postgres.log" }
  var pidFile: String { dataFolder + "/postmaster.pid" }
  var versionFile: String { dataFolder + "/PG_VERSION" }
  var lockFile: String { home + "/postgres.lock" }
  /// What stands at `home/postgres` when the data has to live elsewhere.
  private var link: String { home + "/postgres" }

  init(home: String) throws {
    let home = URL(fileURLWithPath: home).standardizedFileURL.path
    self.home = home
    let name = ClusterLayout.digest(home)
    if geteuid() == 0 {
      guard let account = Account.named("postgres") else {
        throw LocalError(
          code: "account_missing",
          message: "PostgreSQL does not run as root, and the system account 'postgres' is missing. "
            + "\(PostgresInstallation.remedy), which makes it, or run as another user")
      }
      self.account = account
    } else {
      account = Account.current
    }
    // Root's home folder is closed to the server's account; its data then lives where that account may go.
    let target = try? FileManager.default.destinationOfSymbolicLink(atPath: home + "/postgres")
    if let target {
      baseFolder = target
    } else {
      baseFolder = Files.canEnter(home, account) ? home + "/postgres" : "/var/lib/rrcm-fleet/\(name)"
    }
    let inside = baseFolder + "/socket"
    let file = "/.s.PGSQL.\(ClusterLayout.port)"
    let isShort = (inside + file).utf8.count <= ClusterLayout.longestSocketPath
    // A comma or an '@' in the setting would mean several folders or an abstract socket.
    let isPlain = !inside.contains { ",@\"'\\\n".contains($0) }
    socketFolder = isShort && isPlain ? inside : "/tmp/rrcm-\(name)"
  }

  /// Makes the folders that are missing, with the right owner and mode.
  func makeFolders() throws {
    try Files.makeOpenDirectory(home)
    try Files.makePrivateDirectory(baseFolder, owner: account)
    if baseFolder != link, (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) == nil {
      do { try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: baseFolder) } catch {
        throw LocalError(
          code: "folder_unusable",
          message: "\(link) cannot be made a link to \(baseFolder): \(error.localizedDescription). Remove what is there"
        )
      }
    }
    try Files.makePrivateDirectory(socketFolder, owner: account)
  }

  /// The server's settings. Sizes suit a laptop; an operator's own server has its own.
  func settings(_ durability: PrivateCluster.Durability) -> String {
    let isDurable = durability == .full ? "on" : "off"
    return """
      # Written by rrcm at every start: changes here are lost. Use ALTER SYSTEM for your own.
      listen_addresses = ''
      port = \(ClusterLayout.port)
      unix_socket_directories = '\(socketFolder)'
      max_connections = 200
      shared_buffers = '128MB'
      fsync = \(isDurable)
      synchronous_commit = \(isDurable)
      full_page_writes = \(isDurable)
      timezone = 'UTC'
      log_timezone = 'UTC'
      lc_messages = 'C'
      log_destination = 'stderr'
      logging_collector = off
      log_line_prefix = '%m [%p] %q%a '
      jit = off

      """
  }

  /// Which users of this machine may connect as which role: root and the server's account, as any of ours.
  var identities: String {
    let users = Set(["root", account.name, Account.current.name]).sorted()
    let roles = [ClusterLayout.role, "rrcm_owner", "rrcm_coordinator", "rrcm_worker", "rrcm_reader"]
    let lines = users.flatMap { user in roles.map { "rrcm \"\(user)\" \($0)" } }
    return "# Written by rrcm: map, user of this machine, role.\n" + lines.joined(separator: "\n") + "\n"
  }

  /// Sixteen hexadecimal digits that stand for a path (FNV-1a, 64 bits).
  static func digest(_ path: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in path.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    let text = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
