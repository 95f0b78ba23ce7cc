internal import CLibPQ
internal import Logging

#if canImport(Glibc)
  internal import Glibc
#endif

/// One live libpq connection. Used from one thread at a time; closed when released.
final class Session {
  let pointer: OpaquePointer
  /// Kept for the server's notices, which libpq delivers through a C pointer.
  private let notices: NoticeBox
  /// Which statements the server keeps ready.
  var prepared = PreparedStatements()
  /// False behind a pooler; nil until somebody asked.
  private var knownOwnership: Bool?

  /// Whether the server process at the other end is this session's own: not through a pooler, which gives every transaction
  /// another one. Told by the process number, which a pooler makes up. Asked once.
  func hasServerOfItsOwn() throws -> Bool {
    if let knownOwnership { return knownOwnership }
    let pid = try executeSimple("SELECT pg_backend_pid() AS pid").rows()[0].int("pid")
    let isOwn = pid == Int64(PQbackendPID(pointer))
    knownOwnership = isOwn
    return isOwn
  }

  private final class NoticeBox {
    let logger: Logger
    init(logger: Logger) { self.logger = logger }
  }

  private init(pointer: OpaquePointer, logger: Logger) {
    self.pointer = pointer
    notices = NoticeBox(logger: logger)
    PQsetNoticeProcessor(
      pointer,
      { box, text in
        guard let box, let text else { return }
        let notice = Session.firstLine(String(cString: text))
        Unmanaged<NoticeBox>.fromOpaque(box).takeUnretainedValue().logger.debug(
          "database notice", metadata: ["notice": "\(notice)"])
      }, Unmanaged.passUnretained(notices).toOpaque())
  }

  deinit { PQfinish(pointer) }

  /// Connects once, over every host that the URL names.
  ///
  /// - Throws: ``DatabaseError``: `.retry` when the server cannot be reached or takes nobody now, `.permanent` when it
  ///   refuses us or is older than PostgreSQL 15.
  static func open(
    _ url: DatabaseURL, applicationName: String, logger: Logger, interrupter: Interrupter,
    until deadline: ContinuousClock.Instant
  ) throws -> Session {
    let options = settings(url, applicationName: applicationName)
    guard let pointer = start(options) else {
      throw DatabaseError(code: "connection_failed", message: "out of memory while connecting", disposition: .retry)
    }
    let session = Session(pointer: pointer, logger: logger)
    // Verbose messages carry the SQLSTATE, which libpq offers in no other way before a connection stands.
    PQsetErrorVerbosity(pointer, PQERRORS_VERBOSE)
    var next = PQstatus(pointer) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
    while next != PGRES_POLLING_OK {
      if next == PGRES_POLLING_FAILED { throw session.connectFailure(url) }
      let events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT
      if !interrupter.wait(for: PQsocket(pointer), events, until: deadline) {
        if interrupter.isRequested { throw DatabaseError.cancelled }
        throw DatabaseError(
          code: "connection_failed", message: "\(url) did not answer in time. Check address, network and server load",
          disposition: .retry)
      }
      next = PQconnectPoll(pointer)
    }
    PQsetErrorVerbosity(pointer, PQERRORS_DEFAULT)
    let version = PQserverVersion(pointer)
    if version < 150_000 {
      throw DatabaseError(
        code: "server_too_old",
        message: "\(url) runs PostgreSQL \(version / 10_000); version 15 or newer is needed. Upgrade the server",
        disposition: .permanent)
    }
    return session
  }

  /// The URL's options, and ours where it says nothing: dead peers are noticed within about 20 s.
  private static func settings(_ url: DatabaseURL, applicationName: String) -> [DatabaseURL.Option] {
    let defaults = [
      ("fallback_application_name", applicationName), ("keepalives_idle", "10"), ("keepalives_interval", "3"),
      ("keepalives_count", "3"), ("tcp_user_timeout", "20000"),
    ]
    let missing = defaults.filter { url[$0.0] == nil }.map { DatabaseURL.Option(keyword: $0.0, value: $0.1) }
    return url.options.filter { $0.keyword != "client_encoding" } + missing
      + [DatabaseURL.Option(keyword: "client_encoding", value: "UTF8")]
  }

