internal import Compute
internal import Lifecycle
internal import Logging
internal import Store

extension WorkerService {
  /// Computes chunks again that others posted, before ordinary ranges but for no longer than one lease should take: work
  /// goes on however many audits are due. Answers what arbitration asks of this worker's canary.
  ///
  /// A chunk is computed in two parts, its first sample by itself, so that every other sample has a slot and neighbours in
  /// its batch that it did not have at first: votes do not depend on them, and where they did, an audit tells.
  /// - Returns: how many chunks were computed.
  func audit(_ task: CertifyTask, as identity: WorkerIdentity) async throws -> Int {
    for audit in try await store.openCanaryChecks(run: task.run.id, worker: identity) {
      let digest = try await engine.canary(checkpoint: task.checkpointDigest)
      try await store.answerCanaryCheck(audit: audit, worker: identity, logitsDigest: digest)
      logger.notice(
        "canary computed again for arbitration", metadata: ["run_id": "\(task.run.id)", "audit_id": "\(audit)"])
    }
    let patience = ContinuousClock.now + settings.timings.leaseTarget
    var count = 0
    repeat {
      guard !isStopping, registration.isHeld(identity) else { break }
      let deadline = settings.timings.leaseDeadline(
        units: 1, secondsPerUnit: task.sizer.secondsPerUnit(chunkSamples: task.units.chunkSamples))
      guard
        let audit = try await store.claimAudit(
          run: task.run.id, worker: identity, numericsID: task.numericsID, deadlineSeconds: deadline.inSeconds,
          aloneSeconds: settings.timings.deadAfter.inSeconds,
          patienceSeconds: settings.timings.auditPatience.inSeconds)
      else { break }
      let post = try await recompute(audit, of: task)
      let outcome = try await store.postAudit(audit.id, post, worker: identity)
      metrics.record(outcome)
      if outcome == .differs {
        logger.critical(
          "votes of an audit differ from those stored: the item is held until arbitration",
          metadata: ["run_id": "\(task.run.id)", "item_id": "\(audit.itemID)", "audit_id": "\(audit.id)"])
      }
      count += 1
    } while ContinuousClock.now < patience
    return count
  }

  private func recompute(_ audit: AuditLease, of task: CertifyTask) async throws -> ChunkPost {
    guard let level = task.levels[audit.sigma] else {
      throw Refusal(description: "the run's protocol has no sigma \(audit.sigma)", fault: .run)
    }
    let chunk = task.units.chunk(ofUnit: audit.unit)
    let cut = chunk.samples.lowerBound + 1
    let parts = [chunk.samples.lowerBound..<cut, cut..<chunk.samples.upperBound].filter { !$0.isEmpty }
    var votes: [Int32: Int32] = [:]
    var milliseconds = 0.0
    for part in parts {
      let post = try await engine.votes(
        ChunkWork(
          itemID: audit.itemID, checkpointDigest: task.checkpointDigest, datasetDigest: task.run.datasetDigest,
          imageIndex: audit.imageIndex, seed: task.run.seed, level: level,
          chunk: Chunk(phase: chunk.phase, chunk: chunk.chunk, samples: part)))
      for (k, n) in zip(post.votes.classes, post.votes.votes) { votes[k, default: 0] += n }
      milliseconds += post.computeMilliseconds
    }
    let classes = votes.keys.sorted()
    return ChunkPost(
      itemID: audit.itemID, chunk: chunk, votes: SparseVotes(classes: classes, votes: classes.map { votes[$0]! }),
      computeMilliseconds: milliseconds)
  }
}
