package import ArgumentParser
internal import Compute
internal import Database
internal import LocalFleet
internal import Noise
internal import RunFile
internal import Smoothing
internal import Tensors

/// The one binary: every part of the fleet is a verb of it.
package struct RRCM: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "rrcm",
    abstract: "Train rRCM models and certify image classifiers by randomized smoothing, as a fleet over PostgreSQL.",
    discussion: """
      Everything on this machine:
        rrcm up; rrcm run submit FILE.yaml; rrcm run watch NAME; rrcm report NAME
      A certificate from counts:
        rrcm radius --hits 9900 --draws 10000 --sigma 0.25 --alpha 0.001

      RRCM_DATABASE_URL  the database, any libpq URL; else that of "rrcm up"
      RRCM_HOME          where that one lives, with logs
      RRCM_STORE         where checkpoints and image sets are stored

      Exit codes: 0 done, 1 failed, 64 wrong usage or input, 69 no database,
      75 try again.
      """,
    version: Software.version,
    subcommands: [
      Up.self, Down.self, Status.self, RunCommand.self, DatasetCommand.self, CheckpointCommand.self, Export.self,
      ReportCommand.self, Radius.self, Verify.self, CoordinatorCommand.self, WorkerCommand.self,
      AggregatorCommand.self, Migrate.self,
    ])

  package init() {}
}

/// What this software calls itself.
package enum Software {
  /// Semantic version; recorded with every run and worker.
  package static let version = "0.1.0"
}

extension RRCM {
  /// Parses the command line, runs the verb and exits: 0 done, 1 failed, 64 wrong usage or input, 69 no database,
  /// 75 try again.
  package static func main() async {
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      guard let code = ExitStatus(of: error) else { exit(withError: error) }
      Console.say("rrcm: \(error)")
      exit(withError: ExitCode(code.rawValue))
    }
  }
}

/// Exit codes that scripts and orchestrators can rely on.
enum ExitStatus: Int32 {
  case failed = 1
  case badInput = 64
  case noDatabase = 69
  case tryAgain = 75

  /// The code for an error of ours; nil for those that ArgumentParser reports itself.
  init?(of error: any Error) {
    switch error {
    case let error as DatabaseError where error.code == "bad_url": self = .badInput
    case let error as DatabaseError:
      self =
        error.code == "connection_failed" || error.code == "cluster_stopped"
        ? .noDatabase : error.disposition == .retry ? .tryAgain : .failed
    case is DatabaseStopped: self = .noDatabase
    case is RunFileError, is FormatError, is InputProblems, is RadiusTable.Failure: self = .badInput
    case is CommandFailure, is ComputeError, is NoiseError, is LocalError: self = .failed
    default: return nil
    }
  }
}
