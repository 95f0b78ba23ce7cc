internal import FlyingFox
internal import Foundation
internal import ServiceLifecycle

/// Serves `/metrics` (Prometheus text) and `/healthz` until graceful shutdown or cancellation.
package struct MetricsServer: Service {
  private let service: HTTPService

  /// - Parameter address: `HOST:PORT`, or `PORT` for this machine only.
  /// - Throws: `TelemetryError` when it is neither.
  package init(address: String, registry: Metrics) throws {
    let place = try ListeningAddress(address, name: "metrics", example: "127.0.0.1:9464")
    service = try HTTPService(at: place, name: "metrics") { request in
      switch (request.method, request.path) {
      case (.GET, "/metrics"):
        HTTPResponse(
          statusCode: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
          body: Data(registry.text.utf8))
      case (.GET, "/healthz"): HTTPResponse(statusCode: .ok, body: Data("ok\n".utf8))
      default: HTTPResponse(statusCode: .notFound)
      }
    }
  }

  /// - Throws: `TelemetryError` when the address cannot be listened on, for example because its port is taken.
  package func run() async throws { try await service.run() }
}
