internal import CLibPQ
package import Logging

/// One connection to PostgreSQL, with a thread of its own on which every blocking libpq call runs.
///
/// ```swift
/// let connection = Connection(url, applicationName: "rrcm worker", logger: logger)
/// let rows = try await connection.query("SELECT item_id FROM rrcm.item WHERE run_id = $1", [.int(run)])
/// let left = try await connection.transaction { connection in
///   try connection.execute("UPDATE … WHERE item_id = $1", [.int(item)])
///   return try connection.query("SELECT count(*) AS n FROM …")[0].int("n")
/// }
/// ```
///
/// It connects at first use. A call that finds the connection dead before sending reconnects, with growing jittered
/// pauses, for as long as ``ReconnectPolicy/limit``; a call that fails under way throws with disposition `.retry` and the
/// next one reconnects. PgBouncer in transaction mode may stand in between (``listen(_:)`` excepted): statements are
/// prepared under names only where the session is the server's own.
///
/// Inside the actor, which is where the body of a transaction runs, all calls are synchronous: nothing interleaves.
package actor Connection {
  nonisolated let executor: PinnedThread
  package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  package nonisolated let url: DatabaseURL
  nonisolated let interrupter = Interrupter()
  let logger: Logger
  private let applicationName: String
  private let reconnectPolicy: ReconnectPolicy
  private let observe: (@Sendable (Duration) -> Void)?

  private var session: Session?
  private var isClosed = false
  private var hasConnectedBefore = false
  private var transactionIsOpen = false
  private var callDepth = 0
  /// Channels to LISTEN on again after a reconnect.
  var channels: [String] = []
  /// A reconnect happened since the last wait: notifications may have been missed.
  var mayHaveMissedNotifications = false

  /// Starts the thread; connects at the first call.
  ///
  /// - Parameters:
  ///   - applicationName: shown in `pg_stat_activity`, unless the URL names another.
  ///   - reconnect: how long and how eagerly a call tries to reach the server; 30 s by default.
  ///   - observe: is told how long each call took that the server answered, there and back.
  package init(
    _ url: DatabaseURL, applicationName: String, logger: Logger, reconnect: ReconnectPolicy = ReconnectPolicy(),
    observe: (@Sendable (Duration) -> Void)? = nil
  ) {
    self.url = url
    self.applicationName = applicationName
    self.logger = logger
    reconnectPolicy = reconnect
    self.observe = observe
    executor = PinnedThread(name: "rrcm-database")
  }

  deinit { executor.stop() }

  /// Runs one statement and returns its rows.
  ///
  /// - Parameters:
  ///   - sql: one statement with `$1`…; a first line `-- name: x` names it in error messages.
  ///   - parameters: bound in order; never spliced into the text.
  /// - Throws: ``DatabaseError``.
  package func query(_ sql: String, _ parameters: [Parameter] = []) throws -> [Row] {
    try call { try $0.execute(sql, parameters).rows() }
  }

  /// Runs one statement and returns the number of rows it affected (or selected).
  @discardableResult
  package func execute(_ sql: String, _ parameters: [Parameter] = []) throws -> Int {
    try call { try $0.execute(sql, parameters).affectedRows }
  }

  /// Runs several statements separated by semicolons, as one transaction unless the text says otherwise.
  package func script(_ sql: String) throws {
    try call { _ = try $0.executeSimple(sql) }
  }

  /// Seconds after which the server ends a transaction whose client has gone silent: locks of a frozen process must not
  /// keep a fleet from taking back what it held.
  private static let longestSilence = 30

  /// Runs `body` between BEGIN and COMMIT; rolls back when it throws.
  ///
  /// `body` is synchronous, so no other call of this connection can slip in. After a throw with disposition `.retry` run
  /// the whole transaction again. When the connection breaks during COMMIT nobody knows whether it took effect: write
  /// transactions so that running them twice is harmless.
  package func transaction<T: Sendable>(
    _ isolation: TransactionIsolation = .readCommitted, _ body: @Sendable (isolated Connection) throws -> T
  ) throws -> T {
    if transactionIsOpen {
      throw DatabaseError(
        code: "nested_transaction", message: "a transaction is already open on this connection. Do all in one body",
        disposition: .permanent)
    }
    return try scope {
      try call {
        _ = try $0.executeSimple(
          "\(isolation.rawValue); SET LOCAL idle_in_transaction_session_timeout = '\(Self.longestSilence)s'")
      }
      transactionIsOpen = true
      defer { transactionIsOpen = false }
      do {
        let value = try body(self)
        let tag = try call { try $0.executeSimple("COMMIT").tag }
        if tag != "COMMIT" {
          throw DatabaseError(
            code: "transaction_aborted",
            message: "a statement failed and its error was not passed on, so the transaction was rolled back at COMMIT",
            disposition: .permanent)
        }
        return value
      } catch {
        rollBack()
        throw error
      }
    }
  }

  /// Asks the server to stop what this connection is doing, and ends waits and pauses. Returns at once, from any thread.
  ///
  /// The call in progress throws ``DatabaseError`` with code `cancelled`; a wait for a notification returns nil. Without a
  /// call in progress nothing happens. To follow a task's cancellation:
  /// `withTaskCancellationHandler { try await connection.query(…) } onCancel: { connection.cancel() }`.
  package nonisolated func cancel() { interrupter.request() }

  /// Closes the connection for good; later calls throw code `connection_closed`.
  package func close() {
    isClosed = true
    drop()
  }
}

