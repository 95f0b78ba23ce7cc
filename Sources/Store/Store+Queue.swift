internal import Database
package import Lifecycle

/// A person must release this worker before it may work again: it computed wrongly.
package struct Quarantined: Error, CustomStringConvertible, Sendable {
  package let name: String
  package let reason: String
  package var description: String {
    "worker \(name) is in quarantine: \(reason). Look at the machine, then: rrcm worker release \(name)"
  }
}

/// A registered worker: its number and the epoch of this registration.
package struct WorkerIdentity: Sendable, Hashable {
  package let id: Int64
  package let epoch: Int64
}

/// What the database makes of a heartbeat.
package enum BeatAnswer: Sendable, Hashable {
  /// The worker's standing is renewed.
  case good
  /// Renewed, and somebody asked it to drain: finish the chunk in hand, hand back the rest, end.
  case drain
  /// It was taken for dead, or a newer process registered under its name.
  case lost
}

/// A running run with something to do.
package struct ReadyRun: Sendable {
  package let id: Int64
  package let kind: String
  package let name: String
  package let spec: String
  package let seed: Int64
  /// Higher is served first.
  package let priority: Int
  /// Share of the workers' time among runs of equal priority.
  package let weight: Int
  package let datasetDigest: String
  package let checkpointDigest: String?
  package let numericsIDs: [String]
  /// Something of it can be claimed; otherwise there are only leases, parts of which a worker without other work may take.
  package let isReady: Bool

  init(_ row: Row) throws {
    id = try row.int("run_id")
    kind = try row.text("kind")
    name = try row.text("name")
    spec = try row.text("spec")
    seed = try row.int("seed")
    priority = Int(try row.int("priority"))
    weight = Int(try row.int("weight"))
    isReady = try row.bool("ready")
    datasetDigest = try row.text("dataset_digest")
    checkpointDigest = try row.textOrNil("checkpoint_digest")
    numericsIDs = try row.texts("numerics_ids")
  }
}

/// A range of an item's units, held by one worker.
package struct Lease: Sendable, Hashable {
  package let id: Int64
  package let itemID: Int64
  package let units: Range<Int>
  package let imageIndex: Int
  /// Canonical decimal.
  package let sigma: String
  /// A slower worker holds the same units; the first result wins.
  package let isDuplicate: Bool
  /// The numerics id under which it was claimed; votes of it land in no item that takes another's.
  package let numericsID: String
  /// Its last holder died: hold nothing else while computing it, so that another death tells which item was in hand.
  package let isAlone: Bool

  package init(
    id: Int64, itemID: Int64, units: Range<Int>, imageIndex: Int, sigma: String, numericsID: String,
    isDuplicate: Bool = false, isAlone: Bool = false
  ) {
    self.id = id
    self.itemID = itemID
    self.units = units
    self.imageIndex = imageIndex
    self.sigma = sigma
    self.isDuplicate = isDuplicate
    self.numericsID = numericsID
    self.isAlone = isAlone
  }

  init(_ row: Row, numericsID: String) throws {
    self.numericsID = numericsID
    isAlone = try row.bool("alone")
    id = try row.int("lease_id")
    itemID = try row.int("item_id")
    units = Int(try row.int("lo"))..<Int(try row.int("hi"))
    imageIndex = Int(try row.int("image_index"))
    sigma = try row.text("sigma")
    isDuplicate = try row.bool("duplicate")
  }
}

/// Votes of one finished chunk on their way to the database.
package struct ChunkPost: Sendable, Hashable {
  package let itemID: Int64
  package let chunk: Chunk
  package let votes: SparseVotes
  package let computeMilliseconds: Double

  package init(itemID: Int64, chunk: Chunk, votes: SparseVotes, computeMilliseconds: Double) {
    self.itemID = itemID
    self.chunk = chunk
    self.votes = votes
    self.computeMilliseconds = computeMilliseconds
  }
}

