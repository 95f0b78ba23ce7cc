internal import Database

/// Where a run stands, for verbs that pause, resume, change or retry it.
package struct ControlPreview: Sendable {
  package let id: Int64
  package let name: String
  package let kind: String
  package let state: String
  package let hasEnded: Bool
  package let isPaused: Bool
  /// It has been planned: it has items or a job.
  package let isPlanned: Bool
  package let priority: Int64
  package let weight: Int64
  package let leases: Int64
  /// Training jobs in a worker's hand, and failed ones.
  package let jobs: Int64
  package let failedJobs: Int64
  /// Items set aside, and those of them whose votes disagree.
  package let held: Int64
  package let disputed: Int64
  /// Sweep it belongs to.
  package let sweep: String?

  init(_ row: Row) throws {
    id = try row.int("run_id")
    name = try row.text("name")
    kind = try row.text("kind")
    state = try row.text("state")
    hasEnded = try row.bool("ended")
    isPaused = try row.bool("paused")
    isPlanned = try row.bool("planned")
    priority = try row.int("priority")
    weight = try row.int("weight")
    leases = try row.int("leases")
    jobs = try row.int("jobs")
    failedJobs = try row.int("failed_jobs")
    held = try row.int("held")
    disputed = try row.int("disputed")
    sweep = try row.textOrNil("sweep")
  }

  /// What people see.
  package var shownState: String { isPaused && !hasEnded ? "paused" : state }
}

/// One failed attempt at an item or a training.
package struct AttemptRecord: Sendable {
  package let itemID: Int64?
  /// Canonical decimal.
  package let sigma: String?
  package let unit: Int64?
  /// `died`, `expired` or `failed`.
  package let outcome: String
  package let worker: String
  package let epoch: Int64
  /// The worker held nothing else.
  package let isAlone: Bool
  package let error: String
  /// ISO 8601, UTC.
  package let at: String
  package let retriedAt: String?

  init(_ row: Row) throws {
    itemID = try row.intOrNil("item_id")
    sigma = try row.textOrNil("sigma")
    unit = try row.intOrNil("unit")
    outcome = try row.text("outcome")
    worker = try row.text("worker_name")
    epoch = try row.int("epoch")
    isAlone = try row.bool("alone")
    error = try row.text("error")
    at = try row.text("at")
    retriedAt = try row.textOrNil("retried_at")
  }
}

/// Attempts at an item that end badly, without votes in between, before it is set aside.
package let poisonLimit = 3

// Runs under way, as people steer them. Claims look at the run each time, so that everything holds from the next one on.
extension Store {
  /// Where these runs stand.
  package func controlPreview(_ ids: [Int64]) async throws -> [ControlPreview] {
    try await connection.rows(PackageResources.control_preview_sql, [.bigints(ids)]).map { try ControlPreview($0) }
  }

  /// Pauses a run and takes its leases back: their holders learn it with their next post, whose votes still count.
  ///
  /// - Returns: whether it was paused now, and the leases returned; nil when it has ended.
  package func pauseRun(_ id: Int64) async throws -> (isNew: Bool, leases: Int)? {
    try await connection.transaction { connection in
      guard let row = try connection.rows(PackageResources.pause_run_sql, [.int(id)]).first else { return nil }
      let leases = try connection.rows(PackageResources.run_leases_sql, [.int(id)]).map { try $0.int("lease_id") }
      if !leases.isEmpty { _ = try connection.rows(PackageResources.return_leases_sql, [.bigints(leases)]) }
      let isNew = try row.bool("paused_now")
      if isNew { try connection.event("run_paused", run: id, "paused; \(leases.count) leases were taken back") }
      return (isNew, leases.count)
    }
  }

  /// Lets a paused run go on. Returns whether it was paused; nil when it has ended.
  package func resumeRun(_ id: Int64) async throws -> Bool? {
    try await connection.transaction { connection in
      guard let row = try connection.rows(PackageResources.resume_run_sql, [.int(id)]).first else { return nil }
      let wasPaused = try row.bool("was_paused")
      if wasPaused { try connection.event("run_resumed", run: id, "goes on after a pause") }
      return wasPaused
    }
  }

  /// Changes priority and weight of a run; nil keeps one. Returns both as they are now; nil when it has ended.
  package func setRun(
    _ id: Int64, priority: Int?, weight: Int?
  ) async throws -> (priority: Int64, weight: Int64)? {
    try await connection.transaction { connection in
      guard
        let row = try connection.rows(
          PackageResources.set_run_sql,
          [.int(id), .optional(priority.map { .int($0) }), .optional(weight.map { .int($0) })]
        ).first
      else { return nil }
      let (priority, weight) = (try row.int("priority"), try row.int("weight"))
      let (oldPriority, oldWeight) = (try row.int("old_priority"), try row.int("old_weight"))
      if (priority, weight) != (oldPriority, oldWeight) {
        try connection.event(
          "run_changed", run: id,
          "priority \(oldPriority) → \(priority), weight \(oldWeight) → \(weight)")
      }
      return (priority, weight)
    }
  }

  /// Puts a failed training, and held items whose votes do not disagree, back to work. Nothing that is done is done again.
  ///
  /// - Returns: whether the run was opened again, and how many items were.
  package func retryRun(_ id: Int64) async throws -> (opened: Bool, items: Int64) {
    try await connection.transaction { connection in
      _ = try connection.rows(PackageResources.lock_run_sql, [.int(id)])
      let opened = try !connection.rows(PackageResources.retry_run_sql, [.int(id)]).isEmpty
      let items = try connection.rows(PackageResources.retry_items_sql, [.int(id)])[0].int("items")
      if opened || items > 0 { try connection.event("run_retried", run: id, "\(items) held items are open again") }
      return (opened, items)
    }
  }

  /// Failed attempts at these items and at the training of a run, oldest first.
  package func attempts(ofItems ids: [Int64], run: Int64) async throws -> [AttemptRecord] {
    try await connection.rows(PackageResources.item_attempts_sql, [.bigints(ids), .int(run)])
      .map { try AttemptRecord($0) }
  }

  /// Records that computing a lease raised an error, and takes the lease back; the item is set aside once that has happened
  /// often enough at one place. Nothing once the lease is lost.
  package func failLease(_ lease: Lease, worker: WorkerIdentity, error: String) async throws {
    try await connection.transaction { connection in
      let failed = try connection.rows(
        PackageResources.fail_lease_sql, [.int(lease.id), .int(worker.id), .int(worker.epoch), .text(error)])
      guard !failed.isEmpty else { return }
      _ = try connection.rows(PackageResources.return_leases_sql, [.bigints([lease.id])])
      _ = try connection.suspect(failed)
    }
  }
}

extension Connection {
  /// After leases ended badly and were returned: what they were at is computed alone from now on, and set aside when that
  /// does not help. Returns the number of items set aside.
  func suspect(_ ends: [Row]) throws -> Int {
    guard !ends.isEmpty else { return 0 }
    let items = try ends.map { try $0.int("item_id") }
    _ = try rows(
      PackageResources.suspect_gaps_sql, [.bigints(items), .ints(ends.map { Int32(try $0.int("unit")) })])
    return try rows(PackageResources.hold_poisoned_sql, [.bigints(items), .int(poisonLimit)]).count
  }
}
