import Database
import Foundation
import LocalFleet
import Logging
import Synchronization
import TestSupport
import Testing

@Suite("Connections that break, wait and are cancelled")
struct LivenessTests {
  @Test("a connection whose session was ended reconnects before its next call")
  func reconnectsAfterTermination() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let victim = database.connection()
      let killer = database.connection()
      for _ in 0..<3 {
        let pid = try await victim.query("SELECT pg_backend_pid() AS pid")[0].int("pid")
        try await killer.execute("SELECT pg_terminate_backend($1::int, 5000)", [.int(pid)])
        let newPid = try await victim.query("SELECT pg_backend_pid() AS pid")[0].int("pid")
        #expect(newPid != pid)
      }
    }
  }

  @Test("a call that loses its session under way asks to be retried; the rest of its transaction never reconnects")
  func lossInFlight() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let victim = database.connection()
      let killer = database.connection()
      try await victim.script("CREATE TABLE note (id int)")
      let error = await #expect(throws: DatabaseError.self) {
        try await victim.query("SELECT pg_terminate_backend(pg_backend_pid(), 5000)")
      }
      #expect(error?.disposition == .retry)

      let later = await #expect(throws: DatabaseError.self) {
        try await victim.transaction { connection in
          try connection.execute("INSERT INTO note VALUES (1)")
          _ = try? connection.query("SELECT pg_terminate_backend(pg_backend_pid(), 5000)")
          try connection.execute("INSERT INTO note VALUES (2)")
        }
      }
      #expect(later?.code == "connection_lost")
      #expect(later?.disposition == .retry)
      #expect(try await killer.query("SELECT count(*) AS n FROM note")[0].int("n") == 0)
      #expect(try await victim.query("SELECT count(*) AS n FROM note")[0].int("n") == 0)
    }
  }

  @Test("the server ends a transaction whose client has gone silent; other calls of the session are not timed")
  func silence() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = database.connection()
      let inside = try await connection.transaction { connection in
        try connection.query("SHOW idle_in_transaction_session_timeout")[0].text("idle_in_transaction_session_timeout")
      }
      #expect(inside == "30s")
      let outside = try await connection.query("SHOW idle_in_transaction_session_timeout")
      #expect(try outside[0].text("idle_in_transaction_session_timeout") == "0")
    }
  }

  @Test("calls wait for a server that restarts, and listening goes on after it")
  func serverRestart() async throws {
    try await withTemporaryFolder { home async throws in
      let cluster = try PrivateCluster(home: home, durability: .none)
      try await cluster.start()
      let connection = Connection(try cluster.url, applicationName: "rrcm tests", logger: .silent)
      let listener = Connection(try cluster.url, applicationName: "rrcm tests", logger: .silent)
      try await listener.listen("news")
      #expect(try await connection.query("SELECT 1 AS one")[0].int("one") == 1)
      try await cluster.stop()
      let restarting = Task {
        try await Task.sleep(for: .milliseconds(700))
        try await cluster.start()
      }
      #expect(try await connection.query("SELECT 2 AS two")[0].int("two") == 2)
      try await restarting.value
      #expect(try await listener.waitForNotification(timeout: .seconds(20)) == "")
      try await connection.execute("NOTIFY news, 'again'")
      #expect(try await listener.waitForNotification(timeout: .seconds(20)) == "again")
      try await cluster.stop()
    }
  }

  @Test("an unreachable server is given up after the limit, with the reason and without the password")
  func unreachable() async throws {
    let url = try DatabaseURL("postgresql://someone:hush%20hush@127.0.0.1:9/db")
    let connection = Connection(
      url, applicationName: "rrcm tests", logger: .silent, reconnect: ReconnectPolicy(limit: .milliseconds(600)))
    let start = ContinuousClock.now
    let error = await #expect(throws: DatabaseError.self) { try await connection.query("SELECT 1") }
    #expect(ContinuousClock.now - start < .seconds(20))
    #expect(error?.code == "connection_failed")
    #expect(error?.disposition == .retry)
    #expect(error?.message.contains("127.0.0.1") == true)
    #expect(error?.message.contains("gave up after") == true)
    #expect(error.map { String(reflecting: $0) }?.contains("hush") == false)
  }

  @Test("a server that refuses us is not asked again")
  func refused() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = Connection(
        database.url.withDatabase("no_such_database"), applicationName: "rrcm tests", logger: .silent)
      let start = ContinuousClock.now
      let error = await #expect(throws: DatabaseError.self) { try await connection.query("SELECT 1") }
      #expect(error?.code == "3D000")
      #expect(error?.disposition == .permanent)
      #expect(error?.message.contains("Create the database") == true)
      #expect(ContinuousClock.now - start < .seconds(20))
    }
  }

  @Test("cancel ends a statement at once and leaves the connection usable; it never strikes a later one")
  func cancellation() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connection = database.connection()
      _ = try await connection.query("SELECT 1")
      connection.cancel()
      for _ in 0..<5 {
        let start = ContinuousClock.now
        let canceller = Task {
          try await Task.sleep(for: .milliseconds(150))
          connection.cancel()
        }
        let error = await #expect(throws: DatabaseError.self) { try await connection.query("SELECT pg_sleep(30)") }
        #expect(error?.isCancellation == true)
        #expect(error?.disposition == .permanent)
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(try await connection.query("SELECT pg_sleep(0.25), 7 AS seven")[0].int("seven") == 7)
        try await canceller.value
      }
    }
  }

  @Test("a statement timeout from the URL's options ends a statement, to be retried")
  func statementTimeout() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let url = try DatabaseURL(database.url.connectionString + " options='-c statement_timeout=100ms'")
      let connection = Connection(url, applicationName: "rrcm tests", logger: .silent)
      let error = await #expect(throws: DatabaseError.self) { try await connection.query("SELECT pg_sleep(30)") }
      #expect(error?.code == "57014")
      #expect(error?.disposition == .retry)
    }
  }

  @Test("notifications arrive in order, waiting ends in time, and cancel ends it early")
  func notifications() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let listener = database.connection()
      let sender = database.connection()
      try await listener.listen("Work \"here\"")
      #expect(try await listener.waitForNotification(timeout: .milliseconds(50)) == nil)
      for payload in ["1", "", "three é"] {
        try await sender.execute("SELECT pg_notify('Work \"here\"', $1)", [.text(payload)])
      }
      #expect(try await listener.waitForNotification(timeout: .seconds(20)) == "1")
      #expect(try await listener.waitForNotification(timeout: .seconds(20)) == "")
      #expect(try await listener.waitForNotification(timeout: .seconds(20)) == "three é")

      let start = ContinuousClock.now
      async let waiting = listener.waitForNotification(timeout: .seconds(60))
      try await Task.sleep(for: .milliseconds(100))
      listener.cancel()
      #expect(try await waiting == nil)
      let task = Task { try await listener.waitForNotification(timeout: .seconds(60)) }
      try await Task.sleep(for: .milliseconds(100))
      task.cancel()
      #expect(try await task.value == nil)
      #expect(ContinuousClock.now - start < .seconds(20))
    }
  }

  @Test("a notification wakes the waiter at once, not at the next poll")
  func notificationLatency() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let listener = database.connection()
      let sender = database.connection()
      try await listener.listen("tick")
      var latencies: [Duration] = []
      for _ in 0..<15 {
        async let heard = listener.waitForNotification(timeout: .seconds(20))
        try await Task.sleep(for: .milliseconds(20))
        let sent = ContinuousClock.now
        try await sender.execute("NOTIFY tick")
        #expect(try await heard == "")
        latencies.append(ContinuousClock.now - sent)
      }
      #expect(latencies.sorted()[7] < .milliseconds(500))
    }
  }

  @Test("eight blocked connections leave the cooperative pool free")
  func blockedConnectionsDoNotBlockOthers() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let connections = (0..<8).map { _ in database.connection() }
      for connection in connections { _ = try await connection.query("SELECT 1") }
      let ticks = Counter()
      let start = ContinuousClock.now
      try await withThrowingTaskGroup(of: Void.self) { group in
        for connection in connections {
          group.addTask { _ = try await connection.query("SELECT pg_sleep(1.5)") }
        }
        let ticking = Task {
          while !Task.isCancelled {
            ticks.increment()
            try? await Task.sleep(for: .milliseconds(10))
          }
        }
        try await group.waitForAll()
        ticking.cancel()
      }
      // One after another they would take 12 s; a blocked pool would tick a few times at most.
      #expect(ContinuousClock.now - start < .seconds(9))
      #expect(ticks.value > 20)
    }
  }

  @Test("a closed connection refuses calls, and its session and thread are gone")
  func closing() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let watcher = database.connection()
      do {
        let connection = database.connection("closing")
        _ = try await connection.query("SELECT 1")
        await connection.close()
        let error = await #expect(throws: DatabaseError.self) { try await connection.query("SELECT 1") }
        #expect(error?.code == "connection_closed")
        _ = try await database.connection("closing").query("SELECT 1")
      }
      for _ in 0..<100 {
        let left = try await watcher.query("SELECT 1 FROM pg_stat_activity WHERE application_name = 'closing'")
        if left.isEmpty { return }
        try await Task.sleep(for: .milliseconds(50))
      }
      Issue.record("a session of a closed or released connection is still there after 5 s")
    }
  }

  @Test("many connections at once answer correctly, whatever the interleaving")
  func manyAtOnce() async throws {
    try await withTestDatabase(migrated: false) { database async throws in
      let shared = database.connection()
      try await shared.script("CREATE TABLE tally (n bigint); INSERT INTO tally VALUES (0)")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<20 {
          group.addTask {
            for _ in 0..<20 {
              try await shared.transaction { connection in
                let before = try connection.query("SELECT n FROM tally")[0].int("n")
                try connection.execute("UPDATE tally SET n = $1", [.int(before + 1)])
              }
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await shared.query("SELECT n FROM tally")[0].int("n") == 400)
    }
  }
}
