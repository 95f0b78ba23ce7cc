internal import Smoothing

/// What a run's figures rest on, as names and values; every format prints these lines.
struct ReportFacts {
  struct Line {
    let name: String
    /// With digests in full.
    let value: String
    /// With digests cut, for a terminal.
    let short: String

    init(_ name: String, _ value: String, short: String? = nil) {
      self.name = name
      self.value = value
      self.short = short ?? value
    }
  }

  let lines: [Line]

  init(_ report: RunReport) {
    switch report.basis {
    case .fleet(let fleet): lines = Self.own(fleet, levels: report.levels) + Self.reading(report.reading)
    case .imported(let imported): lines = Self.imported(imported, levels: report.levels)
    }
  }

  private static func own(_ fleet: RunReport.Fleet, levels: [RunReport.Level]) -> [Line] {
    let settings = fleet.settings
    var lines = [
      Line(
        "checkpoint", "\(fleet.checkpoint.name) · \(fleet.checkpoint.digest)",
        short: "\(fleet.checkpoint.name)  \(fleet.checkpoint.digest.prefix(12))"),
      Line(
        "images", "\(fleet.images.dataset), \(fleet.images.subset) · \(fleet.images.digest)",
        short: "\(fleet.images.dataset), \(fleet.images.subset)  \(fleet.images.digest.prefix(12))"),
      Line(
        "draws",
        "n0 \(NumberText.grouped(settings.n0)), n \(NumberText.grouped(settings.n)), alpha \(settings.alpha), "
          + "mode \(settings.mode.rawValue), seed \(settings.seed)"),
    ]
    if !settings.targets.isEmpty {
      lines.append(Line("targets", settings.targets.map(\.description).joined(separator: ", ")))
    }
    if let epsilon = settings.epsilon { lines.append(Line("epsilon", "\(epsilon)")) }
    if let samples = fleet.samples, samples.used > 0 {
      let share = Double(samples.planned) / Double(samples.used)
      lines.append(
        Line(
          "samples",
          "\(NumberText.grouped(Int(samples.used))) used, \(NumberText.grouped(Int(samples.beyond))) computed beyond the "
            + "deciding looks; all n draws would be \(NumberText.grouped(Int(samples.planned))), "
            + "\(NumberText.fixed(share, places: 1, towardZero: true)) times what was used"))
    }
    let noise = levels.map { level in
      let grid = level.m.map { "m \($0), slack \(NumberText.roundedUp(level.slack))" } ?? ""
      let table = level.tableDigest.map { ", table \($0)" } ?? ""
      return "sigma \(level.name)" + (grid.isEmpty ? "" : " (\(grid)\(table))")
    }
    let short = levels.map { level in "\(level.name)" + (level.m.map { " (m \($0))" } ?? "") }
    let limits = settings.sampler == .gaussian ? " (sound in real arithmetic only)" : ""
    lines.append(
      Line(
        "noise", "\(settings.sampler.rawValue)\(limits), \(noise.joined(separator: "; "))",
        short: "\(settings.sampler.rawValue)\(limits), sigma \(short.joined(separator: ", "))"))
    lines += settings.numerics.map { Line("numerics", $0) }
    let reach = levels.map { "\(NumberText.fixedUp($0.reach, places: 3)) at sigma \($0.name)" }
    if !reach.isEmpty { lines.append(Line("reach", "no radius beyond \(reach.joined(separator: ", "))")) }
    if let audits = fleet.audits { lines.append(Line("audits", Self.sentence(audits))) }
    if let error = fleet.error { lines.append(Line("error", error)) }
    return lines
  }

  private static func reading(_ reading: RunReport.Reading?) -> [Line] {
    guard let reading else { return [] }
    let shared = reading.shares > 1 ? ", shared by \(NumberText.grouped(reading.shares)) certificates" : ""
    return [
      Line(
        "read again",
        "not the run's certificates: computed from its stored votes at alpha \(reading.alpha)\(shared); its own alpha is "
          + "\(reading.ownAlpha)")
    ]
  }

  private static func sentence(_ audits: RunReport.Audits) -> String {
    func chunks(_ count: Int) -> String { count == 1 ? "1 chunk" : "\(NumberText.grouped(count)) chunks" }
    guard audits.share > 0 else { return "none asked for (audit.share 0): no worker was checked by another" }
    var parts = ["\(chunks(audits.agreed)) computed again by another worker, with the same votes"]
    if audits.own > 0 {
      parts.append("\(chunks(audits.own)) only by the worker that posted them, in other batches: no other was there")
    }
    if audits.open > 0 {
      parts.append(
        "\(NumberText.grouped(audits.open)) still open, and until then \(NumberText.grouped(audits.provisional)) certificates are provisional"
      )
    }
    if audits.voided > 0 {
      parts.append(
        "\(chunks(audits.voided)) of machines that computed wrongly were voided and computed anew, \(NumberText.grouped(audits.superseded)) certificates superseded"
      )
    }
    return parts.joined(separator: "; ")
  }

  private static func imported(_ imported: RunReport.Imported, levels: [RunReport.Level]) -> [Line] {
    let stated = levels.map { "sigma \($0.sigma): n \(NumberText.grouped($0.draws)), alpha \($0.alpha)" }
    return [
      Line("origin", "imported, not recomputable"), Line("source", imported.source),
      Line("stated", stated.joined(separator: "; ")),
    ]
      + imported.files.map { Line("file", $0) } + imported.notes.map { Line("note", $0) }
  }
}
