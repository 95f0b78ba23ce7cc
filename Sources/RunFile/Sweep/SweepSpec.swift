package import Noise

/// A run of a trial. They come one after the other, each on what the one before made.
package enum TrialStep: String, Sendable, Hashable, CaseIterable {
  /// Trains the trial's classifier.
  case finetune
  /// Certifies it on the images that rank the trials.
  case certify
  /// Certifies the best trial once more, on images that had no say in the ranking.
  case confirm

  /// The kind of its run.
  var kind: RunSpec.Kind { self == .finetune ? .finetune : .certify }
}

/// A sweep as a person asks for it: a search space, the runs that every point of it stands for, and what ranks them.
package struct SweepSpec: Sendable, Hashable {
  package enum Method: String, Sendable, Hashable, CaseIterable { case grid, random }

  package var name: String
  package var method: Method
  package var metric: SweepMetric
  /// Sorted by path.
  package var parameters: [SweepParameter]
  /// Trials at most; nil for the whole grid.
  package var runCap: Int?
  /// Seed of the random search, and of the trials' runs where their settings name none.
  package var seed: Int64
  /// What the runs of all trials share: settings laid under a trial's parameters.
  package var bases: [TrialStep: SettingValue]
  /// The complete sweep file: reading it again gives an equal value. This is what is stored.
  package var settings: SettingValue

  /// Most trials of one sweep.
  package static let trialLimit = 1000

  /// The runs of a trial, in order; `confirm` comes for the best one only.
  package var steps: [TrialStep] { TrialStep.allCases.filter { bases[$0] != nil } }
}

/// What ranks the trials of a sweep.
package struct SweepMetric: Sendable, Hashable {
  package enum Quantity: Sendable, Hashable {
    /// Share of all images both correct and certified at `r` or more.
    case certifiedAccuracy(r: Double)
    /// Average certified radius, wrong and abstained images counting 0.
    case acr
    /// Newest training loss of the fine-tuning.
    case loss
  }

  package enum Goal: String, Sendable, Hashable, CaseIterable { case maximize, minimize }

  /// As written: `certified_accuracy@0.5`, `acr` or `loss`.
  package var name: String
  package var quantity: Quantity
  /// Noise level it is measured at; nil for the one level that a trial certifies at.
  package var sigma: Sigma?

  package var goal: Goal { quantity == .loss ? .minimize : .maximize }

  /// The radius of a certified accuracy.
  package var radius: Double? { if case .certifiedAccuracy(let r) = quantity { r } else { nil } }

  /// Reads a metric's name; nil when there is no such metric.
  init?(name: String, sigma: Sigma?) {
    self.name = name
    self.sigma = sigma
    switch name {
    case "acr": quantity = .acr
    case "loss": quantity = .loss
    default:
      let prefix = "certified_accuracy@"
      guard name.hasPrefix(prefix), let r = Double(name.dropFirst(prefix.count)), r >= 0, r.isFinite else { return nil }
      quantity = .certifiedAccuracy(r: r)
    }
  }
}

/// One axis of the search space, or a setting that moves along with one.
package struct SweepParameter: Sendable, Hashable {
  /// As written in the sweep file, for example `training.eta` or `finetune.seed`.
  package var path: String
  /// The run whose setting it is.
  package var step: TrialStep
  /// The setting's dotted path in the run file.
  package var key: String
  package var domain: Domain

  package enum Domain: Sendable, Hashable {
    case values([SettingValue])
    case uniform(min: Double, max: Double)
    /// The logarithm is uniform.
    case logUniform(min: Double, max: Double)
    /// Both ends included.
    case intUniform(min: Int64, max: Int64)
    /// Another parameter's value times a factor.
    case scaled(by: Double, of: String)
    /// The value in the place that another parameter's value has in its list.
    case paired([SettingValue], with: String)
  }

  /// Whether it is an axis of the search space, and not another parameter's follower.
  package var isFree: Bool {
    switch domain {
    case .scaled, .paired: false
    default: true
    }
  }
}
