internal import FlyingFox
internal import FlyingSocks
internal import Foundation
internal import ServiceLifecycle

/// Serves `/metrics` (Prometheus text) and `/healthz` until graceful shutdown or cancellation.
package struct MetricsServer: Service {
  private let address: String
  private let server: HTTPServer
  private let registry: Metrics

  /// - Parameter address: `HOST:PORT`, or `PORT` for this machine only.
  /// - Throws: `TelemetryError` when it is neither.
  package init(address: String, registry: Metrics) throws {
    let parts = address.split(separator: ":", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let port = UInt16(parts.last!), port > 0 else {
      throw TelemetryError("the metrics address is \(address); write HOST:PORT or PORT, for example 127.0.0.1:9464")
    }
    let host = parts.count == 2 ? String(parts[0]) : "127.0.0.1"
    do {
      // The library's own logger writes to standard output, which is for results.
      server = HTTPServer(
        address: try .inet(ip4: host == "localhost" ? "127.0.0.1" : host, port: port), logger: .disabled)
    } catch {
      throw TelemetryError("the metrics address is \(address); HOST must be an IPv4 address such as 0.0.0.0")
    }
    self.address = address
    self.registry = registry
  }

  /// - Throws: `TelemetryError` when the address cannot be listened on, for example because its port is taken.
  package func run() async throws {
    await server.appendRoute("GET /metrics") { [registry] _ in
      HTTPResponse(
        statusCode: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
        body: Data(registry.text.utf8))
    }
    await server.appendRoute("GET /healthz") { _ in HTTPResponse(statusCode: .ok, body: Data("ok\n".utf8)) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { [server] in try await server.run() }
      // Returns on either end: it throws when this task is cancelled.
      group.addTask { try? await gracefulShutdown() }
      do { try await group.next() } catch is CancellationError {
      } catch {
        group.cancelAll()
        throw TelemetryError("metrics cannot be served on \(address): \(error). Is the port taken? Choose another")
      }
      await server.stop(timeout: 1)
      group.cancelAll()
      // Having been stopped is no error.
      while await group.nextResult() != nil {}
    }
  }
}

/// What is wrong with a telemetry setting.
package struct TelemetryError: Error, CustomStringConvertible, Sendable {
  package let description: String
  init(_ description: String) { self.description = description }
}
