internal import Database
internal import Lifecycle

/// One chunk that a worker is to compute again.
package struct AuditLease: Sendable, Hashable {
  package let id: Int64
  package let itemID: Int64
  /// 0 for the selection chunk, 1 + k for estimation chunk k.
  package let unit: Int
  package let imageIndex: Int
  /// Canonical decimal.
  package let sigma: String
}

/// What became of an audit's result.
package enum AuditOutcome: Sendable, Hashable {
  /// The votes that are stored were found again.
  case agreed
  /// … by the worker that had posted them.
  case selfAudited
  /// Others: an alarm.
  case differs
  /// The audit had ended meanwhile, or this worker is in quarantine.
  case ignored
}

/// What was audited of a run: a row of the view `run_audit`.
package struct RunAudit: Sendable, Hashable {
  /// Share of chunks that is audited; 0 when nothing is.
  package var share: Double
  package var due: Int64
  package var disputed: Int64
  package var agreed: Int64
  package var selfAudited: Int64
  package var undecided: Int64
  /// Certificates with an open audit.
  package var provisional: Int64
  /// Chunks whose votes were voided.
  package var voided: Int64
  /// Certificates that were taken back.
  package var superseded: Int64

  init(_ row: Row) throws {
    share = try row.double("audit_share")
    due = try row.int("due")
    disputed = try row.int("disputed")
    agreed = try row.int("agreed")
    selfAudited = try row.int("self_audited")
    undecided = try row.int("undecided")
    provisional = try row.int("provisional")
    voided = try row.int("voided")
    superseded = try row.int("superseded")
  }
}

// Audits, as workers and people see them.
extension Store {
  /// Gives a worker an open audit of a run; nil when there is none for it.
  ///
  /// - Parameters:
  ///   - aloneSeconds: a worker audits itself when no other of its numerics id was heard of for so long.
  ///   - patienceSeconds: … or when nobody took the audit for so long.
  package func claimAudit(
    run: Int64, worker: WorkerIdentity, numericsID: String, deadlineSeconds: Double, aloneSeconds: Double,
    patienceSeconds: Double
  ) async throws -> AuditLease? {
    try await connection.rows(
      PackageResources.claim_audit_sql,
      [
        .int(run), .int(worker.id), .int(worker.epoch), .text(numericsID), .double(deadlineSeconds),
        .double(aloneSeconds), .double(patienceSeconds),
      ]
    ).first.map {
      AuditLease(
        id: try $0.int("audit_id"), itemID: try $0.int("item_id"),
        unit: try $0.int("phase") == 0 ? 0 : 1 + Int(try $0.int("chunk")), imageIndex: Int(try $0.int("image_index")),
        sigma: try $0.text("sigma"))
    }
  }

  /// Stores what a worker found when it computed an audited chunk again.
  package func postAudit(_ id: Int64, _ post: ChunkPost, worker: WorkerIdentity) async throws -> AuditOutcome {
    let results = try await connection.pipeline([
      statement(PackageResources.lock_poster_sql, [.int(worker.id)]),
      statement(
        PackageResources.post_audit_sql,
        [
          .int(id), .int(worker.id), .int(worker.epoch), .ints(post.votes.classes), .ints(post.votes.votes),
          .double(post.computeMilliseconds),
        ]),
    ])
    guard let row = results[1].first else { return .ignored }
    guard try row.bool("equal") else { return .differs }
    return try row.bool("own") ? .selfAudited : .agreed
  }

  /// Audits of a run for whose sake this worker is asked to compute its canary again.
  package func openCanaryChecks(run: Int64, worker: WorkerIdentity) async throws -> [Int64] {
    try await connection.rows(
      PackageResources.open_canary_checks_sql, [.int(run), .int(worker.id), .int(worker.epoch)]
    ).map { try $0.int("audit_id") }
  }

  package func answerCanaryCheck(audit: Int64, worker: WorkerIdentity, logitsDigest: String) async throws {
    _ = try await connection.rows(
      PackageResources.answer_canary_check_sql,
      [.int(audit), .int(worker.id), .int(worker.epoch), .text(logitsDigest)])
  }

