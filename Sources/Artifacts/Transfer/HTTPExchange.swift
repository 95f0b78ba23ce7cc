internal import CCurl
internal import Glibc

/// The head of an answer.
struct HTTPHead: Sendable {
  var status = 0
  /// By lower-case name; of several lines the last.
  var fields: [String: String] = [:]
  /// Seconds the server asks to wait; 0 where it does not say.
  var retryAfter = 0

  /// The whole size that `Content-Range` or, for a whole answer, `Content-Length` states.
  var totalSize: Int64? {
    if status == 206 || status == 416 {
      return fields["content-range"]?.split(separator: "/").last.flatMap { Int64($0) }
    }
    return fields["content-length"].flatMap { Int64($0) }
  }

  /// Where the part begins that a 206 holds.
  var rangeStart: Int64? {
    guard let words = fields["content-range"]?.split(separator: " "), words.count == 2, words[0].lowercased() == "bytes"
    else { return nil }
    return words[1].split(separator: "-").first.flatMap { Int64($0) }
  }
}

/// One request and its answer over libcurl. Blocks until it has ended; call it from a thread that may wait.
final class HTTPExchange {
  enum Method { case get, head, delete, put(size: Int64) }

  /// How it ended.
  enum Ending {
    /// The answer is complete; its status may still be an error.
    case answered(HTTPHead)
    /// The connection failed; another attempt may succeed.
    case broken(String)
    /// No attempt will succeed as things are.
    case impossible(String)
  }

  private let handle: UnsafeMutableRawPointer
  private var fields: UnsafeMutablePointer<curl_slist>?
  private var head = HTTPHead()
  private let receive: (HTTPHead, UnsafeRawBufferPointer) throws(ArtifactError) -> Void
  private let send: (UnsafeMutableRawBufferPointer) -> Int
  private let shouldStop: @Sendable () -> Bool
  private var failure: ArtifactError?
  private let stallTimeout: Duration
  /// Bytes moved in either direction, and when that number last changed. curl's own speed limit looks at an average
  /// and notices late.
  private var movement: (bytes: Int64, at: ContinuousClock.Instant) = (0, .now)
  private var hasStalled = false

  private static let isReady: Bool = rrcm_curl_start() == CURLE_OK

