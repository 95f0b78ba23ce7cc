internal import Glibc

/// Something to fetch over http or https.
package struct Download: Sendable {
  package var address: WebAddress
  /// Path of the file to make; its folder must exist. `DESTINATION.part` lies beside it until it is complete.
  package var destination: String
  package var expected: ExpectedContent
  /// Sent as a bearer token, to this host only.
  package var token: String?
  /// More bytes than this are refused, where `expected` does not know the size.
  package var sizeLimit: Int64?
  /// Rights of the finished file.
  package var mode: UInt32

  /// - Throws: `ArtifactError` `bad_request` for an address that is none, and without a digest: what arrives could not be
  ///   checked.
  package init(
    _ address: String, to destination: String, expected: ExpectedContent, token: String? = nil,
    sizeLimit: Int64? = nil, mode: UInt32 = 0o644
  ) throws(ArtifactError) {
    self.address = try WebAddress(address)
    guard expected.sha256 != nil || expected.md5 != nil else {
      throw ArtifactError(code: .badRequest, message: "\(self.address) has no known digest; give its SHA-256")
    }
    if let md5 = expected.md5, md5.utf8.count != 32 || !md5.allSatisfy(\.isHexDigit) {
      throw ArtifactError(code: .badRequest, message: "MD5 is \(md5); it must be 32 hexadecimal digits")
    }
    self.destination = destination
    self.expected = expected
    self.token = token
    self.sizeLimit = sizeLimit
    self.mode = mode
  }
}

/// Fetches files so that they are whole or not there: taken up again where a connection broke, checked against their
/// digest, then renamed into place. Never holds a file in memory.
///
/// ```swift
/// let download = try Download(url, to: "cifar-10-binary.tar.gz", expected: ExpectedContent(sha256: digest))
/// try await offPool { try Downloader().fetch(download) }
/// ```
package struct Downloader: Sendable {
  private let policy: TransferPolicy

  package init(_ policy: TransferPolicy = TransferPolicy()) { self.policy = policy }

  /// Fetches it, unless the destination already has the expected content. Blocks; call it from a thread that may wait.
  ///
  /// Processes that fetch the same destination at once share the work: one fetches, the others wait for it.
  /// - Parameter progress: bytes that are here, and of how many, where the server says so. Called for every piece.
  /// - Throws: `ArtifactError`. After `unreachable`, `diskFull` and `stopped` the part stays and the next call goes on
  ///   from it; `corrupt` removes it.
  package func fetch(
    _ download: Download, progress: ((_ received: Int64, _ total: Int64?) -> Void)? = nil
  ) throws(ArtifactError) {
    let part = try PartialFile.open(
      target: download.destination, usesMD5: download.expected.md5 != nil,
      shouldStop: policy.shouldStop, isThere: { () throws(ArtifactError) in try isThere(download) })
    guard let part else { return }
    var mayRestart = part.count > 0
    while true {
      if part.count == 0 || part.count != download.expected.size {
        try repeating(download.address, policy) { () throws(ArtifactError) in
          try attempt(download, into: part, resumed: &mayRestart, progress: progress)
        }
      }
      guard let problem = part.mismatch(with: download.expected) else { return try part.commit(mode: download.mode) }
      // The beginning came from elsewhere or at another time: once more from the start settles who is wrong.
      guard mayRestart else {
        part.discard()
        throw ArtifactError(
          code: .corrupt,
          message: "\(download.address) is not the expected file: \(problem); check the address, and who can change"
            + " what it serves")
      }
      mayRestart = false
      try part.restart()
    }
  }

  /// Whether the destination has the expected content.
  private func isThere(_ download: Download) throws(ArtifactError) -> Bool {
    var status = stat()
    guard stat(download.destination, &status) == 0 else { return false }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ArtifactError(
        code: .inaccessible, message: "\(download.destination) is not a file; give the path of the file to make")
    }
    return try ContentDigests.mismatch(ofFileAt: download.destination, with: download.expected) == nil
  }

  private func attempt(
    _ download: Download, into part: PartialFile, resumed: inout Bool,
    progress: ((_ received: Int64, _ total: Int64?) -> Void)?
  ) throws(ArtifactError) -> Attempt<Void> {
    let start = part.count
    if start > 0 { resumed = true }
    var words: [UInt8] = []
    var hasBegun = false
    let exchange = HTTPExchange(
      .get, download.address, token: download.token, offset: start, policy: policy,
      receive: { (head, piece) throws(ArtifactError) in
        guard head.status == 200 || head.status == 206 else {
          words += piece.prefix(max(0, 200 - words.count))
          return
        }
        if !hasBegun {
          hasBegun = true
          try begin(head, download, part)
        }
        let limit = download.expected.size ?? download.sizeLimit ?? .max
        guard Int64(piece.count) <= limit - part.count else {
          part.discard()
          throw ArtifactError(
            code: .corrupt, message: "\(download.address) has more than \(limit) bytes; it is not the expected file")
        }
        try part.append(piece)
        progress?(part.count, head.totalSize ?? download.expected.size)
      })
    let ending = try exchange.run()
    let advanced = part.count > start
    switch ending {
    case .impossible(let reason):
      throw ArtifactError(
        code: .refused, message: "\(download.address): \(reason); check the address and its certificate")
    case .broken(let reason): return .again(reason: reason, advanced: advanced)
    case .answered(let head) where head.status == 200 || head.status == 206:
      if !hasBegun { try begin(head, download, part) }
      // A server that closes early without having said how much there is.
      if let size = download.expected.size, part.count < size {
        return .again(reason: "the answer ended after \(part.count) of \(size) bytes", advanced: advanced)
      }
      return .done(())
    case .answered(let head) where head.status == 416 && start > 0:
      // Nothing follows what is here: it is complete, or never was a part of this file.
      if head.totalSize != start { try part.restart() }
      return head.totalSize == start ? .done(()) : .again(reason: "the server does not know byte \(start)")
    case .answered(let head):
      let body = String(decoding: words.prefix { $0 >= 32 && $0 < 127 }, as: UTF8.self)
      if let error = ArtifactError(
        status: head.status, from: download.address, hasToken: download.token != nil, says: body)
      {
        throw error
      }
      return .again(reason: "status \(head.status)", waitSeconds: head.retryAfter)
    }
  }

  /// Sets the part to where the answer begins.
  private func begin(_ head: HTTPHead, _ download: Download, _ part: PartialFile) throws(ArtifactError) {
    if let wanted = download.expected.size, let total = head.totalSize, wanted != total {
      part.discard()
      throw ArtifactError(
        code: .corrupt,
        message: "\(download.address) has \(total) bytes and should have \(wanted); it is not the expected file")
    }
    // Status 200 is the whole file, also where a part was asked for.
    if head.status == 200 || head.rangeStart != part.count { try part.restart() }
    if head.status == 206 && head.rangeStart != part.count {
      throw ArtifactError(
        code: .refused,
        message: "\(download.address) answers with another part than the one asked for; its server is broken")
    }
  }
}
