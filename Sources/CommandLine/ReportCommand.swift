internal import ArgumentParser
internal import Foundation
internal import Report
internal import Smoothing
internal import Tensors

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

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case terminal, html, markdown, latex, csv, json

    /// The format that a file's name asks for.
    init?(file: String) {
      switch (file as NSString).pathExtension.lowercased() {
      case "html", "htm": self = .html
      case "md", "markdown": self = .markdown
      case "tex": self = .latex
      case "csv": self = .csv
      case "json": self = .json
      case "txt": self = .terminal
      default: return nil
      }
    }
  }

  @Argument(help: "Numbers or names of runs, or names of imported logs.", completion: .runs)
  var runs: [String]
  @Option(name: .long, help: "terminal, html, markdown, latex, csv or json; default: as --out ends, else terminal.")
  var format: Format?
  @Option(name: .long, help: "Write to this file instead of standard output.")
  var out: String?
  @Option(name: .long, help: "Also write a self-contained page to this file.")
  var html: String?
  @Flag(name: .long, help: "List every image (terminal, markdown; a page always does).")
  var items = false
  @Option(name: .long, help: "Radii of the table, for example 0.25,0.5,1; default: steps that fit.")
  var radii: String?
  @Flag(name: .long, help: "Only the table, as locuslab/smoothing prints it (markdown, latex).")
  var published = false
  @Option(name: .long, help: "Most pictures in a page; 0 for none. At most 8 MB of them are put in.")
  var pictures = 200

  func validate() throws {
    guard (0...100_000).contains(pictures) else {
      throw ValidationError("--pictures is \(pictures); it must be 0 to 100000")
    }
    _ = try radiusList()
    if published && ![.markdown, .latex].contains(chosenFormat) {
      throw ValidationError("--published goes with --format markdown or latex; the format is \(chosenFormat.rawValue)")
    }
  }

  func run() async throws {
    let context = Context()
    let store = try await context.store("report")
    var reports: [RunReport] = []
    for reference in runs { reports.append(try await runReport(of: reference, in: store)) }
    if chosenFormat == .html || html != nil { try await addPictures(to: &reports, from: context) }
    let runs = ReportSet(reports, radii: try radiusList())
    let text = try text(of: runs)
    if let out { try write(text, to: out) } else { Console.out(text) }
    if let html { try write(HTMLReport(runs).text, to: html) }
  }

  private var chosenFormat: Format { format ?? out.flatMap(Format.init(file:)) ?? .terminal }

  private func text(of runs: ReportSet) throws -> String {
    switch chosenFormat {
    case .html: HTMLReport(runs).text
    case .markdown: published ? PublishedTable(runs).markdown : MarkdownReport(runs, listsItems: items).text
    case .latex: published ? PublishedTable(runs).latex : LaTeXReport(runs).text
    case .csv: CSVReport.text(runs)
    case .json: JSONReport.text(runs)
    case .terminal: terminalText(of: runs)
    }
  }

  private func terminalText(of runs: ReportSet) -> String {
    let mayColor = out == nil && isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
    let terminal = TerminalReport(runs, usesColor: mayColor, width: out == nil ? Self.terminalWidth ?? 100 : 100)
    var text = terminal.text + "\n"
    guard items else { return text }
    for report in runs.reports {
      for level in report.levels { text += "\n" + terminal.itemTable(level, of: report).joined(separator: "\n") + "\n" }
    }
    return text
  }

  /// Columns of the terminal on standard output; nil when it is none.
  private static var terminalWidth: Int? {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return max(Int(size.ws_col), 40)
  }

  private func radiusList() throws -> [Double]? {
    guard let radii else { return nil }
    let words = radii.split(separator: ",", omittingEmptySubsequences: false)
    let values = words.compactMap { ExactDecimal($0.trimmingCharacters(in: .whitespaces))?.value }
    guard values.count == words.count, values.count <= 100, values.allSatisfy({ $0 >= 0 && $0 <= 1e6 }) else {
      throw ValidationError("--radii is \(radii); write up to 100 decimals from 0 on, for example 0.25,0.5,1")
    }
    return values
  }

  private func write(_ text: String, to path: String) throws {
    let bytes = Bytes(Array(text.utf8))
    // Where a symbolic link leads, the file there is replaced; a device or a pipe is written to, and stays what it is.
    let target = realpath(path, nil).map { resolved in
      defer { free(resolved) }
      return String(cString: resolved)
    }
    var status = stat()
    if let target, stat(target, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      try AtomicFile.append(bytes, toSpecialFile: target)
    } else {
      try AtomicFile.write(bytes, to: target ?? path)
    }
  }
}
