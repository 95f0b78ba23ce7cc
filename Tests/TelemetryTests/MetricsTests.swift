import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import Telemetry
import Testing

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// A port that was free a moment ago.
private func freePort() throws -> UInt16 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let isBound = withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
    }
  }
  try #require(isBound)
  return UInt16(bigEndian: address.sin_port)
}

/// The answer to a GET, asked again until the server listens.
private func get(_ url: String) async throws -> (status: Int, type: String?, body: String) {
  var failure: (any Error)?
  for _ in 0..<100 {
    do {
      let (data, response) = try await URLSession.shared.data(from: URL(string: url)!)
      let http = response as! HTTPURLResponse
      return (http.statusCode, http.value(forHTTPHeaderField: "Content-Type"), String(decoding: data, as: UTF8.self))
    } catch {
      failure = error
      try await Task.sleep(for: .milliseconds(50))
    }
  }
  throw failure!
}

@Suite("Metrics and their endpoint")
struct MetricsTests {
  @Test("metrics are rendered in Prometheus's text format, by name, whole numbers whole")
  func text() {
    let metrics = Metrics()
    let votes = metrics.counter("rrcm_votes_total", help: "Votes posted")
    let rate = metrics.gauge("rrcm_rate", help: "Samples per second")
    votes.increment(by: 3_000_000_000)
    votes.increment()
    rate.set(-0.25)
    #expect(
      metrics.text == """
        # HELP rrcm_rate Samples per second
        # TYPE rrcm_rate gauge
        rrcm_rate -0.25
        # HELP rrcm_votes_total Votes posted
        # TYPE rrcm_votes_total counter
        rrcm_votes_total 3000000001

        """)
  }

  @Test("labelled values share one head, labels are escaped, a histogram's buckets add up")
  func labels() {
    let metrics = Metrics()
    let tables = metrics.gauges("rrcm_rows", help: "Rows", label: "table", values: ["item", "a\"b\\c\n"])
    tables["item"]?.set(2)
    let times = metrics.histogram("rrcm_seconds", help: "Times", bounds: [0.5, 1], labels: [("part", "x")])
    for time in [0.25, 0.5, 0.75, 4] { times.observe(time) }
    #expect(
      metrics.text == #"""
        # HELP rrcm_rows Rows
        # TYPE rrcm_rows gauge
        rrcm_rows{table="item"} 2
        rrcm_rows{table="a\"b\\c\n"} 0
        # HELP rrcm_seconds Times
        # TYPE rrcm_seconds histogram
        rrcm_seconds_bucket{part="x",le="0.5"} 2
        rrcm_seconds_bucket{part="x",le="1.0"} 3
        rrcm_seconds_bucket{part="x",le="+Inf"} 4
        rrcm_seconds_sum{part="x"} 5.5
        rrcm_seconds_count{part="x"} 4

        """#)
  }

  @Test("counts from many tasks add up")
  func concurrent() async {
    let metrics = Metrics()
    let counter = metrics.counter("rrcm_many_total", help: "Many")
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 { group.addTask { for _ in 0..<1000 { counter.increment() } } }
    }
    #expect(counter.value == 8000)
  }

  @Test("the endpoint serves metrics and health, refuses the rest, and ends on graceful shutdown")
  func endpoint() async throws {
    let metrics = Metrics()
    metrics.counter("rrcm_seen_total", help: "Seen").increment()
    let port = try freePort()
    let server = try MetricsServer(address: "127.0.0.1:\(port)", registry: metrics)
    let group = ServiceGroup(
      services: [server], logger: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() })
    let running = Task { try await group.run() }
    let answer = try await get("http://127.0.0.1:\(port)/metrics")
    #expect(answer.status == 200)
    #expect(answer.type == "text/plain; version=0.0.4; charset=utf-8")
    #expect(answer.body == metrics.text)
    let health = try await get("http://127.0.0.1:\(port)/healthz")
    #expect(health.status == 200)
    #expect(health.body == "ok\n")
    #expect(try await get("http://127.0.0.1:\(port)/other").status == 404)
    await group.triggerGracefulShutdown()
    // A service that returns during graceful shutdown ends the group without an error.
    try await running.value
  }

  @Test("a taken port is an error that names the address")
  func takenPort() async throws {
    let port = try freePort()
    let first = try MetricsServer(address: "\(port)", registry: Metrics())
    let running = Task { try await first.run() }
    #expect(try await get("http://127.0.0.1:\(port)/healthz").status == 200)
    let error = await #expect(throws: TelemetryError.self) {
      try await MetricsServer(address: "\(port)", registry: Metrics()).run()
    }
    #expect(error?.description.contains("cannot be served on 127.0.0.1:\(port)") == true)
    running.cancel()
    try await running.value
  }

  @Test(
    "an address that is none is refused with an example",
    arguments: ["", "host", "1.2.3.4:", ":x", "1.2.3.4:70000", "1.2.3.4:0", "name.example:80", "a:b:1"])
  func addresses(_ address: String) {
    let error = #expect(throws: TelemetryError.self) { try MetricsServer(address: address, registry: Metrics()) }
    #expect(error?.description.contains("the metrics address is \(address)") == true)
  }
}