/// What became of a post.
package struct PostOutcome: Sendable, Hashable {
  /// Chunks stored now.
  package var stored = 0
  /// Chunks that were already there and agree.
  package var duplicates = 0
  /// Chunks that were already there and differ: an alarm.
  package var disagreements = 0
  /// What became of the lease; nil when it had already ended.
  package var lease: LeaseReply?
  /// The lease was still held when the post arrived.
  package var leaseHeld: Bool { lease != nil }
  /// The worker is in quarantine: nothing was stored.
  package var isRefused = false

  package init() {}
}

/// What the database says of a lease when its holder posts.
package struct LeaseReply: Sendable, Hashable {
  /// One past its last unit: less than was claimed when somebody took the rest over.
  package let upperBound: Int
  /// Nobody wants its votes any more: the item has ended, or another holder of the same units was first.
  package let isOver: Bool
  /// The run stopped or was paused, or a more urgent one waits: finish the chunk in hand and hand back the rest.
  package let endsTurn: Bool
  /// The run's weight now.
  package let weight: Int

  init(_ row: Row) throws {
    upperBound = Int(try row.int("hi"))
    isOver = try row.bool("over")
    endsTurn = try row.bool("ends_turn")
    weight = Int(try row.int("weight"))
  }
}

/// Which more urgent runs should end a worker's turn.
package struct Urgency: Sendable, Hashable {
  /// Kinds of runs the worker takes.
  package var kinds: Set<String>
  /// Runs that gave this worker nothing, or that it cannot compute.
  package var passedOver: [Int64]

  package init(kinds: Set<String> = [], passedOver: [Int64] = []) {
    self.kinds = kinds
    self.passedOver = passedOver
  }

  var parameters: [Parameter] { [.texts(kinds.sorted()), .bigints(passedOver)] }
}

// What a worker does with the queue.
extension Store {
  /// A new epoch of a worker name.
  ///
  /// - Parameter processSeconds: age of the process, as far as what it has loaded goes.
  /// - Throws: `Quarantined` while the name is in quarantine.
  package func register(
    name: String, host: String, pid: Int32, device: String, software: String, processSeconds: Double = 0
  ) async throws -> WorkerIdentity {
    let row: Row
    do {
      row = try await connection.rows(
        PackageResources.register_worker_sql,
        [.text(name), .text(host), .int(Int64(pid)), .text(device), .text(software), .double(processSeconds)])[0]
    } catch var error as DatabaseError where error.code == "42501" {
      error.code = "not_this_login"
      error.message =
        "this login may not register worker \(name): it is no rrcm_worker, or another login registered that name."
        + " Choose another --name; or, as rrcm_coordinator: UPDATE rrcm.worker SET login = '…' WHERE name = '\(name)'"
      throw error
    }
    if let reason = try row.textOrNil("quarantine_reason") { throw Quarantined(name: name, reason: reason) }
    return WorkerIdentity(id: try row.int("worker_id"), epoch: try row.int("epoch"))
  }

  /// Renews a worker's standing.
  package func beat(_ worker: WorkerIdentity, samplesPerSecond: Double?) async throws -> BeatAnswer {
    let row = try await connection.rows(
      PackageResources.beat_sql,
      [.int(worker.id), .int(worker.epoch), .optional(samplesPerSecond.map { .double($0) })]
    ).first
    guard let row else { return .lost }
    return try row.bool("draining") ? .drain : .good
  }

  /// Asks live workers to drain. Returns the numbers of those that were asked now.
  package func drainWorkers(_ ids: [Int64]) async throws -> [Int64] {
    try await connection.rows(PackageResources.drain_workers_sql, [.bigints(ids)]).map { try $0.int("worker_id") }
  }

  package func leave(_ worker: WorkerIdentity) async throws {
    _ = try await connection.rows(PackageResources.leave_sql, [.int(worker.id), .int(worker.epoch)])
  }

  /// Runs with something to claim, and those of whose leases a worker without other work may take a part; the most urgent
  /// first.
  package func readyRuns() async throws -> [ReadyRun] {
    try await connection.rows(PackageResources.next_work_sql).map { try ReadyRun($0) }
  }