  /// What was audited of a certification run; nil for others.
  package func audit(ofRun id: Int64) async throws -> RunAudit? {
    try await connection.rows(PackageResources.run_audit_sql, [.int(id)]).first.map { try RunAudit($0) }
  }

  /// Ends the quarantine of these workers. Returns the numbers of those that were in one.
  package func releaseWorkers(_ ids: [Int64]) async throws -> [Int64] {
    try await connection.transaction { connection in
      let released = try connection.rows(PackageResources.release_worker_sql, [.bigints(ids)])
        .map { try $0.int("worker_id") }
      for id in released { try connection.event("worker_released", worker: id, "its quarantine has ended") }
      return released
    }
  }
}

/// A worker that was set aside, and what was voided.
package struct Quarantine: Sendable, Hashable {
  package let worker: Int64
  package let name: String
  package let host: String
  package let reason: String
  package var chunks = 0
  package var certificates = 0
}

/// What one pass of arbitration did.
package struct Arbitration: Sendable, Hashable {
  package var quarantines: [Quarantine] = []
  /// Disputes that ended without anybody being set aside.
  package var settled = 0
  /// Disputes that nobody can settle: the items are held.
  package var undecided = 0
  /// Disputes that wait for a third worker or a canary.
  package var waiting = 0

  package init() {}
}

/// A dispute with the rows it is about.
private struct DisputedAudit {
  let audit: Int64
  let run: Int64
  let item: Int64
  /// `item 5 phase 1 chunk 3`
  let what: String
  let dispute: Dispute
}

// Arbitration, as the coordinator does it.
extension Store {
  /// Decides the disputes that can be decided, and sets workers aside that computed wrongly: the worker is barred, what it held goes
  /// back, what it posted is voided and opened again, all in one transaction. Safe to call from several coordinators at once.
  ///
  /// - Parameter patienceSeconds: how long a third worker, and then a canary, may take.
  package func arbitrate(patienceSeconds: Double) async throws -> Arbitration {
    // In transactions of their own: no audit is locked while a worker is waited for.
    _ = try await leading { try $0.rows(PackageResources.adopt_disagreements_sql).count }
    return try await leading { connection in
      var done = Arbitration()
      guard try connection.rows(PackageResources.lock_arbitration_sql)[0].bool("locked") else { return done }
      let cases = try connection.disputes(patienceSeconds: patienceSeconds)
      let verdicts = cases.map { ($0, $0.dispute.verdict) }
      // What else is in dispute may rest on the same worker: the next pass sees what is left.
      if case (let dispute, .guilty(let workers))? = verdicts.first(where: {
        if case .guilty = $1 { true } else { false }
      }) {
        for worker in workers.sorted() { _ = try connection.rows(PackageResources.lock_worker_sql, [.int(worker)]) }
        for worker in workers {
          done.quarantines.append(try connection.quarantine(worker, over: dispute))
        }
        _ = try connection.rows(PackageResources.release_items_sql)
        return done
      }
      for (dispute, verdict) in verdicts {
        switch verdict {
        case .due: try connection.settle(dispute, "due", nil)
        case .agreed: try connection.settle(dispute, "agreed", "other workers found the same votes")
        case .selfAudited:
          try connection.settle(dispute, "self_audited", "computed again by the same worker in other batches")
        case .wait: done.waiting += 1
        case .askCanaries(let workers):
          _ = try connection.rows(PackageResources.ask_canaries_sql, [.int(dispute.audit), .bigints(workers)])
          done.waiting += 1
        case .undecided(let reason):
          let sentence = "\(dispute.what) was computed twice with different votes; \(reason)"
          try connection.settle(dispute, "undecided", sentence)
          _ = try connection.rows(PackageResources.hold_disputed_item_sql, [.int(dispute.item), .text(sentence)])
          done.undecided += 1
        case .guilty: break
        }
        if [.due, .agreed, .selfAudited].contains(verdict) { done.settled += 1 }
      }
      if done.settled > 0 { _ = try connection.rows(PackageResources.release_items_sql) }
      return done
    }
  }
}

