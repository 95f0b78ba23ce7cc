internal import ArgumentParser
internal import Report

struct ReportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Show what certification runs proved: table, curve, guarantee.",
    discussion: """
      rrcm report quickstart-certify
      rrcm report quickstart-certify --out report.html
      rrcm report small large imported:cohen --format markdown

      Several runs come out as one table and one plot. An unfinished run is shown with its certified accuracy as an interval.
      Imported logs are named NAME, or imported:NAME where a run has that name too; they are marked everywhere.
      Next: rrcm export certificates NAME
      """)

  @Argument(help: "Numbers or names of runs, or names of imported logs.", completion: .runs)
  var runs: [String]
  @OptionGroup var output: ReportOutput
  @Option(name: .long, help: "Also write a self-contained page to this file.")
  var html: String?
  @Flag(name: .long, help: "Only the table, as locuslab/smoothing prints it (markdown, latex).")
  var published = false
  @Option(name: .long, help: "Most pictures in a page; 0 for none. At most 8 MB of them are put in.")
  var pictures = 200

  func validate() throws {
    guard (0...100_000).contains(pictures) else {
      throw ValidationError("--pictures is \(pictures); it must be 0 to 100000")
    }
    try output.check()
    if published && ![.markdown, .latex].contains(output.chosenFormat) {
      throw ValidationError(
        "--published goes with --format markdown or latex; the format is \(output.chosenFormat.rawValue)")
    }
  }

  func run() async throws {
    let context = Context()
    let store = try await context.store("report")
    var reports: [RunReport] = []
    for reference in runs { reports.append(try await runReport(of: reference, in: store)) }
    if output.chosenFormat == .html || html != nil { try await addPictures(to: &reports, from: context) }
    let runs = ReportSet(reports, radii: try output.radiusList())
    try output.deliver(text(of: runs))
    if let html { try writeFile(HTMLReport(runs).text, to: html) }
  }

  private func text(of runs: ReportSet) -> String {
    guard published else { return output.text(of: runs) }
    let table = PublishedTable(runs)
    return output.chosenFormat == .latex ? table.latex : table.markdown
  }
}
