import Database
import Foundation
import LocalFleet
import TestSupport
import Testing

private let isRoot = geteuid() == 0

/// Mounts a small memory disk at `path`; false where this is not allowed.
private func mountSmallDisk(_ path: String, megabytes: Int) -> Bool {
  mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m,mode=0755") == 0
}

/// Takes the disk away at once, even while a child that is just starting still holds a file of it.
private func unmountSmallDisk(_ path: String) { umount2(path, Int32(MNT_DETACH)) }

/// Whether this process may mount at all, found by doing it once.
private let canMount: Bool = {
  guard isRoot, let path = try? TemporaryFolder.make("mount") else { return false }
  defer { TemporaryFolder.remove(path) }
  guard mountSmallDisk(path, megabytes: 1) else { return false }
  unmountSmallDisk(path)
  return true
}()

@Suite("The private PostgreSQL")
struct PrivateClusterTests {
  private func makeCluster(_ home: String, _ environment: [String: String]? = nil) throws -> PrivateCluster {
    try PrivateCluster(
      home: home, durability: .none, environment: environment ?? ProcessInfo.processInfo.environment)
  }

  private func startError(_ cluster: PrivateCluster) async -> LocalError? {
    await #expect(throws: LocalError.self) { try await cluster.start() }
  }

  @Test("it starts from nothing, keeps its data over restarts, and starting or stopping twice does nothing")
  func lifeCycle() async throws {
    try await withTemporaryFolder { home async throws in
      let cluster = try PrivateCluster(home: home)
      #expect(try await cluster.status() == .absent)
      try await cluster.stop()
      try await cluster.start()
      let running = try await cluster.status()
      try await cluster.start()
      #expect(try await cluster.status() == running)

      let connection = Connection(try cluster.url, applicationName: "tests", logger: .silent)
      let names = [
        "listen_addresses", "fsync", "synchronous_commit", "full_page_writes", "data_checksums", "server_encoding",
        "lc_collate", "unix_socket_directories",
      ]
      let rows = try await connection.query(
        "SELECT current_setting(n) AS v FROM unnest($1::text[]) AS n", [.texts(names)])
      #expect(
        try rows.map { try $0.text("v") } == ["", "on", "on", "on", "on", "UTF8", "C", cluster.layout.socketFolder])
      let who = try await connection.query("SELECT current_user::text AS u, current_database()::text AS d")[0]
      #expect(try who.text("u") == "rrcm")
      #expect(try who.text("d") == "rrcm")
      try await connection.script("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")

      try await cluster.stop()
      #expect(try await cluster.status() == .stopped)
      try await cluster.stop()
      try await cluster.start()
      #expect(try await connection.query("SELECT n FROM kept")[0].int("n") == 7)
      for folder in [cluster.layout.baseFolder, cluster.layout.dataFolder, cluster.layout.socketFolder] {
        let mode = try FileManager.default.attributesOfItem(atPath: folder)[.posixPermissions] as? Int
        #expect(mode == 0o700, "\(folder)")
      }
      try await cluster.stop()
    }
  }

  @Test("two starts at once make one server")
  func concurrentStarts() async throws {
    try await withTemporaryFolder { home async throws in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<3 { group.addTask { try await makeCluster(home).start() } }
        try await group.waitForAll()
      }
      let cluster = try makeCluster(home)
      let connection = Connection(try cluster.url, applicationName: "tests", logger: .silent)
      #expect(try await connection.query("SELECT 1 AS one")[0].int("one") == 1)
      try await cluster.stop()
    }
  }

  @Test("a home too deep for a socket path still works, through a short folder")
  func deepHome() async throws {
    try await withTemporaryFolder { folder async throws in
      let home = folder + "/" + String(repeating: "deep/", count: 30) + "home"
      let cluster = try makeCluster(home)
      #expect(cluster.layout.socketFolder.hasPrefix("/tmp/rrcm-"))
      try await cluster.start()
      let connection = Connection(try cluster.url, applicationName: "tests", logger: .silent)
      #expect(try await connection.query("SELECT 1 AS one")[0].int("one") == 1)
      try await cluster.stop()
      TemporaryFolder.remove(cluster.layout.socketFolder)
    }
  }

  @Test(
    "a home that the server's account cannot enter keeps its data elsewhere, and finds it again",
    .enabled(if: isRoot, "skipped: only root's server runs under another account"))
  func closedHome() async throws {
    try await withTemporaryFolder { folder async throws in
      let home = folder + "/closed/home"
      try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
      chmod(folder + "/closed", 0o700)
      let first = try makeCluster(home)
      #expect(first.layout.baseFolder.hasPrefix("/var/lib/rrcm-fleet/"))
      try await first.start()
      let again = try makeCluster(home)
      #expect(try await again.status() == first.status())
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: home + "/postgres") == first.layout.baseFolder)
      try await again.stop()
      TemporaryFolder.remove(first.layout.baseFolder)
    }
  }

  @Test("a server killed without warning starts again over its stale pid file")
  func stalePid() async throws {
    try await withTemporaryFolder { home async throws in
      let cluster = try makeCluster(home)
      try await cluster.start()
      guard case .running(let pid) = try await cluster.status() else { throw CancellationError() }
      kill(pid, SIGKILL)
      while try await cluster.status() == .running(pid: pid) { try await Task.sleep(for: .milliseconds(20)) }
      #expect(FileManager.default.fileExists(atPath: cluster.layout.dataFolder + "/postmaster.pid"))
      // Its children notice within moments; until then the shared memory is in use and a start is refused.
      let deadline = ContinuousClock.now + .seconds(20)
      while true {
        do {
          try await cluster.start()
          break
        } catch let error as LocalError where ContinuousClock.now < deadline {
          #expect(error.code == "start_failed")
          try await Task.sleep(for: .milliseconds(200))
        }
      }
      try await cluster.stop()
    }
  }

  @Test("a pid file whose pid belongs to another program is explained, with the command that removes it")
  func takenPid() async throws {
    try await withTemporaryFolder { home async throws in
      let cluster = try makeCluster(home)
      try await cluster.start()
      try await cluster.stop()
      let processes = LocalProcesses(home: home)
      let sleeper = try await processes.start("sleeper", arguments: ["60"], executable: "/usr/bin/sleep")
      let pidFile = cluster.layout.dataFolder + "/postmaster.pid"
      try "\(sleeper.pid)\n\(cluster.layout.dataFolder)\n0\n5432\n".write(
        toFile: pidFile, atomically: true, encoding: .utf8)
      #expect(try await cluster.status() == .stopped)
      let error = await startError(cluster)
      #expect(error?.code == "pid_taken")
      #expect(error?.message.contains("pid \(sleeper.pid) now belongs to another program (sleep)") == true)
      #expect(error?.message.contains("rm '\(pidFile)'") == true)
      try await processes.stop("sleeper")
    }
  }

  @Test("data made by another major version are refused, naming both versions")
  func otherMajor() async throws {
    try await withTemporaryFolder { home async throws in
      let cluster = try makeCluster(home)
      try await cluster.start()
      try await cluster.stop()
      try "12\n".write(toFile: cluster.layout.dataFolder + "/PG_VERSION", atomically: true, encoding: .utf8)
      let error = await startError(cluster)
      #expect(error?.code == "other_major")
      #expect(error?.message.contains("made by PostgreSQL 12") == true)
      #expect(error?.message.contains("apt-get install -y postgresql-12") == true)
    }
  }

  @Test("a folder with files that are no PostgreSQL data is left alone")
  func foreignData() async throws {
    try await withTemporaryFolder { home async throws in
      let cluster = try makeCluster(home)
      let precious = cluster.layout.dataFolder + "/precious.txt"
      try FileManager.default.createDirectory(atPath: cluster.layout.dataFolder, withIntermediateDirectories: true)
      try "keep".write(toFile: precious, atomically: true, encoding: .utf8)
      let error = await startError(cluster)
      #expect(error?.code == "data_unusable")
      #expect(FileManager.default.fileExists(atPath: precious))
    }
  }

  @Test("missing server programs are answered with the command that installs them")
  func missingPrograms() async throws {
    try await withTemporaryFolder { home async throws in
      var error = await startError(try makeCluster(home, ["RRCM_PG_BIN": "/nowhere"]))
      #expect(error?.code == "postgres_missing")
      #expect(error?.message.contains("RRCM_PG_BIN names /nowhere") == true)
      error = #expect(throws: LocalError.self) {
        try PostgresInstallation.find(environment: ["PATH": home], debianRoot: home)
      }
      #expect(error?.message.contains("apt-get install -y postgresql") == true)
      // Programs of an old version do not count.
      let old = home + "/old"
      try FileManager.default.createDirectory(atPath: old, withIntermediateDirectories: true)
      for program in ["postgres", "initdb", "pg_ctl"] {
        try "#!/bin/sh\necho 'postgres (PostgreSQL) 14.9'\n".write(
          toFile: "\(old)/\(program)", atomically: true, encoding: .utf8)
        chmod("\(old)/\(program)", 0o755)
      }
      error = #expect(throws: LocalError.self) {
        try PostgresInstallation.find(environment: ["PATH": old], debianRoot: home)
      }
      #expect(error?.code == "postgres_missing")
      #expect(try PostgresInstallation.find().allSatisfy { $0.major >= 15 })
    }
  }

  @Test("a socket folder that is not ours is refused")
  func socketFolderUnusable() async throws {
    try await withTemporaryFolder { home async throws in
      let cluster = try makeCluster(home)
      try FileManager.default.createDirectory(atPath: cluster.layout.baseFolder, withIntermediateDirectories: true)
      try "in the way".write(toFile: cluster.layout.socketFolder, atomically: true, encoding: .utf8)
      var error = await startError(cluster)
      #expect(error?.code == "folder_unusable")
      #expect(error?.message.contains(cluster.layout.socketFolder) == true)
      // A folder in place of the socket itself: the server cannot bind, and its own words are passed on.
      unlink(cluster.layout.socketFolder)
      try FileManager.default.createDirectory(
        atPath: cluster.layout.socketFolder + "/.s.PGSQL.5432/full", withIntermediateDirectories: true)
      error = await startError(cluster)
      #expect(error?.code == "folder_unusable")
      #expect(error?.message.contains("Last lines of its log") == true)
      #expect(error?.message.contains(".s.PGSQL.5432") == true)
    }
  }

  @Test("a broken setting is answered with the end of the server's log")
  func brokenSetting() async throws {
    try await withTemporaryFolder { home async throws in
      let cluster = try makeCluster(home)
      try await cluster.start()
      try await cluster.stop()
      try "no_such_setting = 1\n".write(
        toFile: cluster.layout.dataFolder + "/postgresql.auto.conf", atomically: false, encoding: .utf8)
      let error = await startError(cluster)
      #expect(error?.code == "start_failed")
      #expect(error?.message.contains("no_such_setting") == true)
    }
  }

  @Test(
    "a full disk is called a full disk, at the first start and later",
    .enabled(if: canMount, "skipped: mounting a small disk needs root and the right to mount"))
  func fullDisk() async throws {
    try await withTemporaryFolder { home async throws in
      #expect(mountSmallDisk(home, megabytes: 12))
      var cluster = try makeCluster(home)
      var error = await startError(cluster)
      #expect(error?.code == "disk_full")
      #expect(error?.message.contains("free some space") == true)
      #expect(try await cluster.status() == .absent)
      unmountSmallDisk(home)

      #expect(mountSmallDisk(home, megabytes: 64))
      defer { unmountSmallDisk(home) }
      cluster = try makeCluster(home)
      try await cluster.start()
      try await cluster.stop()
      let filler = open(home + "/filler", O_CREAT | O_WRONLY, 0o600)
      let block = [UInt8](repeating: 1, count: 4096)
      while write(filler, block, block.count) > 0 {}
      close(filler)
      error = await startError(cluster)
      #expect(error?.code == "disk_full")
      unlink(home + "/filler")
      try await cluster.start()
      try await cluster.stop()
    }
  }
}
