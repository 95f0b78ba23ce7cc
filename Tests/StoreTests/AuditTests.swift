import Database
import Lifecycle
import Store
import TestSupport
import Testing

@Suite("Audits") struct AuditTests {
  /// A fleet of names over one run; every worker has shown its numerics id.
  private static func with(
    _ names: [String], images: Int = 2, share: Double = 1,
    _ body: (Fixture, [String: WorkerIdentity]) async throws -> Void
  ) async throws {
    try await Fixture.with(images: images, auditShare: share) { fixture async throws in
      var workers: [String: WorkerIdentity] = [:]
      for name in names {
        workers[name] = try await fixture.worker(name)
        _ = try await fixture.store.pinRun(fixture.run, numericsID: Fixture.numerics, worker: workers[name]!)
      }
      try await body(fixture, workers)
    }
  }

  /// Claims and posts everything that is left.
  private static func compute(_ fixture: Fixture, _ worker: WorkerIdentity, topClass: Int32 = 1, limit: Int = .max)
    async throws
  {
    var count = 0
    while count < limit, let lease = try await fixture.claim(worker) {
      try await fixture.post(lease, worker, topClass: topClass)
      count += 1
    }
  }

  /// Stores a certificate, from what the votes say, for every complete item. Returns how many.
  @discardableResult
  private static func certify(_ fixture: Fixture, store: Store? = nil) async throws -> Int {
    let store = store ?? fixture.store
    var rows: [CertificateRow] = []
    for item in try await store.completeItems(limit: 100) {
      let selection = try await store.votes(ofItems: [item.id], phase: 0)[item.id] ?? [:]
      let chosen = selection.max { $0.value < $1.value }!.key
      guard let topClass = try await store.freezeTopClasses([(item.id, chosen, item.revision)])[item.id]
      else { continue }
      let hits = try await store.votes(ofItems: [item.id], phase: 1)[item.id]?[topClass] ?? 0
      rows.append(
        CertificateRow(item: item, topClass: topClass, hits: hits, pLower: 0.9, radius: 0.1, computeSeconds: 1))
    }
    return try await store.insertCertificates(rows)
  }

  private static func claim(
    _ fixture: Fixture, _ worker: WorkerIdentity, alone: Double = 35, patience: Double = 600
  ) async throws -> AuditLease? {
    try await fixture.store.claimAudit(
      run: fixture.run, worker: worker, numericsID: Fixture.numerics, deadlineSeconds: 60, aloneSeconds: alone,
      patienceSeconds: patience)
  }

  private static func answer(
    _ fixture: Fixture, _ audit: AuditLease, _ worker: WorkerIdentity, topClass: Int32 = 1
  ) async throws -> AuditOutcome {
    let chunk = Fixture.units.chunk(ofUnit: audit.unit)
    return try await fixture.store.postAudit(
      audit.id,
      ChunkPost(
        itemID: audit.itemID, chunk: chunk,
        votes: SparseVotes(classes: [topClass], votes: [Int32(chunk.samples.count)]), computeMilliseconds: 1),
      worker: worker)
  }

  /// Answers every audit that the worker may take. Returns how many.
  @discardableResult
  private static func auditAll(_ fixture: Fixture, _ worker: WorkerIdentity, topClass: Int32 = 1) async throws -> Int {
    var count = 0
    while let audit = try await claim(fixture, worker) {
      _ = try await answer(fixture, audit, worker, topClass: topClass)
      count += 1
    }
    return count
  }

