internal import Aggregator
internal import ArgumentParser
internal import Artifacts
internal import ComputeCPU
internal import Coordinator
internal import Foundation
internal import Lifecycle
internal import Logging
internal import ServiceLifecycle
internal import Store
internal import Telemetry
internal import UnixSignals
internal import Worker

/// Options that every long-running process shares.
struct ServiceOptions: ParsableArguments {
  @Option(name: .long, help: "Serve /metrics and /healthz at HOST:PORT or PORT; off by default.")
  var metrics: String?
  @Option(name: .long, help: "Log level: trace, debug, info, notice, warning, error, critical.")
  var logLevel = "info"
  @Option(name: .long, help: "Log format: text or json.")
  var logFormat = "text"
  @Option(name: .long, help: "Seconds between heartbeats.")
  var beatSeconds: Double = 10
  @Option(name: .long, help: "Seconds of silence after which a worker is taken for dead.")
  var deadSeconds: Double = 35
  @Option(name: .long, help: "Seconds between the coordinator's looks for dead workers.")
  var rescueSeconds: Double = 5
  @Option(
    name: .long,
    help: "Seconds to try to reach the database, at the start and whenever it is lost, before a call fails.")
  var connectSeconds: Double = 30

  func validate() throws {
    guard Logger.Level(rawValue: logLevel) != nil else {
      throw ValidationError(
        "--log-level is \(logLevel); it must be one of trace, debug, info, notice, warning, error, critical")
    }
    guard ["text", "json"].contains(logFormat) else {
      throw ValidationError("--log-format is \(logFormat); it must be text or json")
    }
    guard connectSeconds > 0, connectSeconds <= 86_400 else {
      throw ValidationError("--connect-seconds is \(connectSeconds); it must be above 0 and at most a day")
    }
    let seconds = [beatSeconds, deadSeconds, rescueSeconds]
    guard seconds.allSatisfy({ $0 > 0 && $0 <= 86_400 }), deadSeconds >= 2 * beatSeconds else {
      throw ValidationError(
        "--beat-seconds \(beatSeconds), --dead-seconds \(deadSeconds), --rescue-seconds \(rescueSeconds): all must be above 0 and at most a day, and the second at least twice the first"
      )
    }
    if let metrics {
      do { _ = try MetricsServer(address: metrics, registry: Metrics()) } catch { throw ValidationError("\(error)") }
    }
  }

  var timings: FleetTimings {
    var timings = FleetTimings()
    timings.beatEvery = .seconds(beatSeconds)
    timings.deadAfter = .seconds(deadSeconds)
    timings.rescueEvery = .seconds(rescueSeconds)
    return timings
  }

  /// How a coordinator or aggregator shows among the others.
  func presence(_ kind: String) -> Presence {
    Presence(
      kind: kind, host: ProcessInfo.processInfo.hostName, pid: ProcessInfo.processInfo.processIdentifier,
      software: Software.version)
  }

  /// Runs a service until SIGTERM or SIGINT asks it to drain.
  func run(_ service: any Service, and more: [any Service] = [], logger: Logger, registry: Metrics) async throws {
    var services = [service] + more
    if let metrics {
      services.append(try MetricsServer(address: metrics, registry: registry))
    }
    let group = ServiceGroup(
      configuration: .init(
        services: services.map {
          .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
        }, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
  }

  func bootstrap() -> Logger {
    bootstrapLogging(level: Logger.Level(rawValue: logLevel)!, format: logFormat == "json" ? .json : .text)
    return Logger(label: "rrcm")
  }
}

struct CoordinatorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator", abstract: "Plan runs, rescue lost work.", subcommands: [Start.self])

  struct Start: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Run a coordinator until SIGTERM.",
      discussion: """
        rrcm coordinator start
        rrcm coordinator start --serve-artifacts 10.0.0.1:8470

        Any number may run, on any machines: one leads for a term, the others stand by and serve artifacts.

        Artifacts are served to whoever knows RRCM_ARTIFACT_TOKEN (or the word in
        the file RRCM_ARTIFACT_TOKEN_FILE), over plain HTTP: put a proxy with TLS
        in front. Other machines set RRCM_STORE to the address, and the token.

        Next: rrcm worker start
        """)
    @Option(name: .long, help: "Serve the files in RRCM_STORE at HOST:PORT or PORT; off by default.")
    var serveArtifacts: String?
    @Option(name: .long, help: "Largest file that others may store, in gigabytes.")
    var artifactLimitGB: Double = 64
    @Option(name: .long, help: "Seconds that a leader leads without renewing; give every coordinator the same.")
    var termSeconds: Double = 10
    @OptionGroup var service: ServiceOptions

    func validate() throws {
      guard artifactLimitGB > 0, artifactLimitGB <= 1e6 else {
        throw ValidationError("--artifact-limit-gb is \(artifactLimitGB); it must be above 0")
      }
      guard termSeconds >= 0.5, termSeconds <= 3600 else {
        throw ValidationError("--term-seconds is \(termSeconds); it must be 0.5 to 3600")
      }
      do { _ = try address } catch { throw ValidationError("\(error)") }
    }

    private var address: ListeningAddress? {
      get throws {
        try serveArtifacts.map { try ListeningAddress($0, name: "artifact", example: "10.0.0.1:8470") }
      }
    }

    private var timings: FleetTimings {
      var timings = service.timings
      timings.term = .seconds(termSeconds)
      return timings
    }

