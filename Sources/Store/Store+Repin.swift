internal import Database

/// What repinning a run would touch.
package struct RepinPreview: Sendable {
  package let kind: String
  package let state: String
  package let numericsIDs: [String]
  /// Items with work left that no live worker has shown to compute.
  package let stranded: Int64
  /// Those of them that were claimed under another id, and their stored chunks: these would be voided.
  package let items: Int64
  package let chunks: Int64
  /// A live worker has shown to compute the new id.
  package let isLive: Bool
}

// Runs whose numerics ids have no live worker.
extension Store {
  /// Notes runs that are stranded, with one event each time it begins. Returns those for which it began now.
  package func noteStranded() async throws -> [Int64] {
    try await leading { connection in
      try connection.rows(PackageResources.note_stranded_sql).map { try $0.int("run_id") }
    }
  }

  /// Notes what a worker computes, though no run that it looked at takes it.
  package func noteNumerics(_ numericsID: String, of worker: WorkerIdentity) async throws {
    _ = try await connection.rows(
      PackageResources.note_numerics_sql, [.int(worker.id), .int(worker.epoch), .text(numericsID)])
  }

  /// What repinning a run would touch.
  ///
  /// - Parameter numericsID: nil for whichever worker comes first.
  package func repinPreview(_ id: Int64, numericsID: String?) async throws -> RepinPreview? {
    try await connection.rows(
      PackageResources.repin_preview_sql, [.int(id), .optional(numericsID.map { .text($0) })]
    ).first.map {
      RepinPreview(
        kind: try $0.text("kind"), state: try $0.text("state"), numericsIDs: try $0.texts("numerics_ids"),
        stranded: try $0.int("stranded"), items: try $0.int("items"), chunks: try $0.int("chunks"),
        isLive: try $0.bool("live"))
    }
  }

  /// Gives a run's stranded items to another numerics id: their votes are voided, selection included, and they begin
  /// anew. Certified items, and those of ids with live workers, stay as they are. In one transaction.
  ///
  /// - Parameter numericsID: nil for whichever worker comes first.
  /// - Returns: the ids that may compute it now, with items and chunks voided; nil when the run does not run.
  package func repinRun(
    _ id: Int64, numericsID: String?
  ) async throws -> (numericsIDs: [String], items: Int64, chunks: Int64)? {
    try await connection.transaction { connection in
      let to: Parameter = .optional(numericsID.map { .text($0) })
      let items = try connection.rows(PackageResources.lock_stranded_sql, [.int(id), to]).map { try $0.int("item_id") }
      let reason = "repinned to \(numericsID ?? "any numerics id"): no live worker computed that of these votes"
      let voided = try connection.rows(PackageResources.void_items_sql, [.bigints(items), .text(reason)])[0]
      guard let run = try connection.rows(PackageResources.repin_run_sql, [.int(id), to]).first else { return nil }
      let (count, chunks) = (try voided.int("items"), try voided.int("chunks"))
      try connection.event(
        "run_repinned", run: id, "to \(numericsID ?? "any"): \(count) items begin anew, \(chunks) chunks were voided")
      return (try run.texts("numerics_ids"), count, chunks)
    }
  }
}