  /// Whether runs of these kinds may still become ready for a worker without anybody submitting more; and whether items of
  /// audited runs wait for their certificates, which may bring audits.
  package func workToCome(
    kinds: Set<String>, worker: WorkerIdentity
  ) async throws -> (isComing: Bool, awaitsCertificates: Bool) {
    let row = try await connection.rows(
      PackageResources.work_to_come_sql, [.texts(kinds.sorted()), .int(worker.id)])[0]
    return (try row.bool("coming"), try row.bool("awaiting"))
  }

  /// Gives a run that names no numerics id this one. Returns the ids that may compute it.
  package func pinRun(_ id: Int64, numericsID: String, worker: WorkerIdentity) async throws -> [String] {
    try await connection.rows(PackageResources.pin_run_sql, [.int(id), .text(numericsID), .int(worker.id)]).first?
      .texts("numerics_ids") ?? []
  }

  /// Leases up to `units` units of one item; nil when there is nothing to claim.
  ///
  /// - Parameters:
  ///   - floor: items below this number are not looked at. Keep the number of the last claimed item, and start
  ///     again from 0 now and then: returned units are found whatever the floor.
  ///   - samplesPerSecond: this worker's speed, so that it gets less when little is left; nil for just `units`.
  package func claim(
    run: Int64, worker: WorkerIdentity, numericsID: String, units: Int, deadlineSeconds: Double, floor: Int64,
    samplesPerSecond: Double? = nil
  ) async throws -> Lease? {
    try await connection.rows(
      PackageResources.claim_range_sql,
      [
        .int(run), .int(worker.id), .int(worker.epoch), .text(numericsID), .int(units), .double(deadlineSeconds),
        .int(floor), .optional(samplesPerSecond.map { .double($0) }),
      ]
    ).first.map { try Lease($0, numericsID: numericsID) }
  }

  /// Takes over part of what slower workers hold of a run, when nothing else of it is left: the unstarted end of a range, or
  /// a second computation of what its holder would finish later. Nil when there is nothing worth taking.
  ///
  /// - Parameters:
  ///   - samplesPerSecond: this worker's speed; nil for the average of the run's workers.
  ///   - time: what to reckon with instead of the database's clock, in seconds since 1970; for simulations.
  package func claimTail(
    run: Int64, worker: WorkerIdentity, numericsID: String, units: Int, deadlineSeconds: Double,
    samplesPerSecond: Double?, chunkSamples: Int, at time: Double? = nil
  ) async throws -> Lease? {
    try await connection.rows(
      PackageResources.claim_tail_sql,
      [
        .int(run), .int(worker.id), .int(worker.epoch), .text(numericsID), .int(units), .double(deadlineSeconds),
        .optional(samplesPerSecond.map { .double($0) }), .int(chunkSamples), .optional(time.map { .double($0) }),
      ]
    ).first.map { try Lease($0, numericsID: numericsID) }
  }

