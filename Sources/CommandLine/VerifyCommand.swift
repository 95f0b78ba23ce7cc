internal import ArgumentParser
internal import ComputeCPU
internal import Foundation
internal import Golden

struct Verify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check this software against reference numbers, and runs against their votes.",
    subcommands: [Reference.self, VerifyRun.self, VerifyNumerics.self])

  struct Reference: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "golden",
      abstract: "Compare with every golden file in a folder; exit 1 if any fails or none ran.",
      discussion: """
        rrcm verify golden Tests/Fixtures/golden
        rrcm verify golden Tests/Fixtures/golden --threads 2

        Next: rrcm doctor
        """)
    @Argument(help: "Folder of golden files.")
    var directory: String
    @Option(name: .long, help: "Threads for computing.")
    var threads = 1

    func run() async throws {
      let threads = threads
      let directory = directory
      let failed = try await offPool {
        try verifyGolden(directory: directory, device: CPUDevice(threads: threads), print: { Console.out($0 + "\n") })
          .isFailure
      }
      if failed { throw ExitCode(1) }
    }
  }
}
