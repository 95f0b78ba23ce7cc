internal import Database

/// A worker as people see it: a row of the view `worker_health`.
package struct WorkerRecord: Sendable {
  package let id: Int64
  package let name: String
  package let epoch: Int64
  /// `live`, `draining`, `gone` or `quarantined`.
  package let state: String
  package let host: String
  package let pid: Int64
  package let device: String
  package let software: String
  /// Numerics ids it has shown to compute.
  package let numericsIDs: [String]
  /// Measured on its current run; nil until then.
  package let samplesPerSecond: Double?
  package let silentSeconds: Double
  package let leases: Int64
  package let trainingRun: Int64?
  /// ISO 8601, UTC.
  package let registeredAt: String
  /// Why it may neither claim nor post; nil when it may.
  package let quarantine: String?

  init(_ row: Row) throws {
    id = try row.int("worker_id")
    name = try row.text("name")
    epoch = try row.int("epoch")
    state = try row.text("state")
    host = try row.text("host")
    pid = try row.int("pid")
    device = try row.text("device")
    software = try row.text("software")
    numericsIDs = try row.texts("numerics_ids")
    samplesPerSecond = try row.doubleOrNil("samples_per_second")
    silentSeconds = try row.double("silent_seconds")
    leases = try row.int("leases")
    trainingRun = try row.intOrNil("training_run_id")
    registeredAt = try row.text("registered_at")
    quarantine = try row.textOrNil("quarantine_reason")
  }
}

/// One item with what is known of it.
package struct ItemRecord: Sendable {
  package let id: Int64
  package let imageIndex: Int64
  /// Canonical decimal.
  package let sigma: String
  package let label: Int64
  package let state: String
  package let units: Int64
  /// Units that were claimed at least once.
  package let claimed: Int64
  /// Units with stored votes, and their samples.
  package let posted: Int64
  package let samples: Int64
  package let numericsID: String?
  package let topClass: Int64?
  package let predicted: Int64?
  package let radius: Double?
  package let abstained: Bool?
  package let correct: Bool?
  package let hits: Int64?
  package let n: Int64?
  package let pLower: Double?
  package let computeSeconds: Double?
  /// Computations that differ from the stored votes.
  package let disagreements: Int64
  package let error: String?

  init(_ row: Row) throws {
    id = try row.int("item_id")
    imageIndex = try row.int("image_index")
    sigma = try row.text("sigma")
    label = try row.int("label")
    state = try row.text("state")
    units = try row.int("unit_count")
    claimed = try row.int("next_unit")
    posted = try row.int("units")
    samples = try row.int("samples")
    numericsID = try row.textOrNil("numerics_id")
    topClass = try row.intOrNil("top_class")
    predicted = try row.intOrNil("predicted")
    radius = try row.doubleOrNil("radius")
    abstained = try row.boolOrNil("abstained")
    correct = try row.boolOrNil("correct")
    hits = try row.intOrNil("n_a")
    n = try row.intOrNil("n")
    pLower = try row.doubleOrNil("p_lower")
    computeSeconds = try row.doubleOrNil("compute_seconds")
    disagreements = try row.int("disagreements")
    error = try row.textOrNil("error")
  }
}

/// One computation of one chunk.
package struct ChunkRecord: Sendable {
  package let itemID: Int64
  /// 0 selection, 1 estimation.
  package let phase: Int64
  package let chunk: Int64
  /// Whether these votes count; false for a later computation that differed.
  package let isStored: Bool
  package let samples: Int64
  package let classes: [Int32]
  package let votes: [Int32]
  package let worker: String
  package let computeMilliseconds: Double?
  package let postedAt: String

  init(_ row: Row) throws {
    itemID = try row.int("item_id")
    phase = try row.int("phase")
    chunk = try row.int("chunk")
    isStored = try row.bool("stored")
    samples = try row.int("samples")
    classes = try row.ints("classes")
    votes = try row.ints("votes")
    worker = try row.text("worker")
    computeMilliseconds = try row.doubleOrNil("compute_ms")
    postedAt = try row.text("posted_at")
  }
}

/// What cancelling a run would touch.
package struct CancelPreview: Sendable {
  package let id: Int64
  package let name: String
  package let state: String
  package let hasEnded: Bool
  /// Items without a certificate.
  package let items: Int64
  package let leases: Int64
  package let jobs: Int64
  /// Unfinished runs that wait for it, and will be refused.
  package let waiting: [Int64]
}

// What people list.
extension Store {
  /// Workers by name.
  ///
  /// - Parameter includingGone: also those that left, or were lost, more than an hour ago.
  package func workers(includingGone: Bool = false) async throws -> [WorkerRecord] {
    try await connection.rows(PackageResources.worker_health_sql, [.bool(includingGone)]).map { try WorkerRecord($0) }
  }

  /// Items of a run by sigma, then image; those of one image where it is given.
  package func items(ofRun id: Int64, image: Int? = nil) async throws -> [ItemRecord] {
    try await connection.rows(PackageResources.list_items_sql, [.int(id), .optional(image.map { .int($0) })])
      .map { try ItemRecord($0) }
  }

  /// Every computation on record of these items' chunks, by item, phase and chunk.
  package func chunks(ofItems ids: [Int64]) async throws -> [ChunkRecord] {
    try await connection.rows(PackageResources.item_chunks_sql, [.bigints(ids)]).map { try ChunkRecord($0) }
  }

  /// What cancelling these runs would touch.
  package func cancelPreview(_ ids: [Int64]) async throws -> [CancelPreview] {
    try await connection.rows(PackageResources.cancel_preview_sql, [.bigints(ids)]).map {
      CancelPreview(
        id: try $0.int("run_id"), name: try $0.text("name"), state: try $0.text("state"),
        hasEnded: try $0.bool("ended"),
        items: try $0.int("items"), leases: try $0.int("leases"), jobs: try $0.int("jobs"),
        waiting: try $0.bigints("waiting"))
    }
  }

  /// Live workers that hold work of a run, and the sum of the speeds they measured; nil before any has.
  package func pace(ofRun id: Int64) async throws -> (workers: Int64, samplesPerSecond: Double?) {
    let row = try await connection.rows(PackageResources.run_pace_sql, [.int(id)])[0]
    return (try row.int("workers"), try row.doubleOrNil("samples_per_second"))
  }

  /// Live workers with the speed in samples/s at which each computed networks of a shape; nil for those that have not yet.
  ///
  /// - Parameter configuration: the network's configuration, JSON.
  package func measuredSpeeds(configuration: String) async throws -> [(worker: String, samplesPerSecond: Double?)] {
    try await connection.rows(PackageResources.measured_speeds_sql, [.json(configuration)])
      .map { (try $0.text("name"), try $0.doubleOrNil("samples_per_second")) }
  }
}
