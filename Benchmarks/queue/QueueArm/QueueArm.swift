internal import ArgumentParser
internal import Database
internal import Foundation
internal import Logging
internal import Store
internal import Telemetry

/// Our arm of the queue benchmarks: the real planning, workers, statements and aggregator, with a device that computes
/// nothing. Each verb answers one line of JSON.
@main
struct QueueArm: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Our arm of the queue benchmarks.",
    subcommands: [Prepare.self, Work.self, Crowd.self, Fold.self, Rescue.self])
}

/// What every verb needs.
struct Place: ParsableArguments {
  @Option(name: .long, help: "Database, as libpq writes it.")
  var database: String
  @Option(name: .long, help: "Folder of checkpoints and image sets.")
  var store: String
  @Option(name: .long, help: "Log level.")
  var logLevel = "error"

  func logger() -> Logger {
    bootstrapLogging(level: Logger.Level(rawValue: logLevel) ?? .error, format: .text)
    return Logger(label: "queue-arm")
  }

  func connection(_ name: String, _ logger: Logger) throws -> Connection {
    Connection(try DatabaseURL(database), applicationName: name, logger: logger)
  }
}

/// Writes one line of JSON to standard output.
func answer(_ fields: [String: Any]) throws {
  let data = try JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys])
  FileHandle.standardOutput.write(data + Data("\n".utf8))
}

/// Seconds since `start`.
func secondsSince(_ start: ContinuousClock.Instant) -> Double {
  let time = start.duration(to: .now).components
  return Double(time.seconds) + Double(time.attoseconds) * 1e-18
}
