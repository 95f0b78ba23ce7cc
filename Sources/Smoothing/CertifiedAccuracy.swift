/// What became of one item, as far as accuracy is concerned.
package struct Outcome: Sendable, Hashable {
  /// Whether the certified class is the label. Recomputed from both, never read from a log.
  package let isCorrect: Bool
  /// Certified radius; nil for an abstention, which is neither correct nor certified at any radius.
  package let radius: Double?

  package init(isCorrect: Bool, radius: Double?) {
    self.isCorrect = isCorrect
    self.radius = radius
  }
}

/// A share of images that is known up to those still unfinished: between `low` and `high` of `total`.
package struct AccuracyInterval: Sendable, Hashable {
  /// Images that count already; every unfinished one taken as wrong.
  package let low: Int
  /// The same with every unfinished image taken as right.
  package let high: Int
  package let total: Int

  package init(low: Int, high: Int, total: Int) {
    self.low = low
    self.high = high
    self.total = total
  }

  package var lowShare: Double { total == 0 ? 0 : Double(low) / Double(total) }
  package var isExact: Bool { low == high }
}

/// Certified accuracy over the images of one sigma: mistakes, abstentions and unfinished images stay in the denominator.
package struct CertifiedAccuracy: Sendable, Hashable {
  /// Images of the run's stored list, finished or not.
  package let planned: Int
  package let finished: Int
  package let abstentions: Int
  /// Certified but for another class than the label.
  package let mistakes: Int
  /// Radii of the correct ones, ascending: where the certified accuracy steps down.
  package let correctRadii: [Double]

  /// - Parameters:
  ///   - outcomes: the finished items.
  ///   - planned: how many items there will be; at least as many.
  package init(_ outcomes: some Sequence<Outcome>, planned: Int? = nil) {
    var radii: [Double] = []
    var finished = 0
    var abstentions = 0
    for outcome in outcomes {
      finished += 1
      if let radius = outcome.radius {
        if outcome.isCorrect { radii.append(radius) }
      } else {
        abstentions += 1
      }
    }
    self.planned = planned ?? finished
    precondition(self.planned >= finished)
    self.finished = finished
    self.abstentions = abstentions
    self.mistakes = finished - abstentions - radii.count
    self.correctRadii = radii.sorted()
  }

  package var unfinished: Int { planned - finished }

  /// Share of all images both correct and certified at `radius` or more (Cohen et al. 2019, section 4).
  /// - Complexity: logarithmic in the number of images.
  package func at(_ radius: Double) -> AccuracyInterval {
    var (below, from) = (0, correctRadii.count)
    while below < from {
      let middle = (below + from) / 2
      if correctRadii[middle] >= radius { from = middle } else { below = middle + 1 }
    }
    let certified = correctRadii.count - from
    return AccuracyInterval(low: certified, high: certified + unfinished, total: planned)
  }

  /// Share of all images on which the classifier abstained.
  package var abstention: AccuracyInterval {
    AccuracyInterval(low: abstentions, high: abstentions + unfinished, total: planned)
  }

  /// Average certified radius over all images, wrong and abstained counting 0 (Zhai et al. 2020, ACR).
  ///
  /// - Parameter largestRadius: what an unfinished image can reach at most (``Certificate/largestRadius``).
  package func averageRadius(largestRadius: Double) -> (low: Double, high: Double) {
    guard planned > 0 else { return (0, 0) }
    let sum = correctRadii.reduce(0, +)
    return (sum / Double(planned), (sum + Double(unfinished) * largestRadius) / Double(planned))
  }

  /// The largest radius at which any image is both correct and certified; nil when none is.
  package var largestCertified: Double? { correctRadii.last }
}
