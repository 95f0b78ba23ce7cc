internal import ArgumentParser
internal import Foundation
internal import Smoothing
internal import Store

struct ImportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Import results that were computed elsewhere; reports mark them so.",
    subcommands: [Cohen.self, List.self])

  struct Cohen: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Import certification logs: idx label predict radius correct time, with or without a header.",
      discussion: """
        rrcm import cohen sigma_0.25.txt --name cohen --sigma 0.25 --n 100000 --alpha 0.001
        rrcm import cohen a.txt b.txt --name cohen --sigma 0.25 --sigma 0.50 --n 100000 --alpha 0.01

        Give --sigma, --n and --alpha once for all files, or once for each. Files of one sigma are parts of one log.
        Logs hold neither n nor alpha: state those they were made with. What cannot be recomputed stays marked imported.
        Next: rrcm report NAME
        """)

    static let layouts = [
      RowLayout(columns: [
        "name", "sigma", "n", "alpha", "images", "correct_images", "wrong_images", "abstentions", "notes",
      ])
    ]

    @Argument(help: "Log files, tab separated.", completion: .file(extensions: ["txt", "tsv", "log"]))
    var files: [String]
    @Option(name: .long, help: "Name in reports.")
    var name: String
    @Option(
      name: .long, parsing: .unconditionalSingleValue,
      help: "Noise level in the [0, 1] pixel range; not for logs that hold it.")
    var sigma: [String] = []
    @Option(name: .long, parsing: .unconditionalSingleValue, help: "Estimation draws per image.")
    var n: [String] = []
    @Option(name: .long, parsing: .unconditionalSingleValue, help: "Failure probability of one certificate.")
    var alpha: [String] = []
    @Option(name: .long, help: "Where the logs come from, in words; default: the files' names.")
    var source: String?
    @Flag(name: .long, help: "Read, check and say what would be imported, without writing.")
    var dryRun = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
      let logs = try ImportedLogs.read(files: files, sigma: sigma, n: n, alpha: alpha, name: name)
      let store = try await Context().store("import")
      if !dryRun {
        let shown = files.map { ($0 as NSString).lastPathComponent }.joined(separator: ", ")
        let outcome = try await store.insertImportedLogs(
          logs.map(\.record), name: name, source: source ?? "files \(shown)")
        guard outcome.known.isEmpty else {
          throw CommandFailure(
            "sigma \(outcome.known.joined(separator: ", ")) was imported as \"\(name)\" before; nothing was written. "
              + "Choose another --name")
        }
      }
      var table = OutputTable(Self.layouts[0])
      for log in logs {
        let accuracy = CertifiedAccuracy(log.log.rows.map(\.outcome))
        table.add([
          .text(name), .text(log.record.sigma), .int(Int64(log.record.n)), .double(log.record.alpha),
          .int(Int64(accuracy.planned)), .int(Int64(accuracy.correctRadii.count)), .int(Int64(accuracy.mistakes)),
          .int(Int64(accuracy.abstentions)), .text(log.record.notes.joined(separator: "; ")),
        ])
      }
      table.print(output)
      if dryRun { Console.say("dry run: nothing was written") }
      if try await store.run(name) != nil {
        Console.say("note: a run is called \(name) too; in reports write imported:\(name) for these logs")
      }
    }
  }

  struct List: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "List imported logs.",
      discussion: """
        rrcm import list
        rrcm import list --output json

        Next: rrcm report NAME
        """)
    static let layouts = [
      RowLayout(columns: ["import", "name", "sigma", "n", "alpha", "images", "source", "notes", "imported"])
    ]
    @OptionGroup var output: OutputOptions

    func run() async throws {
      var table = OutputTable(Self.layouts[0])
      for log in try await Context().store("import").importedLogs() {
        table.add([
          .int(log.importID), .text(log.name), .text(log.sigma), .int(Int64(log.n)), .double(log.alpha),
          .int(Int64(log.rowCount)), .text(log.source), .text(log.notes.joined(separator: "; ")),
          .text(log.importedAt),
        ])
      }
      table.print(output)
    }
  }
}
