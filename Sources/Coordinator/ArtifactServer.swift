package import Artifacts
internal import CCrypto
internal import FlyingFox
internal import FlyingSocks
internal import Foundation
package import Logging
internal import ServiceLifecycle
package import Telemetry
internal import Tensors
internal import Training

/// Serves a store's files by digest to whoever knows the token: GET and HEAD with ranges, PUT of content whose digest is
/// checked on arrival, DELETE of training states.
///
/// The only paths are `/ab/ab12…` with the 64 lower-case hexadecimal digits of a SHA-256: there is nothing to list and
/// nowhere to climb to. Plain HTTP: TLS is the business of a proxy in front.
package struct ArtifactServer: Service {
  private let service: HTTPService

  /// - Parameters:
  ///   - token: at least 16 characters; see `ArtifactToken`.
  ///   - sizeLimit: a larger PUT is refused.
  /// - Throws: `TelemetryError` for an address that cannot be one.
  package init(
    store: ArtifactStore, address: ListeningAddress, token: String, sizeLimit: Int64 = 64 << 30, logger: Logger
  ) throws {
    let requests = ArtifactRequests(store: store, token: token, sizeLimit: sizeLimit, logger: logger)
    // Long: a large checkpoint over a slow line is one request.
    service = try HTTPService(at: address, name: "artifacts", requestTimeout: .seconds(6 * 3600)) {
      await requests.answer($0)
    }
  }

  package func run() async throws { try await service.run() }
}

/// What the server answers.
struct ArtifactRequests: Sendable {
  let store: ArtifactStore
  let tokenDigest: SHA256
  let sizeLimit: Int64
  let logger: Logger

  init(store: ArtifactStore, token: String, sizeLimit: Int64, logger: Logger) {
    self.store = store
    tokenDigest = SHA256(hashing: token.utf8)
    self.sizeLimit = sizeLimit
    self.logger = logger
  }

  func answer(_ request: HTTPRequest) async -> HTTPResponse {
    guard isKnown(request) else {
      return refusal(.unauthorized, "a bearer token is needed", [.init("WWW-Authenticate"): "Bearer"])
    }
    guard let digest = Self.digest(of: request.target.rawValue) else { return refusal(.notFound, "no such path") }
    switch request.method {
    case .GET, .HEAD: return send(digest, request)
    case .PUT: return await take(digest, request)
    case .DELETE: return await remove(digest)
    default: return refusal(.methodNotAllowed, "GET, HEAD, PUT or DELETE", [.init("Allow"): "GET, HEAD, PUT, DELETE"])
    }
  }

  /// Compares digests, in a time that does not depend on where they differ.
  private func isKnown(_ request: HTTPRequest) -> Bool {
    guard let field = request.headers[.authorization], field.hasPrefix("Bearer ") else { return false }
    let given = SHA256(hashing: field.dropFirst("Bearer ".count).utf8).bytes
    return CRYPTO_memcmp(given, tokenDigest.bytes, given.count) == 0
  }

  static func digest(of path: String) -> SHA256? {
    guard let digest = SHA256(hex: String(path.suffix(64))), path == "/\(digest.path)" else { return nil }
    return digest
  }

  /// An error; the connection ends with it, because a body may still be on its way.
  private func refusal(
    _ status: HTTPStatusCode, _ words: String, _ fields: [HTTPHeader: String] = [:]
  ) -> HTTPResponse {
    HTTPResponse(
      statusCode: status,
      headers: HTTPHeaders(fields.merging([.connection: "close", .contentType: "text/plain"]) { $1 }),
      body: Data("\(words)\n".utf8))
  }

  // MARK: Sending

