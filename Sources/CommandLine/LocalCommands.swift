internal import ArgumentParser
internal import Database
internal import Foundation
internal import LocalFleet
internal import Migrations
internal import Store

/// The whole fleet on this machine.
struct Up: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Start everything on this machine: private PostgreSQL, coordinator, aggregator, workers.",
    discussion: """
      rrcm up
      rrcm up --workers 4

      With RRCM_DATABASE_URL set, that database is used and no private one is started. Starting twice changes nothing.
      Next: rrcm run submit FILE.yaml
      """)

  @Option(name: .long, help: "Worker processes; default: one per core, at most 8.")
  var workers: Int?
  @Option(name: .long, help: "Threads per worker.")
  var threads = 1

  func validate() throws {
    if let workers, !(0...256).contains(workers) {
      throw ValidationError("--workers is \(workers); it must be 0 to 256")
    }
    guard (1...1024).contains(threads) else { throw ValidationError("--threads is \(threads); it must be 1 to 1024") }
  }

  func run() async throws {
    let context = Context()
    if try DatabaseURL.fromEnvironment() == nil {
      let cluster = try PrivateCluster(home: context.home)
      try await cluster.start()
      Console.say("PostgreSQL     running in \(context.home)")
    }
    let connection = try await context.connection("up", patience: .seconds(30))
    for migration in try await Migrator(connection).up() {
      Console.say("migration      \(migration.number) \(migration.name) applied")
    }
    let processes = LocalProcesses(home: context.home)
    let count = workers ?? min(8, ProcessInfo.processInfo.activeProcessorCount)
    var parts = [("coordinator", ["coordinator", "start"]), ("aggregator", ["aggregator", "start"])]
    for number in 1...max(count, 1) where number <= count {
      let name = "worker-\(number)"
      parts.append(
        (name, ["worker", "start", "--name", "\(ProcessInfo.processInfo.hostName)-\(name)", "--threads", "\(threads)"]))
    }
    for (name, arguments) in parts {
      let started = try await processes.start(name, arguments: arguments)
      Console.say(
        "\(name.padding(toLength: 14, withPad: " ", startingAt: 0)) \(started.isNew ? "started" : "already running"), pid \(started.pid)"
      )
    }
    Console.say("logs           \(context.home)/log")
  }
}

struct Down: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Drain and stop what \"rrcm up\" started; nothing stored is lost.",
    discussion: "rrcm down\nrrcm down --keep-database")

  @Flag(name: .long, help: "Leave the private PostgreSQL running.")
  var keepDatabase = false
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
      let drained = try await processes.stop(part.name, timeout: .seconds(timeout))
      Console.say("\(part.name): \(part.pid == nil ? "had ended" : drained ? "stopped" : "killed")")
    }
    guard !keepDatabase, try DatabaseURL.fromEnvironment() == nil else { return }
    let cluster = try PrivateCluster(home: context.home)
    try await cluster.stop()
    Console.say("PostgreSQL: stopped")
  }
}

struct Status: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the processes on this machine, the workers of the fleet and the queue.",
    discussion: "rrcm status\nrrcm status --output json")

  @OptionGroup var output: OutputOptions

  func run() async throws {
    let context = Context()
    var parts = OutputTable(["part", "name", "state", "detail"])
    for process in await LocalProcesses(home: context.home).status() {
      parts.add([
        .text("process"), .text(process.name), .text(process.pid == nil ? "ended" : "running"),
        .text(process.pid.map { "pid \($0)" } ?? "see \(process.logFile); start it again: rrcm up"),
      ])
    }
    if try DatabaseURL.fromEnvironment() == nil {
      let cluster = try PrivateCluster(home: context.home)
      let status = try await cluster.status()
      guard case .running(let pid) = status else {
        parts.add([.text("database"), .text("private"), .text("\(status)"), .text("start it: rrcm up")])
        parts.print(output)
        return
      }
      parts.add([.text("database"), .text("private"), .text("running"), .text("pid \(pid)")])
    }
    let store = try await context.store("status")
    for row in try await store.workers() {
      let speed = try row.doubleOrNil("samples_per_second").map { String(format: "%.0f samples/s, ", $0) } ?? ""
      parts.add([
        .text("worker"), .text(try row.text("name")), .text(try row.text("state")),
        .text(
          "\(speed)\(try row.int("leases")) leases, silent \(String(format: "%.0f", try row.double("silent_seconds"))) s"
        ),
      ])
    }
    for row in try await store.queueDepth() {
      parts.add([
        .text("run"), .text(try row.text("name")), .text("running"),
        .text(
          "\(try row.int("ready")) chunks ready, \(try row.int("leased")) leased"
            + (try row.bool("stranded") ? ", stranded: no live worker of its numerics ids" : "")),
      ])
    }
    parts.print(output)
  }
}

struct Migrate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Bring the database's schema up to date.",
    subcommands: [Up.self, Status.self, Print.self])

  struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Apply pending migrations.", discussion: "rrcm migrate up\nrrcm migrate up --dry-run")
    @Flag(name: .long, help: "Only say what would be applied.")
    var dryRun = false

    func run() async throws {
      let migrator = Migrator(try await Context().connection("migrate"))
      let pending = try await migrator.status().filter { $0.appliedAt == nil }
      if pending.isEmpty { Console.say("nothing to do: the schema is current") }
      if dryRun {
        for migration in pending { Console.say("would apply \(migration.number) \(migration.name)") }
        return
      }
      for migration in try await migrator.up() { Console.say("applied \(migration.number) \(migration.name)") }
    }
  }

  struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List migrations, applied and pending.",
      discussion: "rrcm migrate status\nrrcm migrate status --output json")
    @OptionGroup var output: OutputOptions

    func run() async throws {
      var table = OutputTable(["migration", "name", "applied"])
      for migration in try await Migrator(try await Context().connection("migrate")).status() {
        table.add([
          .int(Int64(migration.number)), .text(migration.name), migration.appliedAt.map { .text($0) } ?? .none,
        ])
      }
      table.print(output)
    }
  }

  struct Print: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "sql", abstract: "Print the migrations as SQL for psql.",
      discussion: "rrcm migrate sql\nrrcm migrate sql | psql -v ON_ERROR_STOP=1 DATABASE")

    func run() async throws {
      Console.out(try Migrator.sql())
    }
  }
}
