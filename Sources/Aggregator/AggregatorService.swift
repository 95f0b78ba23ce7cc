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
  let store: Store
  private let timings: FleetTimings
  private let presence: Presence
  let logger: Logger
  private let certificates: Counter
  let book = LookBook()

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
        var pass = Pass()
        do {
          try await presence.beat(in: store, every: timings.beatEvery)
          pass = try await self.pass(limit: 500)
        } catch {
          logger.error("a pass of the aggregator failed; it goes on", metadata: ["error": "\(error)"])
        }
        if pass.certificates > 0 {
          certificates.increment(by: Double(pass.certificates))
          logger.info("certificates stored", metadata: ["count": "\(pass.certificates)"])
        }
        if !pass.didSomething { try? await Task.sleep(for: .milliseconds(500)) }
      }
      try? await presence.leave(store)
    } onGracefulShutdown: {
    }
    logger.info("aggregator stopped")
  }

  /// What one pass did.
  package struct Pass: Sendable {
    /// Certificates stored.
    package var certificates = 0
    /// Looks taken that decided nothing.
    package var looks = 0

    package var didSomething: Bool { certificates + looks > 0 }
  }

  /// Certifies what is complete and takes the looks that are, up to `limit` items of each. With nothing to do, lets work
  /// run ahead where workers would be idle.
  package func pass(limit: Int) async throws -> Pass {
    var pass = Pass(certificates: try await certify(limit: limit))
    let looks = try await takeLooks(limit: limit)
    pass.certificates += looks.certificates
    pass.looks = looks.looks
    let raised = pass.didSomething ? 0 : try await store.raiseTargets()
    if pass.looks + raised > 0 { try await store.announceWork() }
    return pass
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
    for item in waiting where item.isComplete && CertificateMode(rawValue: item.mode)?.stopsEarly == false {
      if item.drawn == (item.n0, item.n) {
        items.append(item)
        continue
      }
      try await hold(item, planned: item.n)
    }
    guard !items.isEmpty else { return 0 }
    let ids = items.map(\.id)
    let topClasses = try await freezeTopClasses(items)
    let estimation = try await store.votes(ofItems: ids, phase: 1)
    let seconds = try await store.computeSeconds(ofItems: ids)
    var rows: [CertificateRow] = []
    for item in items {
      guard let topClass = topClasses[item.id], let estimation = estimation[item.id],
        estimation.values.reduce(0, +) == item.n
      else { continue }
      let rules = try await rules(of: item)
      var decider = ItemDecider(rules, topClass: topClass)
      let decision = decider.look(votes: estimation, draws: item.n)!
      rows.append(CertificateRow(item, decision, rules: rules, computeSeconds: seconds[item.id] ?? 0))
    }
    return try await store.insertCertificates(rows)
  }

  /// Sets an item aside whose votes are not those of the planned draws.
  func hold(_ item: CompleteItem, planned: Int) async throws {
    let reason =
      "\(item.drawn.selection) and \(item.drawn.estimation) draws have votes where n0 is \(item.n0) and n \(planned)"
    logger.critical("an item is held", metadata: ["item_id": "\(item.id)", "reason": "\(reason)"])
    try await store.holdItem(item.id, reason: reason)
  }

  /// Writes down the class that selection chose for each item, once, before any estimation vote of it is read.
  func freezeTopClasses(_ items: [CompleteItem]) async throws -> [Int64: Int] {
    guard !items.isEmpty else { return [:] }
    let selection = try await store.votes(ofItems: items.map(\.id), phase: 0)
    // Votes may be voided at any moment: what was read before is then left alone.
    return try await store.freezeTopClasses(
      items.compactMap { item in
        selection[item.id].map { (item.id, ItemVotes.topClass(of: $0)!, item.revision) }
      })
  }

  /// The rules of an item's level, made once.
  func rules(of item: CompleteItem) async throws -> CertificateRules {
    try await book.level(of: item, in: store).rules
  }
}

extension CertificateRow {
  init(_ item: CompleteItem, _ decision: Decision, rules: CertificateRules, computeSeconds: Double) {
    let certificate = decision.certificate
    self.init(
      item: item, topClass: decision.topClass, hits: decision.hits, draws: decision.draws, pLower: certificate.pLower,
      radius: certificate.radius, computeSeconds: computeSeconds)
    if rules.mode.hasTargets {
      targetsReached = rules.targets.filter { certificate.reaches($0) }.map(\.description)
    }
    runnerUpVotes = decision.runnerUpHits
    pUpper = certificate.upperBound?.value
    pValue = decision.pValue
  }
}
