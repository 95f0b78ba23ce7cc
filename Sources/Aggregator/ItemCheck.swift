internal import Lifecycle
internal import Smoothing
package import Store

/// One item's stored rows held against its protocol and against a certificate computed anew from its votes.
package struct ItemCheck: Sendable {
  /// What is not as it must be, one phrase each: of the chunks, then of the certificate.
  package var differences: [String] { ofChunks + ofCertificate }
  private var ofChunks: [String] = []
  private var ofCertificate: [String] = []
  package var differsInChunks: Bool { !ofChunks.isEmpty }
  package var differsInCertificate: Bool { !ofCertificate.isEmpty }
  /// Stored chunks looked at.
  package private(set) var chunks = 0
  /// Whether there was a certificate to compute anew.
  package let hasCertificate: Bool

  /// - Parameters:
  ///   - item: the item with what is known of it.
  ///   - certificate: the stored one; nil while there is none.
  ///   - chunks: every computation of the item's chunks that is on record.
  ///   - rules: the run's protocol, with a level of the item's sigma.
  package init(
    _ item: ItemRecord, certificate: ResultRow.Certificate?, chunks: [ChunkRecord], rules: CertificationProtocol
  ) {
    hasCertificate = certificate != nil
    let stored = chunks.filter(\.isStored)
    self.chunks = stored.count
    check(stored, against: UnitPlan(n0: rules.n0, n: rules.n, chunkSamples: rules.chunkSamples))
    guard let level = rules.levels.first(where: { $0.sigma == item.sigma }) else {
      ofCertificate.append("the run has no noise level \(item.sigma)")
      return
    }
    guard let certificate else { return }
    check(certificate, of: item, votes: ItemVotes(stored), chunks: stored, rules: rules, level: level)
  }

  /// Every chunk is one of the plan's, with as many samples and votes, and none is there twice.
  private mutating func check(_ stored: [ChunkRecord], against plan: UnitPlan) {
    var seen: Set<Int> = []
    for chunk in stored {
      let unit = chunk.phase == 0 ? Int(chunk.chunk) : Int(chunk.chunk) + 1
      let name = "\(chunk.phase == 0 ? "selection" : "estimation") chunk \(chunk.chunk)"
      let isPlanned = chunk.phase == 0 ? chunk.chunk == 0 : (1..<plan.unitCount).contains(unit)
      guard isPlanned, seen.insert(unit).inserted else {
        ofChunks.append("\(name) is \(isPlanned ? "there twice" : "none of the plan's")")
        continue
      }
      let planned = plan.chunk(ofUnit: unit).samples.count
      let votes = chunk.votes.reduce(0) { $0 + Int($1) }
      if chunk.samples != planned || votes != planned {
        ofChunks.append("\(name) has \(votes) votes of \(chunk.samples) samples where the plan has \(planned)")
      }
      if chunk.votes.contains(where: { $0 <= 0 }) || chunk.classes.contains(where: { $0 < 0 })
        || zip(chunk.classes, chunk.classes.dropFirst()).contains(where: { $0 >= $1 })
      {
        ofChunks.append("\(name) lists classes \(chunk.classes) with votes \(chunk.votes)")
      }
    }
  }

  private mutating func check(
    _ stored: ResultRow.Certificate, of item: ItemRecord, votes: ItemVotes, chunks: [ChunkRecord],
    rules: CertificationProtocol, level: CertificationProtocol.Level
  ) {
    func expect(_ name: String, _ stored: String, _ computed: String) {
      if stored != computed { ofCertificate.append("\(name) is \(stored), computed anew \(computed)") }
    }
    func text(_ value: (some Any)?) -> String { value.map { "\($0)" } ?? "none" }
    guard let mode = CertificateMode(rawValue: rules.mode), let topClass = votes.topClass else {
      ofCertificate.append("a certificate without votes, or of mode \(rules.mode)")
      return
    }
    guard
      let anew = Self.decision(of: chunks, topClass: topClass, mode: mode, item: item, rules: rules, level: level)
    else {
      ofCertificate.append("its votes up to the deciding look are not all there, or decide nothing")
      return
    }
    expect("mode", stored.mode, rules.mode)
    expect("n0", "\(stored.n0)", "\(votes.drawn.selection)")
    expect("the protocol's n0", "\(rules.n0)", "\(votes.drawn.selection)")
    expect("n", "\(stored.n)", "\(anew.draws)")
    if !mode.stopsEarly { expect("the protocol's n", "\(rules.n)", "\(votes.drawn.estimation)") }
    expect("alpha", "\(stored.alpha)", "\(rules.alpha)")
    expect("slack", "\(stored.slack)", "\(level.slack)")
    expect("numerics id", stored.numericsID, text(item.numericsID))
    expect("top class", "\(stored.topClass)", "\(anew.topClass)")
    expect("frozen top class", text(item.topClass), "\(topClass)")
    expect("votes for it", "\(stored.hits)", "\(anew.hits)")
    // Doubles print with as many digits as tell them apart: equal texts are equal bits.
    expect("p lower", "\(stored.pLower)", "\(anew.certificate.pLower)")
    expect("p upper", text(stored.pUpper), text(anew.certificate.upperBound?.value))
    expect("p value", text(stored.pValue), text(anew.pValue))
    expect("runner-up votes", text(stored.runnerUpVotes), text(anew.runnerUpHits))
    let units = UnitPlan(n0: rules.n0, n: rules.n, chunkSamples: rules.chunkSamples)
    expect(
      "stopping unit", text(stored.stoppedAtUnit),
      text(mode.stopsEarly ? 1 + (anew.draws + units.chunkSamples - 1) / units.chunkSamples : nil))
    let targets = rules.targets.compactMap { ExactDecimal($0) }.sorted { $0.value < $1.value }
    expect(
      "targets reached", text(stored.targetsReached.map { $0.map { ExactDecimal($0)?.description ?? $0 } }),
      text(mode.hasTargets ? targets.filter { anew.certificate.reaches($0) }.map(\.description) : nil))
    expect(
      "the protocol's looks", "\(rules.looks)",
      "\(mode.stopsEarly ? LookPlan.looks(chunks: units.unitCount - 1) : [])")
    expect("radius", text(stored.radius), text(anew.certificate.radius))
    expect("certified class", text(stored.predicted), text(anew.predicted))
    expect("correct", "\(stored.correct)", "\(anew.predicted == Int(item.label))")
  }

  /// What the votes decide, look by look.
  private static func decision(
    of stored: [ChunkRecord], topClass: Int, mode: CertificateMode, item: ItemRecord, rules: CertificationProtocol,
    level: CertificationProtocol.Level
  ) -> Decision? {
    guard let sigma = ExactDecimal(item.sigma), let alpha = ExactDecimal(rules.alpha) else { return nil }
    let units = UnitPlan(n0: rules.n0, n: rules.n, chunkSamples: rules.chunkSamples)
    let book = LookBook.Level(
      rules: CertificateRules(
        mode: mode, draws: rules.n, alpha: alpha, sigma: sigma, slack: level.slack,
        targets: rules.targets.compactMap { ExactDecimal($0) }, epsilon: rules.epsilon ?? 0),
      units: units, looks: rules.looks.isEmpty ? [units.unitCount - 1] : rules.looks)
    let chunks = stored.filter { $0.phase == 1 }.sorted { $0.chunk < $1.chunk }.map {
      ChunkVotes(
        chunk: Int($0.chunk), samples: Int($0.samples),
        votes: Dictionary(zip($0.classes.map { Int($0) }, $0.votes.map { Int($0) }), uniquingKeysWith: +))
    }
    guard chunks.allSatisfy({ $0.votes.values.reduce(0, +) == $0.samples }) else { return nil }
    var progress = LookBook.Progress(ItemDecider(book.rules, topClass: topClass))
    for (look, end) in book.looks.enumerated() {
      switch progress.fold(
        Array(chunks.drop { $0.chunk < progress.chunks }.prefix { $0.chunk < end }), through: look, book)
      {
      case .hole: return nil
      case .undecided: continue
      case .decided(let decision): return decision
      }
    }
    return nil
  }
}
