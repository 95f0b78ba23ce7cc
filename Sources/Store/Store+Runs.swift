internal import Database

/// A run about to be recorded.
package struct NewRun: Sendable {
  /// `pretrain`, `finetune` or `certify`.
  package var kind: String
  package var name: String
  /// The resolved run file, JSON.
  package var spec: String
  package var seed: Int64
  package var priority: Int
  /// Share of the workers' time among runs of equal priority.
  package var weight: Int
  package var datasetDigest: String
  package var checkpointDigest: String?
  package var dependsOn: Int64?
  /// The certified images; nil for training.
  package var imageIndices: [Int32]?
  package var numericsIDs: [String]
  package var software: String
  package var certification: CertificationProtocol?

  package init(
    kind: String, name: String, spec: String, seed: Int64, priority: Int, datasetDigest: String,
    checkpointDigest: String?, dependsOn: Int64?, imageIndices: [Int32]?, numericsIDs: [String], software: String,
    certification: CertificationProtocol?, weight: Int = 100
  ) {
    self.kind = kind
    self.weight = weight
    self.name = name
    self.spec = spec
    self.seed = seed
    self.priority = priority
    self.datasetDigest = datasetDigest
    self.checkpointDigest = checkpointDigest
    self.dependsOn = dependsOn
    self.imageIndices = imageIndices
    self.numericsIDs = numericsIDs
    self.software = software
    self.certification = certification
  }
}

/// What a certificate depends on besides the votes; fixed when a run is submitted.
package struct CertificationProtocol: Sendable, Hashable {
  package struct Level: Sendable, Hashable {
    /// Canonical decimal.
    package var sigma: String
    /// 0 for the gaussian sampler.
    package var gridM: Int
    package var slack: Double
    package var tableDigest: String?

    package init(sigma: String, gridM: Int, slack: Double, tableDigest: String?) {
      self.sigma = sigma
      self.gridM = gridM
      self.slack = slack
      self.tableDigest = tableDigest
    }
  }

  package var mode: String
  package var n0: Int
  package var n: Int
  package var alpha: Double
  package var sampler: String
  package var chunkSamples: Int
  /// Share of chunks that another worker computes again; 0 for no audits. No certificate depends on it.
  package var auditShare: Double
  package var levels: [Level]
  /// Decimals, ascending.
  package var targets: [String]
  package var epsilon: Double?
  /// Prefixes in chunks at which items may be decided; empty unless the mode stops early.
  package var looks: [Int]

  package init(
    mode: String, n0: Int, n: Int, alpha: Double, sampler: String, chunkSamples: Int, auditShare: Double = 0,
    levels: [Level], targets: [String] = [], epsilon: Double? = nil, looks: [Int] = []
  ) {
    self.targets = targets
    self.epsilon = epsilon
    self.looks = looks
    self.mode = mode
    self.n0 = n0
    self.n = n
    self.alpha = alpha
    self.sampler = sampler
    self.chunkSamples = chunkSamples
    self.auditShare = auditShare
    self.levels = levels
  }
}

/// A stored run.
package struct RunRecord: Sendable {
  package let id: Int64
  package let name: String
  package let kind: String
  package let state: String
  package let spec: String
  package let seed: Int64
  package let datasetDigest: String
  package let checkpointDigest: String?
  package let imageIndices: [Int32]?
  package let numericsIDs: [String]
  package let error: String?

  init(_ row: Row) throws {
    id = try row.int("run_id")
    name = try row.text("name")
    kind = try row.text("kind")
    state = try row.text("state")
    spec = try row.text("spec")
    seed = try row.int("seed")
    datasetDigest = try row.text("dataset_digest")
    checkpointDigest = try row.textOrNil("checkpoint_digest")
    imageIndices = try row.intsOrNil("image_indices")
    numericsIDs = try row.texts("numerics_ids")
    error = try row.textOrNil("error")
  }
}

/// How far a run is: a row of the view `run_progress`.
package struct RunProgress: Sendable {
  package let id: Int64
  package let name: String
  package let kind: String
  package let state: String
  package let priority: Int
  package let done: Int64
  package let total: Int64
  /// `items` or `steps`: what `done` and `total` count.
  package let unit: String
  package let samples: Int64
  package let held: Int64
  package let disagreements: Int64
  package let dependsOn: Int64?
  package let error: String?
  package let createdAt: String
  package let elapsedSeconds: Double?
  package let weight: Int
  /// Since when it is paused; nil when it is not, or has ended. ISO 8601, UTC.
  package let pausedAt: String?
  /// Since when work of it has no live worker of its numerics id. ISO 8601, UTC.
  package let strandedAt: String?
  /// Certificates with an open audit.
  package let provisional: Int64

  /// What people see: `paused` while it is, else the state.
  package var shownState: String { pausedAt == nil ? state : "paused" }
  package var isFinished: Bool { ["done", "failed", "cancelled"].contains(state) }

  init(_ row: Row) throws {
    id = try row.int("run_id")
    name = try row.text("name")
    kind = try row.text("kind")
    state = try row.text("state")
    priority = Int(try row.int("priority"))
    done = try row.int("done")
    total = try row.int("total")
    unit = try row.text("unit")
    samples = try row.int("samples")
    held = try row.int("held")
    disagreements = try row.int("disagreements")
    dependsOn = try row.intOrNil("depends_on")
    error = try row.textOrNil("error")
    createdAt = try row.text("created_at")
    elapsedSeconds = try row.doubleOrNil("elapsed_seconds")
    weight = Int(try row.int("weight"))
    pausedAt = try row.textOrNil("paused_at")
    strandedAt = try row.textOrNil("stranded_at")
    provisional = try row.int("provisional")
  }
}

