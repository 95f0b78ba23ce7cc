internal import ArgumentParser
internal import Foundation
internal import Report
internal import Smoothing

struct ReportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Show what certification runs proved: table, curve, guarantee.",
    discussion: """
      rrcm report quickstart-certify
      rrcm report quickstart-certify --out report.html
      rrcm report small large imported:cohen --format markdown
      rrcm report sigma25 sigma50 sigma100 --paper --method "rRCM-B, ours" --out table.tex
      rrcm report small large --plot accuracy --out curves.pdf

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
  @Flag(
    name: .long, help: "Lay the runs out as papers do: train sigma, eval sigma, best over both (markdown, latex, csv).")
  var paper = false
  @Option(name: .long, help: "With --paper: what the runs together are called.")
  var method = "these runs"
  @Option(
    name: .long,
    help:
      "With --paper: each run's training sigma, separated by commas, - where unknown; default: as its training says.")
  var trainSigma: String?
  @Option(
    name: .long, help: "With --paper: published figures, cifar10, imagenet or none; default: by the image set's name.")
  var reference: String?
  @Option(name: .long, help: "Only a plot: accuracy, radii or samples; --out ends in .svg, .pdf or .png.")
  var plot: PlotSVG.Kind?
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

  private func checkOptions() throws {
    var problems: [String] = []
    if paper && ![.markdown, .latex, .csv, .terminal].contains(output.chosenFormat) {
      problems.append(
        "--paper goes with --format markdown, latex or csv; the format is \(output.chosenFormat.rawValue)")
    }
    if !paper && (trainSigma != nil || reference != nil) {
      problems.append("--train-sigma and --reference go with --paper")
    }
    if let reference, reference != "none", PublishedResults.named(reference) == nil {
      problems.append("--reference is \(reference); it must be cifar10, imagenet or none")
    }
    if let trainSigma {
      let words = trainSigma.split(separator: ",", omittingEmptySubsequences: false)
      if words.count != runs.count {
        problems.append(
          "--train-sigma names \(words.count) noise levels for \(runs.count) runs; write one per run, - where unknown")
      }
      for word in words where word != "-" && (ExactDecimal(word)?.value ?? -1) < 0 {
        problems.append("--train-sigma has \(word); write a noise level, for example 0.25, or -")
      }
    }
    if [paper, published, plot != nil].count(where: { $0 }) > 1 {
      problems.append("--paper, --published and --plot each replace the report; give one")
    }
    if plot != nil, let out = output.out, let problem = Picture.problem(out) { problems.append(problem) }
    if plot == nil, let out = output.out, Picture.formats.contains((out as NSString).pathExtension.lowercased()) {
      problems.append("--out is \(out), a picture; add --plot accuracy, radii or samples")
    }
    guard problems.isEmpty else { throw InputProblems(problems) }
  }

  func run() async throws {
    try checkOptions()
    let context = Context()
    let store = try await context.store("report")
    var reports: [RunReport] = []
    for reference in runs { reports.append(try await runReport(of: reference, in: store)) }
    if let plot {
      let svg = PlotSVG(ReportSet(reports, radii: try output.radiusList()), kind: plot).text
      if let out = output.out { try Picture.write(svg, to: out) } else { Console.out(svg) }
      return
    }
    if output.chosenFormat == .html || html != nil { try await addPictures(to: &reports, from: context) }
    let runs = ReportSet(reports, radii: try output.radiusList())
    try output.deliver(paper ? try await paperText(of: runs, in: store) : text(of: runs))
    if let html { try writeFile(HTMLReport(runs).text, to: html) }
  }

  private func text(of runs: ReportSet) -> String {
    guard published else { return output.text(of: runs) }
    let table = PublishedTable(runs)
    return output.chosenFormat == .latex ? table.latex : table.markdown
  }
}

extension PlotSVG.Kind: ExpressibleByArgument {}
