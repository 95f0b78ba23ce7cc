internal import ArgumentParser
internal import Database
internal import Foundation
internal import LocalFleet
internal import Migrations
internal import Telemetry

/// The whole fleet on this machine.
struct Up: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Start everything on this machine: private PostgreSQL, coordinator, aggregator, workers.",
    discussion: """
      rrcm up
      rrcm up --workers 4
      rrcm up --precision bf16

      With RRCM_DATABASE_URL set, that database is used and no private one is started. Starting twice changes nothing.
      With --dry-run it says what would be started; the database is only asked when it runs.
      Next: rrcm run submit FILE.yaml
      """)

  @Option(name: .long, help: "Worker processes; default: one per core, at most 8.")
  var workers: Int?
  @Option(name: .long, help: "Threads per worker.")
  var threads = 1
  @Option(name: .long, help: "Precision of the workers' classifiers, f32 (the default) or bf16.")
  var precision: String?
  @Flag(name: .long, help: "Say what would be started and migrated, without doing it.")
  var dryRun = false
  @Option(name: .long, help: "Serve the store to other machines at HOST:PORT; see rrcm coordinator start --help.")
  var serveArtifacts: String?

  func validate() throws {
    if let serveArtifacts {
      do { _ = try ListeningAddress(serveArtifacts, name: "artifact", example: "10.0.0.1:8470") } catch {
        throw ValidationError("\(error)")
      }
    }
    if let workers, !(0...256).contains(workers) {
      throw ValidationError("--workers is \(workers); it must be 0 to 256")
    }
    guard (1...1024).contains(threads) else { throw ValidationError("--threads is \(threads); it must be 1 to 1024") }
    if let problem = DeviceChoice.cpu.problem(precision: precision) { throw ValidationError(problem) }
  }

  func run() async throws {
    let context = Context()
    if dryRun { return try await preview(context) }
    if serveArtifacts != nil { _ = try context.servedArtifacts() }
    if try DatabaseURL.fromEnvironment() == nil {
      let cluster = try PrivateCluster(home: context.home)
      try await cluster.start()
      Console.say("PostgreSQL     running in \(context.home)")
    }
    let connection = try await context.connection("up", patience: .seconds(30))
    let migrations = try await Migrator(connection).up()
    for migration in migrations { Console.say("migration      \(migration.number) \(migration.name) applied") }
    if !migrations.isEmpty, try await Roles(connection).areInUse() { try await Roles(connection).apply() }
    let processes = LocalProcesses(home: context.home)
    for (name, arguments) in parts {
      let started = try await processes.start(name, arguments: arguments)
      Console.say(
        "\(name.padding(toLength: 14, withPad: " ", startingAt: 0)) \(started.isNew ? "started" : "already running"), pid \(started.pid)"
      )
    }
    Console.say("logs           \(context.home)/log")
  }

  /// Names and arguments of the processes to run.
  private var parts: [(name: String, arguments: [String])] {
    let count = workers ?? min(8, ProcessInfo.processInfo.activeProcessorCount)
    let serving = serveArtifacts.map { ["--serve-artifacts", $0] } ?? []
    var parts = [("coordinator", ["coordinator", "start"] + serving), ("aggregator", ["aggregator", "start"])]
    for number in 1...max(count, 1) where number <= count {
      let name = "worker-\(number)"
      let computing = ["--threads", "\(threads)"] + (precision.map { ["--precision", $0] } ?? [])
      parts.append(
        (name, ["worker", "start", "--name", "\(ProcessInfo.processInfo.hostName)-\(name)"] + computing))
    }
    return parts
  }

  /// Says what a start would do. Touches nothing: a database that does not run is not asked.
  private func preview(_ context: Context) async throws {
    var isRunning = true
    if try DatabaseURL.fromEnvironment() == nil {
      switch try await PrivateCluster(home: context.home).status() {
      case .running: Console.say("PostgreSQL     runs already in \(context.home)")
      case .stopped:
        Console.say("PostgreSQL     would be started in \(context.home)")
        isRunning = false
      case .absent:
        Console.say("PostgreSQL     would be made and started in \(context.home)")
        isRunning = false
      }
    }
    if isRunning {
      let pending = try await Migrator(try await context.connection("up")).status().filter { $0.appliedAt == nil }
      for migration in pending { Console.say("migration      \(migration.number) \(migration.name) would be applied") }
    }
    let running = Set(await LocalProcesses(home: context.home).status().filter { $0.pid != nil }.map(\.name))
    for (name, _) in parts {
      let label = name.padding(toLength: 14, withPad: " ", startingAt: 0)
      Console.say("\(label) \(running.contains(name) ? "runs already" : "would be started")")
    }
    Console.say("dry run: nothing was started")
  }
}

