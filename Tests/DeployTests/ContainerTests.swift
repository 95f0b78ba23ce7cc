import Database
import Foundation
import TestSupport
import Testing
import Yams

@Suite("deploy/container and deploy/compose") struct ContainerTests {
  private static let compose = "deploy/compose"

  /// The Compose file, with merge keys resolved.
  private func services() throws -> [String: [String: Any]] {
    let document = try #require(
      try Yams.load(yaml: Repository.text("\(Self.compose)/compose.yaml")) as? [String: Any])
    let services = try #require(document["services"] as? [String: [String: Any]])
    #expect(Set(services.keys) == ["postgres", "migrate", "coordinator", "aggregator", "worker", "rrcm"])
    return services
  }

  @Test("every part's command is understood by this program")
  func commands() async throws {
    for (name, service) in try services() where name != "postgres" && name != "rrcm" {
      let words = try #require(service["command"] as? [String])
      // 69: the words were understood, and there is no database here.
      let outcome = try await Program.run(
        words, environment: ["RRCM_ARTIFACT_TOKEN": "a-token-of-at-least-16", "RRCM_STORE": NSTemporaryDirectory()])
      #expect(outcome.status == 69, "\(name): \(outcome.errors)")
    }
  }

  @Test("parts wait for what they need, and what they wait for exists")
  func order() throws {
    let services = try services()
    for (name, service) in services {
      let needs = service["depends_on"] as? [String: [String: String]] ?? [:]
      for (other, condition) in needs {
        let target = try #require(services[other], "\(name) waits for \(other)")
        if condition["condition"] == "service_healthy" { #expect(target["healthcheck"] != nil, "\(other)") }
      }
      if name != "postgres" && name != "migrate" {
        #expect(needs["migrate"]?["condition"] == "service_completed_successfully", "\(name)")
      }
    }
    #expect(
      services["migrate"]?["depends_on"] as? [String: [String: String]] == [
        "postgres": ["condition": "service_healthy"]
      ])
  }

  @Test("secrets come from files of the operator's own, for which there are examples without secrets")
  func secrets() throws {
    let text = try Repository.text("\(Self.compose)/compose.yaml")
    #expect(text.firstMatch(of: #/(?i)(password|token)["']?\s*[:=]/#) == nil)
    for (name, service) in try services() {
      let files = try #require(service["env_file"] as? [String], "\(name)")
      for file in files {
        let example = try Repository.text("\(Self.compose)/\(file).example")
        let values = example.split(separator: "\n").filter { !$0.hasPrefix("#") }
        for line in values where line.contains("PASSWORD") || line.contains("TOKEN") || line.contains("://") {
          #expect(line.contains("CHANGE-ME"), "\(file).example: \(line)")
        }
      }
    }
    let ignored = try Repository.text(".gitignore").split(separator: "\n")
    #expect(ignored.contains("deploy/compose/*.env"), "a file with secrets must not be committed by accident")
  }

  @Test("the image has the libraries that the program is linked with")
  func libraries() throws {
    let readelf = ["/usr/bin/readelf", "/usr/bin/llvm-readelf"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
    guard let readelf, FileManager.default.isExecutableFile(atPath: "/usr/bin/dpkg") else { return }
    let needed = try Tool.run([readelf, "-d", Program.path]).output.matches(of: #/\(NEEDED\).*\[(.+)\]/#).map {
      String($0.1)
    }
    #expect(needed.count > 5)
    // What the dynamic loader takes from the toolchain here is linked into the image's program.
    let toolchain = #/^lib(swift|Foundation|_Foundation|dispatch|BlocksRuntime).*/#
    let containerfile = try Repository.text("deploy/container/Containerfile")
    for library in needed where library.wholeMatch(of: toolchain) == nil {
      let owners = try Tool.run(["/usr/bin/dpkg", "-S", "*-linux-gnu/\(library)"]).output.split(separator: "\n")
        .compactMap {
          $0.split(separator: ":").first.map(String.init)
        }
      let package = try #require(owners.first, "\(library) belongs to no package")
      let isBase = ["libc6", "libgcc-s1"].contains(package)
      #expect(isBase || containerfile.contains(" \(package) "), "\(library): \(package) is not in the Containerfile")
    }
  }

  @Test("base images are named with their versions, and the program runs as nobody in particular")
  func containerfile() throws {
    let text = try Repository.text("deploy/container/Containerfile")
    let images = text.matches(of: #/(?m)^ARG \w+_IMAGE=(\S+)$/#).map { String($0.1) }
    #expect(images.count == 2)
    #expect(images.allSatisfy { $0.hasPrefix("docker.io/library/") && $0.contains(":") && !$0.hasSuffix(":latest") })
    #expect(text.contains("\nUSER 10001:10001\n"))
    #expect(text.contains("\nHEALTHCHECK "))
    #expect(text.contains("--static-swift-stdlib"))
  }

  @Test("the probe asks a part's /healthz: well while it runs, not once it is gone")
  func probe() async throws {
    try await withTestDatabase { database async throws in
      let port = Int.random(in: 20_000...29_999)
      let process = Program.process(
        ["coordinator", "start", "--metrics", "127.0.0.1:\(port)"],
        environment: ProcessInfo.processInfo.environment.merging([
          "RRCM_DATABASE_URL": database.url.connectionString
        ]) { $1 })
      try process.start()
      defer { kill(process.processIdentifier, SIGKILL) }
      func healthy() throws -> Bool {
        try Tool.run(
          ["/bin/bash", "\(Repository.root)/deploy/container/healthy"],
          environment: ["PATH": "/usr/bin:/bin", "RRCM_METRICS_PORT": "\(port)"]
        ).status == 0
      }
      let deadline = ContinuousClock.now + .seconds(20)
      while try !healthy() {
        try #require(ContinuousClock.now < deadline && process.isRunning, "the coordinator never was healthy")
        try await Task.sleep(for: .milliseconds(50))
      }
      kill(process.processIdentifier, SIGTERM)
      while process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
      #expect(try !healthy())
    }
  }
}
