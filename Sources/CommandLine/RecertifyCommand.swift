internal import Aggregator
internal import ArgumentParser
internal import Report
internal import Smoothing
internal import Store

struct Recertify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recertify",
    abstract: "Read a run's stored votes again at another alpha: no new samples, nothing stored, labelled as such.",
    discussion: """
      rrcm recertify quickstart-certify --alpha 0.01
      rrcm recertify quickstart-certify --simultaneous --certificates all-at-once.csv

      --simultaneous shares alpha among all certificates of the run, --best-sigma among the noise levels of each image.
      The result is a reading chosen after the votes were known. The run's own certificates stay what they are.
      Next: rrcm report NAME
      """)

  @Argument(help: "Number or name of the run.", completion: .runs)
  var run: String
  @Option(name: .long, help: "Failure probability; default: the run's own.")
  var alpha: String?
  @Flag(name: .long, help: "One alpha for all certificates of the run together.")
  var simultaneous = false
  @Flag(name: .long, help: "For each image the sigma with the largest radius; its levels share alpha.")
  var bestSigma = false
  @Option(name: .long, help: "Also write every certificate to this file, CSV.")
  var certificates: String?
  @OptionGroup var output: ReportOutput

  func validate() throws {
    guard alpha != nil || simultaneous || bestSigma else {
      throw ValidationError("nothing to read anew: give --alpha, --simultaneous or --best-sigma")
    }
    try output.check()
  }

  func run() async throws {
    let store = try await Context().store("recertify")
    let voted = try await VotedRun(run, in: store)
    let own = ExactDecimal(voted.rules.alpha)!
    let asked = try alpha.map { text in
      guard let value = ExactDecimal(text), ClopperPearson.problem(alpha: value) == nil else {
        throw InputProblems(["--alpha is \(text); it must be above 0 and at most 0.5, for example 0.001"])
      }
      return value
    }
    guard voted.rules.mode == "fixed" else {
      throw InputProblems([
        "run \(voted.record.name) is certified in mode \(voted.rules.mode), whose draws were stopped by its own alpha; "
          + "only fixed runs can be read at another"
      ])
    }
    let levels = voted.rules.levels.count
    let shares = simultaneous ? max(voted.items.count, 1) : bestSigma ? levels : 1
    let reading = RunReport.Reading(
      alpha: asked ?? own, ownAlpha: own, shares: shares, isSimultaneous: simultaneous, isBestSigma: bestSigma)
    let report = try await reread(voted, as: reading, in: store)
    let text = output.text(of: ReportSet([report], radii: try output.radiusList()))
    if let certificates { try writeFile(CertificateExport.csv(report), to: certificates) }
    try output.deliver(text)
  }

  /// The run's report with every finished item computed anew from its votes.
  private func reread(
    _ voted: VotedRun, as reading: RunReport.Reading, in store: Store
  ) async throws -> RunReport {
    var report = try await runReport(of: "\(voted.record.id)", in: store)
    report.name = "\(report.name), \(reading.summary)"
    report.reading = reading
    let each = reading.each
    let places = Dictionary(
      uniqueKeysWithValues: report.levels.enumerated().map { ("\($1.sigma)", $0) })
    let found = report.levels.map { level in
      Dictionary(uniqueKeysWithValues: level.items.enumerated().map { ($1.imageIndex, $0) })
    }
    for place in report.levels.indices { report.levels[place].alpha = each }
    try await voted.forEachItem(in: store) { item, certificate, chunks in
      guard certificate != nil, let sigma = ExactDecimal(item.sigma), let level = places["\(sigma)"],
        let place = found[level][Int(item.imageIndex)]
      else { return }
      let votes = ItemVotes(chunks)
      guard votes.drawn == (voted.rules.n0, voted.rules.n), let topClass = votes.topClass else {
        throw CommandFailure(
          "image \(item.imageIndex) at sigma \(item.sigma) has \(votes.drawn.selection) and \(votes.drawn.estimation) draws "
            + "where the run has \(voted.rules.n0) and \(voted.rules.n); see: rrcm verify run \(voted.record.name)")
      }
      let anew = Certificate.certify(
        hits: votes.hits, draws: voted.rules.n, sigma: sigma, alpha: each, slack: report.levels[level].slack)
      report.levels[level].items[place].topClass = topClass
      report.levels[level].items[place].hits = votes.hits
      report.levels[level].items[place].pLower = anew.pLower
      report.levels[level].items[place].radius = anew.radius
    }
    if reading.isBestSigma { report.levels = [RunReport.Level(bestOf: report.levels)] }
    return report
  }
}
