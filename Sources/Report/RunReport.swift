package import Smoothing

/// Everything a report shows of one run, as plain values. The command line fills it from SQL views.
package struct RunReport: Sendable {
  package var name: String
  package var basis: Basis
  /// One entry per sigma, in the order to show them.
  package var levels: [Level]
  /// How the stored votes were read again, where these are not the run's own certificates.
  package var reading: Reading?

  /// Certificates computed from stored votes with another failure probability, chosen after the votes were there.
  package struct Reading: Sendable, Hashable {
    /// What was asked for: failure probability of one certificate, or of all together.
    package var alpha: ExactDecimal
    /// The run's own.
    package var ownAlpha: ExactDecimal
    /// Certificates that share `alpha`; 1 when each has it for itself.
    package var shares: Int
    /// Whether all certificates of the run hold at once.
    package var isSimultaneous: Bool
    /// Whether each image stands with the sigma that gave it the largest radius.
    package var isBestSigma: Bool

    package init(alpha: ExactDecimal, ownAlpha: ExactDecimal, shares: Int, isSimultaneous: Bool, isBestSigma: Bool) {
      self.alpha = alpha
      self.ownAlpha = ownAlpha
      self.shares = shares
      self.isSimultaneous = isSimultaneous
      self.isBestSigma = isBestSigma
    }

    /// Failure probability that each single certificate is computed with.
    package var each: ExactDecimal { alpha.divided(by: shares) }

    /// What sets it apart, for a heading: `alpha 0.01, simultaneous`.
    package var summary: String {
      "alpha \(alpha)" + (isSimultaneous ? " for all together" : "") + (isBestSigma ? ", best sigma per image" : "")
    }
  }

  /// What the figures rest on.
  package enum Basis: Sendable {
    /// A certification run of this fleet: every certificate can be recomputed from stored votes.
    case fleet(Fleet)
    /// Logs that others published: no votes, nothing to recompute; n and alpha are what somebody stated.
    case imported(Imported)
  }

  package init(name: String, basis: Basis, levels: [Level]) {
    self.name = name
    self.basis = basis
    self.levels = levels
  }

  /// A certification run of this fleet.
  package struct Fleet: Sendable {
    package var runID: Int64
    /// What the run is doing, as the database calls it: `running`, `done`, `failed`, …
    package var state: String
    /// Why it failed.
    package var error: String?
    package var checkpoint: Checkpoint
    package var images: ImageSet
    package var settings: Settings
    /// Runs, this one not counted, with the same checkpoint, images and one of these sigmas. Seeds are not for shopping.
    package var otherRuns: Int
    /// What was computed again; nil where nothing is to be said of it.
    package var audits: Audits?
    /// Samples of modes that stop early: those that certificates rest on, those computed beyond the deciding looks, and those
    /// that all n draws would have taken; nil for other modes.
    package var samples: Samples?

    package struct Samples: Sendable {
      package var used: Int64
      package var beyond: Int64
      package var planned: Int64

      package init(used: Int64, beyond: Int64, planned: Int64) {
        self.used = used
        self.beyond = beyond
        self.planned = planned
      }
    }

    package init(
      runID: Int64, state: String, error: String? = nil, checkpoint: Checkpoint, images: ImageSet, settings: Settings,
      otherRuns: Int = 0, audits: Audits? = nil
    ) {
      self.runID = runID
      self.state = state
      self.error = error
      self.checkpoint = checkpoint
      self.images = images
      self.settings = settings
      self.otherRuns = otherRuns
      self.audits = audits
    }
  }

  /// Published logs under one name.
  package struct Imported: Sendable {
    package var importID: Int64
    /// Where they come from, in words.
    package var source: String
    /// Files with their SHA-256, one line each.
    package var files: [String]
    /// What the reader found, one line each.
    package var notes: [String]

    package init(importID: Int64, source: String, files: [String], notes: [String]) {
      self.importID = importID
      self.source = source
      self.files = files
      self.notes = notes
    }
  }

  /// What was computed again to check the workers.
  package struct Audits: Sendable {
    /// Share of chunks that is audited; 0 when nothing is.
    package var share: Double
    /// Chunks for which another worker found the same votes.
    package var agreed: Int
    /// Chunks that only the worker which posted them computed again.
    package var own: Int
    /// Audits that are not decided yet.
    package var open: Int
    /// Certificates with such an audit.
    package var provisional: Int
    /// Chunks of broken machines that were computed anew.
    package var voided: Int
    /// Certificates that rested on them and were taken back.
    package var superseded: Int

    package init(
      share: Double, agreed: Int, own: Int, open: Int, provisional: Int, voided: Int = 0, superseded: Int = 0
    ) {
      self.share = share
      self.agreed = agreed
      self.own = own
      self.open = open
      self.provisional = provisional
      self.voided = voided
      self.superseded = superseded
    }
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
    /// Pictures by image index, exactly as fed to the network; as many as the report may carry.
    package var pictures: [Int: Picture] = [:]

    package init(dataset: String, digest: String, subset: String, classNames: [String] = []) {
      self.dataset = dataset
      self.digest = digest
      self.subset = subset
      self.classNames = classNames
    }
  }

  /// One image as a PNG.
  package struct Picture: Sendable {
    package var width: Int
    package var height: Int
    /// The file, base64.
    package var base64: String

    package init(width: Int, height: Int, base64: String) {
      self.width = width
      self.height = height
      self.base64 = base64
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
    /// How votes became certificates.
    package var mode: CertificateMode
    /// Radii that the run decides; empty unless its mode has targets.
    package var targets: [ExactDecimal]
    /// Share of the radius that mode `epsilon` gives up.
    package var epsilon: Double?

    package init(
      n0: Int, n: Int, alpha: ExactDecimal, sampler: SamplerKind, seed: Int64, numerics: [String],
      mode: CertificateMode = .fixed, targets: [ExactDecimal] = [], epsilon: Double? = nil
    ) {
      self.targets = targets
      self.epsilon = epsilon
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
    /// What tables call it where it is not one sigma.
    package var label: String?
    /// Estimation draws per item; of imported logs as stated.
    package var draws: Int
    /// Failure probability of one certificate; of imported logs as stated.
    package var alpha: ExactDecimal
    /// How many certificates each one shown was chosen from: it is false with probability up to `choices` times `alpha`.
    package var choices = 1
    /// Grid points per 1/255; nil for `gaussian`.
    package var m: Int?
    /// Total variation per draw that every lower bound was lowered by.
    package var slack: Double
    /// SHA-256 of the grid table; nil for `gaussian`.
    package var tableDigest: String?
    /// Items of the stored list, finished or not: the denominator of every share.
    package var planned: Int
    /// Unfinished items that are set aside because votes disagree; they stay in every denominator.
    package var held: Int
    /// Finished items, ascending image index.
    package var items: [Item]

    package init(
      sigma: ExactDecimal, draws: Int, alpha: ExactDecimal, m: Int? = nil, slack: Double = 0,
      tableDigest: String? = nil, planned: Int, held: Int = 0, items: [Item]
    ) {
      self.sigma = sigma
      self.draws = draws
      self.alpha = alpha
      self.m = m
      self.slack = slack
      self.tableDigest = tableDigest
      self.planned = planned
      self.held = held
      self.items = items.sorted { $0.imageIndex < $1.imageIndex }
    }
  }

  /// One finished certificate.
  package struct Item: Sendable {
    package var imageIndex: Int
    package var label: Int
    /// Class that selection chose; of an imported abstention nobody knows it.
    package var topClass: Int?
    /// Certified radius; nil for an abstention.
    package var radius: Double?
    /// Nil when imported.
    package var pLower: Double?
    /// Estimation votes for the top class; nil when imported from a log without them.
    package var hits: Int?
    /// Estimation draws made.
    package var draws: Int
    /// Compute time of all draws, seconds; nil when not recorded.
    package var seconds: Double?
    /// File or row the image came from; empty when not known.
    package var source: String
    /// The item's own noise level where its level has several.
    package var sigma: ExactDecimal?
    package var modeFacts = ModeFacts()

    /// What only some modes give; nil in the others and when imported.
    package struct ModeFacts: Sendable {
      /// Estimation votes for the most frequent other class.
      package var runnerUpHits: Int?
      /// Upper bound of the runner-up's probability.
      package var pUpper: Double?
      /// p-value of PREDICT's test, before the sampler's share.
      package var pValue: Double?
      /// Targets that the radius reaches, decimals ascending.
      package var targetsReached: [String]?

      package init(
        runnerUpHits: Int? = nil, pUpper: Double? = nil, pValue: Double? = nil, targetsReached: [String]? = nil
      ) {
        self.runnerUpHits = runnerUpHits
        self.pUpper = pUpper
        self.pValue = pValue
        self.targetsReached = targetsReached
      }
    }

    package init(
      imageIndex: Int, label: Int, topClass: Int?, radius: Double?, pLower: Double?, hits: Int?, draws: Int,
      seconds: Double? = nil, source: String = "", modeFacts: ModeFacts = ModeFacts()
    ) {
      self.imageIndex = imageIndex
      self.label = label
      self.topClass = topClass
      self.radius = radius
      self.pLower = pLower
      self.hits = hits
      self.draws = draws
      self.seconds = seconds
      self.source = source
      self.modeFacts = modeFacts
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

  /// How many of the certificates shown may be false, all at once, but for a probability of ``FalseCertificates/rho``.
  package var falseCertificates: Int {
    FalseCertificates.allowance(images: planned, alpha: alpha.multiplied(by: choices))
  }

  /// The noise level in words.
  var name: String { label ?? "\(sigma)" }

  /// The largest radius any item can reach with this n and alpha; 0 when none certifies.
  var reach: Double { Certificate.largestRadius(draws: draws, sigma: sigma, alpha: alpha, slack: slack) ?? 0 }

  /// The largest radius certified, correct or not; nil when none is.
  var largestRadius: Double? { items.compactMap(\.radius).max() }
}

extension RunReport {
  /// The run's facts when it is one of this fleet; nil when imported.
  package var fleet: Fleet? {
    get {
      if case .fleet(let fleet) = basis { return fleet }
      return nil
    }
    set { if let newValue { basis = .fleet(newValue) } }
  }

  package var imported: Imported? {
    if case .imported(let imported) = basis { return imported }
    return nil
  }

  package var finished: Int { levels.reduce(0) { $0 + $1.items.count } }
  package var planned: Int { levels.reduce(0) { $0 + $1.planned } }
  package var held: Int { levels.reduce(0) { $0 + $1.held } }
  package var isFinished: Bool { finished == planned }

  /// `run 12`, or `import 3`, for people.
  var number: String {
    switch basis {
    case .fleet(let fleet): "run \(fleet.runID)" + (reading.map { ", read again: \($0.summary)" } ?? "")
    case .imported(let imported): "import \(imported.importID)"
    }
  }

  /// How far the run is, in one phrase.
  var progress: String {
    if imported != nil { return "\(NumberText.grouped(finished)) rows of imported logs" }
    guard !isFinished else { return "\(NumberText.grouped(finished)) certificates\(provisional)" }
    let held = held > 0 ? " (\(NumberText.grouped(held)) held)" : ""
    let ended = fleet.map { ["failed", "cancelled"].contains($0.state) ? ", \($0.state)" : "" } ?? ""
    return
      "\(NumberText.grouped(finished)) of \(NumberText.grouped(planned)) certificates so far\(provisional)\(held)\(ended)"
  }

  /// `, 3 of them provisional`, or nothing.
  private var provisional: String {
    guard let count = fleet?.audits?.provisional, count > 0 else { return "" }
    return ", \(NumberText.grouped(count)) of them provisional"
  }

  /// The failure probability that the figures were computed with, in words; nil when imported.
  var alphaText: String? { fleet.map { reading?.summary ?? "alpha \($0.settings.alpha)" } }

  /// Where the figures come from, as programs read it: `fleet`, `imported`, or `reading` of a run's votes.
  var origin: String { imported != nil ? "imported" : reading != nil ? "reading" : "fleet" }

  /// The name of a class, or its number where the image set has none.
  func className(_ label: Int) -> String {
    let names = fleet?.images.classNames ?? []
    return names.indices.contains(label) ? names[label] : "\(label)"
  }
}
