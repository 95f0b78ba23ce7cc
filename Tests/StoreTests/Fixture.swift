import Database
import Lifecycle
import Store
import TestSupport

/// A database with an image set, a checkpoint and a planned certification run of two images at one sigma.
struct Fixture {
  let database: TestDatabase
  let store: Store
  let run: Int64

  static let numerics = "cpu-f32/test/portable/b8/x86_64"
  static let datasetDigest = String(repeating: "d", count: 64)
  static let checkpointDigest = String(repeating: "c", count: 64)
  /// Two selection draws, ten estimation draws in chunks of four: units 0…3.
  static let units = UnitPlan(n0: 2, n: 10, chunkSamples: 4)

  /// Makes the database, plans the run, and runs `body`.
  static func with<T: Sendable>(
    images: Int = 2, numerics: [String] = [], auditShare: Double = 0, _ body: (Fixture) async throws -> T
  ) async throws -> T {
    try await withTestDatabase { database in
      let store = Store(database.connection())
      return try await body(
        Fixture(database, store, images: images, numerics: numerics, auditShare: auditShare))
    }
  }

  /// Fills a database and plans the run.
  init(
    _ database: TestDatabase, _ store: Store, images: Int = 2, numerics: [String] = [], auditShare: Double = 0
  ) async throws {
    try await store.insertDataset(
      digest: Self.datasetDigest, name: "tiny", channels: 1, height: 2, width: 2, classes: ["a", "b", "c"],
      source: "a test",
      images: (0..<images).map {
        DatasetImageRow(
          split: "heldout", label: $0 % 3, source: "line \($0)", digest: String(repeating: "1", count: 64))
      })
    try await store.insertCheckpoint(
      digest: Self.checkpointDigest, name: "net", kind: "classifier", configuration: "{}", runID: nil, source: "a test")
    self.database = database
    self.store = store
    run = try await Self.insertRun(store, images: images, numerics: numerics, auditShare: auditShare)
  }

  /// Submits and plans a certification run.
  static func insertRun(
    _ store: Store, name: String = "probe", images: Int, numerics: [String] = [], priority: Int = 0, weight: Int = 100,
    auditShare: Double = 0
  ) async throws -> Int64 {
    let run = try await store.insertRun(
      NewRun(
        kind: "certify", name: name, spec: "{}", seed: 7, priority: priority, datasetDigest: datasetDigest,
        checkpointDigest: checkpointDigest, dependsOn: nil, imageIndices: (0..<Int32(images)).map { $0 },
        numericsIDs: numerics, software: "test",
        certification: CertificationProtocol(
          mode: "fixed", n0: 2, n: 10, alpha: 0.001, sampler: "grid", chunkSamples: 4, auditShare: auditShare,
          levels: [.init(sigma: "0.25", gridM: 1, slack: 1e-12, tableDigest: String(repeating: "e", count: 64))]),
        weight: weight))
    _ = try await store.planSubmittedRuns { _ in .items(units: units.unitCount) }
    return run
  }

  /// Another run over the same images.
  func secondRun(_ name: String = "second", images: Int = 2, priority: Int = 0, weight: Int = 100) async throws -> Int64
  {
    try await Self.insertRun(store, name: name, images: images, priority: priority, weight: weight)
  }

  /// A store of another party, on a connection of its own.
  func party() -> Store { Store(database.connection()) }

  func worker(_ name: String = "w") async throws -> WorkerIdentity {
    try await store.register(name: name, host: "h", pid: 1, device: "test", software: "test")
  }

  func claim(
    _ worker: WorkerIdentity, units: Int = 4, numerics: String = Fixture.numerics, floor: Int64 = 0,
    deadline: Double = 60, store: Store? = nil
  ) async throws -> Lease? {
    try await (store ?? self.store).claim(
      run: run, worker: worker, numericsID: numerics, units: units, deadlineSeconds: deadline, floor: floor)
  }

  /// Votes for one unit of a lease: all for one class.
  func votes(_ lease: Lease, unit: Int, topClass: Int32 = 1) -> ChunkPost {
    let chunk = Self.units.chunk(ofUnit: unit)
    return ChunkPost(
      itemID: lease.itemID, chunk: chunk,
      votes: SparseVotes(classes: [topClass], votes: [Int32(chunk.samples.count)]), computeMilliseconds: 1)
  }

  @discardableResult
  func post(
    _ lease: Lease, _ worker: WorkerIdentity, units: [Int]? = nil, topClass: Int32 = 1, finishes: Bool = true,
    store: Store? = nil
  ) async throws -> PostOutcome {
    try await (store ?? self.store).post(
      (units ?? Array(lease.units)).map { votes(lease, unit: $0, topClass: topClass) }, lease: lease, worker: worker,
      finishes: finishes, deadlineSeconds: 60)
  }

  func number(_ sql: String) async throws -> Int64 {
    try await store.connection.query("SELECT (\(sql))::bigint AS n")[0].int("n")
  }
}
