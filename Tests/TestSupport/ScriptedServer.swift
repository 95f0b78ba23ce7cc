package import Foundation
import Synchronization

/// An HTTP server on a real socket of 127.0.0.1 that does exactly what a test wants, mistakes included.
///
/// ```swift
/// let server = try ScriptedServer { request in
///   request.number == 1 ? .file(bytes, request, dropAfter: 1000) : .file(bytes, request)
/// }
/// ```
package final class ScriptedServer: Sendable {
  package struct Request: Sendable {
    /// 1 for the first.
    package let number: Int
    package let method: String
    package let path: String
    /// By lower-case name.
    package let fields: [String: String]
    package let body: Data
    /// First byte asked for; nil without a Range.
    package var rangeStart: Int? {
      fields["range"].flatMap { $0.hasPrefix("bytes=") ? Int($0.dropFirst(6).prefix { $0 != "-" }) : nil }
    }
  }

  package enum Step: Sendable {
    case send(Data)
    case pause(seconds: Double)
    /// Closes at once with a reset, as a dying machine's peer sees it.
    case reset
  }

  private let listener: Int32
  /// Where it listens, for example `http://127.0.0.1:40123`.
  package let address: String
  private let script: @Sendable (Request) -> [Step]
  private let log = Mutex<[Request]>([])
  private let connections = Mutex<(count: Int, stopped: Bool)>((0, false))

  /// Requests so far.
  package var requests: [Request] { log.withLock { $0 } }

  package init(_ script: @escaping @Sendable (Request) -> [Step]) throws {
    self.script = script
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(listener, pointer, length) == 0 && listen(listener, 64) == 0
          && getsockname(listener, pointer, &length) == 0
      }
    }
    self.listener = listener
    guard bound else { throw POSIXError(.EADDRINUSE) }
    address = "http://127.0.0.1:\(UInt16(bigEndian: name.sin_port))"
    Thread.detachNewThread { [weak self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        guard let server = self else {
          close(connection)
          return
        }
        Thread.detachNewThread { server.serve(connection) }
      }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private func serve(_ connection: Int32) {
    guard let request = read(connection) else {
      close(connection)
      return
    }
    for step in script(request) {
      switch step {
      case .send(let data):
        var sent = 0
        while sent < data.count {
          let n = data.withUnsafeBytes {
            Foundation.send(connection, $0.baseAddress! + sent, data.count - sent, Int32(MSG_NOSIGNAL))
          }
          guard n > 0 else { break }
          sent += n
        }
      case .pause(let seconds): Thread.sleep(forTimeInterval: seconds)
      case .reset:
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(connection, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
      }
    }
    close(connection)
  }

  private func read(_ connection: Int32) -> Request? {
    var data = Data()
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let end = Data("\r\n\r\n".utf8)
    var head: Range<Data.Index>?
    while head == nil {
      let n = recv(connection, &buffer, buffer.count, 0)
      guard n > 0 else { return nil }
      data.append(contentsOf: buffer[..<n])
      head = data.range(of: end)
    }
    let lines = String(decoding: data[..<head!.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
    let words = lines[0].split(separator: " ")
    guard words.count == 3 else { return nil }
    var fields: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
    }
    var body = Data(data[head!.upperBound...])
    let length = fields["content-length"].flatMap { Int($0) } ?? 0
    while body.count < length {
      let n = recv(connection, &buffer, buffer.count, 0)
      guard n > 0 else { break }
      body.append(contentsOf: buffer[..<n])
    }
    return log.withLock {
      $0.append(
        Request(number: $0.count + 1, method: String(words[0]), path: String(words[1]), fields: fields, body: body))
      return $0.last
    }
  }
}

extension [ScriptedServer.Step] {
  /// A whole answer.
  package static func answer(_ status: Int, _ fields: [String] = [], _ body: String = "") -> Self {
    let head = ["HTTP/1.1 \(status) X", "Content-Length: \(body.utf8.count)", "Connection: close"] + fields
    return [.send(Data((head.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8))]
  }

  /// A file, from where the request wants it.
  ///
  /// - Parameters:
  ///   - knowsRange: answers with 206 where a Range is asked for; else always with the whole.
  ///   - dropAfter: closes the connection after so many bytes of the body.
  ///   - length: states this length instead of the true one; nil states none.
  package static func file(
    _ bytes: [UInt8], _ request: ScriptedServer.Request, knowsRange: Bool = true, dropAfter: Int? = nil,
    statesLength: Bool = true
  ) -> Self {
    let start = knowsRange ? request.rangeStart : nil
    if let start, start >= bytes.count { return .answer(416, ["Content-Range: bytes */\(bytes.count)"]) }
    let part = bytes[(start ?? 0)...]
    var head = ["HTTP/1.1 \(start == nil ? "200 OK" : "206 Partial Content")", "Connection: close"]
    if statesLength { head.append("Content-Length: \(part.count)") }
    if let start { head.append("Content-Range: bytes \(start)-\(bytes.count - 1)/\(bytes.count)") }
    return [
      .send(Data((head.joined(separator: "\r\n") + "\r\n\r\n").utf8)),
      .send(Data(part.prefix(dropAfter ?? part.count))),
    ]
  }
}
