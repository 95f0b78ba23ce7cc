package import Database

/// An item that nobody works on any more, or whose next look is complete, with the protocol its certificate depends on.
package struct CompleteItem: Sendable {
  package let id: Int64
  package let runID: Int64
  package let label: Int
  /// Canonical decimal.
  package let sigma: String
  package let numericsID: String
  /// How often votes of it were voided when they were read.
  package let revision: Int64
  package let mode: String
  package let n0: Int
  package let n: Int
  package let alpha: Double
  package let slack: Double
  /// Every unit claimable so far has votes; otherwise some got lost, and `healItems` puts them back.
  package let isComplete: Bool
  /// Draws whose votes are stored, by phase; at a look, those of estimation since the last one. Anything but what was planned
  /// means that something tampered with the votes.
  package let drawn: (selection: Int, estimation: Int)

  init(_ row: Row) throws {
    id = try row.int("item_id")
    runID = try row.int("run_id")
    label = Int(try row.int("label"))
    sigma = try row.text("sigma")
    numericsID = try row.text("numerics_id")
    revision = try row.int("revision")
    mode = try row.text("mode")
    n0 = Int(try row.int("n0"))
    n = Int(try row.int("n"))
    alpha = try row.double("alpha")
    slack = try row.double("slack")
    isComplete = try row.bool("complete")
    drawn = (Int(try row.int("selection")), Int(try row.int("estimation")))
  }
}

/// A certificate about to be stored.
package struct CertificateRow: Sendable {
  package let item: CompleteItem
  package let topClass: Int
  package let hits: Int
  /// Estimation draws that count.
  package let draws: Int
  package let pLower: Double
  /// Nil to abstain.
  package let radius: Double?
  package let computeSeconds: Double
  /// Units up to the deciding look; nil where every unit counts.
  package var stoppedAtUnit: Int?
  /// Decimals; nil without targets.
  package var targetsReached: [String]?
  package var runnerUpVotes: Int?
  package var pUpper: Double?
  package var pValue: Double?

  package init(
    item: CompleteItem, topClass: Int, hits: Int, draws: Int? = nil, pLower: Double, radius: Double?,
    computeSeconds: Double
  ) {
    self.item = item
    self.topClass = topClass
    self.hits = hits
    self.draws = draws ?? item.n
    self.pLower = pLower
    self.radius = radius
    self.computeSeconds = computeSeconds
  }
}

/// One item of a run with its certificate, if it has one: a row of the view `certificate_result`.
package struct ResultRow: Sendable {
  package let imageIndex: Int
  package let source: String
  package let sigma: String
  package let label: Int
  package let state: String
  package let certificate: Certificate?

  package struct Certificate: Sendable {
    package let mode: String
    package let topClass: Int
    /// Nil when abstained.
    package let predicted: Int?
    /// Nil when abstained.
    package let radius: Double?
    package let correct: Bool
    package let hits: Int
    package let n0: Int
    package let n: Int
    package let alpha: Double
    package let slack: Double
    package let pLower: Double
    package let numericsID: String
    package let computeSeconds: Double
    package let stoppedAtUnit: Int?
    package let targetsReached: [String]?
    package let runnerUpVotes: Int?
    package let pUpper: Double?
    package let pValue: Double?
  }

  init(_ row: Row) throws {
    imageIndex = Int(try row.int("image_index"))
    source = try row.textOrNil("source") ?? ""
    sigma = try row.text("sigma")
    label = Int(try row.int("label"))
    state = try row.text("state")
    certificate =
      try row.isNull("top_class") || row.isNull("p_lower")
      ? nil
      : Certificate(
        mode: row.text("mode"), topClass: Int(row.int("top_class")),
        predicted: row.intOrNil("predicted").map { Int($0) },
        radius: row.doubleOrNil("radius"), correct: row.bool("correct"), hits: Int(row.int("n_a")),
        n0: Int(row.int("n0")), n: Int(row.int("n")), alpha: row.double("alpha"), slack: row.double("slack"),
        pLower: row.double("p_lower"), numericsID: row.text("numerics_id"),
        computeSeconds: row.double("compute_seconds"),
        stoppedAtUnit: row.intOrNil("stopped_at_unit").map { Int($0) },
        targetsReached: row.isNull("targets_reached") ? nil : row.texts("targets_reached"),
        runnerUpVotes: row.intOrNil("runner_up_votes").map { Int($0) }, pUpper: row.doubleOrNil("p_upper"),
        pValue: row.doubleOrNil("p_value"))
  }
}

// What the aggregator does, and what reports read.
extension Store {
  /// Items without a certificate that nobody works on any more: their every unit has votes, or got lost.
  package func completeItems(limit: Int) async throws -> [CompleteItem] {
    try await connection.rows(PackageResources.complete_items_sql, [.int(limit)]).map { try CompleteItem($0) }
  }