    func run() async throws {
      let logger = service.bootstrap()
      let registry = Metrics()
      let context = Context()
      var servers: [any Service] = []
      if let address = try address {
        let (files, token) = try context.servedArtifacts()
        servers.append(
          try ArtifactServer(
            store: files, address: address, token: token, sizeLimit: Int64(artifactLimitGB * 1e9), logger: logger))
        logger.info("serving artifacts", metadata: ["address": "\(address)", "store": "\(files.directory)"])
      }
      let store = try await context.store("coordinator", patience: .seconds(service.connectSeconds), registry: registry)
      try await service.run(
        CoordinatorService(
          store: store, timings: timings, presence: service.presence("coordinator"), logger: logger, metrics: registry),
        and: servers, logger: logger, registry: registry)
    }
  }
}

struct AggregatorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "aggregator", abstract: "Fold votes into certificates.", subcommands: [Start.self])

  struct Start: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Run an aggregator until SIGTERM.",
      discussion: """
        rrcm aggregator start
        rrcm aggregator start --metrics 127.0.0.1:9465

        Next: rrcm report NAME
        """)
    @OptionGroup var service: ServiceOptions

    func run() async throws {
      let logger = service.bootstrap()
      let registry = Metrics()
      let store = try await Context().store(
        "aggregator", patience: .seconds(service.connectSeconds), registry: registry)
      try await service.run(
        AggregatorService(
          store: store, timings: service.timings, presence: service.presence("aggregator"), logger: logger,
          metrics: registry), logger: logger, registry: registry)
    }
  }
}

struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "Compute; look at those who do.",
    subcommands: [Start.self, List.self, Drain.self, Release.self])

  struct Start: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract:
        "Run a worker until SIGTERM, which makes it drain: the chunk in hand is finished, the rest handed back.",
      discussion: """
        rrcm worker start
        rrcm worker start --name node7-a --threads 4 --kinds certify

        With --stop-when-idle it ends with 0 once nothing is left to claim; with \(ExitStatus.badMachine.rawValue) when \
        this machine had to pass work over (numerics, store, canary), with 1 when a run was at fault.
        Next: rrcm worker list
        """)
    @Option(name: .long, help: "Name to register under; default HOST-PID.")
    var name: String?
    @Option(name: .long, help: "Threads for computing.")
    var threads = 1
    @Option(
      name: .long,
      help:
        "What computes: cpu, or an NVIDIA GPU as cuda, cuda:INDEX or cuda:UUID. One process per GPU, or several on one."
    )
    var device = DeviceChoice.cpu
    @Option(
      name: .long,
      help:
        "Precision of classifiers, part of the numerics id: cpu has f32 (its default) and bf16, cuda has bf16 (its default), tf32 and f32. A GPU trains in it too; a CPU always trains in f32."
    )
    var precision: String?
    @Option(name: .long, help: "Samples per forward pass; part of the numerics id. Default: chosen for the network.")
    var batch: Int?
    @Option(name: .long, help: "Kinds of runs to take, separated by commas: pretrain,finetune,certify.")
    var kinds = "pretrain,finetune,certify"
    @Option(name: .long, help: "Chunks per lease; default: about 5 seconds' worth.")
    var leaseChunks: Int?
    @Option(name: .long, help: "Seconds between stored states from which training resumes.")
    var snapshotSeconds: Double = 15
    @Flag(
      name: .long, help: "End once nothing is left to claim: no submitted run waits for another, and no sweep goes on.")
    var stopWhenIdle = false
    @OptionGroup var service: ServiceOptions

    func validate() throws {
      guard (1...1024).contains(threads) else { throw ValidationError("--threads is \(threads); it must be 1 to 1024") }
      if let problem = device.problem(precision: precision) { throw ValidationError(problem) }
      if let batch, !(1...65_536).contains(batch) {
        throw ValidationError("--batch is \(batch); it must be 1 to 65536")
      }
      if let leaseChunks, !(1...1_000_000).contains(leaseChunks) {
        throw ValidationError("--lease-chunks is \(leaseChunks); it must be 1 to 1000000")
      }
      guard snapshotSeconds > 0, snapshotSeconds <= 86_400 else {
        throw ValidationError("--snapshot-seconds is \(snapshotSeconds); it must be above 0 and at most a day")
      }
      let known = Set(["pretrain", "finetune", "certify"])
      guard !kindSet.isEmpty, kindSet.isSubset(of: known) else {
        throw ValidationError("--kinds is \(kinds); it must be some of pretrain,finetune,certify")
      }
    }

    private var kindSet: Set<String> { Set(kinds.split(separator: ",").map(String.init)) }

    func run() async throws {
      let logger = service.bootstrap()
      let registry = Metrics()
      let context = Context()
      let store = try await context.store("worker", patience: .seconds(service.connectSeconds), registry: registry)
      let pid = ProcessInfo.processInfo.processIdentifier
      let host = ProcessInfo.processInfo.hostName
      var timings = service.timings
      timings.snapshotEvery = .seconds(snapshotSeconds)
      let settings = WorkerSettings(
        name: name ?? "\(host)-\(pid)", host: host, pid: pid, software: Software.version, kinds: kindSet, batch: batch,
        timings: timings, leaseUnits: leaseChunks, stopsWhenIdle: stopWhenIdle)
      // A worker that drains does not wait for a transfer.
      let artifacts = try context.artifacts { Task.isShuttingDownGracefully || Task.isCancelled }
      let worker = WorkerService(
        store: store,
        device: try device.open(precision: precision, threads: threads, kernels: context.home + "/kernels"),
        artifacts: artifacts,
        settings: settings,
        logger: logger, metrics: registry)
      try await service.run(worker, logger: logger, registry: registry)
    }
  }
}