// Runs, as people handle them.
extension Store {
  /// Records a run with its protocol. Returns its number.
  package func insertRun(_ run: NewRun) async throws -> Int64 {
    try await insertRuns([(run, dependsOnPlace: nil)])[0]
  }

  /// Records runs with their protocols, all or none.
  ///
  /// - Parameter runs: each with the place of an earlier one in this list on which it depends, if any.
  /// - Returns: their numbers.
  package func insertRuns(_ runs: [(run: NewRun, dependsOnPlace: Int?)]) async throws -> [Int64] {
    try await connection.transaction { connection in
      var ids: [Int64] = []
      for (run, place) in runs {
        var run = run
        if let place { run.dependsOn = ids[place] }
        ids.append(try connection.insert(run))
      }
      return ids
    }
  }

  /// The run of that number, or the newest of that name.
  package func run(_ reference: String) async throws -> RunRecord? {
    try await connection.rows(PackageResources.find_run_sql, [.text(reference)]).first.map { try RunRecord($0) }
  }

  package func certification(ofRun id: Int64) async throws -> CertificationProtocol? {
    guard let row = try await connection.rows(PackageResources.find_certification_sql, [.int(id)]).first else {
      return nil
    }
    let levels = try await connection.rows(PackageResources.certification_sigmas_sql, [.int(id)]).map {
      CertificationProtocol.Level(
        sigma: try $0.text("sigma"), gridM: Int(try $0.int("grid_m")), slack: try $0.double("slack"),
        tableDigest: try $0.textOrNil("table_digest"))
    }
    return CertificationProtocol(
      mode: try row.text("mode"), n0: Int(try row.int("n0")), n: Int(try row.int("n")), alpha: try row.double("alpha"),
      sampler: try row.text("sampler"), chunkSamples: Int(try row.int("chunk_samples")),
      auditShare: try row.double("audit_share"), levels: levels,
      targets: try row.texts("targets"), epsilon: try row.doubleOrNil("epsilon"),
      looks: try row.intsOrNil("looks")?.map { Int($0) } ?? [])
  }

  /// Progress of all runs, or of one.
  package func progress(ofRun id: Int64? = nil) async throws -> [RunProgress] {
    try await connection.rows(PackageResources.list_runs_sql, [.optional(id.map { .int($0) })])
      .map { try RunProgress($0) }
  }

  /// Ends a run and takes its work out of the queue; what is stored stays. Returns false when it had already ended.
  package func cancelRun(_ id: Int64) async throws -> Bool {
    try await connection.rows(PackageResources.cancel_run_sql, [.int(id)])[0].int("runs") > 0
  }

  /// The newest value of each training metric of a run.
  package func latestMetrics(ofRun id: Int64) async throws -> [(name: String, step: Int64, value: Double)] {
    try await connection.rows(PackageResources.latest_metrics_sql, [.int(id)])
      .map { (try $0.text("name"), try $0.int("step"), try $0.double("value")) }
  }
}

extension Connection {
  func insert(_ run: NewRun) throws -> Int64 {
    let id = try rows(
      PackageResources.insert_run_sql,
      [
        .text(run.kind), .text(run.name), .json(run.spec), .int(run.seed), .int(run.priority),
        .text(run.datasetDigest), .optional(run.checkpointDigest.map { .text($0) }),
        .optional(run.dependsOn.map { .int($0) }), .optional(run.imageIndices.map { .ints($0) }),
        .texts(run.numericsIDs), .text(run.software), .int(run.weight),
      ])[0].int("run_id")
    guard let rules = run.certification else { return id }
    _ = try rows(
      PackageResources.insert_certification_sql,
      [
        .int(id), .text(rules.mode), .int(rules.n0), .int(rules.n), .double(rules.alpha), .text(rules.sampler),
        .int(rules.chunkSamples), .double(rules.auditShare), .texts(rules.targets),
        .optional(rules.epsilon.map { .double($0) }), .ints(rules.looks.map { Int32($0) }),
      ])
    _ = try rows(PackageResources.insert_audit_salt_sql, [.int(id)])
    for level in rules.levels {
      _ = try rows(
        PackageResources.insert_certification_sigma_sql,
        [
          .int(id), .text(level.sigma), .int(level.gridM), .double(level.slack),
          .optional(level.tableDigest.map { .text($0) }),
        ])
    }
    return id
  }
}