extension Connection {
  /// Runs `operation` on a live session, as (part of) one call that ``cancel()`` can stop.
  func call<T>(_ operation: (Session) throws -> T) throws -> T {
    try scope {
      let session = try liveSession()
      if interrupter.isRequested { throw DatabaseError.cancelled }
      do {
        let started = ContinuousClock.now
        let answer = try operation(session)
        observe?(ContinuousClock.now - started)
        return answer
      } catch {
        if session.isBroken { drop() }
        if interrupter.isRequested, (error as? DatabaseError)?.code == "57014" { throw DatabaseError.cancelled }
        throw error
      }
    }
  }

  /// Marks the outermost call, which is what a request to cancel refers to.
  func scope<T>(_ body: () throws -> T) throws -> T {
    if callDepth == 0 { interrupter.begin() }
    callDepth += 1
    defer {
      callDepth -= 1
      if callDepth == 0 { interrupter.end() }
    }
    return try body()
  }

  /// The session, connected anew when it is missing or dead and no transaction is open on it.
  func liveSession() throws -> Session {
    if isClosed {
      throw DatabaseError(
        code: "connection_closed", message: "this connection was closed", disposition: .permanent)
    }
    if transactionIsOpen {
      if let session { return session }
      throw DatabaseError(
        code: "connection_lost", message: "the connection broke earlier in this transaction. Run the transaction again",
        disposition: .retry)
    }
    if let session {
      if session.isAlive() { return session }
      logger.warning("database connection lost")
      drop()
    }
    return try connect()
  }

  private func connect() throws -> Session {
    let deadline = ContinuousClock.now + reconnectPolicy.limit
    var attempt = 0
    while true {
      do {
        let session = try Session.open(
          url, applicationName: applicationName, logger: logger, interrupter: interrupter, until: deadline)
        for channel in channels { _ = try session.executeSimple("LISTEN \(Connection.quoted(channel))") }
        interrupter.attach(session.pointer)
        if hasConnectedBefore {
          mayHaveMissedNotifications = !channels.isEmpty
          logger.info("database connection restored", metadata: ["attempts": "\(attempt + 1)"])
        }
        hasConnectedBefore = true
        self.session = session
        return session
      } catch let error as DatabaseError where error.disposition == .retry {
        let pause = reconnectPolicy.pause(afterAttempt: attempt)
        attempt += 1
        if ContinuousClock.now + pause >= deadline {
          var last = error
          last.message =
            "\(error.message) (gave up after \(attempt) attempts in \(reconnectPolicy.limit)); check that the server runs and that"
            + " host, port and user in RRCM_DATABASE_URL are right"
          throw last
        }
        if attempt == 1 {
          logger.warning("database cannot be reached, trying again", metadata: ["reason": "\(error.message)"])
        }
        _ = interrupter.wait(for: -1, 0, until: ContinuousClock.now + pause)
        if interrupter.isRequested { throw DatabaseError.cancelled }
      }
    }
  }

  /// Undoes the open transaction; a connection that cannot even do that is dropped.
  private func rollBack() {
    guard let session else { return }
    if (try? session.executeSimple("ROLLBACK")) == nil || PQtransactionStatus(session.pointer) != PQTRANS_IDLE {
      drop()
    }
  }

  func drop() {
    interrupter.attach(nil)
    session = nil
  }

  /// An identifier as SQL wants it, `"a ""b"""`; nothing in it can end the quotes.
  static func quoted(_ identifier: String) -> String {
    "\"" + identifier.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }
}

/// How a connection tries to reach its server.
package struct ReconnectPolicy: Sendable {
  /// Total time that one call may spend; 30 s by default. Longer than a server's restart, shorter than a lease.
  package var limit: Duration
  /// Pause after the first failed attempt; doubles each time. 50 ms by default.
  package var firstPause: Duration
  /// Longest pause; 2 s by default.
  package var longestPause: Duration

  package init(
    limit: Duration = .seconds(30), firstPause: Duration = .milliseconds(50), longestPause: Duration = .seconds(2)
  ) {
    self.limit = limit
    self.firstPause = firstPause
    self.longestPause = longestPause
  }

  /// The doubled pause times a random factor in 0.5…1, so that a fleet does not come back in step.
  func pause(afterAttempt attempt: Int) -> Duration {
    min(longestPause, firstPause * (1 << min(attempt, 20))) * Double.random(in: 0.5...1)
  }
}

/// How a transaction sees others' work (PostgreSQL documentation, "Transaction Isolation").
package enum TransactionIsolation: String, Sendable {
  case readCommitted = "BEGIN"
  case serializable = "BEGIN ISOLATION LEVEL SERIALIZABLE"
  /// One unchanging view of the data, nothing written: for reports and exports.
  case snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
}

extension DatabaseError {
  static let cancelled = DatabaseError(
    code: "cancelled", message: "the call was cancelled on request", disposition: .permanent)
}
