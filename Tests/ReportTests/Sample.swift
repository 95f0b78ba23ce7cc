import Smoothing

@testable import Report

/// A run made up for the tests: votes follow a formula, certificates are computed from them.
enum Sample {
  /// Bounds are shared by items with equal counts.
  private static func certificate(_ hits: Int, _ draws: Int, _ sigma: ExactDecimal, _ slack: Double) -> Certificate {
    Certificate.certify(hits: hits, draws: draws, sigma: sigma, alpha: 0.001, slack: slack)
  }

  /// `finished` of 100 images at one sigma; larger `spread` means more doubtful images.
  static func level(_ sigma: ExactDecimal, spread: Double, finished: Int = 100, draws: Int = 10_000) -> RunReport.Level
  {
    let slack = 64 * 1169 * 0x1p-64
    let items = (0..<finished).map { image in
      let doubt = Double((image * 37 + 11) % 100) / 100 * spread
      let hits = max(draws - Int(doubt * doubt * doubt * Double(draws)), draws / 3)
      let certificate = certificate(hits, draws, sigma, slack)
      let label = image % 10
      let topClass = image % 23 == 7 ? (label + 1) % 10 : label
      return RunReport.Item(
        imageIndex: image * 5, label: label, topClass: topClass, radius: certificate.radius,
        pLower: certificate.pLower, hits: hits, draws: draws, seconds: 13.73608 + Double(image) / 100)
    }
    return RunReport.Level(
      sigma: sigma, m: 1, slack: slack, tableDigest: String(repeating: "fe92a6ac", count: 8), planned: 100,
      items: items)
  }

  static func report(
    levels: [RunReport.Level], name: String = "digits, three noise levels", sampler: RunReport.SamplerKind = .grid,
    classNames: [String] = [], otherRuns: Int = 0
  ) -> RunReport {
    RunReport(
      name: name, runID: 12,
      checkpoint: .init(name: "rrcm-digits", digest: String(repeating: "3b7e91c2", count: 8)),
      images: .init(
        dataset: "digits, held-out", digest: String(repeating: "a04d55f1", count: 8), subset: "stride 5, 100 images",
        classNames: classNames),
      settings: .init(
        n0: 100, n: 10_000, alpha: 0.001, sampler: sampler, seed: 17,
        numerics: ["cpu-float32-b64-openblas-0.3.21-skylakex"]),
      levels: levels, otherRuns: otherRuns)
  }

  static let finished = report(levels: [
    level(0.25, spread: 0.75), level(0.5, spread: 0.85), level(1.0, spread: 1),
  ])

  static let unfinished = report(levels: [
    level(0.25, spread: 0.75), level(0.5, spread: 0.85, finished: 60), level(1.0, spread: 1, finished: 0),
  ])
}