  /// - Parameters:
  ///   - offset: first byte wanted; above 0 a Range is asked for.
  ///   - receive: takes the pieces of the answer's body.
  ///   - send: fills a buffer with the next bytes of a request's body.
  init(
    _ method: Method, _ address: WebAddress, token: String?, offset: Int64 = 0, policy: TransferPolicy,
    send: @escaping (UnsafeMutableRawBufferPointer) -> Int = { _ in 0 },
    receive: @escaping (HTTPHead, UnsafeRawBufferPointer) throws(ArtifactError) -> Void = { _, _ in }
  ) {
    precondition(Self.isReady, "libcurl does not start")
    handle = curl_easy_init()!
    self.receive = receive
    self.send = send
    shouldStop = policy.shouldStop
    stallTimeout = policy.stallTimeout
    set(CURLOPT_URL, address.text)
    set(CURLOPT_USERAGENT, "rrcm")
    set(CURLOPT_PROTOCOLS_STR, "http,https")
    // A redirect never leads from TLS to plain text. curl keeps the token from other hosts.
    set(CURLOPT_REDIR_PROTOCOLS_STR, address.text.lowercased().hasPrefix("https") ? "https" : "http,https")
    set(CURLOPT_FOLLOWLOCATION, 1)
    set(CURLOPT_MAXREDIRS, 5)
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_CONNECTTIMEOUT_MS, max(1, Self.milliseconds(policy.connectTimeout)))
    set(CURLOPT_BUFFERSIZE, 1 << 18)
    set(CURLOPT_TCP_KEEPALIVE, 1)
    if let authorities = policy.authorities { set(CURLOPT_CAINFO, authorities) }
    if let token { add("Authorization: Bearer \(token)") }
    switch method {
    // CURLOPT_RESUME_FROM would treat the answer of a server without ranges as an error.
    case .get: if offset > 0 { set(CURLOPT_RANGE, "\(offset)-") }
    case .head: set(CURLOPT_NOBODY, 1)
    case .delete: set(CURLOPT_CUSTOMREQUEST, "DELETE")
    case .put(let size):
      set(CURLOPT_UPLOAD, 1)
      rrcm_curl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(size))
      add("Expect:")
      add("Content-Type: application/octet-stream")
    }
    rrcm_curl_set_pointer(handle, CURLOPT_HTTPHEADER, fields)
    setFunctions()
  }

  deinit {
    curl_easy_cleanup(handle)
    curl_slist_free_all(fields)
  }

  /// - Throws: what `receive` throws, and `stopped`.
  func run() throws(ArtifactError) -> Ending {
    movement = (0, .now)
    var text = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))
    let code = text.withUnsafeMutableBufferPointer { buffer in
      rrcm_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, buffer.baseAddress)
      defer { rrcm_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, nil) }
      return Self.withoutBrokenPipes { curl_easy_perform(handle) }
    }
    if let failure { throw failure }
    if hasStalled { return .broken("no byte for \(stallTimeout.components.seconds) s") }
    head.retryAfter = Int(rrcm_curl_retry_after(handle))
    if code == CURLE_OK { return .answered(head) }
    if code == CURLE_ABORTED_BY_CALLBACK {
      throw ArtifactError(code: .stopped, message: "the transfer was stopped; it goes on from there when asked again")
    }
    let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let words = reason.isEmpty ? String(cString: curl_easy_strerror(code)) : reason
    return Self.hopeless.contains(code.rawValue) ? .impossible(words) : .broken(words)
  }

  /// Errors of the set-up or of trust: the same again next time.
  private static let hopeless: Set<UInt32> = Set(
    [
      CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT, CURLE_NOT_BUILT_IN, CURLE_TOO_MANY_REDIRECTS,
      CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CERTPROBLEM,
      CURLE_SSL_CIPHER, CURLE_UNKNOWN_OPTION, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_LOGIN_DENIED,
    ].map(\.rawValue))

  /// Runs `body` with SIGPIPE held back on this thread: OpenSSL writes to sockets whose other end may be gone, and with
  /// CURLOPT_NOSIGNAL curl leaves that to us.
  private static func withoutBrokenPipes<Value>(_ body: () -> Value) -> Value {
    var (pipe, before) = (sigset_t(), sigset_t())
    sigemptyset(&pipe)
    sigaddset(&pipe, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &pipe, &before)
    defer {
      var now = timespec()
      while sigtimedwait(&pipe, nil, &now) == SIGPIPE {}
      pthread_sigmask(SIG_SETMASK, &before, nil)
    }
    return body()
  }

  // MARK: Settings

  private func set(_ option: CURLoption, _ value: String) { rrcm_curl_set_string(handle, option, value) }
  private func set(_ option: CURLoption, _ value: Int) { rrcm_curl_set_long(handle, option, value) }
  private func add(_ field: String) { fields = curl_slist_append(fields, field) }

  private static func milliseconds(_ duration: Duration) -> Int {
    Int(duration.components.seconds) * 1000 + Int(duration.components.attoseconds / 1_000_000_000_000_000)
  }

  // MARK: Callbacks, all on the thread of `run`

  private func setFunctions() {
    let context = Unmanaged.passUnretained(self).toOpaque()
    for option in [CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_READDATA, CURLOPT_XFERINFODATA] {
      rrcm_curl_set_pointer(handle, option, context)
    }
    rrcm_curl_set_data_function(handle, CURLOPT_HEADERFUNCTION) { data, size, count, context in
      HTTPExchange.at(context).header(UnsafeRawBufferPointer(start: data, count: size * count))
      return size * count
    }
    rrcm_curl_set_data_function(handle, CURLOPT_WRITEFUNCTION) { data, size, count, context in
      HTTPExchange.at(context).body(UnsafeRawBufferPointer(start: data, count: size * count)) ? size * count : 0
    }
    rrcm_curl_set_data_function(handle, CURLOPT_READFUNCTION) { data, size, count, context in
      HTTPExchange.at(context).send(UnsafeMutableRawBufferPointer(start: data, count: size * count))
    }
    rrcm_curl_set_progress_function(handle) { context, _, received, _, sent in
      HTTPExchange.at(context).mayGoOn(Int64(received + sent)) ? 0 : 1
    }
    set(CURLOPT_NOPROGRESS, 0)
  }

  private static func at(_ context: UnsafeMutableRawPointer?) -> HTTPExchange {
    Unmanaged<HTTPExchange>.fromOpaque(context!).takeUnretainedValue()
  }

  private func mayGoOn(_ moved: Int64) -> Bool {
    let now = ContinuousClock.now
    if moved != movement.bytes { movement = (moved, now) }
    hasStalled = now - movement.at >= stallTimeout
    return !hasStalled && !shouldStop()
  }

  private func header(_ line: UnsafeRawBufferPointer) {
    let text = String(decoding: line, as: UTF8.self)
    if text.hasPrefix("HTTP/") {
      // A new answer: the one before was a redirect or an interim one.
      head = HTTPHead()
      let words = text.split(separator: " ")
      head.status = words.count > 1 ? Int(words[1].prefix(3)) ?? 0 : 0
    } else if let colon = text.firstIndex(of: ":") {
      let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
      head.fields[text[..<colon].lowercased()] = String(value.prefix { !$0.isNewline })
    }
  }

  private func body(_ piece: UnsafeRawBufferPointer) -> Bool {
    do throws(ArtifactError) {
      try receive(head, piece)
      return true
    } catch {
      failure = error
      return false
    }
  }
}
