package import FlyingFox
internal import FlyingSocks
internal import Foundation
internal import Glibc
internal import ServiceLifecycle

/// An HTTP server that answers with `handler` until graceful shutdown or cancellation.
package struct HTTPService: Service {
  private let place: ListeningAddress
  private let name: String
  private let server: HTTPServer

  /// - Parameters:
  ///   - name: what is served, for messages.
  ///   - requestTimeout: time for a handler, the request's body included; not for sending the answer's body.
  package init(
    at place: ListeningAddress, name: String, requestTimeout: Duration = .seconds(15),
    handler: @escaping @Sendable (HTTPRequest) async -> HTTPResponse
  ) throws {
    self.place = place
    self.name = name
    server = HTTPServer(
      config: HTTPServer.Configuration(
        address: try sockaddr_in.inet(ip4: place.host, port: place.port),
        timeout: Double(requestTimeout.components.seconds), sharedRequestBufferSize: 1 << 16,
        // The library's own logger writes to standard output, which is for results.
        logger: .disabled),
      handler: ClosureHTTPHandler(handler))
  }

  /// - Throws: `TelemetryError` when the address cannot be listened on, for example because its port is taken.
  package func run() async throws {
    Self.raiseFileLimit()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await serve() }
      // Returns on either end: it throws when this task is cancelled.
      group.addTask { try? await gracefulShutdown() }
      do { try await group.next() } catch  where Task.isCancelled || error is CancellationError {
      } catch {
        group.cancelAll()
        throw TelemetryError(
          "\(name) cannot be served on \(place): \(error). Is the port taken? Choose another")
      }
      await server.stop(timeout: 1)
      group.cancelAll()
      // Having been stopped is no error.
      while await group.nextResult() != nil {}
    }
  }
}

extension HTTPService {
  /// Serves until stopped. A connection that cannot be accepted, for want of descriptors above all, costs those that are
  /// open, never the process: whoever can reach the port must not be able to end a part of the fleet.
  private func serve() async throws {
    while true {
      do { return try await server.run() } catch SocketError.failed("Accept", let number, _)
        where [EMFILE, ENFILE, ECONNABORTED, ENOBUFS, ENOMEM].contains(number)
      {
        try await Task.sleep(for: .milliseconds(250))
      }
    }
  }

  /// As many descriptors as this process may have: each connection takes one.
  private static func raiseFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else {
      return
    }
    limit.rlim_cur = min(limit.rlim_max, 65_536)
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}

/// An IPv4 address and a port to serve at.
package struct ListeningAddress: Sendable, Hashable, CustomStringConvertible {
  /// Dotted decimal.
  package let host: String
  package let port: UInt16

  /// - Parameters:
  ///   - text: `HOST:PORT`, or `PORT` for this machine only. Port 0 is not taken.
  ///   - name: what is served, for the message.
  /// - Throws: `TelemetryError` when it is neither.
  package init(_ text: String, name: String, example: String) throws {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let port = UInt16(parts.last!), port > 0 else {
      throw TelemetryError("the \(name) address is \(text); write HOST:PORT or PORT, for example \(example)")
    }
    let host = parts.count == 2 && parts[0] != "localhost" ? String(parts[0]) : "127.0.0.1"
    var parsed = in_addr()
    guard inet_pton(AF_INET, host, &parsed) == 1 else {
      throw TelemetryError("the \(name) address is \(text); HOST must be an IPv4 address such as 0.0.0.0")
    }
    self.host = host
    self.port = port
  }

  package var description: String { "\(host):\(port)" }
}

/// What is wrong with a telemetry setting.
package struct TelemetryError: Error, CustomStringConvertible, Sendable {
  package let description: String
  init(_ description: String) { self.description = description }
}
