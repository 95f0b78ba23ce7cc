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
  /// Whether there was a certificate to compute anew, in mode `fixed`.
  package let hasCertificate: Bool

  /// - Parameters:
  ///   - item: the item with what is known of it.
  ///   - certificate: the stored one; nil while there is none.
  ///   - chunks: every computation of the item's chunks that is on record.
  ///   - rules: the run's protocol, with a level of the item's sigma.
  package init(
    _ item: ItemRecord, certificate: ResultRow.Certificate?, chunks: [ChunkRecord], rules: CertificationProtocol
  ) {
    hasCertificate = certificate != nil && rules.mode == "fixed"
    let stored = chunks.filter(\.isStored)
    self.chunks = stored.count
    check(stored, against: UnitPlan(n0: rules.n0, n: rules.n, chunkSamples: rules.chunkSamples))
    guard let level = rules.levels.first(where: { $0.sigma == item.sigma }) else {
      ofCertificate.append("the run has no noise level \(item.sigma)")
      return
    }
    // Other modes decide at looks; their certificates are not those of all n draws.
    guard let certificate, rules.mode == "fixed" else { return }
    check(certificate, of: item, votes: ItemVotes(stored), rules: rules, level: level)
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
    _ stored: ResultRow.Certificate, of item: ItemRecord, votes: ItemVotes, rules: CertificationProtocol,
    level: CertificationProtocol.Level
  ) {
    func expect(_ name: String, _ stored: String, _ computed: String) {
      if stored != computed { ofCertificate.append("\(name) is \(stored), computed anew \(computed)") }
    }
    func text(_ value: (some Any)?) -> String { value.map { "\($0)" } ?? "none" }
    let drawn = votes.drawn
    expect("mode", stored.mode, rules.mode)
    expect("n0", "\(stored.n0)", "\(drawn.selection)")
    expect("n", "\(stored.n)", "\(drawn.estimation)")
    expect("the protocol's n0 and n", "\(rules.n0) and \(rules.n)", "\(drawn.selection) and \(drawn.estimation)")
    expect("alpha", "\(stored.alpha)", "\(rules.alpha)")
    expect("slack", "\(stored.slack)", "\(level.slack)")
    expect("numerics id", stored.numericsID, text(item.numericsID))
    guard let topClass = votes.topClass, drawn.estimation > 0 else {
      ofCertificate.append("a certificate without votes")
      return
    }
    expect("top class", "\(stored.topClass)", "\(topClass)")
    expect("frozen top class", text(item.topClass), "\(topClass)")
    expect("votes for it", "\(stored.hits)", "\(votes.hits)")
    guard let sigma = ExactDecimal(item.sigma), let alpha = ExactDecimal(rules.alpha) else { return }
    let anew = Certificate.certify(
      hits: votes.hits, draws: drawn.estimation, sigma: sigma, alpha: alpha, slack: level.slack)
    // Doubles print with as many digits as tell them apart: equal texts are equal bits.
    expect("p lower", "\(stored.pLower)", "\(anew.pLower)")
    expect("radius", text(stored.radius), text(anew.radius))
    let predicted = anew.radius == nil ? nil : topClass
    expect("certified class", text(stored.predicted), text(predicted))
    expect("correct", "\(stored.correct)", "\(predicted == Int(item.label))")
  }
}
