internal import Database
package import Lifecycle

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

/// A run with something to claim.
package struct ReadyRun: Sendable {
  package let id: Int64
  package let kind: String
  package let name: String
  package let spec: String
  package let seed: Int64
  package let datasetDigest: String
  package let checkpointDigest: String?
  package let numericsIDs: [String]

  init(_ row: Row) throws {
    id = try row.int("run_id")
    kind = try row.text("kind")
    name = try row.text("name")
    spec = try row.text("spec")
    seed = try row.int("seed")
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

  package init(id: Int64, itemID: Int64, units: Range<Int>, imageIndex: Int, sigma: String) {
    self.id = id
    self.itemID = itemID
    self.units = units
    self.imageIndex = imageIndex
    self.sigma = sigma
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
  /// The lease was still held when the post arrived.
  package var leaseHeld = false

  package init() {}
}

// What a worker does with the queue.
extension Store {
  package func register(
    name: String, host: String, pid: Int32, device: String, software: String
  ) async throws -> WorkerIdentity {
    let row = try await connection.rows(
      PackageResources.register_worker_sql,
      [.text(name), .text(host), .int(Int64(pid)), .text(device), .text(software)])[0]
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

  /// Runs with something to claim, the most urgent first.
  package func readyRuns() async throws -> [ReadyRun] {
    try await connection.rows(PackageResources.next_work_sql).map { try ReadyRun($0) }
  }

  /// Whether runs of these kinds may still become ready without anybody submitting more.
  package func workToCome(kinds: Set<String>) async throws -> Bool {
    try await connection.rows(PackageResources.work_to_come_sql, [.texts(kinds.sorted())])[0].bool("coming")
  }

  /// Gives a run that names no numerics id this one. Returns the ids that may compute it.
  package func pinRun(_ id: Int64, numericsID: String, worker: WorkerIdentity) async throws -> [String] {
    try await connection.rows(PackageResources.pin_run_sql, [.int(id), .text(numericsID), .int(worker.id)]).first?
      .texts("numerics_ids") ?? []
  }

  /// Leases up to `units` units of one item; nil when there is nothing to claim.
  ///
  /// - Parameter floor: items below this number are not looked at. Keep the number of the last claimed item, and start
  ///   again from 0 now and then: returned units are found whatever the floor.
  package func claim(
    run: Int64, worker: WorkerIdentity, numericsID: String, units: Int, deadlineSeconds: Double, floor: Int64
  ) async throws -> Lease? {
    try await connection.rows(
      PackageResources.claim_range_sql,
      [
        .int(run), .int(worker.id), .int(worker.epoch), .text(numericsID), .int(units), .double(deadlineSeconds),
        .int(floor),
      ]
    ).first.map {
      Lease(
        id: try $0.int("lease_id"), itemID: try $0.int("item_id"),
        units: Int(try $0.int("lo"))..<Int(try $0.int("hi")), imageIndex: Int(try $0.int("image_index")),
        sigma: try $0.text("sigma"))
    }
  }

  /// Stores votes and moves the lease on, in one transaction and one round trip.
  ///
  /// Counts are stored whether or not the lease is still held; a chunk that is already there is a no-op if equal and a
  /// recorded disagreement if not.
  /// - Parameter finishes: the lease's last post, which ends it; otherwise its deadline moves on.
  package func post(
    _ chunks: [ChunkPost], lease: Lease, worker: WorkerIdentity, finishes: Bool, deadlineSeconds: Double
  ) async throws -> PostOutcome {
    var statements: [(sql: String, parameters: [Parameter])] = []
    for post in chunks {
      let key: [Parameter] = [.int(post.itemID), .int(post.chunk.phase), .int(post.chunk.chunk)]
      statements.append(
        statement(
          PackageResources.post_chunk_sql,
          key + [
            .int(post.chunk.samples.count), .ints(post.votes.classes), .ints(post.votes.votes), .int(worker.id),
            .double(post.computeMilliseconds),
          ]))
      statements.append(
        statement(
          PackageResources.compare_chunk_sql,
          key + [.ints(post.votes.classes), .ints(post.votes.votes), .int(worker.id)]))
    }
    let holder: [Parameter] = [.int(lease.id), .int(worker.id), .int(worker.epoch)]
    statements.append(
      finishes
        ? statement(PackageResources.finish_lease_sql, holder)
        : statement(PackageResources.extend_lease_sql, holder + [.double(deadlineSeconds)]))
    // Without BEGIN and COMMIT of their own: a process frozen between round trips would keep its locks.
    let results = try await connection.pipeline(statements)
    var outcome = PostOutcome()
    for i in chunks.indices {
      let differs = !results[2 * i + 1].isEmpty
      if !results[2 * i].isEmpty {
        outcome.stored += 1
      } else if differs {
        outcome.disagreements += 1
      } else {
        outcome.duplicates += 1
      }
    }
    outcome.leaseHeld = results.last.map { !$0.isEmpty } ?? false
    return outcome
  }

  /// Ends leases and puts their units without votes back. Returns the number of gaps.
  @discardableResult
  package func returnLeases(_ ids: [Int64]) async throws -> Int {
    try await connection.rows(PackageResources.return_leases_sql, [.bigints(ids)]).count
  }

  /// Compares this worker's canary with what is recorded for the checkpoint; false when it differs.
  package func canaryAgrees(
    checkpointDigest: String, numericsID: String, logitsDigest: String, worker: WorkerIdentity
  ) async throws -> Bool {
    let row = try await connection.rows(
      PackageResources.record_canary_sql,
      [.text(checkpointDigest), .text(numericsID), .text(logitsDigest), .int(worker.id)])[0]
    return try row.text("logits_digest") == logitsDigest
  }

  /// Writes a line into the event log.
  package func recordEvent(_ kind: String, run: Int64? = nil, worker: Int64? = nil, _ detail: String) async throws {
    try await connection.event(kind, run: run, worker: worker, detail)
  }
}
