internal import Smoothing

/// What a run's certificates promise and what they do not, in the words every report prints.
package struct Guarantee: Sendable {
  /// One paragraph each; the first is the promise, the others its limits.
  package let paragraphs: [String]

  package init(_ report: RunReport) {
    switch report.basis {
    case .fleet(let fleet): paragraphs = Self.own(fleet, levels: report.levels, reading: report.reading)
    case .imported: paragraphs = Self.imported(report)
    }
  }

  private static func own(
    _ fleet: RunReport.Fleet, levels: [RunReport.Level], reading: RunReport.Reading?
  ) -> [String] {
    let alpha = reading?.alpha ?? fleet.settings.alpha
    let confidence = NumberText.confidence(failure: alpha)
    let claim =
      "which is that the smoothed classifier returns the certified class for every image within the certified L2 radius. "
      + "Distances are measured on the image as fed to the model (after resize and crop), in the [0, 1] pixel range."
    var paragraphs: [String] = []
    if let reading {
      paragraphs.append(
        "Read again after the votes were known, at alpha \(reading.alpha); the run's own certificates, at alpha "
          + "\(reading.ownAlpha), stand. The probability below belongs to one reading decided before data are seen; choosing "
          + "among readings voids it.")
    }
    if reading?.isSimultaneous == true {
      paragraphs.append(
        "For all images and noise levels of the run together: with probability at least \(confidence) over the noise, "
          + "every certificate shown is true, \(claim) Each is computed at alpha/\(NumberText.grouped(reading!.shares))."
      )
    } else {
      paragraphs += [
        "For each image separately, decided before data are seen: with probability at least \(confidence) over the noise, "
          + "the run abstains or its certificate is true, \(claim)",
        "Not simultaneous over images: at alpha \(alpha), up to one image in \(NumberText.oneIn(alpha)) may carry a false "
          + "\(fleet.settings.mode == .predict ? "prediction" : "certificate") on average.",
      ]
    }
    if let reading, reading.isBestSigma {
      paragraphs.append(
        "Best sigma: each image stands with the noise level that gave it the largest radius, all its levels computed at "
          + "alpha/\(NumberText.grouped(reading.shares)) so that the choice is paid for. Its certificate is about the classifier of "
          + "that level; a classifier that chooses its noise level by the image is not certified by this.")
    }
    if reading?.isSimultaneous != true { paragraphs.append(Self.together(levels, mode: fleet.settings.mode)) }
    if reading == nil {
      if fleet.settings.mode == .predict { paragraphs[0] = prediction(confidence) }
      if let paragraph = mode(fleet.settings) { paragraphs.append(paragraph) }
    }
    switch fleet.settings.sampler {
    case .grid:
      let slack = levels.map(\.slack).max() ?? 0
      paragraphs.append(
        "Noise: grid. Integers up to one float32 division, so that the certificate covers floating-point arithmetic: "
          + "the classifier certified is the one these workers compute. The sampler's total variation, at most "
          + "\(NumberText.roundedUp(slack)) per draw, \(Self.use(ofSlackIn: fleet.settings)).")
    case .gaussian:
      paragraphs.append(
        "Noise: gaussian, float32 normals as in the literature. Sound in real arithmetic only: the rounding of pixel "
          + "plus noise is not covered.")
    }
    paragraphs.append(
      "Assumed: the generator's bits behave as fair coins chosen independently of model and images.")
    switch fleet.otherRuns {
    case 0:
      paragraphs.append(
        "No other run still on record certified the same checkpoint on any of the same images at one of these sigmas.")
    case let others:
      paragraphs.append(
        "\(others == 1 ? "1 other run" : "\(others) other runs") still on record certified the same checkpoint on some of the same images at one of "
          + "these sigmas. Choosing among runs after seeing them voids the probability stated here.")
    }
    return paragraphs
  }

  /// Where the mode's bounds take up the sampler's total variation.
  private static func use(ofSlackIn settings: RunReport.Settings) -> String {
    switch settings.mode {
    case .fixed, .curtailed, .sequential, .epsilon: "is subtracted from every lower bound"
    case .runnerUp: "is subtracted from every lower bound and added to every upper bound"
    case .predict:
      "is added to every p-value \(NumberText.grouped(settings.n)) times, once for each draw"
    }
  }

  /// What holds for all certificates of a noise level at once. Levels look at the same images, and each sentence fails with
  /// probability rho of its own.
  private static func together(_ levels: [RunReport.Level], mode: CertificateMode) -> String {
    let what = mode == .predict ? "predictions" : "certificates"
    let counts = levels.map { level in
      "\(level.falseCertificates) of \(NumberText.grouped(level.planned)) at "
        + "sigma \(level.name)"
    }
    return "All at once\(levels.count > 1 ? ", for each noise level separately" : ""): with probability at least "
      + "\(NumberText.confidence(failure: FalseCertificates.rho)) no more \(what) are false than "
      + "\(counts.joined(separator: ", ")) (exact binomial quantile). "
      + (mode == .predict
        ? "Accuracy less that share bounds the share that the smoothed classifier itself gets right."
        : "Certified accuracy less that share bounds the share truly robust.")
  }

  /// The promise of PREDICT, which certifies no radius.
  private static func prediction(_ confidence: String) -> String {
    "For each image separately, decided before data are seen: with probability at least \(confidence) over the noise, the "
      + "run abstains or returns the smoothed classifier's class of the image as fed to the model (after resize and crop). "
      + "No radius is certified: every prediction stands at radius 0."
  }

  /// What the mode adds; nil for `fixed`, which needs no words.
  private static func mode(_ settings: RunReport.Settings) -> String? {
    let alpha = settings.alpha
    let targets = settings.targets.map(\.description).joined(separator: ", ")
    switch settings.mode {
    case .fixed, .predict: return nil
    case .curtailed:
      return
        "Curtailed: drawing stops once all \(NumberText.grouped(settings.n)) draws could no longer change which of the "
        + "targets \(targets) are reached. A radius reported then is the largest target reached, and no bound at the draws made; "
        + "an image stopped early that reaches none abstains. Average certified radius is not what this mode measures."
    case .runnerUp:
      return "Runner-up: the top class is bounded from below and the most frequent other class from above, each at "
        + "\(alpha.halved); the radius is sigma/2 · (Φ⁻¹(p lower) − Φ⁻¹(p upper))."
    case .sequential, .epsilon:
      let what =
        (settings.mode == .sequential
          ? "each of the target radii \(targets) is decided"
          : "the radius is within a share of \(settings.epsilon ?? 0) of what all draws would give if the rest hit at the upper "
            + "bound's rate")
        + ", or the top class is shown to have less than half of all noise (early abstention)"
      return
        "Stopped early: drawing stops at declared looks once \(what). The bound holds at every look at once: a one-sided "
        + "mixture martingale at \(alpha.quarter), and Clopper–Pearson at \(alpha.threeQuarters) for images that took all "
        + "\(NumberText.grouped(settings.n)) draws. Average certified radius is not what this mode measures: use fixed for it."
    }
  }

  private static func imported(_ report: RunReport) -> [String] {
    let stated = report.levels.map { "n \(NumberText.grouped($0.draws)) and alpha \($0.alpha) at sigma \($0.sigma)" }
    return [
      "Imported, not certified here: these figures were read from logs. No votes came with them, so neither this software "
        + "nor its reader can recompute one, and nothing is guaranteed beyond what their authors claim.",
      "As stated at the import, since logs hold neither: \(stated.joined(separator: "; ")).",
      "Shares count every row of a log, abstentions and mistakes included; which images were left out, a log does not say.",
    ]
  }

  /// The paragraphs of several runs: each text once, with the names of the runs that it is about.
  static func sections(_ runs: ReportSet) -> [(names: [String], paragraphs: [String])] {
    var sections: [(names: [String], paragraphs: [String])] = []
    for report in runs.reports {
      let paragraphs = Guarantee(report).paragraphs
      if let place = sections.firstIndex(where: { $0.paragraphs == paragraphs }) {
        sections[place].names.append(report.name)
      } else {
        sections.append(([report.name], paragraphs))
      }
    }
    return sections
  }
}

