package import Lifecycle
package import Logging
internal import ServiceLifecycle
internal import Smoothing
package import Store
package import Telemetry

/// Folds stored votes into certificates.
///
/// A certificate depends on stored integers and the run's protocol only. The top class is frozen from the selection votes
/// before an estimation vote is read. Two aggregators at once store equal certificates, the first of which stays.
package struct AggregatorService: Service {
  private let store: Store
  private let timings: FleetTimings
  private let presence: Presence
  private let logger: Logger
  private let certificates: Counter

  package init(store: Store, timings: FleetTimings, presence: Presence, logger: Logger, metrics: Metrics) {
    self.store = store
    self.timings = timings
    self.presence = presence
    self.logger = logger
    certificates = metrics.counter(
      "rrcm_certificates_total", help: "Certificates stored by this aggregator, abstentions included")
  }

  package func run() async throws {
    logger.info("aggregator started")
    await withGracefulShutdownHandler {
      var presence = presence
      while !Task.isShuttingDownGracefully && !Task.isCancelled {
        var count = 0
        do {
          try await presence.beat(in: store, every: timings.beatEvery)
          count = try await certify(limit: 500)
        } catch {
          logger.error("a pass of the aggregator failed; it goes on", metadata: ["error": "\(error)"])
        }
        if count > 0 {
          certificates.increment(by: Double(count))
          logger.info("certificates stored", metadata: ["count": "\(count)"])
        } else {
          try? await Task.sleep(for: .milliseconds(500))
        }
      }
      try? await presence.leave(store)
    } onGracefulShutdown: {
    }
    logger.info("aggregator stopped")
  }

  /// Certifies up to `limit` items whose votes are complete. Returns how many certificates were stored.
  package func certify(limit: Int) async throws -> Int {
    var items: [CompleteItem] = []
    let waiting = try await store.completeItems(limit: limit)
    let stuck = waiting.filter { !$0.isComplete }.map(\.id)
    if !stuck.isEmpty, try await store.healItems(stuck) > 0 {
      logger.error("units that nobody held were put back", metadata: ["items": "\(stuck)"])
      try await store.announceWork()
    }
    for item in waiting where item.isComplete {
      if item.drawn == (item.n0, item.n) {
        items.append(item)
        continue
      }
      let reason =
        "\(item.drawn.selection) and \(item.drawn.estimation) draws have votes where n0 is \(item.n0) and n \(item.n)"
      logger.critical("an item is held", metadata: ["item_id": "\(item.id)", "reason": "\(reason)"])
      try await store.holdItem(item.id, reason: reason)
    }
    guard !items.isEmpty else { return 0 }
    let ids = items.map(\.id)
    let selection = try await store.votes(ofItems: ids, phase: 0)
    // Votes may be voided at any moment: what was read before is then left alone.
    let topClasses = try await store.freezeTopClasses(
      items.compactMap { item in
        selection[item.id].map { (item.id, ItemVotes.topClass(of: $0)!, item.revision) }
      })
    let estimation = try await store.votes(ofItems: ids, phase: 1)
    let seconds = try await store.computeSeconds(ofItems: ids)
    let rows: [CertificateRow] = items.compactMap { item in
      guard let topClass = topClasses[item.id] else { return nil }
      let hits = estimation[item.id]?[topClass] ?? 0
      let certificate = Certificate.certify(
        hits: hits, draws: item.n, sigma: ExactDecimal(item.sigma)!, alpha: ExactDecimal("\(item.alpha)")!,
        slack: item.slack)
      return CertificateRow(
        item: item, topClass: topClass, hits: hits, pLower: certificate.pLower, radius: certificate.radius,
        computeSeconds: seconds[item.id] ?? 0)
    }
    return try await store.insertCertificates(rows)
  }
}
