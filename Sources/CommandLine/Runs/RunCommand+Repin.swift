internal import ArgumentParser
internal import Store

extension RunCommand {
  struct Repin: AsyncParsableCommand, AnswersWithRows {
    static let configuration = CommandConfiguration(
      abstract: "Give a run's stranded items to another numerics id: their votes are voided and they begin anew.",
      discussion: """
        rrcm run repin quickstart-certify --numerics any --dry-run
        rrcm run repin 3 --numerics any --yes

        Votes of different numerics ids never mix inside a certificate. Items with work left whose id has no live worker \
        lose all their votes, selection included (they stay on record as void), and are computed from the start. \
        Certified items keep certificate and id, except those with an open audit; items of ids with live workers go on. \
        Late votes of the old id are not taken.
        Next: rrcm run watch NAME
        """)
    static let layouts = [RowLayout(columns: ["run", "name", "numerics", "items", "chunks"])]

    @Argument(help: "Number or name of the run.", completion: .runs)
    var run: String
    @Option(
      name: .long, help: "Numerics id that shall compute it, as rrcm worker list shows; any: the first that comes.")
    var numerics: String
    @Flag(name: .long, help: "Say what would be voided, without doing it.")
    var dryRun = false
    @Flag(name: .long, help: "Do not ask.")
    var yes = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
      if numerics.isEmpty || numerics.contains(where: \.isWhitespace) {
        throw ValidationError("--numerics is \"\(numerics)\"; it must be a numerics id without blanks, or any")
      }
    }

    func run() async throws {
      let store = try await Context().store("repin")
      let record = try await find(run, in: store)
      let label = "run \(record.id) (\(record.name))"
      let id = numerics == "any" ? nil : numerics
      guard let preview = try await store.repinPreview(record.id, numericsID: id) else {
        throw CommandFailure("\(label) is gone")
      }
      guard preview.kind == "certify" else {
        throw CommandFailure("\(label) is a \(preview.kind): only certifications are pinned to numerics ids")
      }
      guard preview.state == "running" else {
        throw CommandFailure("\(label) is \(preview.state): only a running run can be repinned; nothing was changed")
      }
      guard preview.stranded > 0 else {
        throw CommandFailure(
          "\(label) has no stranded item: live workers compute \(preview.numericsIDs.joined(separator: ", "));"
            + " nothing was changed")
      }
      let what =
        "repin \(label) to \(numerics): void \(counted(preview.chunks, "chunk")) of \(counted(preview.items, "item"))"
      if !dryRun { try Console.confirm(what, yes: yes) }
      var ids = preview.numericsIDs
      var (items, chunks) = (preview.items, preview.chunks)
      if !dryRun {
        guard let done = try await store.repinRun(record.id, numericsID: id) else {
          throw CommandFailure("\(label) has ended meanwhile; nothing was changed")
        }
        (ids, items, chunks) = done
        try await store.announceWork()
      }
      var table = OutputTable(Self.layouts[0])
      table.add([
        .int(record.id), .text(record.name), .text(ids.joined(separator: " ")), .int(items), .int(chunks),
      ])
      table.print(output)
      if id != nil, !preview.isLive { Console.say("note: no live worker has shown to compute \(numerics) yet") }
      if dryRun { Console.say("dry run: nothing was written; would \(what)") }
    }
  }
}
