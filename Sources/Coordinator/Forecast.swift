package import Lifecycle
internal import Models
package import RunFile
internal import Smoothing
internal import Store
internal import Training

/// What a run will take and what it can reach, told before it is submitted. A pure function of the prepared run.
package struct Forecast: Sendable {
  /// Images that it reads.
  package let images: Int
  /// Noise levels; 0 for training.
  package let sigmas: Int
  /// Images times noise levels.
  package let items: Int
  /// Noise samples to classify.
  package let samples: Int
  /// Units of work: one selection chunk and the estimation chunks of every item.
  package let chunks: Int
  /// Units of one item.
  package let chunksPerItem: Int
  package let chunkSamples: Int
  /// Optimizer steps of a training.
  package let steps: Int?
  /// Images that those steps read, each noisy copy counted.
  package let trainingImages: Int?
  package let levels: [Level]
  /// Selection and estimation draws, and the failure probability; nil for training.
  package let draws: (n0: Int, n: Int, alpha: Double)?

  /// What one noise level can reach.
  package struct Level: Sendable {
    /// Canonical decimal.
    package let sigma: String
    /// Grid points per 1/255; nil for the gaussian sampler.
    package let gridM: Int?
    package let slack: Double
    /// sigma · Φ⁻¹ of the bound when every draw hits, rounded down: no image of the run exceeds it.
    package let largestRadius: Double
    /// The smallest number of hits out of n that certifies anything.
    package let firstCertifyingCount: Int
  }

  package init(_ prepared: Submission.Prepared) {
    self.init(prepared.spec, images: prepared.imageCount, rules: prepared.run.certification)
  }

  /// Of a run file alone, for images that nobody has imported yet.
  ///
  /// - Parameter elements: channels times height times width of an image, for the sampler's slack.
  /// - Throws: `RunFileError` for a protocol that can never certify.
  package init(_ spec: RunSpec, images: Int, elements: Int) throws {
    var rules: CertificationProtocol?
    if case .certify(let smoothing) = spec.work {
      rules = try Submission.checkedProtocol(
        smoothing, tables: try Submission.tables(of: smoothing), elements: elements)
    }
    self.init(spec, images: images, rules: rules)
  }

  private init(_ spec: RunSpec, images: Int, rules: CertificationProtocol?) {
    self.images = images
    switch spec.work {
    case .pretrain(let training, _):
      steps = training.steps
      trainingImages = training.steps * training.batch
    case .finetune(let training, _):
      let count = training.epochs * (images / training.batch)
      steps = count
      trainingImages = count * training.batch * training.copies
    case .certify:
      steps = nil
      trainingImages = nil
    }
    guard let rules, let alpha = ExactDecimal(rules.alpha) else {
      (sigmas, items, samples, chunks, chunksPerItem, chunkSamples, levels) = (0, 0, 0, 0, 0, 0, [])
      draws = nil
      return
    }
    let units = UnitPlan(n0: rules.n0, n: rules.n, chunkSamples: rules.chunkSamples)
    draws = (rules.n0, rules.n, rules.alpha)
    sigmas = rules.levels.count
    items = images * rules.levels.count
    samples = items * (rules.n0 + rules.n)
    chunksPerItem = units.unitCount
    chunks = items * units.unitCount
    chunkSamples = rules.chunkSamples
    levels = rules.levels.compactMap { level in
      guard let sigma = ExactDecimal(level.sigma),
        let radius = Certificate.largestRadius(draws: rules.n, sigma: sigma, alpha: alpha, slack: level.slack),
        let first = Certificate.firstCertifyingCount(draws: rules.n, alpha: alpha, slack: level.slack)
      else { return nil }
      return Level(
        sigma: level.sigma, gridM: level.gridM > 0 ? level.gridM : nil, slack: level.slack, largestRadius: radius,
        firstCertifyingCount: first)
    }
  }

  /// Forward passes of a whole batch: a chunk's last one may be partly empty.
  package func forwardPasses(batch: Int) -> Int {
    guard let draws else { return 0 }
    let units = UnitPlan(n0: draws.n0, n: draws.n, chunkSamples: chunkSamples)
    let perItem = (0..<min(units.unitCount, 2)).map { passes(units.chunk(ofUnit: $0), batch) }
    // Estimation chunks are alike but for the last.
    let last = passes(units.chunk(ofUnit: units.unitCount - 1), batch)
    return items * (perItem[0] + (units.unitCount - 2) * perItem[1] + last)
  }

  private func passes(_ chunk: Chunk, _ batch: Int) -> Int { (chunk.samples.count + batch - 1) / batch }

  /// Leases of workers of that speed, each holding about `timings.leaseTarget` of work of one item.
  package func leases(samplesPerSecond: Double, timings: FleetTimings = FleetTimings()) -> Int {
    guard chunksPerItem > 0 else { return 0 }
    let units = LeaseSizer.units(
      target: timings.leaseTarget, chunkSamples: chunkSamples, samplesPerSecond: samplesPerSecond)
    return items * ((chunksPerItem + units - 1) / units)
  }

  /// Rows that a certification leaves: items, their votes by chunk, their certificates.
  package var rows: Int { items + chunks + items }

  /// About how many bytes those take with their indexes.
  ///
  /// Measured on PostgreSQL 15 after an item's life of updates: 560 bytes an item, 190 a certificate, 163 a chunk and 6 for
  /// each class that it votes for, of which three are assumed.
  package var bytes: Int { items * (560 + 190) + chunks * (163 + 6 * 3) }

  /// Transactions of workers of that speed: a claim a lease, a post about every second of it and one at its end.
  package func transactions(samplesPerSecond: Double, timings: FleetTimings = FleetTimings()) -> Int {
    let leases = leases(samplesPerSecond: samplesPerSecond, timings: timings)
    guard leases > 0 else { return 0 }
    let seconds = Double(samples) / samplesPerSecond / Double(leases)
    return leases * (1 + max(1, Int(seconds.rounded())))
  }
}
