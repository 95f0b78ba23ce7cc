internal import ArgumentParser
internal import Migrations

/// Who may do what in the database.
struct RolesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "roles", abstract: "Give each part of the fleet a database role with no more rights than it needs.",
    subcommands: [Apply.self, Print.self])

  struct Apply: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make the four roles and state every grant anew.",
      discussion: """
        rrcm roles apply --dry-run
        rrcm roles apply

        Roles: rrcm_owner, rrcm_coordinator, rrcm_worker, rrcm_reader. They belong to
        the whole server and cannot log in; give your logins to them, in psql:
        CREATE ROLE node7 LOGIN PASSWORD '…' IN ROLE rrcm_worker
        "rrcm migrate up" does it again wherever it was done before.
        Next: rrcm doctor
        """)
    @Flag(name: .long, help: "Try it, and undo it.")
    var dryRun = false

    func run() async throws {
      let connection = try await Context().connection("roles")
      try await Migrator(connection).requireCurrent()
      try await Roles(connection).apply(isDryRun: dryRun)
      Console.say(
        dryRun
          ? "dry run: the roles can be applied; nothing was written"
          : "roles and grants are as this version states them")
    }
  }

  struct Print: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "sql", abstract: "Print roles, grants and row rules as SQL for psql.",
      discussion: """
        rrcm roles sql
        rrcm roles sql | psql -v ON_ERROR_STOP=1 DATABASE

        Next: rrcm roles apply
        """)

    func run() async throws { Console.out(Roles.sql) }
  }
}
