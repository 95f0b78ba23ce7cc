package import Models
package import Noise
package import Smoothing
package import Training

/// One run as a person asks for it, with every default filled in.
///
/// What is stored with a run is exactly this, as JSON; submitting that JSON again repeats the run.
package struct RunSpec: Sendable, Hashable {
  package enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
    case pretrain, finetune, certify
  }

  package var kind: Kind
  package var name: String
  /// Seed of every draw; drawn once and stored when the file names none.
  package var seed: Int64
  /// Higher is served first.
  package var priority: Int
  /// Share of the workers' time among runs of equal priority.
  package var weight: Int
  package var dataset: DatasetSelection
  /// Name, digest or digest prefix of a checkpoint, or the name of a run that will make it. Nil for `pretrain`.
  package var checkpoint: String?
  package var work: Work

  package enum Work: Sendable, Hashable {
    case pretrain(PretrainConfiguration, EncoderShape)
    case finetune(FinetuneConfiguration, ClassifierShape)
    case certify(Smoothing)
  }
}

/// Which images a run uses.
package struct DatasetSelection: Sendable, Hashable, Codable {
  /// Name, digest or digest prefix of an imported image set.
  package var name: String
  package var split: String
  /// Take every `every`-th image of the split (stride), beginning at `offset`.
  package var every: Int
  package var offset: Int
  /// Take only the first so many of those; nil for all.
  package var limit: Int?
  /// An explicit list of image indices instead; nil for none.
  package var indices: [Int]?

  /// How the images were chosen, for people: `heldout, stride 20, first 500`.
  package var summary: String {
    var parts = [split]
    if let indices {
      parts.append("list of \(indices.count)")
    } else {
      parts.append(every > 1 ? "stride \(every)" : "all")
      if offset > 0 { parts.append("from \(offset)") }
    }
    if let limit { parts.append("first \(limit)") }
    return parts.joined(separator: ", ")
  }

  /// The chosen indices out of a split's, in order.
  ///
  /// - Throws: `RunFileError` when an explicit index is not in the split, or nothing is left.
  package func choose(from split: [Int32]) throws -> [Int32] {
    var chosen: [Int32]
    if let indices {
      let known = Set(split)
      chosen = indices.map { Int32(clamping: $0) }
      let strangers = indices.filter { !known.contains(Int32(clamping: $0)) }
      if !strangers.isEmpty {
        let shown = strangers.prefix(5).map { String($0) }.joined(separator: ", ")
        throw RunFileError([
          "dataset.indices names \(shown), not in split \"\(self.split)\" of \"\(name)\""
            + " (\(split.first ?? 0) to \(split.last ?? 0)); name images of that split"
        ])
      }
    } else {
      chosen = stride(from: offset, to: split.count, by: every).map { split[$0] }
    }
    if let limit { chosen = Array(chosen.prefix(limit)) }
    guard !chosen.isEmpty else {
      throw RunFileError([
        "dataset selects no image: split \"\(self.split)\" of \"\(name)\" has \(split.count); check split, offset and limit"
      ])
    }
    return chosen
  }
}

/// The shape of a network to pre-train; image side and channels come from the image set.
package struct EncoderShape: Sendable, Hashable, Codable {
  package var patch: Int
  package var width: Int
  package var depth: Int
  package var heads: Int
  package var mlpRatio: Int
  package var projectorHidden: Int
  package var projectorOutput: Int

  enum CodingKeys: String, CodingKey {
    case patch, width, depth, heads
    case mlpRatio = "mlp_ratio"
    case projectorHidden = "projector_hidden"
    case projectorOutput = "projector_output"
  }

  package func configuration(imageSize: Int, channels: Int) -> ViTConfiguration {
    ViTConfiguration(
      imageSize: imageSize, patchSize: patch, channels: channels, width: width, depth: depth, heads: heads,
      mlpRatio: mlpRatio, projectorHidden: projectorHidden, projectorOutput: projectorOutput)
  }
}

/// What fine-tuning adds to an encoder; the number of classes comes from the image set.
package struct ClassifierShape: Sendable, Hashable, Codable {
  /// Apply the final LayerNorm before the head (ImageNet recipes: true, CIFAR-10: false).
  package var finalNorm: Bool
  /// Levels in the classifier's noise grid.
  package var levels: Int

  enum CodingKeys: String, CodingKey {
    case levels
    case finalNorm = "final_norm"
  }
}

/// The protocol of a certification.
package struct Smoothing: Sendable, Hashable {
  package var sigmas: [Sigma]
  package var n0: Int
  package var n: Int
  package var alpha: Double
  package var sampler: SamplerName
  /// Grid points per 1/255; nil for the default of each sigma.
  package var m: Int?
  package var mode: Mode
  /// Radii to decide, ascending; only for `sequential` and a curtailed `fixed`.
  package var targets: [ExactDecimal]
  /// Share of the radius that `epsilon` gives up; nil otherwise.
  package var epsilon: Double?
  /// `fixed`, ended as soon as no target's answer can change.
  package var curtail: Bool
  /// `fixed` with a bound for the runner-up.
  package var runnerUp: Bool
  package var chunkSamples: Int
  /// Numerics ids that may compute the run; empty to take the first worker's.
  package var numerics: [String]
  /// Share of chunks that another worker computes again; 0 for no audits.
  package var auditShare: Double

  package enum SamplerName: String, Sendable, Hashable, Codable, CaseIterable { case grid, gaussian }
  package enum Mode: String, Sendable, Hashable, Codable, CaseIterable { case fixed, sequential, epsilon, predict }

  /// The mode with its options: how votes become certificates.
  package var certificateMode: CertificateMode {
    switch mode {
    case .fixed: curtail ? .curtailed : runnerUp ? .runnerUp : .fixed
    case .sequential: .sequential
    case .epsilon: .epsilon
    case .predict: .predict
    }
  }

  package func sampler(for sigma: Sigma) -> Sampler {
    switch sampler {
    case .grid: .grid(m: m ?? GridTable.defaultM(for: sigma))
    case .gaussian: .gaussian
    }
  }
}

/// Everything that is wrong with a run file, one sentence each, each naming field, value and remedy.
package struct RunFileError: Error, CustomStringConvertible, Sendable {
  package let problems: [String]
  package init(_ problems: [String]) { self.problems = problems }
  package var description: String { problems.joined(separator: "\n") }
}
