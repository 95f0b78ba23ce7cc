internal import Report
internal import Store

/// A certification run with everything its certificates were computed from, read item by item.
struct VotedRun {
  let record: RunRecord
  let rules: CertificationProtocol
  let items: [ItemRecord]
  private let certificates: [Key: ResultRow.Certificate]

  private struct Key: Hashable {
    let sigma: String
    let image: Int
  }

  /// - Parameter reference: number or name of a run.
  /// - Throws: `CommandFailure` for an unknown name, imported logs, and a run that certifies nothing.
  init(_ reference: String, in store: Store) async throws {
    guard let record = try await store.run(reference) else {
      let isImported = try await store.importedRun(reference) != nil
      throw CommandFailure(
        isImported
          ? "\"\(reference)\" was imported from logs: no votes came with them, nothing can be computed anew"
          : "no run \"\(reference)\"; see: rrcm run list", status: .badInput)
    }
    guard let rules = try await store.certification(ofRun: record.id) else {
      throw CommandFailure(
        "run \(record.id) (\(record.name)) is a \(record.kind) and certifies nothing; see: rrcm run show \(record.name)",
        status: .badInput)
    }
    self.record = record
    self.rules = rules
    items = try await store.items(ofRun: record.id)
    var certificates: [Key: ResultRow.Certificate] = [:]
    for row in try await store.results(ofRun: record.id) {
      certificates[Key(sigma: row.sigma, image: row.imageIndex)] = row.certificate
    }
    self.certificates = certificates
  }

  /// Chunks with stored votes when the items were read.
  var storedChunks: Int { items.reduce(0) { $0 + Int($1.posted) } }

  /// Hands over every item with its certificate, if it has one, and its chunks: by sigma, then image, some at a time.
  func forEachItem(
    in store: Store, _ body: (ItemRecord, ResultRow.Certificate?, [ChunkRecord]) throws -> Void
  ) async throws {
    var start = items.startIndex
    while start < items.endIndex {
      // As many items as have some ten thousand chunks together.
      var end = start
      var chunks = 0
      while end < items.endIndex && (end == start || chunks + Int(items[end].posted) <= 10_000) {
        chunks += Int(items[end].posted)
        end += 1
      }
      let page = items[start..<end]
      let rows = Dictionary(grouping: try await store.chunks(ofItems: page.map(\.id)), by: \.itemID)
      for item in page {
        let certificate = certificates[Key(sigma: item.sigma, image: Int(item.imageIndex))]
        try body(item, certificate, rows[item.id] ?? [])
      }
      start = end
    }
  }
}
