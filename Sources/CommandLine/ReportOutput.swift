internal import ArgumentParser
internal import Foundation
internal import Report
internal import Smoothing
internal import Tensors

/// How a report is printed; the file's ending decides where nothing else does.
enum ReportFormat: String, ExpressibleByArgument, CaseIterable {
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

/// Options of every verb that answers with a report.
struct ReportOutput: ParsableArguments {
  @Option(name: .long, help: "terminal, html, markdown, latex, csv or json; default: as --out ends, else terminal.")
  var format: ReportFormat?
  @Option(name: .long, help: "Write to this file instead of standard output.")
  var out: String?
  @Flag(name: .long, help: "List every image (terminal, markdown; a page always does).")
  var items = false
  @Option(name: .long, help: "Radii of the table, for example 0.25,0.5,1; default: steps that fit.")
  var radii: String?

  /// What is wrong with the options, before work starts.
  func check() throws { _ = try radiusList() }

  var chosenFormat: ReportFormat { format ?? out.flatMap(ReportFormat.init(file:)) ?? .terminal }

  func text(of runs: ReportSet) -> String {
    switch chosenFormat {
    case .html: HTMLReport(runs).text
    case .markdown: MarkdownReport(runs, listsItems: items).text
    case .latex: LaTeXReport(runs).text
    case .csv: CSVReport.text(runs)
    case .json: JSONReport.text(runs)
    case .terminal: terminalText(of: runs)
    }
  }

  /// To the file asked for, else to standard output.
  func deliver(_ text: String) throws {
    if let out { try writeFile(text, to: out) } else { Console.out(text) }
  }

  func radiusList() throws -> [Double]? {
    guard let radii else { return nil }
    let words = radii.split(separator: ",", omittingEmptySubsequences: false)
    let values = words.compactMap { ExactDecimal($0.trimmingCharacters(in: .whitespaces))?.value }
    guard values.count == words.count, values.count <= 100, values.allSatisfy({ $0 >= 0 && $0 <= 1e6 }) else {
      throw ValidationError("--radii is \(radii); write up to 100 decimals from 0 on, for example 0.25,0.5,1")
    }
    return values
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
}

/// Writes text to a file at once. Where a symbolic link leads, the file there is replaced; a device or a pipe is written
/// to, and stays what it is.
func writeFile(_ text: String, to path: String) throws {
  let bytes = Bytes(Array(text.utf8))
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
