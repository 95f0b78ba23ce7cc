import Foundation
import TestSupport
import Testing

private let analyze = ["/usr/bin/systemd-analyze", "/bin/systemd-analyze"].first {
  FileManager.default.isExecutableFile(atPath: $0)
}

@Suite("deploy/systemd") struct SystemdTests {
  private static let folder = "\(Repository.root)/deploy/systemd"
  private static let services = [
    "rrcm-coordinator.service", "rrcm-aggregator.service", "rrcm-worker@.service", "rrcm-migrate.service",
  ]

  /// The units in a folder of their own, started with this build's program; the template with an instance beside it.
  private func withUnits(_ body: (String) throws -> Void) async throws {
    try await withTemporaryFolder { path async throws in
      for name in try FileManager.default.contentsOfDirectory(atPath: Self.folder) {
        let text = try String(contentsOfFile: "\(Self.folder)/\(name)", encoding: .utf8)
        let local = text.replacing("/usr/local/bin/rrcm", with: Program.path)
        try local.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
        if name.contains("@.") {
          try local.write(toFile: "\(path)/\(name.replacing("@.", with: "@1."))", atomically: true, encoding: .utf8)
        }
      }
      try body(path)
    }
  }

  @Test(
    "systemd finds nothing to complain about in the units",
    .enabled(if: analyze != nil, "skipped: no systemd-analyze on this machine"))
  func verify() async throws {
    try await withUnits { path in
      let units = Self.services.map { "\(path)/\($0.replacing("@.", with: "@1."))" } + ["\(path)/rrcm.target"]
      let outcome = try Tool.run([try #require(analyze), "verify", "--man=no"] + units)
      #expect(outcome.status == 0)
      #expect(outcome.output.split(separator: "\n").filter { $0.contains("rrcm") } == [])
    }
  }

  @Test(
    "a unit may reach little of its machine: systemd rates its exposure at 1.5 of 10 or less",
    .enabled(if: analyze != nil, "skipped: no systemd-analyze on this machine"), arguments: services)
  func exposure(service: String) async throws {
    try await withUnits { path in
      let outcome = try Tool.run([
        try #require(analyze), "security", "--offline=true", "--threshold=15", "--no-pager", "\(path)/\(service)",
      ])
      #expect(outcome.status == 0, "\(outcome.output.split(separator: "\n").suffix(8).joined(separator: "\n"))")
    }
  }

  @Test("units start parts that exist, restart on the documented exit codes and give a worker time to drain")
  func contents() async throws {
    for service in Self.services {
      let lines = try String(contentsOfFile: "\(Self.folder)/\(service)", encoding: .utf8).split(separator: "\n")
      func value(_ key: String) -> String? {
        lines.last { $0.hasPrefix("\(key)=") }.map { String($0.dropFirst(key.count + 1)) }
      }
      let words = try #require(value("ExecStart")).split(separator: " ").map(String.init)
      #expect(words[0] == "/usr/local/bin/rrcm")
      let verb = words.dropFirst().prefix { !$0.hasPrefix("-") && !$0.hasPrefix("$") }
      #expect(try await Program.run(verb + ["--help"]).status == 0, "\(service): rrcm \(verb.joined(separator: " "))")
      guard value("Type") != "oneshot" else { continue }
      #expect(value("Restart") == "on-failure")
      #expect(value("RestartPreventExitStatus") == "64")
      #expect(value("KillSignal") == "SIGTERM")
      #expect(Int(value("TimeoutStopSec") ?? "") ?? 0 >= (service.contains("worker") ? 120 : 15))
    }
  }

  @Test("the options in the example environment are options of the parts")
  func environmentExample() async throws {
    let text = try String(contentsOfFile: "\(Self.folder)/rrcm.env.example", encoding: .utf8)
    for part in ["coordinator", "aggregator", "worker"] {
      let line = try #require(
        text.split(separator: "\n").first { $0.hasPrefix("RRCM_\(part.uppercased())_OPTIONS=") })
      let options = line.split(separator: "=", maxSplits: 1)[1].split(separator: " ").map(String.init)
      // Everything is parsed before the database is looked for: 69 says that the words were understood.
      #expect(try await Program.run([part, "start"] + options).status == 69, "\(line)")
    }
  }
}