  /// Puts the units of these items that have neither votes nor holder back into the queue. Returns the number of gaps.
  package func healItems(_ ids: [Int64]) async throws -> Int {
    Int(try await connection.rows(PackageResources.heal_items_sql, [.bigints(ids)])[0].int("gaps"))
  }

  /// Votes by class of one phase (0 selection, 1 estimation) of the given items.
  package func votes(ofItems ids: [Int64], phase: Int) async throws -> [Int64: [Int: Int]] {
    var votes: [Int64: [Int: Int]] = [:]
    for row in try await connection.rows(PackageResources.phase_votes_sql, [.bigints(ids), .int(phase)]) {
      votes[try row.int("item_id"), default: [:]][Int(try row.int("class"))] = Int(try row.int("votes"))
    }
    return votes
  }

  /// Writes down the class that selection chose for each item, once, in one transaction.
  ///
  /// - Parameter chosen: in the order of the items' numbers, in which every aggregator locks them; with each item's revision
  ///   when its votes were read.
  /// - Returns: the classes that stand; nothing for an item whose votes were voided meanwhile.
  package func freezeTopClasses(_ chosen: [(item: Int64, topClass: Int, revision: Int64)]) async throws -> [Int64: Int]
  {
    let results = try await connection.pipeline(
      chosen.map {
        statement(PackageResources.freeze_top_class_sql, [.int($0.item), .int($0.topClass), .int($0.revision)])
      })
    var standing: [Int64: Int] = [:]
    for (choice, rows) in zip(chosen, results) {
      standing[choice.item] = try rows.first.map { Int(try $0.int("top_class")) }
    }
    return standing
  }

  /// Compute seconds spent on each of the given items.
  package func computeSeconds(ofItems ids: [Int64]) async throws -> [Int64: Double] {
    var seconds: [Int64: Double] = [:]
    for row in try await connection.rows(PackageResources.compute_time_sql, [.bigints(ids)]) {
      seconds[try row.int("item_id")] = try row.double("seconds")
    }
    return seconds
  }

  /// Stores certificates, draws their audits and ends what is left of their items' work, in one transaction; those that
  /// another aggregator stored first stay. Returns how many were stored now.
  package func insertCertificates(_ certificates: [CertificateRow]) async throws -> Int {
    let items = statement(PackageResources.lock_posters_sql, [.bigints(certificates.map(\.item.id))])
    let results = try await connection.pipeline(
      [items]
        + certificates.flatMap { row in
          let predicted = row.radius == nil ? nil : row.topClass
          return [
            statement(PackageResources.draw_audits_sql, [.int(row.item.id), .int(row.item.revision)]),
            statement(
              PackageResources.stop_item_sql,
              [
                .int(row.item.id), .text(row.item.mode), .int(row.topClass), .int(row.hits), .int(row.item.n0),
                .int(row.draws), .double(row.item.alpha), .double(row.item.slack), .double(row.pLower),
                .bool(row.radius == nil), .optional(predicted.map { .int($0) }),
                .optional(row.radius.map { .double($0) }), .bool(predicted == row.item.label),
                .text(row.item.numericsID), .double(row.computeSeconds), .optional(row.stoppedAtUnit.map { .int($0) }),
                .optional(row.targetsReached.map { .texts($0) }), .optional(row.runnerUpVotes.map { .int($0) }),
                .optional(row.pUpper.map { .double($0) }), .optional(row.pValue.map { .double($0) }),
                .int(row.item.revision),
              ]),
          ]
        })
    // After the lock, two statements each: the second tells whether the certificate was stored.
    return results.indices.dropFirst().count { $0.isMultiple(of: 2) && !results[$0].isEmpty }
  }

  /// Sets an item aside that must not be certified, with the reason.
  package func holdItem(_ id: Int64, reason: String) async throws {
    _ = try await connection.rows(PackageResources.hold_item_sql, [.int(id), .text(reason)])
  }

  /// Every item of a run, by sigma, then image.
  package func results(ofRun id: Int64) async throws -> [ResultRow] {
    try await connection.rows(PackageResources.results_sql, [.int(id)]).map { try ResultRow($0) }
  }

  /// What is wrong with a planned run's items: missing, not its own, or labelled otherwise than in the image set.
  package func itemFaults(ofRun id: Int64) async throws -> [String] {
    try await connection.rows(PackageResources.item_faults_sql, [.int(id)]).map { try $0.text("fault") }
  }

  /// How many other runs certify some of the same images with the same checkpoint at one of the same noise levels.
  package func otherRuns(like id: Int64) async throws -> Int {
    Int(try await connection.rows(PackageResources.other_runs_sql, [.int(id)])[0].int("runs"))
  }

  /// Ready and leased work per running run.
  package func queueDepth() async throws -> [Row] { try await connection.rows(PackageResources.queue_depth_sql) }
}
