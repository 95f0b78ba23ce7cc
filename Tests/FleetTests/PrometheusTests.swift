import Foundation
import Store
import TestSupport
import Testing

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

private let prometheus = Tool.find("prometheus")
private let promtool = Tool.find("promtool")

@Suite("Prometheus", .serialized) struct PrometheusTests {
  private func get(_ url: String) async throws -> String {
    String(decoding: try await URLSession.shared.data(from: URL(string: url)!).0, as: UTF8.self)
  }

  @Test(
    "a real Prometheus scrapes coordinator, aggregator and worker, and promtool finds no fault with what they show",
    .enabled(if: prometheus != nil, "skipped: no prometheus on this machine"))
  func scrape() async throws {
    try await withFleet { fleet async throws in
      let parts = ["coordinator", "aggregator", "worker"]
      let ports = try Dictionary(uniqueKeysWithValues: parts.map { ($0, try unusedPort()) })
      for part in parts {
        let name = part == "worker" ? ["--name", "w"] : []
        try fleet.start(part, [part, "start", "--metrics", "\(ports[part]!)"] + name)
      }
      let own = try unusedPort()
      // The example's jobs and rules, with this test's ports and patience.
      var configuration = try String(
        contentsOfFile: "\(Repository.root)/deploy/prometheus/prometheus.yml", encoding: .utf8)
      for (part, port) in [("coordinator", 9464), ("aggregator", 9465), ("worker", 9466)] {
        #expect(configuration.contains("127.0.0.1:\(port)"))
        configuration = configuration.replacing("127.0.0.1:\(port)", with: "127.0.0.1:\(ports[part]!)")
      }
      configuration = configuration.replacing("scrape_interval: 15s", with: "scrape_interval: 500ms")
      let file = fleet.folder.write(Array(configuration.utf8), "prometheus/prometheus.yml")
      try FileManager.default.copyItem(
        atPath: "\(Repository.root)/deploy/prometheus/rrcm.rules.yml",
        toPath: fleet.folder.file("prometheus/rrcm.rules.yml"))
      let server = Process()
      server.executableURL = URL(fileURLWithPath: prometheus!)
      server.arguments = [
        "--config.file=\(file)", "--storage.tsdb.path=\(fleet.folder.path)/prometheus/data",
        "--web.listen-address=127.0.0.1:\(own)",
      ]
      let log = fleet.folder.write([], "log/prometheus.log")
      try server.start(errors: log)
      defer { kill(server.processIdentifier, SIGKILL) }

      func value(_ query: String) async throws -> Double? {
        struct Answer: Decodable {
          struct Data: Decodable { let result: [Result] }
          struct Result: Decodable { let value: [Value] }
          enum Value: Decodable {
            case time(Double)
            case text(String)
            init(from decoder: any Decoder) throws {
              let container = try decoder.singleValueContainer()
              if let time = try? container.decode(Double.self) {
                self = .time(time)
              } else {
                self = .text(try container.decode(String.self))
              }
            }
          }
          let data: Data
        }
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "_")
        let text = try await get(
          "http://127.0.0.1:\(own)/api/v1/query?query=\(query.addingPercentEncoding(withAllowedCharacters: allowed)!)")
        guard
          case .text(let number)? = try JSONDecoder().decode(Answer.self, from: Data(text.utf8)).data.result.first?
            .value.last
        else { return nil }
        return Double(number)
      }
      let run = try await fleet.certify("scraped", n: 4000)
      try await fleet.waitUntilDone(run)
      try await eventually("all three are scraped") { (try? await value("count(up == 1)")) == 3 }
      try await eventually("figures arrive") {
        let samples = try await value("rrcm_samples_total")
        let certificates = try await value("rrcm_certificates_total")
        return samples == Double(24 * 4100) && certificates == 24
      }
      #expect(try await value("count(rrcm_database_seconds_count > 0)") == 3)
      #expect(
        try await value("histogram_quantile(0.5, sum by (le) (rrcm_database_seconds_bucket))") ?? 9 < 1)
      #expect(try await value(#"rrcm_workers{state="live"}"#) == 1)
      #expect(try await value("count(rrcm_table_dead_rows)") == Double(Store.busyTables.count))
      #expect(try await value("rrcm_oldest_xmin_age") != nil)
      try await eventually("a speed is shown") {
        try await value("max_over_time(rrcm_fleet_samples_per_second[1m])") ?? 0 > 0
      }
      // Every metric that a rule looks at is one that is served.
      let rules = try String(contentsOfFile: "\(Repository.root)/deploy/prometheus/rrcm.rules.yml", encoding: .utf8)
      for name in Set(rules.matches(of: /rrcm_[a-z_]+/).map { String($0.0) }) {
        #expect(try await value("count(\(name))") ?? 0 > 0, "\(name)")
      }
      #expect(try await get("http://127.0.0.1:\(own)/api/v1/rules").contains("RrcmNoLiveWorker"))
      for part in parts {
        let text = try await get("http://127.0.0.1:\(ports[part]!)/metrics")
        let check = try Tool.run([try #require(promtool), "check", "metrics"], input: text)
        #expect(check.status == 0 && check.output.isEmpty, "\(part): \(check.output)")
      }
    }
  }
}
