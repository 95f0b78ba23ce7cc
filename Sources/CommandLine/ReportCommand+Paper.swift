internal import Report
internal import RunFile
internal import Smoothing
internal import Store
internal import Training

extension ReportCommand {
  /// The runs together as one method, beside what papers print.
  func paperText(of set: ReportSet, in store: Store) async throws -> String {
    var trained: [String?] = []
    if let trainSigma {
      trained = trainSigma.split(separator: ",", omittingEmptySubsequences: false).map { word in
        ExactDecimal(word).map { "\($0)" }
      }
    } else {
      for report in set.reports { trained.append(await Self.trainSigma(of: report, in: store)) }
    }
    let known =
      switch reference {
      case "none"?: PublishedResults?.none
      case let name?: PublishedResults.named(name)
      case nil:
        set.reports.lazy.compactMap { $0.fleet.flatMap { PublishedResults.matching(dataset: $0.images.dataset) } }.first
      }
    let table = PaperTable(
      set, trainSigmas: trained, method: method, reference: known, radii: try output.radiusList())
    return switch output.chosenFormat {
    case .latex: table.latex
    case .csv: table.csv
    default: table.markdown
    }
  }

  /// The sigma that a run's checkpoint was fine-tuned at: half of the noise its training added. Nil where nobody knows, and
  /// for who may not read how checkpoints came to be.
  private static func trainSigma(of report: RunReport, in store: Store) async -> String? {
    guard let digest = report.fleet?.checkpoint.digest, let checkpoint = try? await store.checkpoint(digest),
      let id = checkpoint.runID, let run = try? await store.run("\(id)"), let spec = try? RunFile.parse(run.spec),
      case .finetune(let training, _) = spec.work
    else { return nil }
    return ExactDecimal(training.noiseAug / 2).map { "\($0)" }
  }
}
