internal import ArgumentParser
internal import Report
internal import Smoothing

struct Export: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write results for other programs.", subcommands: [Certificates.self, Votes.self])

  struct Certificates: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Write a run's certificates: idx label predict radius correct time, counts alongside.",
      discussion: """
        rrcm export certificates quickstart-certify --output tsv > certificates.tsv
        rrcm export certificates quickstart-certify --columns rrcm --sigma 0.25 --time seconds
        rrcm export certificates quickstart-certify --output json

        An abstention has predict -1 and radius 0. docs/formats.md describes every column.
        Next: rrcm import cohen certificates.tsv --name copy --n 100000 --alpha 0.001
        """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case tsv, csv, json }

    @Argument(help: "Number or name of the run, or name of imported logs.", completion: .runs)
    var run: String
    @Option(name: .long, help: "tsv (three-digit radii, as others print them), csv or json (full precision).")
    var output: Format = .tsv
    @Option(
      name: .long,
      help: "Columns of tsv: ours (full radius, counts, sigma), cohen (six, with header) or rrcm (five, without).")
    var columns: CertificateExport.Columns = .ours
    @Option(name: .long, help: "Times of tsv: clock (0:00:13.736080) or seconds (13.7).")
    var time: CertificateExport.Time = .clock
    @Option(name: .long, help: "Only this noise level (tsv).")
    var sigma: String?

    func run() async throws {
      if output != .tsv, columns != .ours || time != .clock || sigma != nil {
        throw InputProblems(["--columns, --time and --sigma go with --output tsv; --output is \(output.rawValue)"])
      }
      let report = try await runReport(of: run, in: try await Context().store("export"))
      let known = report.levels.map { "\($0.sigma)" }.joined(separator: ", ")
      let level = try sigma.map { text in
        guard let value = ExactDecimal(text), report.levels.contains(where: { $0.sigma == value }) else {
          throw InputProblems(["--sigma is \(text); \(report.name) has \(known)"])
        }
        return value
      }
      if columns != .ours, level == nil, report.levels.count > 1 {
        throw InputProblems([
          "--columns \(columns.rawValue) holds one noise level a file; choose one with --sigma: \(known)"
        ])
      }
      switch output {
      case .tsv: Console.out(CertificateExport.tsv(report, columns: columns, time: time, sigma: level))
      case .csv: Console.out(CertificateExport.csv(report))
      case .json: Console.out(CertificateExport.json(report))
      }
      if !report.isFinished {
        Console.say("note: \(report.finished) of \(report.planned) items are certified so far")
      }
    }
  }
}

extension CertificateExport.Columns: ExpressibleByArgument {}
extension CertificateExport.Time: ExpressibleByArgument {}
