import Database
import Foundation
import Lifecycle
import Store
import TestSupport
import Testing

/// `docs/sql-cookbook.md`: queries with the answer printed behind each.
@Suite("The SQL cookbook", .serialized) struct CookbookTests {
  struct Recipe {
    let query: String
    /// Names over the columns of the sample answer.
    let columns: [String]
    /// Rows in the sample answer.
    let rows: Int
  }

  private static func recipes() throws -> [Recipe] {
    try Repository.text("docs/sql-cookbook.md").matches(of: #/(?s)```sql\n(.*?)```\n\n```text\n(.*?)```/#).map {
      match in
      let lines = match.2.split(separator: "\n")
      return Recipe(
        query: String(match.1),
        columns: lines[0].split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) },
        rows: lines.count - 2)
    }
  }

  @Test("every query has a sample answer with rows, and every heading a query")
  func pageIsComplete() throws {
    let text = try Repository.text("docs/sql-cookbook.md")
    let recipes = try Self.recipes()
    #expect(recipes.count == text.components(separatedBy: "```sql\n").count - 1)
    #expect(recipes.count >= 20)
    #expect(recipes.allSatisfy { $0.rows > 0 })
    for section in text.components(separatedBy: "\n## ").dropFirst() {
      #expect(section.contains("```sql\n"), "\(section.prefix { $0 != "\n" }) has no query")
    }
  }

  @Test("every query answers on a real fleet's rows, with the columns shown, for a reader who may change nothing")
  func queriesRun() async throws {
    let recipes = try Self.recipes()
    try await withFleet { fleet in
      try await Self.fill(fleet)
      let reader = fleet.database.connection()
      try await reader.script(
        "SET ROLE pg_read_all_data; SET default_transaction_read_only = on; SET statement_timeout = '10s'")
      for recipe in recipes {
        do {
          let rows = try await reader.query(recipe.query)
          let first = try #require(rows.first, "no rows:\n\(recipe.query)")
          #expect(first.columns == recipe.columns, "\(recipe.query)")
        } catch let error as DatabaseError { Issue.record("\(error)\n\(recipe.query)") }
      }
      await reader.close()
    }
  }

  /// The page's runs: a checkpoint trained in two steps, two certifications of it and one that is under way, and a vote
  /// that somebody posts otherwise.
  private static func fill(_ fleet: Fleet) async throws {
    try fleet.startCoordinator()
    try fleet.startAggregator()
    try fleet.startWorker("a")
    try fleet.startWorker("b")
    let folder = fleet.folder
    let files: [(String, String)] = [
      (
        "quickstart-pretrain",
        """
        kind: pretrain
        dataset: {name: tiny, split: heldout}
        model: {patch: 4, width: 64, depth: 3, heads: 4, projector_hidden: 128, projector_output: 32}
        training: {steps: 60, batch: 12, learning_rate: 1.0e-3, warmup_steps: 20, augmentation: digits}
        """
      ),
      (
        "quickstart-finetune",
        """
        kind: finetune
        checkpoint: quickstart-pretrain
        dataset: {name: tiny, split: heldout}
        training: {epochs: 20, batch: 12, learning_rate: 2.0e-3, warmup_epochs: 2, head: trained, noise_aug: 1.0}
        """
      ),
      ("quickstart-certify", certify("quickstart-finetune", n: 2000)),
      ("more-samples", certify("quickstart-finetune", n: 4000)),
    ]
    let paths = files.map { name, text in folder.write(Array("name: \(name)\nseed: 9\n\(text)".utf8), "\(name).yaml") }
    try await fleet.rrcm(["run", "submit"] + paths)
    let last = try #require(try await fleet.store.run("more-samples"))
    try await fleet.waitUntilDone(last.id)
    try await fleet.rrcm(["sweep", "create", folder.write(Array(sweep.utf8), "sweep.yaml")])
    try await eventually("the sweep is done", seconds: 60) {
      try await fleet.number("SELECT count(*) FROM rrcm.sweep WHERE state = 'done'") == 1
    }
    _ = try await fleet.submit("name: long\nseed: 9\n\(certify("net", n: 20_000_000))", name: "long")
    try await eventually("somebody works on the run under way") {
      try await fleet.number("SELECT count(*) FROM rrcm.lease l JOIN rrcm.chunk_count k USING (item_id)") > 0
    }

    // A worker that posts other votes for a chunk that is stored.
    let liar = try await fleet.store.register(name: "liar", host: "h", pid: 1, device: "test", software: "test")
    let row = try await fleet.store.connection.query(
      "SELECT item_id, samples, numerics_id FROM rrcm.chunk_count JOIN rrcm.item USING (item_id) WHERE run_id = \(last.id) AND phase = 1 AND chunk = 0 LIMIT 1"
    )[0]
    let (item, samples) = (try row.int("item_id"), try row.int("samples"))
    let lease = Lease(
      id: 0, itemID: item, units: 1..<2, imageIndex: 0, sigma: "0.25", numericsID: try row.text("numerics_id"))
    let plan = UnitPlan(n0: 100, n: 4000, chunkSamples: Int(samples))
    let outcome = try await fleet.store.post(
      [
        ChunkPost(
          itemID: item, chunk: plan.chunk(ofUnit: 1),
          votes: SparseVotes(classes: [0, 3], votes: [1, Int32(samples) - 1]), computeMilliseconds: 1)
      ], lease: lease, worker: liar, finishes: true, deadlineSeconds: 1)
    #expect(outcome.disagreements == 1)
    // As arbitration and the aggregator leave it.
    try await fleet.store.connection.script(
      """
      UPDATE rrcm.worker SET quarantined_at = now(), quarantine_reason = 'its votes are wrong', state = 'gone' WHERE name = 'liar';
      UPDATE rrcm.item SET state = 'held', error = 'its draws are not those planned'
       WHERE item_id = (SELECT max(i.item_id) FROM rrcm.item i JOIN rrcm.run r USING (run_id) WHERE r.name = 'long');
      """)
  }

  private static let sweep = """
    kind: sweep
    name: digits-small
    method: grid
    metric: {name: certified_accuracy@0.25}
    parameters:
      training.learning_rate: {values: [5.0e-4, 2.0e-3]}
      training.eta: {values: [0.5]}
    finetune:
      checkpoint: quickstart-pretrain
      dataset: {name: tiny, split: heldout}
      training: {epochs: 2, batch: 12, head: trained, noise_aug: 0.5, warmup_epochs: 1}
    certify:
      dataset: {name: tiny}
      smoothing: {sigma: 0.25, n0: 10, n: 100}
    seed: 3
    """

  private static func certify(_ checkpoint: String, n: Int) -> String {
    """
    kind: certify
    checkpoint: \(checkpoint)
    dataset: {name: tiny}
    smoothing: {sigma: [0.25, 0.5, 1.0], n0: 100, n: \(n), alpha: 0.001}
    chunk_samples: 500
    """
  }
}