struct Down: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Drain and stop what \"rrcm up\" started; nothing stored is lost.",
    discussion: """
      rrcm down
      rrcm down --keep-database

      Next: rrcm up
      """)

  @Flag(name: .long, help: "Leave the private PostgreSQL running.")
  var keepDatabase = false
  @Flag(name: .long, help: "Say what would be stopped, without doing it.")
  var dryRun = false
  @Option(name: .long, help: "Seconds a process may take to drain before it is killed.")
  var timeout = 60

  func validate() throws {
    guard (0...86_400).contains(timeout) else {
      throw ValidationError("--timeout is \(timeout); it must be 0 to 86400 seconds")
    }
  }

  func run() async throws {
    let context = Context()
    let processes = LocalProcesses(home: context.home)
    // Workers first: the coordinator then sees them leave.
    for part in await processes.status().sorted(by: { $0.name > $1.name }) {
      if dryRun {
        Console.say("\(part.name): \(part.pid.map { "would be drained, pid \($0)" } ?? "has ended")")
        continue
      }
      let drained = try await processes.stop(part.name, timeout: .seconds(timeout))
      Console.say("\(part.name): \(part.pid == nil ? "had ended" : drained ? "stopped" : "killed")")
    }
    defer { if dryRun { Console.say("dry run: nothing was stopped") } }
    guard !keepDatabase, try DatabaseURL.fromEnvironment() == nil else { return }
    let cluster = try PrivateCluster(home: context.home)
    if dryRun {
      if case .running(let pid) = try await cluster.status() { Console.say("PostgreSQL: would be stopped, pid \(pid)") }
      return
    }
    try await cluster.stop()
    Console.say("PostgreSQL: stopped")
  }
}

struct Migrate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Bring the database's schema up to date.",
    subcommands: [Up.self, Status.self, Print.self])

  struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Apply pending migrations.",
      discussion: """
        rrcm migrate up
        rrcm migrate up --dry-run

        Next: rrcm migrate status
        """)
    @Flag(name: .long, help: "Only say what would be applied.")
    var dryRun = false

    func run() async throws {
      let connection = try await Context().connection("migrate")
      let migrator = Migrator(connection)
      let pending = try await migrator.status().filter { $0.appliedAt == nil }
      if pending.isEmpty { Console.say("nothing to do: the schema is current") }
      if dryRun {
        for migration in pending { Console.say("would apply \(migration.number) \(migration.name)") }
        Console.say("dry run: nothing was written")
        return
      }
      for migration in try await migrator.up() { Console.say("applied \(migration.number) \(migration.name)") }
      if try await Roles(connection).areInUse() {
        try await Roles(connection).apply()
        Console.say("stated the roles' grants anew")
      }
    }
  }

  struct Status: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "List migrations, applied and pending.",
      discussion: """
        rrcm migrate status
        rrcm migrate status --output json

        Next: rrcm migrate up
        """)
    static let layouts = [RowLayout(columns: ["migration", "name", "applied"])]
    @OptionGroup var output: OutputOptions

    func run() async throws {
      var table = OutputTable(Self.layouts[0])
      for migration in try await Migrator(try await Context().connection("migrate")).status() {
        table.add([
          .int(migration.number), .text(migration.name), .text(migration.appliedAt),
        ])
      }
      table.print(output)
    }
  }

  struct Print: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "sql", abstract: "Print the migrations as SQL for psql.",
      discussion: """
        rrcm migrate sql
        rrcm migrate sql | psql -v ON_ERROR_STOP=1 DATABASE

        Next: rrcm migrate status
        """)

    func run() async throws {
      Console.out(try Migrator.sql())
    }
  }
}
