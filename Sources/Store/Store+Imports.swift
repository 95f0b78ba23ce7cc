internal import Database

/// One noise level of results computed elsewhere, about to be recorded.
package struct NewImportedLog: Sendable {
  /// Canonical decimal.
  package var sigma: String
  package var n: Int
  package var alpha: Double
  package var hasIndices: Bool
  package var hasFullRadii: Bool
  package var files: [String]
  /// SHA-256 of each file, hexadecimal.
  package var fileDigests: [String]
  package var notes: [String]
  package var rows: [ImportedRow]

  package init(
    sigma: String, n: Int, alpha: Double, hasIndices: Bool, hasFullRadii: Bool, files: [String],
    fileDigests: [String], notes: [String], rows: [ImportedRow]
  ) {
    self.sigma = sigma
    self.n = n
    self.alpha = alpha
    self.hasIndices = hasIndices
    self.hasFullRadii = hasFullRadii
    self.files = files
    self.fileDigests = fileDigests
    self.notes = notes
    self.rows = rows
  }
}

/// One image of an imported log.
package struct ImportedRow: Sendable {
  /// Image index of the log; read back it is the row's place in logs without.
  package var imageIndex: Int?
  package var label: Int
  /// Nil for an abstention.
  package var predicted: Int?
  /// Nil for an abstention.
  package var radius: Double?
  package var hits: Int?
  package var statedCorrect: Bool?
  package var seconds: Double?

  package init(
    imageIndex: Int?, label: Int, predicted: Int?, radius: Double?, hits: Int?, statedCorrect: Bool?, seconds: Double?
  ) {
    self.imageIndex = imageIndex
    self.label = label
    self.predicted = predicted
    self.radius = radius
    self.hits = hits
    self.statedCorrect = statedCorrect
    self.seconds = seconds
  }
}

/// A name under which logs were imported.
package struct ImportedRunRecord: Sendable {
  package let id: Int64
  package let name: String
  package let source: String
}

/// One noise level of an imported run, without its rows.
package struct ImportedLogRecord: Sendable {
  package let importID: Int64
  package let name: String
  package let source: String
  package let sigma: String
  package let n: Int
  package let alpha: Double
  package let rowCount: Int
  package let files: [String]
  package let fileDigests: [String]
  package let notes: [String]
  package let importedAt: String
}

// Results that others computed. They never become certificates of this fleet: tables of their own hold them.
extension Store {
  /// Records logs under a name, all or none.
  ///
  /// - Returns: the number of the imported run, and the noise levels that were there already, in which case nothing is
  ///   recorded.
  package func insertImportedLogs(
    _ logs: [NewImportedLog], name: String, source: String
  ) async throws -> (id: Int64, known: [String]) {
    do {
      let id = try await connection.transaction { connection in
        let id = try connection.rows(PackageResources.insert_imported_run_sql, [.text(name), .text(source)])[0]
          .int("import_id")
        var known: [String] = []
        for log in logs where try !connection.insert(log, under: id) { known.append(log.sigma) }
        guard known.isEmpty else { throw AlreadyImported(id: id, sigmas: known) }
        return id
      }
      return (id, [])
    } catch let error as AlreadyImported {
      return (error.id, error.sigmas)
    }
  }

  /// The imported run of that name; nil when there is none.
  package func importedRun(_ name: String) async throws -> ImportedRunRecord? {
    try await connection.rows(PackageResources.find_imported_run_sql, [.text(name)]).first.map {
      ImportedRunRecord(id: try $0.int("import_id"), name: try $0.text("name"), source: try $0.text("source"))
    }
  }

  /// Noise levels of one imported run, or of all, in order of import and sigma.
  package func importedLogs(of id: Int64? = nil) async throws -> [ImportedLogRecord] {
    try await connection.rows(PackageResources.imported_logs_sql, [.optional(id.map { .int($0) })]).map {
      ImportedLogRecord(
        importID: try $0.int("import_id"), name: try $0.text("name"), source: try $0.text("source"),
        sigma: try $0.text("sigma"), n: Int(try $0.int("n")), alpha: try $0.double("alpha"),
        rowCount: Int(try $0.int("row_count")), files: try $0.texts("files"), fileDigests: try $0.texts("file_digests"),
        notes: try $0.texts("notes"), importedAt: try $0.text("imported_at"))
    }
  }

  /// Rows of an imported run by sigma, then image.
  package func importedRows(of id: Int64) async throws -> [String: [ImportedRow]] {
    var rows: [String: [ImportedRow]] = [:]
    for row in try await connection.rows(PackageResources.imported_results_sql, [.int(id)]) {
      rows[try row.text("sigma"), default: []].append(
        ImportedRow(
          imageIndex: Int(try row.int("image_index")), label: Int(try row.int("label")),
          predicted: try row.intOrNil("predicted").map { Int($0) }, radius: try row.doubleOrNil("radius"),
          hits: try row.intOrNil("n_a").map { Int($0) }, statedCorrect: nil, seconds: try row.doubleOrNil("seconds")))
    }
    return rows
  }

  /// Undoes the transaction of an import that was there before.
  private struct AlreadyImported: Error {
    let id: Int64
    let sigmas: [String]
  }
}

extension Connection {
  /// Returns false when the level is there already.
  fileprivate func insert(_ log: NewImportedLog, under id: Int64) throws -> Bool {
    let inserted = try rows(
      PackageResources.insert_imported_log_sql,
      [
        .int(id), .text(log.sigma), .int(log.n), .double(log.alpha), .int(log.rows.count), .bool(log.hasIndices),
        .bool(log.hasFullRadii), .texts(log.files), .texts(log.fileDigests), .texts(log.notes),
      ])
    guard !inserted.isEmpty else { return false }
    _ = try copyIn(
      "rrcm.imported_certificate",
      columns: [
        "import_id", "sigma", "row_number", "image_index", "label", "predicted", "radius", "n_a", "stated_correct",
        "seconds",
      ],
      rows: log.rows.enumerated().map { place, row in
        [
          .int(id), .text(log.sigma), .int(place), .optional(row.imageIndex.map { .int($0) }), .int(row.label),
          .optional(row.predicted.map { .int($0) }), .optional(row.radius.map { .double($0) }),
          .optional(row.hits.map { .int($0) }), .optional(row.statedCorrect.map { .bool($0) }),
          .optional(row.seconds.map { .double($0) }),
        ]
      })
    return true
  }
}
