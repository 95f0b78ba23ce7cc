import Smoothing

@testable import Report

/// A run made up for the tests: votes follow a formula, certificates are computed from them.
enum Sample {
  /// Bounds are shared by items with equal counts.
  private static func certificate(_ hits: Int, _ draws: Int, _ sigma: ExactDecimal, _ slack: Double) -> Certificate {
    Certificate.certify(hits: hits, draws: draws, sigma: sigma, alpha: 0.001, slack: slack)
  }

  /// `finished` of 100 images at one sigma; larger `spread` means more doubtful images.
  static func level(
    _ sigma: ExactDecimal, spread: Double, finished: Int = 100, draws: Int = 10_000, held: Int = 0
  ) -> RunReport.Level {
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
      sigma: sigma, draws: draws, alpha: 0.001, m: 1, slack: slack,
      tableDigest: String(repeating: "fe92a6ac", count: 8), planned: 100,
      held: held, items: items)
  }

  static func report(
    levels: [RunReport.Level], name: String = "digits, three noise levels", sampler: RunReport.SamplerKind = .grid,
    classNames: [String] = [], otherRuns: Int = 0
  ) -> RunReport {
    RunReport(
      name: name,
      basis: .fleet(
        RunReport.Fleet(
          runID: 12, state: "running",
          checkpoint: .init(name: "rrcm-digits", digest: String(repeating: "3b7e91c2", count: 8)),
          images: .init(
            dataset: "digits, held-out", digest: String(repeating: "a04d55f1", count: 8),
            subset: "stride 5, 100 images", classNames: classNames),
          settings: .init(
            n0: 100, n: 10_000, alpha: 0.001, sampler: sampler, seed: 17,
            numerics: ["cpu-float32-b64-openblas-0.3.21-skylakex"]),
          otherRuns: otherRuns)),
      levels: levels)
  }

  static let finished = report(levels: [
    level(0.25, spread: 0.75), level(0.5, spread: 0.85), level(1.0, spread: 1),
  ])

  static let unfinished = report(levels: [
    level(0.25, spread: 0.75), level(0.5, spread: 0.85, finished: 60), level(1.0, spread: 1, finished: 0),
  ])

  /// Three rows of a log, one of each outcome.
  static func imported(name: String = "published") -> RunReport {
    let level = RunReport.Level(
      sigma: 0.5, draws: 100_000, alpha: 0.01, planned: 3,
      items: [
        .init(
          imageIndex: 0, label: 3, topClass: 3, radius: 1.22, pLower: nil, hits: nil, draws: 100_000, seconds: 15.4),
        .init(imageIndex: 20, label: 3, topClass: 5, radius: 0.0125, pLower: nil, hits: nil, draws: 100_000),
        .init(imageIndex: 40, label: 3, topClass: nil, radius: nil, pLower: nil, hits: nil, draws: 100_000),
      ])
    return RunReport(
      name: name,
      basis: .imported(
        .init(
          importID: 4, source: "a paper's repository", files: ["sigma 0.5: log.txt · ab12"],
          notes: ["sigma 0.5: radii are as printed"])),
      levels: [level])
  }

  /// Names that every format must defuse.
  static let script = "<script>alert(1)</script>"
  static let specials = "a&_%$#{}|b"

  static func hostile() -> RunReport {
    var report = report(
      levels: [level(0.5, spread: 0.5, finished: 12)], name: specials,
      classNames: [script, "=1+1", "@me", "x|y`z", "a\nb", "\u{202E}abc", "\"q\"", "'s'", "8", "9"])
    report.fleet?.checkpoint.name = script
    report.fleet?.images.dataset = specials
    report.fleet?.images.subset = script
    report.fleet?.settings.numerics = [script]
    return report
  }
}