  private func send(_ digest: SHA256, _ request: HTTPRequest) -> HTTPResponse {
    let url = URL(fileURLWithPath: store.location(of: digest))
    guard let size = (try? FileManager.default.attributesOfItem(atPath: url.path))?[.size] as? Int else {
      return refusal(.notFound, "no file of this digest")
    }
    var fields: HTTPHeaders = [.contentType: "application/octet-stream", .acceptRanges: "bytes"]
    if request.method == .HEAD {
      fields[.contentLength] = "\(size)"
      return HTTPResponse(statusCode: .ok, headers: fields)
    }
    var range = 0..<size
    var status = HTTPStatusCode.ok
    if let wanted = request.headers[.range].flatMap({ Self.range($0, size: size) }) {
      guard !wanted.isEmpty else {
        return HTTPResponse(
          statusCode: .rangeNotSatisfiable, headers: HTTPHeaders([.contentRange: "bytes */\(size)"]))
      }
      range = wanted
      status = .partialContent
      fields[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
    }
    guard !range.isEmpty, let body = try? HTTPBodySequence(file: url, range: range, suggestedBufferSize: 1 << 16) else {
      return size == 0
        ? HTTPResponse(statusCode: .ok, headers: fields) : refusal(.internalServerError, "the file cannot be read")
    }
    return HTTPResponse(statusCode: status, headers: fields, body: body)
  }

  /// The bytes that a Range field asks for; empty when there are none of them, nil for a field to ignore.
  static func range(_ field: String, size: Int) -> Range<Int>? {
    guard field.hasPrefix("bytes="), !field.contains(",") else { return nil }
    let ends = field.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2 else { return nil }
    if ends[0].isEmpty {
      guard let count = Int(ends[1]), count >= 0 else { return nil }
      return max(0, size - count)..<size
    }
    guard let first = Int(ends[0]), first >= 0 else { return nil }
    if ends[1].isEmpty { return min(first, size)..<size }
    guard let last = Int(ends[1]), last >= first, last < .max else { return nil }
    return min(first, size)..<min(last + 1, size)
  }

  // MARK: Taking

  private func take(_ digest: SHA256, _ request: HTTPRequest) async -> HTTPResponse {
    guard let stated = request.headers[.contentLength].flatMap({ Int64($0) }) else {
      return refusal(.lengthRequired, "Content-Length is missing")
    }
    guard stated <= sizeLimit else {
      return refusal(.payloadTooLarge, "\(stated) bytes are more than this store takes, \(sizeLimit)")
    }
    do {
      let incoming = try store.receive()
      for try await piece in request.bodySequence { try incoming.write(Bytes([UInt8](piece))) }
      guard incoming.count == stated else {
        return refusal(.badRequest, "\(incoming.count) of \(stated) bytes arrived; send it again")
      }
      let isNew = try await offPool { [store] in try store.accept(incoming, as: digest) }
      if isNew { logger.info("artifact stored", metadata: ["digest": "\(digest)", "bytes": "\(stated)"]) }
      return HTTPResponse(statusCode: isNew ? .created : .ok)
    } catch let error as ArtifactError where error.code == .corrupt {
      return refusal(.unprocessableContent, error.message)
    } catch {
      logger.error("an artifact could not be stored", metadata: ["digest": "\(digest)", "error": "\(error)"])
      let refused = (error as? FormatError).map(ArtifactError.refusal) ?? error
      let isFull = (refused as? ArtifactError)?.code == .diskFull
      return refusal(
        isFull ? HTTPStatusCode(507, phrase: "Insufficient Storage") : .internalServerError,
        isFull ? "this store's disk is full" : "it could not be stored; this server's log says why")
    }
  }

  // MARK: Removing

  private func remove(_ digest: SHA256) async -> HTTPResponse {
    guard store.contains(digest) else { return refusal(.notFound, "no file of this digest") }
    let removed = try? await offPool { [store] in
      guard TrainingSnapshot.isOne(try store.read(digest)) else { return false }
      store.remove(digest)
      return true
    }
    guard removed == true else { return refusal(.conflict, "only training states may be removed") }
    logger.info("training state removed", metadata: ["digest": "\(digest)"])
    return HTTPResponse(statusCode: .noContent)
  }
}

/// Runs blocking work on a thread of its own, away from the cooperative pool.
private func offPool<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}
