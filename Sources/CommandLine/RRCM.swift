package import ArgumentParser
internal import Report

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
      RRCM_STORE         where checkpoints and image sets are stored: a folder,
                         or the http(s) address of one

      Exit codes: \(ExitStatus.line).
      """,
    version: Software.version,
    subcommands: [
      Up.self, Down.self, Status.self, DoctorCommand.self, RunCommand.self, SweepCommand.self, ItemCommand.self,
      DatasetCommand.self,
      CheckpointCommand.self, Export.self, ImportCommand.self,
      ReportCommand.self, Recertify.self, PlanCommand.self, Radius.self, Verify.self, CoordinatorCommand.self,
      WorkerCommand.self,
      AggregatorCommand.self, Migrate.self, RolesCommand.self, CollectCommand.self, Completions.self,
    ])

  package init() {}
}

/// What this software calls itself.
package enum Software {
  /// Semantic version; recorded with every run and worker.
  package static let version = "0.1.0"
}

extension RRCM {
  /// Parses the command line, runs the verb and exits with an `ExitStatus`.
  package static func main() async {
    do {
      var command = try await asyncParseAsRoot(nil)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      guard let code = ExitStatus(of: error) else { exit(withError: error) }
      // A message may quote what came from outside, line by line.
      let lines = "\(error)".split(separator: "\n", omittingEmptySubsequences: false)
      Console.say("rrcm: " + lines.map { Escape.plain(String($0)) }.joined(separator: "\n"))
      exit(withError: ExitCode(code.rawValue))
    }
  }
}