  @Test("a certificate is provisional until another worker has found the same votes, and the run ends only then")
  func provisional() async throws {
    try await Self.with(["a", "b"]) { fixture, w in
      try await Self.compute(fixture, w["a"]!)
      #expect(try await Self.certify(fixture) == 2)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.audit") == 8, "share 1: every chunk")
      #expect(try await fixture.store.progress(ofRun: fixture.run)[0].provisional == 2)
      #expect(
        try await fixture.number("SELECT count(*) FROM rrcm.certificate_result WHERE provisional") == 2)
      #expect(try await fixture.store.finishRuns().isEmpty)
      #expect(try await fixture.store.readyRuns().map(\.id) == [fixture.run], "the run has something to claim")
      #expect(try await Self.claim(fixture, w["a"]!) == nil, "nobody audits itself while others live")
      #expect(try await Self.auditAll(fixture, w["b"]!) == 8)
      #expect(try await fixture.store.audit(ofRun: fixture.run)?.agreed == 8)
      #expect(try await fixture.store.progress(ofRun: fixture.run)[0].provisional == 0)
      #expect(try await fixture.store.finishRuns() == [fixture.run])
    }
  }

  @Test("which chunks are audited follows from a secret of the run; of every worker at least one is")
  func drawn() async throws {
    try await Self.with(["a", "b"], images: 120, share: 0.1) { fixture, w in
      try await Self.compute(fixture, w["a"]!, limit: 60)
      try await Self.compute(fixture, w["b"]!)
      try await Self.certify(fixture)
      try await Self.certify(fixture)
      let drawn = try await fixture.number("SELECT count(*) FROM rrcm.audit WHERE cause = 'drawn'")
      // 480 chunks at 0.1: 48 expected, deviation 6.6.
      #expect((15...85).contains(drawn))
      #expect(
        try await fixture.number(
          "SELECT count(*) FROM rrcm.audit JOIN rrcm.audit_salt USING (run_id) WHERE (rrcm.audit_draw(salt, item_id, phase, chunk) < 0.1) <> (cause = 'drawn')"
        ) == 0)
      #expect(try await fixture.number("SELECT count(DISTINCT poster_id) FROM rrcm.audit") == 2)
      // Another secret, other chunks.
      #expect(
        try await fixture.number(
          "SELECT count(*) FROM rrcm.audit WHERE cause = 'drawn' AND rrcm.audit_draw(uuid_send(gen_random_uuid()), item_id, phase, chunk) < 0.1"
        ) < drawn)
    }
    try await Self.with(["a"], images: 20, share: 1e-9) { fixture, w in
      try await Self.compute(fixture, w["a"]!)
      try await Self.certify(fixture)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.audit WHERE cause = 'worker'") == 1)
    }
    try await Self.with(["a"], share: 0) { fixture, w in
      try await Self.compute(fixture, w["a"]!)
      try await Self.certify(fixture)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.audit") == 0)
      #expect(try await fixture.store.finishRuns() == [fixture.run])
    }
  }

  @Test("two aggregators at once draw each audit once and store each certificate once")
  func twoAggregators() async throws {
    try await Self.with(["a", "b"], images: 60, share: 0.5) { fixture, w in
      try await Self.compute(fixture, w["a"]!, limit: 30)
      try await Self.compute(fixture, w["b"]!)
      let parties = [fixture.party(), fixture.party(), fixture.party()]
      let stored = try await withThrowingTaskGroup(of: Int.self) { group in
        for party in parties { group.addTask { try await Self.certify(fixture, store: party) } }
        return try await group.reduce(0, +)
      }
      #expect(stored == 60)
      #expect(
        try await fixture.number(
          "SELECT count(*) FROM (SELECT FROM rrcm.audit GROUP BY item_id, phase, chunk HAVING count(*) > 1) t") == 0)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.audit WHERE cause = 'drawn'") > 60)
    }
  }

  @Test("a lone worker audits itself, and that is said; one that another of its id was heard of lately does not")
  func alone() async throws {
    try await Self.with(["a", "b"], images: 1) { fixture, w in
      try await Self.compute(fixture, w["a"]!)
      try await Self.certify(fixture)
      try await fixture.store.leave(w["b"]!)
      #expect(try await Self.claim(fixture, w["a"]!) == nil, "b left just now")
      let patient = try await Self.claim(fixture, w["a"]!, patience: -1)
      #expect(patient != nil, "but nobody waits for ever")
      try await fixture.store.connection.script(
        "UPDATE rrcm.worker SET beat_at = now() - interval '40 seconds' WHERE name = 'b'; UPDATE rrcm.audit SET holder_id = NULL, holder_epoch = NULL, deadline_at = NULL"
      )
      // Somebody who has not shown an id yet may be one: only a while after the audit was drawn is nobody waited for.
      _ = try await fixture.worker("newcomer")
      #expect(try await Self.claim(fixture, w["a"]!) == nil)
      let audit = try #require(try await Self.claim(fixture, w["a"]!, alone: -1))
      #expect(try await Self.answer(fixture, audit, w["a"]!) == .selfAudited)
      #expect(try await fixture.store.audit(ofRun: fixture.run)?.selfAudited == 1)
      #expect(try await fixture.store.audit(ofRun: fixture.run)?.agreed == 0)
    }
  }

  @Test("an audit whose holder is gone, or late, goes to somebody else")
  func rescued() async throws {
    try await Self.with(["a", "b", "c"], images: 1) { fixture, w in
      try await Self.compute(fixture, w["a"]!)
      try await Self.certify(fixture)
      var held: Set<Int64> = []
      while let audit = try await Self.claim(fixture, w["b"]!) { held.insert(audit.id) }
      #expect(held.count == 4)
      #expect(try await Self.claim(fixture, w["c"]!) == nil)
      try await fixture.store.leave(w["b"]!)
      let audit = try #require(try await Self.claim(fixture, w["c"]!))
      #expect(held.contains(audit.id))
      try await fixture.store.connection.execute("UPDATE rrcm.audit SET deadline_at = now() - interval '1 second'")
      #expect(try await Self.auditAll(fixture, w["c"]!) == 4)
    }
  }

  @Test(
    "of two that differ a third tells who is wrong: it is set aside, its votes are voided, what rests on them is done anew"
  )
  func thirdWorker() async throws {
    try await Self.with(["good", "bad", "third"], images: 3) { fixture, w in
      let (good, bad, third) = (w["good"]!, w["bad"]!, w["third"]!)
      // The broken worker posts two images, a good one the third; the broken one votes for another class.
      try await Self.compute(fixture, bad, topClass: 2, limit: 2)
      try await Self.compute(fixture, good)
      #expect(try await Self.certify(fixture) == 3)
      let first = try #require(try await Self.claim(fixture, good))
      #expect(try await Self.answer(fixture, first, good) == .differs)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'") == 1)
      #expect(try await fixture.store.arbitrate(patienceSeconds: 60).waiting == 1)
      let again = try #require(try await Self.claim(fixture, third))
      #expect(again.id == first.id, "disputes come first")
      #expect(try await Self.answer(fixture, again, third) == .differs)

      let arbitration = try await fixture.store.arbitrate(patienceSeconds: 60)
      #expect(arbitration.quarantines.map(\.name) == ["bad"])
      #expect(arbitration.quarantines[0].chunks == 8 && arbitration.quarantines[0].certificates == 2)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count_void") == 8)
      #expect(
        try await fixture.number(
          "SELECT count(*) FROM rrcm.certificate_superseded WHERE certificate ->> 'top_class' = '2'") == 2)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.certificate") == 1)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.item WHERE top_class IS NULL") == 2, "unfrozen")
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'") == 0)
      #expect(try await fixture.number("SELECT sum(hi - lo) FROM rrcm.gap") == 8)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.event WHERE kind = 'worker_quarantined'") == 1)

      // Neither a late post nor a claim nor a registration of it has an effect.
      let lease = Lease(
        id: 0, itemID: first.itemID, units: 0..<4, imageIndex: 0, sigma: "0.25", numericsID: Fixture.numerics)
      let late = try await fixture.post(lease, bad, topClass: 2)
      #expect(late.isRefused && late.stored == 0 && late.disagreements == 0)
      #expect(try await fixture.claim(bad) == nil)
      #expect(try await fixture.store.beat(bad, samplesPerSecond: nil) == .lost)
      await #expect(throws: Quarantined.self) { try await fixture.worker("bad") }
      #expect(try await fixture.claim(bad) == nil)

      try await Self.compute(fixture, good)
      #expect(try await Self.certify(fixture) == 2)
      try await Self.auditAll(fixture, third)
      _ = try await fixture.store.arbitrate(patienceSeconds: 60)
      #expect(try await fixture.store.finishRuns() == [fixture.run])
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.certificate WHERE top_class = 1 AND n_a = 10") == 3)

      // Released by a person it works again.
      #expect(try await fixture.store.releaseWorkers([bad.id]) == [bad.id])
      let released = try await fixture.worker("bad")
      #expect(released.id == bad.id && released.epoch > bad.epoch)
    }
  }

  @Test("where the auditor is wrong, the certificate stands and the auditor is set aside")
  func wrongAuditor() async throws {
    try await Self.with(["good", "bad", "third"], images: 1) { fixture, w in
      try await Self.compute(fixture, w["good"]!)
      try await Self.certify(fixture)
      let audit = try #require(try await Self.claim(fixture, w["bad"]!))
      #expect(try await Self.answer(fixture, audit, w["bad"]!, topClass: 2) == .differs)
      #expect(try await fixture.store.results(ofRun: fixture.run)[0].certificate == nil, "held meanwhile")
      let again = try #require(try await Self.claim(fixture, w["third"]!))
      _ = try await Self.answer(fixture, again, w["third"]!)
      #expect(try await fixture.store.arbitrate(patienceSeconds: 60).quarantines.map(\.name) == ["bad"])
      #expect(try await fixture.store.arbitrate(patienceSeconds: 60).settled == 1)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count_void") == 0)
      #expect(try await fixture.store.results(ofRun: fixture.run)[0].certificate?.topClass == 1)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.audit WHERE state = 'agreed'") == 1)
    }
  }

  @Test("without a third worker the canary tells, once two workers had agreed on it")
  func canary() async throws {
    try await Self.with(["a", "b"], images: 1) { fixture, w in
      for name in ["a", "b"] {
        _ = try await fixture.store.canaryAgrees(
          checkpointDigest: Fixture.checkpointDigest, numericsID: Fixture.numerics, logitsDigest: "right",
          worker: w[name]!)
      }
      try await Self.compute(fixture, w["a"]!)
      try await Self.certify(fixture)
      let audit = try #require(try await Self.claim(fixture, w["b"]!))
      _ = try await Self.answer(fixture, audit, w["b"]!, topClass: 2)
      #expect(try await fixture.store.arbitrate(patienceSeconds: 60).waiting == 1)
      for (name, digest) in [("a", "right"), ("b", "wrong")] {
        #expect(try await fixture.store.openCanaryChecks(run: fixture.run, worker: w[name]!) == [audit.id])
        try await fixture.store.answerCanaryCheck(audit: audit.id, worker: w[name]!, logitsDigest: digest)
        #expect(try await fixture.store.openCanaryChecks(run: fixture.run, worker: w[name]!).isEmpty)
      }
      #expect(try await fixture.store.arbitrate(patienceSeconds: 60).quarantines.map(\.name) == ["b"])
      #expect(try await fixture.store.arbitrate(patienceSeconds: 60).settled == 1)
      #expect(
        try await fixture.number("SELECT count(*) FROM rrcm.audit WHERE state = 'due'") == 4,
        "nobody else has audited it yet")
      #expect(try await fixture.store.results(ofRun: fixture.run)[0].certificate != nil)
    }
  }

  @Test("posts that disagree take the same way, and open a run that was done")
  func disagreeingPosts() async throws {
    try await Self.with(["a", "b", "c"], images: 2, share: 0) { fixture, w in
      try await Self.compute(fixture, w["a"]!)
      try await Self.certify(fixture)
      #expect(try await fixture.store.finishRuns() == [fixture.run])
      let item = try await fixture.number("SELECT min(item_id) FROM rrcm.item")
      let lease = Lease(id: 0, itemID: item, units: 0..<4, imageIndex: 0, sigma: "0.25", numericsID: Fixture.numerics)
      #expect(try await fixture.post(lease, w["b"]!, units: [2], topClass: 2).disagreements == 1)
      #expect(try await fixture.store.arbitrate(patienceSeconds: 60).waiting == 1)
      #expect(try await fixture.store.progress(ofRun: fixture.run)[0].state == "running")
      let audit = try #require(try await Self.claim(fixture, w["c"]!))
      // It is the stored votes that are wrong.
      _ = try await Self.answer(fixture, audit, w["c"]!, topClass: 2)
      let quarantine = try #require(try await fixture.store.arbitrate(patienceSeconds: 60).quarantines.first)
      #expect(quarantine.name == "a" && quarantine.chunks == 8 && quarantine.certificates == 2)
      #expect(try await fixture.store.readyRuns().map(\.id) == [fixture.run])
      try await Self.compute(fixture, w["b"]!, topClass: 2)
      try await Self.certify(fixture)
      #expect(try await fixture.store.finishRuns() == [fixture.run])
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.certificate WHERE top_class = 2") == 2)
    }
  }

  @Test("a certificate made of votes that were voided meanwhile is not stored, nor is the top class they chose")
  func staleAggregator() async throws {
    try await Self.with(["a", "b", "c"], images: 1, share: 0) { fixture, w in
      try await Self.compute(fixture, w["a"]!, topClass: 2)
      let item = try #require(try await fixture.store.completeItems(limit: 1).first)
      // The aggregator has read the votes; now they are voided and computed anew.
      let lease = Lease(
        id: 0, itemID: item.id, units: 0..<4, imageIndex: 0, sigma: "0.25", numericsID: Fixture.numerics)
      try await fixture.post(lease, w["b"]!, units: [0])
      _ = try await fixture.store.arbitrate(patienceSeconds: 60)
      let audit = try #require(try await Self.claim(fixture, w["c"]!))
      _ = try await Self.answer(fixture, audit, w["c"]!)
      #expect(try await fixture.store.arbitrate(patienceSeconds: 60).quarantines.map(\.name) == ["a"])
      try await Self.compute(fixture, w["b"]!)
      #expect(try await fixture.store.freezeTopClasses([(item.id, 2, item.revision)]).isEmpty)
      let row = CertificateRow(item: item, topClass: 2, hits: 10, pLower: 0.9, radius: 0.1, computeSeconds: 1)
      #expect(try await fixture.store.insertCertificates([row]) == 0)
      #expect(try await Self.certify(fixture) == 1)
      #expect(try await fixture.store.results(ofRun: fixture.run)[0].certificate?.topClass == 1)
    }
  }

  @Test("a quarantine waits for a post that is under way, and leaves none of the worker's votes out")
  func postsUnderWay() async throws {
    try await Self.with(["bad", "b", "c"], images: 6, share: 0) { fixture, w in
      try await Self.compute(fixture, w["bad"]!, topClass: 2, limit: 1)
      let lease = try #require(try await fixture.claim(w["bad"]!))
      let item = try await fixture.number("SELECT min(item_id) FROM rrcm.item")
      let other = Lease(id: 0, itemID: item, units: 0..<4, imageIndex: 0, sigma: "0.25", numericsID: Fixture.numerics)
      try await fixture.post(other, w["b"]!, units: [1])
      _ = try await fixture.store.arbitrate(patienceSeconds: 60)
      let audit = try #require(try await Self.claim(fixture, w["c"]!))
      _ = try await Self.answer(fixture, audit, w["c"]!)
      // A post of the worker has begun: it holds the lock that lock_poster takes.
      let poster = fixture.database.connection()
      try await poster.script("BEGIN; SELECT FROM rrcm.worker WHERE name = 'bad' FOR KEY SHARE")
      async let arbitration = fixture.party().arbitrate(patienceSeconds: 60)
      try await Task.sleep(for: .milliseconds(300))
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.worker WHERE quarantined_at IS NOT NULL") == 0)
      try await poster.script(
        """
        INSERT INTO rrcm.chunk_count (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms)
        VALUES (\(lease.itemID), 0, 0, 2, '{2}', '{2}', \(w["bad"]!.id), 1);
        COMMIT
        """)
      #expect(try await arbitration.quarantines.map(\.chunks) == [5])
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count WHERE worker_id = \(w["bad"]!.id)") == 0)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.lease") == 0, "its lease went back")
      try await Self.compute(fixture, w["b"]!)
      #expect(try await fixture.number("SELECT sum(samples) FROM rrcm.chunk_count") == 72)
    }
  }

  @Test("votes that a worker in quarantine posted before are voided when others find against them, once")
  func barredPoster() async throws {
    try await Self.with(["bad", "b", "c"], images: 1) { fixture, w in
      try await Self.compute(fixture, w["bad"]!, topClass: 2)
      try await Self.certify(fixture)
      // Its process is newer than the votes, and was set aside for others.
      try await fixture.store.connection.execute(
        "UPDATE rrcm.worker SET process_since = now(), quarantined_at = now(), quarantine_reason = 'before', state = 'gone' WHERE name = 'bad'"
      )
      let audit = try #require(try await Self.claim(fixture, w["b"]!))
      #expect(try await Self.answer(fixture, audit, w["b"]!) == .differs)
      #expect(try await fixture.store.arbitrate(patienceSeconds: 60).quarantines.isEmpty, "one word against none")
      _ = try await Self.answer(fixture, #require(try await Self.claim(fixture, w["c"]!)), w["c"]!)
      let verdict = try await fixture.store.arbitrate(patienceSeconds: 60)
      #expect(verdict.quarantines.map(\.name) == ["bad"])
      // Audited is every chunk: those posted from the disputed one on are out.
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.chunk_count_void") == 4)
      #expect(try await fixture.store.arbitrate(patienceSeconds: 60).quarantines.isEmpty)
      #expect(
        try await fixture.number("SELECT count(*) FROM rrcm.worker WHERE quarantine_reason = 'before'") == 1,
        "it keeps the reason it had")
    }
  }

  @Test("a canary on which only workers in quarantine agreed decides nothing")
  func barredVouchers() async throws {
    for barred in [["x"], ["x", "y"]] {
      try await Self.with(["a", "b", "x", "y"], images: 1) { fixture, w in
        for name in ["x", "y"] {
          _ = try await fixture.store.canaryAgrees(
            checkpointDigest: Fixture.checkpointDigest, numericsID: Fixture.numerics, logitsDigest: "theirs",
            worker: w[name]!)
        }
        try await Self.compute(fixture, w["a"]!)
        try await Self.certify(fixture)
        let audit = try #require(try await Self.claim(fixture, w["b"]!))
        _ = try await Self.answer(fixture, audit, w["b"]!, topClass: 2)
        try await fixture.store.connection.execute("UPDATE rrcm.worker SET state = 'gone' WHERE name IN ('x', 'y')")
        try await fixture.store.connection.execute(
          "UPDATE rrcm.worker SET quarantined_at = now(), quarantine_reason = 'x' WHERE name = ANY ($1::text[])",
          [.texts(barred)])
        let decided = try await fixture.store.arbitrate(patienceSeconds: -1)
        #expect(decided.undecided == (barred.count == 2 ? 1 : 0))
        #expect(try await fixture.store.openCanaryChecks(run: fixture.run, worker: w["a"]!).count == 2 - barred.count)
      }
    }
  }

  @Test("an audit's result settles it only from the worker that was given it; one that differs is taken from anybody")
  func notGiven() async throws {
    try await Self.with(["a", "b", "c"], images: 1) { fixture, w in
      try await Self.compute(fixture, w["a"]!)
      try await Self.certify(fixture)
      let audit = try #require(try await Self.claim(fixture, w["b"]!))
      #expect(try await Self.answer(fixture, audit, w["a"]!) == .ignored)
      #expect(try await Self.answer(fixture, audit, w["c"]!) == .ignored)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.audit_computation") == 0)
      #expect(try await Self.answer(fixture, audit, w["c"]!, topClass: 2) == .differs)
      #expect(try await fixture.number("SELECT count(*) FROM rrcm.item WHERE state = 'held'") == 1)
    }
  }
}