  /// Stores votes and moves the lease on, in one transaction and one round trip.
  ///
  /// Counts are stored whether or not the lease is still held; a chunk that is already there is a no-op if equal and a
  /// recorded disagreement if not. An item that was repinned to another numerics id meanwhile takes none of it.
  /// - Parameters:
  ///   - chunks: of the lease's item.
  ///   - finishes: the lease's last post, which ends it; otherwise its deadline moves on.
  ///   - next: every unit of the lease before this one has been posted, with these chunks; nil to claim nothing of the
  ///     kind, or for all of them when it finishes.
  ///   - urgency: what should end the worker's turn.
  package func post(
    _ chunks: [ChunkPost], lease: Lease, worker: WorkerIdentity, finishes: Bool, deadlineSeconds: Double,
    next: Int? = nil, urgency: Urgency = Urgency()
  ) async throws -> PostOutcome {
    let item: [Parameter] = [.int(lease.itemID), .int(worker.id)]
    let keys: [Parameter] = [
      .ints(chunks.map { Int32($0.chunk.phase) }), .ints(chunks.map { Int32($0.chunk.chunk) }),
    ]
    let votes: [Parameter] = [.intLists(chunks.map(\.votes.classes)), .intLists(chunks.map(\.votes.votes))]
    let holder: [Parameter] = [.int(lease.id), .int(worker.id), .int(worker.epoch)]
    let posted = next ?? (finishes ? lease.units.upperBound : lease.units.lowerBound)
    // Without BEGIN and COMMIT of their own: a process frozen between round trips would keep its locks.
    let results = try await connection.pipeline(
      [statement(PackageResources.lock_poster_sql, [.int(worker.id)])]
        + (chunks.isEmpty
          ? []
          : [
            statement(
              PackageResources.post_chunks_sql,
              item + keys + [.ints(chunks.map { Int32($0.chunk.samples.count) })] + votes
                + [.doubles(chunks.map(\.computeMilliseconds)), .text(lease.numericsID)]),
            statement(PackageResources.compare_chunks_sql, item + keys + votes + [.text(lease.numericsID)]),
          ]) + [
          finishes
            ? statement(PackageResources.finish_lease_sql, holder + [.int(posted)] + urgency.parameters)
            : statement(
              PackageResources.extend_lease_sql, holder + [.double(deadlineSeconds), .int(posted)] + urgency.parameters)
        ])
    var outcome = PostOutcome()
    outcome.isRefused = results[0].isEmpty
    if !chunks.isEmpty, !outcome.isRefused {
      outcome.stored = results[1].count
      outcome.disagreements = results[2].count
      outcome.duplicates = chunks.count - outcome.stored - outcome.disagreements
    }
    outcome.lease = try results.last?.first.map { try LeaseReply($0) }
    return outcome
  }

  /// Ends leases and puts their units without votes back. Returns the number of gaps.
  @discardableResult
  package func returnLeases(_ ids: [Int64]) async throws -> Int {
    if ids.isEmpty { return 0 }
    return Int(try await connection.rows(PackageResources.return_leases_sql, [.bigints(ids)])[0].int("gaps"))
  }

  /// Keeps the units of a lease before `unit` and gives back the rest at once.
  ///
  /// - Returns: one past the last unit that is kept; nil when nothing changed.
  package func trim(_ lease: Lease, worker: WorkerIdentity, before unit: Int) async throws -> Int? {
    try await connection.rows(
      PackageResources.trim_lease_sql, [.int(lease.id), .int(worker.id), .int(worker.epoch), .int(unit)]
    ).first.map { Int(try $0.int("hi")) }
  }

  /// Leases of a worker's present registration, by the database's account: more than it knows of when the answer to a claim
  /// was lost.
  package func leases(heldBy worker: WorkerIdentity) async throws -> [Int64] {
    try await connection.rows(PackageResources.held_leases_sql, [.int(worker.id), .int(worker.epoch)])
      .map { try $0.int("lease_id") }
  }

  /// Drops returned ranges of an item whose votes came late after all. Returns how many.
  @discardableResult
  package func dropVotedGaps(ofItem id: Int64) async throws -> Int {
    try await connection.rows(PackageResources.drop_voted_gaps_sql, [.int(id)]).count
  }

  /// Compares this worker's canary with what is recorded for the checkpoint; false when it differs, or the worker is in
  /// quarantine.
  package func canaryAgrees(
    checkpointDigest: String, numericsID: String, logitsDigest: String, worker: WorkerIdentity
  ) async throws -> Bool {
    let row = try await connection.rows(
      PackageResources.record_canary_sql,
      [.text(checkpointDigest), .text(numericsID), .text(logitsDigest), .int(worker.id)]
    ).first
    return try row?.text("recorded") == logitsDigest
  }

  /// Writes a line into the event log.
  package func recordEvent(_ kind: String, run: Int64? = nil, worker: Int64? = nil, _ detail: String) async throws {
    try await connection.event(kind, run: run, worker: worker, detail)
  }
}
