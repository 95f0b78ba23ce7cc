internal import ArgumentParser
internal import Foundation
internal import Report
internal import RunFile
internal import Smoothing
internal import Store

struct ReportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Show what a certification run proved: table, curve, guarantee.",
    discussion: """
      rrcm report quickstart-certify
      rrcm report quickstart-certify --html report.html

      An unfinished run is shown with its certified accuracy as an interval.
      Next: rrcm export certificates NAME
      """)

  @Argument(help: "Number or name of the run.")
  var run: String
  @Option(name: .long, help: "Also write a self-contained page to this file.")
  var html: String?
  @Flag(name: .long, help: "List every image.")
  var items = false

  func run() async throws {
    let report = try await runReport(of: run, in: try await Context().store("report"))
    let terminal = TerminalReport(
      report, usesColor: isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["NO_COLOR"] == nil)
    Console.out(terminal.text + "\n")
    if items {
      for level in report.levels { Console.out("\n" + terminal.itemTable(level).joined(separator: "\n") + "\n") }
    }
    if let html {
      do { try Data(HTMLReport(report).text.utf8).write(to: URL(fileURLWithPath: html), options: .atomic) } catch {
        throw CommandFailure(
          "\(html) could not be written: \(error.localizedDescription); check folder, rights and space")
      }
    }
  }
}

struct Export: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write results for other programs.", subcommands: [Certificates.self])

  struct Certificates: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write a run's certificates: idx label predict radius correct time, counts alongside.",
      discussion: """
        rrcm export certificates quickstart-certify --output tsv > certificates.tsv
        rrcm export certificates quickstart-certify --output json

        An abstention has predict -1 and radius 0.
        Next: rrcm radius --input FILE.csv
        """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case tsv, csv, json }

    @Argument(help: "Number or name of the run.")
    var run: String
    @Option(name: .long, help: "tsv (three-digit radii, as others print them), csv or json (full precision).")
    var output: Format = .tsv

    func run() async throws {
      let report = try await runReport(of: run, in: try await Context().store("export"))
      switch output {
      case .tsv: Console.out(CertificateExport.tsv(report))
      case .csv: Console.out(CertificateExport.csv(report))
      case .json: Console.out(CertificateExport.json(report))
      }
      if !report.isFinished {
        Console.say("note: \(report.finished) of \(report.planned) items are certified so far")
      }
    }
  }
}

/// Everything a report shows of a certification run, out of the database.
///
/// - Throws: `CommandFailure` for an unknown run and for one that certifies nothing.
func runReport(of reference: String, in store: Store) async throws -> RunReport {
  let record = try await RunCommand.find(reference, in: store)
  guard let rules = try await store.certification(ofRun: record.id) else {
    throw CommandFailure(
      "run \(record.id) (\(record.name)) is a \(record.kind) and certifies nothing; see: rrcm run show \(record.name)")
  }
  let rows = Dictionary(grouping: try await store.results(ofRun: record.id), by: \.sigma)
  let images = try await store.dataset(record.datasetDigest)
  let checkpoint: CheckpointRecord? =
    if let digest = record.checkpointDigest { try await store.checkpoint(digest) } else { nil }
  let planned = record.imageIndices?.count ?? 0
  return RunReport(
    name: record.name, runID: record.id,
    checkpoint: .init(name: checkpoint?.name ?? "not made yet", digest: record.checkpointDigest ?? ""),
    images: .init(
      dataset: images?.name ?? record.datasetDigest, digest: record.datasetDigest,
      subset: (try? RunFile.parse(record.spec).dataset.summary) ?? "list of \(planned)",
      classNames: images?.classes ?? []),
    settings: .init(
      n0: rules.n0, n: rules.n, alpha: ExactDecimal(rules.alpha)!,
      sampler: RunReport.SamplerKind(rawValue: rules.sampler)!, seed: record.seed, numerics: record.numericsIDs,
      mode: rules.mode),
    levels: rules.levels.map { level in
      RunReport.Level(
        sigma: ExactDecimal(level.sigma)!, m: level.gridM > 0 ? level.gridM : nil, slack: level.slack,
        tableDigest: level.tableDigest, planned: planned,
        items: (rows[level.sigma] ?? []).compactMap { row in
          row.certificate.map {
            RunReport.Item(
              imageIndex: row.imageIndex, label: row.label, topClass: $0.topClass, radius: $0.radius,
              pLower: $0.pLower, hits: $0.hits, draws: $0.n, seconds: $0.computeSeconds)
          }
        })
    },
    otherRuns: try await store.otherRuns(like: record.id))
}
