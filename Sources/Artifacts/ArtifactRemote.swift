internal import Glibc
package import Tensors

/// A store at an http(s) address: the file of digest `ab12…` is `ADDRESS/ab/ab12…`.
///
/// Reading works with any web server over a store's folder; writing needs `rrcm coordinator start --serve-artifacts`.
package struct ArtifactRemote: Sendable {
  package let address: WebAddress
  private let token: String?
  private let policy: TransferPolicy
  /// For what is handed over: a worker that is asked to stop still stores the state it stops at.
  private var unstoppable: TransferPolicy {
    var policy = policy
    policy.shouldStop = { false }
    return policy
  }

  package init(_ address: String, token: String?, policy: TransferPolicy = TransferPolicy()) throws(ArtifactError) {
    self.address = try WebAddress(address)
    self.token = token
    self.policy = policy
  }

  /// Fetches a file to `path`, unless a good one is there.
  ///
  /// - Parameters:
  ///   - limit: larger files are refused.
  ///   - prepare: makes room for the size that the server states; called before anything is fetched.
  func fetch(
    _ digest: SHA256, to path: String, limit: Int64, prepare: (Int64) throws(ArtifactError) -> Void
  ) throws(ArtifactError) {
    guard let size = try size(of: digest, policy) else {
      throw ArtifactError(
        code: .notFound,
        message: "no file with digest \(digest) at \(address); import it there, or give the address of the store that"
          + " has it")
    }
    try prepare(size)
    let download = try Download(
      address.appending(digest.path).text, to: path, expected: ExpectedContent(sha256: digest, size: size),
      token: token, sizeLimit: limit, mode: 0o444)
    try Downloader(policy).fetch(download)
  }

  /// Whether it has a file of this digest; the content is not looked at.
  package func has(_ digest: SHA256) throws(ArtifactError) -> Bool { try size(of: digest, policy) != nil }

  /// Its size in bytes; nil when it is not there.
  private func size(of digest: SHA256, _ policy: TransferPolicy) throws(ArtifactError) -> Int64? {
    let place = try address.appending(digest.path)
    return try repeating(place, policy) { () throws(ArtifactError) in
      let ending = try HTTPExchange(.head, place, token: token, policy: policy).run()
      if case .answered(let head) = ending {
        if head.status == 404 { return .done(nil) }
        if head.status == 200 {
          guard let size = head.totalSize else {
            throw ArtifactError(code: .refused, message: "\(place) does not state its size; use another server")
          }
          return .done(size)
        }
      }
      return try verdict(ending, place)
    }
  }

  /// Hands a file over, unless it is there already. The server checks its digest.
  func put(_ content: Bytes, _ digest: SHA256) throws(ArtifactError) {
    let place = try address.appending(digest.path)
    let policy = unstoppable
    try repeating(place, policy) { () throws(ArtifactError) in
      // Again before each attempt: the one before may have arrived, and only its answer been lost.
      if try size(of: digest, policy) == Int64(content.count) { return .done(()) }
      var offset = 0
      var words: [UInt8] = []
      let ending = try HTTPExchange(
        .put(size: Int64(content.count)), place, token: token, policy: policy,
        send: { buffer in
          let count = min(buffer.count, content.count - offset)
          content.slice(offset..<offset + count).withUnsafeBytes { buffer.copyMemory(from: $0) }
          offset += count
          return count
        },
        receive: { (_, piece) throws(ArtifactError) in words += piece.prefix(max(0, 200 - words.count)) }
      ).run()
      if case .answered(let head) = ending, head.status == 200 || head.status == 201 { return .done(()) }
      return try verdict(ending, place, words)
    }
  }

  /// Removes a training state; does nothing when it is not there.
  func remove(_ digest: SHA256) throws(ArtifactError) {
    let place = try address.appending(digest.path)
    let policy = unstoppable
    try repeating(place, policy) { () throws(ArtifactError) in
      let ending = try HTTPExchange(.delete, place, token: token, policy: policy).run()
      if case .answered(let head) = ending, [204, 404].contains(head.status) { return .done(()) }
      return try verdict(ending, place)
    }
  }

  /// What to do after an answer that is no success.
  private func verdict<Value>(
    _ ending: HTTPExchange.Ending, _ place: WebAddress, _ words: [UInt8] = []
  ) throws(ArtifactError) -> Attempt<Value> {
    switch ending {
    case .broken(let reason): return .again(reason: reason)
    case .impossible(let reason):
      throw ArtifactError(code: .refused, message: "\(place): \(reason); check the address and its certificate")
    case .answered(let head):
      let says = String(decoding: words.prefix { $0 >= 32 && $0 < 127 }, as: UTF8.self)
      if let error = ArtifactError(status: head.status, from: place, hasToken: token != nil, says: says) { throw error }
      return .again(reason: "status \(head.status)", waitSeconds: head.retryAfter)
    }
  }
}

/// The secret that a store's server wants. It comes from the environment only, or from a file that it names.
package enum ArtifactToken {
  package static let variable = "RRCM_ARTIFACT_TOKEN"
  package static let fileVariable = "RRCM_ARTIFACT_TOKEN_FILE"

  /// - Returns: nil when neither variable is set.
  /// - Throws: `ArtifactError` `bad_request` when both are set, the file cannot be read, or the token cannot be one. Never
  ///   shows it.
  package static func read(environment: [String: String]) throws(ArtifactError) -> String? {
    let direct = environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    let file = environment[fileVariable].flatMap { $0.isEmpty ? nil : $0 }
    if direct != nil && file != nil {
      throw ArtifactError(code: .badRequest, message: "\(variable) and \(fileVariable) are both set; unset one of them")
    }
    var source = variable
    var text = direct ?? ""
    if let file {
      source = "the file that \(fileVariable) names, \(file),"
      do throws(FormatError) {
        text = String(decoding: try Bytes(contentsOf: file).array.prefix(4096), as: UTF8.self)
      } catch { throw ArtifactError(code: .badRequest, message: "\(fileVariable): \(error)") }
    } else if direct == nil {
      return nil
    }
    let token = text.split(whereSeparator: \.isWhitespace)
    guard token.count == 1, (16...1024).contains(token[0].utf8.count), token[0].utf8.allSatisfy({ $0 > 32 && $0 < 127 })
    else {
      throw ArtifactError(
        code: .badRequest,
        message: "\(source) must hold one word of 16 to 1024 ASCII characters; make one with: openssl rand -hex 32")
    }
    return String(token[0])
  }
}