extension NumberText {
  /// 1 - alpha with as many digits as it takes: 0.999 for 0.001.
  static func confidence(failure alpha: ExactDecimal) -> String {
    for places in 1...15 {
      let text = fixed(1 - alpha.value, places: places, towardZero: false)
      if let shown = ExactDecimal(text), abs(1 - shown.value - alpha.value) <= 1e-9 * alpha.value { return text }
    }
    return "1 − \(alpha)"
  }

  /// 1/alpha as a whole number, rounded down: "up to one in so many" then never promises too much.
  static func oneIn(_ alpha: ExactDecimal) -> String {
    let nearest = (1 / alpha.value).rounded()
    // No run has so many images.
    guard nearest <= 0x1p50 else { return grouped(1 << 50) }
    let whole = Int(nearest)
    return grouped(alpha.multiplied(by: whole).isAbove(1) ? whole - 1 : whole)
  }

  /// A small positive number with three significant digits, rounded up.
  static func roundedUp(_ value: Double) -> String {
    guard value > 0 else { return "0" }
    var text = "\(value)"
    for scale in [1.0, 1.005, 1.01] {
      text = threeDigits(value * scale)
      if let shown = ExactDecimal(text), !shown.isBelow(value) { return text }
    }
    return text
  }

  /// Digits in groups of three: 100,000.
  static func grouped(_ number: Int) -> String {
    var digits = String(number.magnitude)
    var groups: [String] = []
    while digits.count > 3 {
      groups.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    groups.insert(digits, at: 0)
    return (number < 0 ? "-" : "") + groups.joined(separator: ",")
  }
}
