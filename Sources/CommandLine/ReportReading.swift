internal import Report
internal import RunFile
internal import Smoothing
internal import Store

/// Everything a report shows of a run or of imported logs, out of the database.
///
/// - Parameter reference: number or name of a run, name of imported logs, or `imported:NAME`.
/// - Throws: `CommandFailure` for an unknown name and for a run that certifies nothing.
func runReport(of reference: String, in store: Store) async throws -> RunReport {
  let prefix = "imported:"
  if reference.hasPrefix(prefix) {
    let name = String(reference.dropFirst(prefix.count))
    guard let imported = try await store.importedRun(name) else {
      throw CommandFailure("no logs were imported as \"\(name)\"; see: rrcm import list")
    }
    return try await importedReport(imported, in: store)
  }
  if let record = try await store.run(reference) { return try await fleetReport(record, in: store) }
  if let imported = try await store.importedRun(reference) { return try await importedReport(imported, in: store) }
  throw CommandFailure(
    "no run and no imported log \"\(reference)\"; see: rrcm run list, rrcm import list", status: .badInput)
}

private func fleetReport(_ record: RunRecord, in store: Store) async throws -> RunReport {
  guard let rules = try await store.certification(ofRun: record.id) else {
    throw CommandFailure(
      "run \(record.id) (\(record.name)) is a \(record.kind) and certifies nothing; see: rrcm run show \(record.name)")
  }
  let rows = Dictionary(grouping: try await store.results(ofRun: record.id), by: \.sigma)
  let images = try await store.dataset(record.datasetDigest)
  let checkpoint: String? =
    if let digest = record.checkpointDigest { try await store.checkpointName(digest) } else { nil }
  let planned = record.imageIndices?.count ?? 0
  let alpha = ExactDecimal(rules.alpha)!
  var fleet = RunReport.Fleet(
    runID: record.id, state: record.state, error: record.error,
    checkpoint: .init(name: checkpoint ?? "not made yet", digest: record.checkpointDigest ?? ""),
    images: .init(
      dataset: images?.name ?? record.datasetDigest, digest: record.datasetDigest,
      subset: (try? RunFile.parse(record.spec).dataset.summary) ?? "list of \(planned)",
      classNames: images?.classes ?? []),
    settings: .init(
      n0: rules.n0, n: rules.n, alpha: alpha, sampler: RunReport.SamplerKind(rawValue: rules.sampler)!,
      seed: record.seed, numerics: record.numericsIDs, mode: CertificateMode(rawValue: rules.mode)!,
      targets: rules.targets.compactMap { ExactDecimal($0) }, epsilon: rules.epsilon),
    otherRuns: try await store.otherRuns(like: record.id),
    audits: try await store.audit(ofRun: record.id).map { audit in
      .init(
        share: audit.share, agreed: Int(audit.agreed), own: Int(audit.selfAudited),
        open: Int(audit.due + audit.disputed), provisional: Int(audit.provisional), voided: Int(audit.voided),
        superseded: Int(audit.superseded))
    })
  if !rules.looks.isEmpty {
    let samples = try await store.samplesUsed(ofRun: record.id)
    fleet.samples = .init(used: samples.used, beyond: samples.beyond, planned: samples.planned)
  }
  let levels = rules.levels.map { level in
    let results = rows[level.sigma] ?? []
    return RunReport.Level(
      sigma: ExactDecimal(level.sigma)!, draws: rules.n, alpha: alpha, m: level.gridM > 0 ? level.gridM : nil,
      slack: level.slack, tableDigest: level.tableDigest, planned: planned,
      held: results.count { $0.state == "held" },
      items: results.compactMap { row in
        row.certificate.map {
          RunReport.Item(
            imageIndex: row.imageIndex, label: row.label, topClass: $0.topClass, radius: $0.radius, pLower: $0.pLower,
            hits: $0.hits, draws: $0.n, seconds: $0.computeSeconds, source: row.source,
            modeFacts: .init(
              runnerUpHits: $0.runnerUpVotes, pUpper: $0.pUpper, pValue: $0.pValue, targetsReached: $0.targetsReached))
        }
      })
  }
  return RunReport(name: record.name, basis: .fleet(fleet), levels: levels)
}

private func importedReport(_ record: ImportedRunRecord, in store: Store) async throws -> RunReport {
  let logs = try await store.importedLogs(of: record.id)
  let rows = try await store.importedRows(of: record.id)
  let levels = logs.map { log in
    RunReport.Level(
      sigma: ExactDecimal(log.sigma)!, draws: log.n, alpha: ExactDecimal(log.alpha)!, planned: log.rowCount,
      items: (rows[log.sigma] ?? []).map { row in
        RunReport.Item(
          imageIndex: row.imageIndex ?? 0, label: row.label, topClass: row.predicted, radius: row.radius, pLower: nil,
          hits: row.hits, draws: log.n, seconds: row.seconds)
      })
  }
  let imported = RunReport.Imported(
    importID: record.id, source: record.source,
    files: logs.flatMap { log in zip(log.files, log.fileDigests).map { "sigma \(log.sigma): \($0) · \($1)" } },
    notes: logs.flatMap { log in log.notes.map { "sigma \(log.sigma): \($0)" } })
  return RunReport(name: record.name, basis: .imported(imported), levels: levels)
}
