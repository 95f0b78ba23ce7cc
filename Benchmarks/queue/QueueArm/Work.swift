internal import ArgumentParser
internal import Artifacts
internal import Foundation
internal import Lifecycle
internal import Store
internal import Telemetry
internal import Worker

/// Real workers in one process, each with its own connection, over the idle device; until nothing is left or time is up.
struct Work: AsyncParsableCommand {
  @OptionGroup var place: Place
  @Option(name: .long, help: "Workers in this process.")
  var workers = 8
  @Option(name: .long, help: "Units per lease; sized in time by default.")
  var leaseUnits: Int?
  @Option(name: .long, help: "Seconds after which they drain; until nothing is left by default.")
  var seconds: Double?
  @Option(name: .long, help: "Seconds that a chunk takes.")
  var chunkSeconds = 0.0
  @Option(name: .long, help: "What the workers' names begin with.")
  var name = "arm"
  @Option(
    name: .long, help: "Seconds between heartbeats; a tenth of the time after which a worker is dead is 3 of these.")
  var beatSeconds = 10.0

  func run() async throws {
    let logger = place.logger()
    let artifacts = try ArtifactStore(directory: place.store)
    let start = ContinuousClock.now
    let registries = (0..<workers).map { _ in Metrics() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in 0..<workers {
        var settings = WorkerSettings(
          name: "\(name)-\(index)", host: "benchmark", pid: getpid(), software: "queue-arm", kinds: ["certify"],
          leaseUnits: leaseUnits, stopsWhenIdle: seconds == nil)
        settings.timings.beatEvery = .seconds(beatSeconds)
        settings.timings.deadAfter = .seconds(beatSeconds * 3.5)
        let worker = WorkerService(
          store: Store(try place.connection("\(name)-\(index)", logger)),
          device: IdleDevice(chunkSeconds: chunkSeconds),
          artifacts: artifacts, settings: settings, logger: logger, metrics: registries[index])
        group.addTask { try await worker.run() }
      }
      if let seconds {
        try await Task.sleep(for: .seconds(seconds))
        group.cancelAll()
      }
      try await group.waitForAll()
    }
    var sums: [String: Double] = [:]
    for registry in registries {
      for line in registry.text.split(separator: "\n") where !line.hasPrefix("#") {
        let words = line.split(separator: " ")
        sums[String(words[0]), default: 0] += Double(words[1]) ?? 0
      }
    }
    try answer(["seconds": secondsSince(start), "metrics": sums])
  }
}
