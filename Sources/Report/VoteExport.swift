package import Smoothing

/// A run's stored votes as files other programs read: the protocol first, then a row per chunk.
///
/// Enough to compute every certificate anew by other means; `scripts/recheck.py` does. docs/formats.md describes both forms.
package enum VoteExport {
  package enum Format: String, Sendable, CaseIterable { case csv, jsonl }

  /// What certificates rest on besides votes.
  package struct Header: Sendable {
    package var run: String
    package var runID: Int64
    package var mode: String
    package var n0: Int
    package var n: Int
    package var alpha: ExactDecimal
    package var sampler: String
    package var chunkSamples: Int
    package var seed: Int64
    package var checkpoint: String
    package var dataset: String
    package var images: [Int]
    package var levels: [Level]
    /// Radii to decide, decimals ascending; empty unless the mode has targets.
    package var targets: [String]
    /// Share of the radius that mode `epsilon` gives up.
    package var epsilon: Double?
    /// Prefixes in chunks at which items may be decided; empty unless the mode stops early.
    package var looks: [Int]

    package init(
      run: String, runID: Int64, mode: String, n0: Int, n: Int, alpha: ExactDecimal, sampler: String, chunkSamples: Int,
      seed: Int64, checkpoint: String, dataset: String, images: [Int], levels: [Level], targets: [String],
      epsilon: Double?, looks: [Int]
    ) {
      self.run = run
      self.runID = runID
      self.mode = mode
      self.n0 = n0
      self.n = n
      self.alpha = alpha
      self.sampler = sampler
      self.chunkSamples = chunkSamples
      self.seed = seed
      self.checkpoint = checkpoint
      self.dataset = dataset
      self.images = images
      self.levels = levels
      self.targets = targets
      self.epsilon = epsilon
      self.looks = looks
    }
  }

  package struct Level: Sendable {
    package var sigma: String
    package var m: Int
    package var slack: Double
    package var tableDigest: String?

    package init(sigma: String, m: Int, slack: Double, tableDigest: String?) {
      self.sigma = sigma
      self.m = m
      self.slack = slack
      self.tableDigest = tableDigest
    }
  }

  /// Votes of one chunk.
  package struct Chunk: Sendable {
    package var sigma: String
    package var imageIndex: Int
    package var label: Int
    /// 0 selection, 1 estimation.
    package var phase: Int
    package var chunk: Int
    package var samples: Int
    package var classes: [Int32]
    package var votes: [Int32]
    package var worker: String
    package var numericsID: String

    package init(
      sigma: String, imageIndex: Int, label: Int, phase: Int, chunk: Int, samples: Int, classes: [Int32],
      votes: [Int32], worker: String, numericsID: String
    ) {
      self.sigma = sigma
      self.imageIndex = imageIndex
      self.label = label
      self.phase = phase
      self.chunk = chunk
      self.samples = samples
      self.classes = classes
      self.votes = votes
      self.worker = worker
      self.numericsID = numericsID
    }
  }

  /// The first lines: JSON, after `# ` in CSV, where the names of columns follow.
  package static func head(_ header: Header, _ format: Format) -> String {
    let levels = header.levels.map {
      JSONText.object([
        ("sigma", JSONText.string($0.sigma)), ("m", "\($0.m)"), ("slack", JSONText.number($0.slack)),
        ("table_sha256", $0.tableDigest.map(JSONText.string) ?? "null"),
      ])
    }
    let json = JSONText.object([
      ("format", JSONText.string("rrcm-votes-1")), ("run", JSONText.string(header.run)), ("run_id", "\(header.runID)"),
      ("mode", JSONText.string(header.mode)), ("n0", "\(header.n0)"), ("n", "\(header.n)"),
      ("alpha", JSONText.string("\(header.alpha)")), ("sampler", JSONText.string(header.sampler)),
      ("chunk_samples", "\(header.chunkSamples)"), ("seed", "\(header.seed)"),
      ("checkpoint_sha256", JSONText.string(header.checkpoint)), ("dataset_sha256", JSONText.string(header.dataset)),
      ("images", "[" + header.images.map { "\($0)" }.joined(separator: ", ") + "]"),
      ("levels", "[" + levels.joined(separator: ", ") + "]"),
      ("targets", "[" + header.targets.map(JSONText.string).joined(separator: ", ") + "]"),
      ("epsilon", header.epsilon.map(JSONText.number) ?? "null"),
      ("looks", "[" + header.looks.map { "\($0)" }.joined(separator: ", ") + "]"),
    ])
    return format == .jsonl
      ? json + "\n" : "# " + json + "\nsigma,idx,label,phase,chunk,samples,classes,votes,worker,numerics_id\n"
  }

  package static func line(_ chunk: Chunk, _ format: Format) -> String {
    let phase = chunk.phase == 0 ? "selection" : "estimation"
    switch format {
    case .csv:
      return [
        chunk.sigma, "\(chunk.imageIndex)", "\(chunk.label)", phase, "\(chunk.chunk)", "\(chunk.samples)",
        list(chunk.classes, " "), list(chunk.votes, " "), Escape.csv(chunk.worker), Escape.csv(chunk.numericsID),
      ].joined(separator: ",") + "\n"
    case .jsonl:
      return JSONText.object([
        ("sigma", JSONText.string(chunk.sigma)), ("idx", "\(chunk.imageIndex)"), ("label", "\(chunk.label)"),
        ("phase", JSONText.string(phase)), ("chunk", "\(chunk.chunk)"), ("samples", "\(chunk.samples)"),
        ("classes", "[\(list(chunk.classes, ", "))]"), ("votes", "[\(list(chunk.votes, ", "))]"),
        ("worker", JSONText.string(chunk.worker)), ("numerics_id", JSONText.string(chunk.numericsID)),
      ]) + "\n"
    }
  }

  private static func list(_ values: [Int32], _ separator: String) -> String {
    values.map { "\($0)" }.joined(separator: separator)
  }
}
