internal import Database

/// What deleting a run would remove, and what stands in the way.
package struct DeletePreview: Sendable {
  package let id: Int64
  package let name: String
  package let kind: String
  package let state: String
  package let hasEnded: Bool
  package let items: Int64
  package let chunks: Int64
  package let certificates: Int64
  package let metrics: Int64
  /// Runs that depend on it and are not deleted with it.
  package let dependents: [Int64]
  /// Sweep it belongs to.
  package let sweep: String?
}

// What is removed for good, at a person's word. Nothing here touches what is unfinished.
extension Store {
  package func deletePreview(_ ids: [Int64]) async throws -> [DeletePreview] {
    try await connection.rows(PackageResources.delete_preview_sql, [.bigints(ids)]).map {
      DeletePreview(
        id: try $0.int("run_id"), name: try $0.text("name"), kind: try $0.text("kind"), state: try $0.text("state"),
        hasEnded: try $0.bool("ended"), items: try $0.int("items"), chunks: try $0.int("chunks"),
        certificates: try $0.int("certificates"), metrics: try $0.int("metrics"),
        dependents: try $0.bigints("dependents"), sweep: try $0.textOrNil("sweep"))
    }
  }

  /// Deletes ended runs with all their rows, in one transaction; the checkpoints they made stay. Nothing when one of them
  /// has not ended.
  ///
  /// - Returns: the numbers of the deleted runs.
  /// - Throws: `DatabaseError` 23503 when another run, or a sweep, came to need one meanwhile; nothing is then deleted.
  package func deleteRuns(_ ids: [Int64]) async throws -> [Int64] {
    try await connection.transaction { connection in
      let runs: [Parameter] = [.bigints(ids)]
      guard try connection.rows(PackageResources.lock_ended_runs_sql, runs).count == ids.count else { return [] }
      let blocked = try connection.rows(PackageResources.delete_preview_sql, runs).contains {
        try !$0.bigints("dependents").isEmpty || $0.textOrNil("sweep") != nil
      }
      guard !blocked else { return [] }
      _ = try connection.rows(PackageResources.forget_maker_sql, runs)
      _ = try connection.rows(PackageResources.delete_items_sql, runs)
      return try connection.rows(PackageResources.delete_runs_sql, runs).map { try $0.int("run_id") }
    }
  }

  /// Events older than so many days, those of unfinished runs left out.
  package func oldEvents(days: Int) async throws -> Int64 {
    try await connection.rows(PackageResources.count_old_events_sql, [.int(days)])[0].int("events")
  }

  /// Removes those events. Returns how many.
  package func deleteOldEvents(days: Int) async throws -> Int64 {
    try await connection.rows(PackageResources.delete_old_events_sql, [.int(days)])[0].int("events")
  }

  /// Workers gone for more than so many days of which nothing is stored.
  package func oldWorkers(days: Int) async throws -> [Int64] {
    try await connection.rows(PackageResources.old_workers_sql, [.int(days)]).map { try $0.int("worker_id") }
  }

  /// Removes those of them to which nothing refers. Returns how many.
  package func deleteWorkers(_ ids: [Int64], days: Int) async throws -> Int64 {
    var count: Int64 = 0
    for id in ids {
      do {
        count += try await connection.rows(PackageResources.delete_worker_sql, [.int(id), .int(days)]).isEmpty ? 0 : 1
      } catch let error as DatabaseError where error.code == "23503" {
        continue  // Something came to refer to it, or does in a table of its own: it stays.
      }
    }
    return count
  }

  /// Digests of every file that a row names; of a checkpoint that of its manifest, which names more.
  package func neededFiles() async throws -> [(digest: String, isCheckpoint: Bool)] {
    try await connection.rows(PackageResources.needed_files_sql)
      .map { (try $0.text("digest"), try $0.bool("is_checkpoint")) }
  }
}