extension Connection {
  fileprivate func disputes(patienceSeconds: Double) throws -> [DisputedAudit] {
    let rows = try rows(PackageResources.disputes_sql, [.double(patienceSeconds)])
    guard !rows.isEmpty else { return [] }
    let ids = try rows.map { try $0.int("audit_id") }
    let again = Dictionary(
      grouping: try self.rows(PackageResources.dispute_computations_sql, [.bigints(ids)]),
      by: { try? $0.int("audit_id") })
    let canaries = Dictionary(
      grouping: try self.rows(PackageResources.dispute_canaries_sql, [.bigints(ids), .double(patienceSeconds)]),
      by: { try? $0.int("audit_id") })
    return try rows.map { row in
      let audit = try row.int("audit_id")
      let trusted = try row.textOrNil("trusted_digest")
      var results: [SparseVotes] = []
      func computation(_ row: Row, worker: String) throws -> Dispute.Computation {
        let votes = SparseVotes(classes: try row.ints("classes"), votes: try row.ints("votes"))
        let known = results.firstIndex(of: votes)
        if known == nil { results.append(votes) }
        return Dispute.Computation(worker: try row.int(worker), result: known ?? results.count - 1)
      }
      var dispute = Dispute(stored: try computation(row, worker: "poster_id"), again: [])
      dispute.again = try (again[audit] ?? []).map { try computation($0, worker: "worker_id") }
      dispute.posterIsBarred = try row.bool("poster_is_barred")
      dispute.thirdIsThere = try row.bool("third_is_there")
      dispute.isOverdue = try row.bool("overdue")
      dispute.canaryIsTrusted = trusted != nil
      for answer in canaries[audit] ?? [] {
        let digest = try answer.textOrNil("logits_digest")
        let (worker, isSilent) = (try answer.int("worker_id"), try answer.bool("silent"))
        let found: Dispute.Canary? = digest.map { $0 == trusted ? .agrees : .differs }
        dispute.canaries[worker] = found ?? (isSilent ? .silent : .pending)
      }
      return DisputedAudit(
        audit: audit, run: try row.int("run_id"), item: try row.int("item_id"),
        what: "item \(try row.int("item_id")) phase \(try row.int("phase")) chunk \(try row.int("chunk"))",
        dispute: dispute)
    }
  }

  fileprivate func settle(_ dispute: DisputedAudit, _ state: String, _ result: String?) throws {
    _ = try rows(
      PackageResources.settle_audit_sql, [.int(dispute.audit), .text(state), .optional(result.map { .text($0) })])
  }

  /// - Precondition: the worker's row is locked.
  /// One that was in quarantine already stays there for the reason it had; its votes go all the same, or the dispute would
  /// come up for ever.
  fileprivate func quarantine(_ worker: Int64, over dispute: DisputedAudit) throws -> Quarantine {
    let reason = "\(dispute.what) of run \(dispute.run): its votes are wrong, as arbitration found"
    let row = try rows(PackageResources.quarantine_worker_sql, [.int(worker), .text(reason)])[0]
    var quarantine = Quarantine(
      worker: worker, name: try row.text("name"), host: try row.text("host"), reason: reason)
    try self.event(
      "worker_quarantined", run: dispute.run, worker: worker, "\(quarantine.name) on \(quarantine.host): \(reason)")
    _ = try rows(PackageResources.return_leases_sql, [.bigints(try row.bigints("leases"))])
    _ = try rows(PackageResources.forget_canaries_sql, [.int(worker)])
    _ = try rows(PackageResources.lock_voted_items_sql, [.int(worker)])
    for run in try rows(PackageResources.void_votes_sql, [.int(worker), .text(reason), .int(dispute.audit)]) {
      let (chunks, certificates) = (Int(try run.int("chunks")), Int(try run.int("certificates")))
      quarantine.chunks += chunks
      quarantine.certificates += certificates
      try self.event(
        "votes_voided", run: try run.int("run_id"), worker: worker,
        "\(chunks) chunks of \(quarantine.name) are computed again, \(certificates) certificates superseded")
    }
    return quarantine
  }
}
