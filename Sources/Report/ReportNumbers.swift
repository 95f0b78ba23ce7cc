internal import Smoothing

/// The figures of one sigma, formatted once for every kind of report.
struct LevelSummary {
  let sigma: String
  let progress: String
  /// Clean accuracy of the smoothed classifier: certified at r = 0.
  let clean: String
  let abstained: String
  let mistaken: String
  /// Average certified radius, rounded down; a range outwards.
  let averageRadius: String
  /// Largest radius n and alpha allow, rounded up.
  let reach: String
  /// Mean compute time of a finished image, for people; a dash where no times are known.
  let time: String

  init(_ level: RunReport.Level) {
    let accuracy = level.accuracy
    let reach = level.reach
    sigma = level.name
    progress = "\(NumberText.grouped(accuracy.finished))/\(NumberText.grouped(accuracy.planned))"
    clean = Self.percent(accuracy.at(0))
    abstained = Self.percent(accuracy.abstention)
    mistaken = Self.percent(accuracy.mistaken)
    let average = accuracy.averageRadius(largestRadius: reach)
    let low = NumberText.radius(average.low)
    averageRadius = average.low == average.high ? low : "\(low)–\(NumberText.fixedUp(average.high, places: 3))"
    self.reach = NumberText.fixedUp(reach, places: 3)
    time = level.secondsPerImage.map(Self.seconds) ?? "–"
  }

  /// `81.4`, or `40–62` while images are unfinished: whole percents that hold every outcome.
  static func percent(_ share: AccuracyInterval) -> String {
    if share.isExact { return NumberText.percent(share.low, of: share.total) }
    return "\(share.low * 100 / share.total)–\((share.high * 100 + share.total - 1) / share.total)"
  }

  /// A radius of the table's head: 0, 0.25, 1.5.
  static func head(_ radius: Double) -> String {
    radius == radius.rounded() && radius < 1e9 ? "\(Int(radius))" : "\(radius)"
  }

  /// `0.153 s`, `16.5 s`: three digits.
  static func seconds(_ seconds: Double) -> String {
    let places = seconds < 1 ? 3 : seconds < 10 ? 2 : seconds < 100 ? 1 : 0
    return NumberText.fixed(seconds, places: places, towardZero: false) + " s"
  }
}

extension RunReport.Level {
  /// Mean compute time of the images whose time is known.
  var secondsPerImage: Double? {
    let times = items.compactMap(\.seconds)
    return times.isEmpty ? nil : times.reduce(0, +) / Double(times.count)
  }
}

extension CertifiedAccuracy {
  /// Share of all images certified for another class than their label.
  var mistaken: AccuracyInterval {
    AccuracyInterval(low: mistakes, high: mistakes + unfinished, total: planned)
  }
}
