package import Smoothing

/// Everything a report shows of one certification run, as plain values. The command line fills it from SQL views.
package struct RunReport: Sendable {
  package var name: String
  package var runID: Int64
  package var checkpoint: Checkpoint
  package var images: ImageSet
  package var settings: Settings
  /// One entry per sigma, in the order to show them.
  package var levels: [Level]
  /// Runs, this one not counted, with the same checkpoint, images and one of these sigmas. Seeds are not for shopping.
  package var otherRuns: Int

  package init(
    name: String, runID: Int64, checkpoint: Checkpoint, images: ImageSet, settings: Settings, levels: [Level],
    otherRuns: Int = 0
  ) {
    self.name = name
    self.runID = runID
    self.checkpoint = checkpoint
    self.images = images
    self.settings = settings
    self.levels = levels
    self.otherRuns = otherRuns
  }

  package struct Checkpoint: Sendable {
    package var name: String
    /// SHA-256 of the weights, hexadecimal.
    package var digest: String

    package init(name: String, digest: String) {
      self.name = name
      self.digest = digest
    }
  }

  package struct ImageSet: Sendable {
    package var dataset: String
    package var digest: String
    /// How the indices were chosen, for example `stride 20`, `first 500`, `list of 100`.
    package var subset: String
    /// Class names by label; empty when the data set has none.
    package var classNames: [String]

    package init(dataset: String, digest: String, subset: String, classNames: [String] = []) {
      self.dataset = dataset
      self.digest = digest
      self.subset = subset
      self.classNames = classNames
    }
  }

  /// What every certificate of the run rests on.
  package struct Settings: Sendable {
    /// Selection draws per item.
    package var n0: Int
    /// Estimation draws per item.
    package var n: Int
    /// Failure probability of one certificate.
    package var alpha: ExactDecimal
    package var sampler: SamplerKind
    package var seed: Int64
    /// The arithmetic that computed the votes, one id per kind of worker.
    package var numerics: [String]
    /// `fixed` unless the run decides early.
    package var mode: String

    package init(
      n0: Int, n: Int, alpha: ExactDecimal, sampler: SamplerKind, seed: Int64, numerics: [String],
      mode: String = "fixed"
    ) {
      self.n0 = n0
      self.n = n
      self.alpha = alpha
      self.sampler = sampler
      self.seed = seed
      self.numerics = numerics
      self.mode = mode
    }
  }

  package enum SamplerKind: String, Sendable {
    /// Integers on a grid: the certificate covers floating-point arithmetic.
    case grid
    /// Float32 normals: the certificate holds in real arithmetic only.
    case gaussian
  }

  /// The items of one sigma.
  package struct Level: Sendable {
    package var sigma: ExactDecimal
    /// Grid points per 1/255; nil for `gaussian`.
    package var m: Int?
    /// Total variation per draw that every lower bound was lowered by.
    package var slack: Double
    /// SHA-256 of the grid table; nil for `gaussian`.
    package var tableDigest: String?
    /// Items of the stored list, finished or not.
    package var planned: Int
    /// Finished items, ascending image index.
    package var items: [Item]

    package init(
      sigma: ExactDecimal, m: Int? = nil, slack: Double = 0, tableDigest: String? = nil, planned: Int, items: [Item]
    ) {
      self.sigma = sigma
      self.m = m
      self.slack = slack
      self.tableDigest = tableDigest
      self.planned = planned
      self.items = items.sorted { $0.imageIndex < $1.imageIndex }
    }
  }

  /// One finished certificate.
  package struct Item: Sendable {
    package var imageIndex: Int
    package var label: Int
    /// Class that selection chose.
    package var topClass: Int
    /// Certified radius; nil for an abstention.
    package var radius: Double?
    package var pLower: Double
    /// Estimation votes for the top class.
    package var hits: Int
    /// Estimation draws made.
    package var draws: Int
    /// Compute time of all draws, seconds; nil when not recorded.
    package var seconds: Double?

    package init(
      imageIndex: Int, label: Int, topClass: Int, radius: Double?, pLower: Double, hits: Int, draws: Int,
      seconds: Double? = nil
    ) {
      self.imageIndex = imageIndex
      self.label = label
      self.topClass = topClass
      self.radius = radius
      self.pLower = pLower
      self.hits = hits
      self.draws = draws
      self.seconds = seconds
    }

    /// The certified class; nil for an abstention.
    package var predicted: Int? { radius == nil ? nil : topClass }
    /// Recomputed from class and label; an abstention is not correct.
    package var isCorrect: Bool { predicted == label }
  }
}

extension RunReport.Level {
  package var accuracy: CertifiedAccuracy {
    CertifiedAccuracy(items.map { Outcome(isCorrect: $0.isCorrect, radius: $0.radius) }, planned: planned)
  }

  package var isFinished: Bool { items.count == planned }
}

extension RunReport {
  package var finished: Int { levels.reduce(0) { $0 + $1.items.count } }
  package var planned: Int { levels.reduce(0) { $0 + $1.planned } }
  package var isFinished: Bool { finished == planned }

  /// The largest radius any item of a level can reach with the run's n and alpha; 0 when none certifies.
  func reach(_ level: Level) -> Double {
    Certificate.largestRadius(draws: settings.n, sigma: level.sigma, alpha: settings.alpha, slack: level.slack) ?? 0
  }

  /// The radii of the accuracy table: 0 upwards in steps of 0.25, or coarser so that at most nine columns remain.
  package var tableRadii: RadiusGrid {
    let furthest = levels.compactMap { $0.accuracy.largestCertified }.max() ?? 0
    for (unit, step) in [(4, 1), (2, 1), (1, 1), (1, 2), (1, 5)] {
      let last = Int(furthest * Double(unit)) / step * step
      if last / step <= 8 { return RadiusGrid(unit: unit, step: step, through: max(last, step)) }
    }
    let step = max(Int(furthest) / 8, 1)
    return RadiusGrid(unit: 1, step: step, through: 8 * step)
  }
}