  private static func start(_ options: [DatabaseURL.Option]) -> OpaquePointer? {
    var keywords: [UnsafePointer<CChar>?] = options.map { UnsafePointer(strdup($0.keyword)) }
    var values: [UnsafePointer<CChar>?] = options.map { UnsafePointer(strdup($0.value)) }
    defer { for text in keywords + values { free(UnsafeMutablePointer(mutating: text)) } }
    keywords.append(nil)
    values.append(nil)
    return PQconnectStartParams(keywords, values, 0)
  }

  /// The reason that libpq gives for a failed connection, sorted by the server's SQLSTATEs when it answered at all.
  private func connectFailure(_ url: DatabaseURL) -> DatabaseError {
    let text = url.redacting(String(cString: PQerrorMessage(pointer)))
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("LOCATION:") && !$0.hasPrefix("\t") }
    var states: [String] = []
    let sentences = lines.map { line -> String in
      // "FATAL:  28P01: password authentication failed": severity, two blanks, state, colon.
      guard let match = line.firstMatch(of: #/:  ([0-9A-Z]{5}): /#) else { return String(line) }
      states.append(String(match.1))
      return "\(line[..<match.range.lowerBound]): \(line[match.range.upperBound...])"
    }
    let isRefused = !states.isEmpty && states.allSatisfy { DatabaseError.disposition(ofState: $0) == .permanent }
    let needsPassword = PQconnectionNeedsPassword(pointer) != 0
    if states.isEmpty, let remedy = Self.remedy(ofMistrust: text) {
      return DatabaseError(
        code: "server_not_trusted", message: "\(sentences.joined(separator: "; ")). \(remedy)", disposition: .permanent)
    }
    let code = states.last ?? (needsPassword ? "28P01" : "connection_failed")
    return DatabaseError(
      code: code,
      message: DatabaseError.compose(sentences.joined(separator: "; "), remedyFor: code),
      disposition: isRefused || needsPassword ? .permanent : .retry)
  }

  /// What to do when TLS is the reason (messages of libpq's fe-secure-openssl.c and fe-connect.c); nil when it is not.
  private static func remedy(ofMistrust text: String) -> String? {
    if text.contains("does not match host name") {
      return
        "Write the host in RRCM_DATABASE_URL as the server's certificate has it, or give the server one for this name"
    }
    if text.contains("root certificate") {
      return
        "Name the file of the authority that signed the server's certificate: sslrootcert=FILE in RRCM_DATABASE_URL,"
        + " PGSSLROOTCERT, or ~/.postgresql/root.crt"
    }
    if text.contains("does not support SSL") {
      return "Switch TLS on in the server (ssl = on), or do not ask for it (sslmode) where the network is your own"
    }
    if text.contains("certificate") {
      return "Make sure that this is the right server; then name the authority that signed its certificate:"
        + " sslrootcert=FILE in RRCM_DATABASE_URL, or PGSSLROOTCERT"
    }
    return nil
  }

  /// False once the server has closed the connection; found without sending anything.
  func isAlive() -> Bool {
    // A closing server sends its reason first: the end of the stream shows on a later read.
    for _ in 0..<16 {
      if PQstatus(pointer) != CONNECTION_OK { return false }
      var watched = pollfd(fd: PQsocket(pointer), events: Int16(POLLIN), revents: 0)
      if poll(&watched, 1, 0) <= 0 { return true }
      if PQconsumeInput(pointer) == 0 { return false }
    }
    return PQstatus(pointer) == CONNECTION_OK
  }

  /// poll(2) events for "something to read".
  static let readable = POLLIN

  var isBroken: Bool { PQstatus(pointer) != CONNECTION_OK }

  static func firstLine(_ text: String) -> String { String(text.prefix { $0 != "\n" && $0 != "\r\n" }) }
}
