internal import Foundation

/// A set of PostgreSQL server programs on this machine.
package struct PostgresInstallation: Sendable, Equatable {
  /// Folder with `postgres`, `initdb` and `pg_ctl`.
  package let folder: String
  /// Major version, 15 or newer.
  package let major: Int

  static let oldestMajor = 15
  static let remedy =
    "Install the server: apt-get install -y postgresql (or name the folder of its programs in RRCM_PG_BIN)"

  /// Every usable installation, the newest first: RRCM_PG_BIN alone when set, else Debian's folders, PATH and
  /// `pg_config --bindir`.
  ///
  /// - Throws: ``LocalError`` `postgres_missing`, with the command that installs it.
  package static func find(
    environment: [String: String] = ProcessInfo.processInfo.environment, debianRoot: String = "/usr/lib/postgresql"
  ) throws -> [PostgresInstallation] {
    if let named = environment["RRCM_PG_BIN"], !named.isEmpty {
      guard let installation = try PostgresInstallation(folder: named) else {
        throw LocalError(
          code: "postgres_missing",
          message:
            "RRCM_PG_BIN names \(named), which does not hold postgres, initdb and pg_ctl of version 15 or newer. "
            + "Correct it or unset it")
      }
      return [installation]
    }
    let debian = (try? FileManager.default.contentsOfDirectory(atPath: debianRoot)) ?? []
    var folders = debian.sorted().map { "\(debianRoot)/\($0)/bin" }
    let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    for folder in path where FileManager.default.isExecutableFile(atPath: "\(folder)/postgres") {
      let program = URL(fileURLWithPath: "\(folder)/postgres").resolvingSymlinksInPath()
      folders.append(program.deletingLastPathComponent().path)
    }
    for folder in path where FileManager.default.isExecutableFile(atPath: "\(folder)/pg_config") {
      let answer = try Command.run(["\(folder)/pg_config", "--bindir"], as: nil)
      if answer.status == 0 { folders.append(answer.output.trimmingCharacters(in: .whitespacesAndNewlines)) }
      break
    }
    var seen: Set<String> = []
    let found = try folders.filter { seen.insert($0).inserted }.compactMap { try PostgresInstallation(folder: $0) }
    if found.isEmpty {
      throw LocalError(
        code: "postgres_missing", message: "no PostgreSQL \(oldestMajor) or newer was found on this machine. \(remedy)")
    }
    return found.sorted { $0.major > $1.major }
  }

  /// - Returns: nil when the folder lacks a program or holds an old version.
  private init?(folder: String) throws {
    for program in ["postgres", "initdb", "pg_ctl"]
    where !FileManager.default.isExecutableFile(atPath: "\(folder)/\(program)") { return nil }
    // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"; betas read "19beta1".
    let answer = try Command.run(["\(folder)/postgres", "--version"], as: nil)
    guard answer.status == 0, let match = answer.output.firstMatch(of: #/\(PostgreSQL\) (\d+)/#),
      let major = Int(match.1), major >= Self.oldestMajor
    else { return nil }
    self.folder = folder
    self.major = major
  }
}
