internal import Aggregator
internal import ArgumentParser
internal import ComputeCPU
internal import Foundation
internal import Lifecycle
internal import Noise
internal import Store
internal import Worker

struct VerifyRun: AsyncParsableCommand, AnswersWithRows {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Compute a run's certificates anew from its votes, and a random share of the votes from the noise.",
    discussion: """
      rrcm verify run quickstart-certify
      rrcm verify run quickstart-certify --share 0.05 --seed 7

      Nothing is written. Exit 1 on any difference. Votes can be drawn anew only where this machine computes the
      numerics id that drew them and the store has checkpoint and images; what was not checked is said. For a check by
      other means export the votes.
      Next: rrcm export votes NAME
      """)
  static let layouts = [RowLayout(columns: ["check", "checked", "of", "differing", "note"])]

  @Argument(help: "Number or name of the run.", completion: .runs)
  var run: String
  @Option(name: .long, help: "Share of the stored chunks to draw anew, 0 to 1; at least one chunk unless 0.")
  var share = 0.01
  @Option(name: .long, help: "Number of chunks to draw anew, in place of a share.")
  var chunks: Int?
  @Option(name: .long, help: "Which chunks are drawn anew; another seed, other chunks.")
  var seed: Int64 = 0
  @Option(name: .long, help: "Threads for computing.")
  var threads = 1
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard share >= 0, share <= 1 else { throw ValidationError("--share is \(share); it must be 0 to 1") }
    guard chunks ?? 0 >= 0 else { throw ValidationError("--chunks is \(chunks!); it must be 0 or more") }
    guard threads >= 1 else { throw ValidationError("--threads is \(threads); it must be 1 or more") }
  }

  func run() async throws {
    let context = Context()
    let store = try await context.store("verify")
    let voted = try await VotedRun(run, in: store)
    var findings = Findings()
    var picked = Reservoir<(item: ItemRecord, chunk: ChunkRecord)>(
      size: chunks ?? Int((share * Double(voted.storedChunks)).rounded(.up)),
      generator: RandomStream(seed: seed, purpose: "verify-run").generator(at: 0))
    try await voted.forEachItem(in: store) { item, certificate, chunks in
      let check = ItemCheck(item, certificate: certificate, chunks: chunks, rules: voted.rules)
      findings.add(check, of: item)
      for chunk in chunks where chunk.isStored { picked.offer((item: item, chunk: chunk)) }
    }
    var table = OutputTable(Self.layouts[0])
    func row(_ check: String, _ checked: Int, of all: Int, _ differing: Int, _ note: String = "") {
      table.add([.text(check), .int(checked), .int(all), .int(differing), .text(note)])
    }
    let unfinished = voted.items.count - findings.certificates
    let faults = try await store.itemFaults(ofRun: voted.record.id)
    findings.lines += faults
    row("items against images and labels", voted.items.count, of: voted.items.count, faults.count)
    row("stored chunks against the plan", findings.chunks, of: voted.storedChunks, findings.differingItems.chunks)
    row(
      "certificates from votes", findings.certificates, of: voted.items.count, findings.differingItems.certificates,
      unfinished == 0 ? "" : "\(unfinished) items have none yet")
    let tables = try await checkTables(of: voted, in: store, &findings)
    row("noise tables and slack", tables.checked, of: voted.rules.levels.count, tables.differing, tables.note)
    let anew = await drawAnew(picked.chosen, of: voted, context: context, &findings)
    row("chunks from the noise", anew.checked, of: voted.storedChunks, anew.differing, anew.note)
    table.print(output)
    for line in findings.lines.prefix(Self.shownDifferences) { Console.say(line) }
    if findings.lines.count > Self.shownDifferences {
      Console.say("… and \(findings.lines.count - Self.shownDifferences) more")
    }
    if !findings.lines.isEmpty { throw ExitCode(ExitStatus.failed.rawValue) }
  }

  private static let shownDifferences = 20

  // MARK: Parts

  private struct Part {
    var checked = 0
    var differing = 0
    var note = ""
  }

  private struct Findings {
    var lines: [String] = []
    var chunks = 0
    var certificates = 0
    var differingItems = (chunks: 0, certificates: 0)

    mutating func add(_ check: ItemCheck, of item: ItemRecord) {
      chunks += check.chunks
      certificates += check.hasCertificate ? 1 : 0
      guard !check.differences.isEmpty else { return }
      if check.differsInChunks { differingItems.chunks += 1 }
      if check.differsInCertificate { differingItems.certificates += 1 }
      lines += check.differences.map { "image \(item.imageIndex), sigma \(item.sigma): \($0)" }
    }
  }

  /// The thresholds are computed again, and with them digest and slack of the protocol.
  private func checkTables(of voted: VotedRun, in store: Store, _ findings: inout Findings) async throws -> Part {
    var part = Part()
    guard let images = try await store.dataset(voted.record.datasetDigest) else {
      part.note = "the image set is not recorded"
      return part
    }
    let elements = images.channels * images.height * images.width
    for level in voted.rules.levels where level.gridM > 0 {
      let table = try await offPool { try Sigma(level.sigma).map { try GridTable(sigma: $0, m: level.gridM) } }
      part.checked += 1
      guard let table, table.digest == level.tableDigest, table.slack(elements: Int(elements)) == level.slack else {
        part.differing += 1
        findings.lines.append(
          "sigma \(level.sigma): table \(level.tableDigest ?? "none") with slack \(level.slack), computed anew "
            + "\(table?.digest ?? "none") with \(table.map { "\($0.slack(elements: Int(elements)))" } ?? "none")")
        continue
      }
    }
    if voted.rules.sampler != "grid" { part.note = "gaussian noise has none" }
    return part
  }

  /// Draws chunks again on this machine and compares their votes.
  private func drawAnew(
    _ picked: [(item: ItemRecord, chunk: ChunkRecord)], of voted: VotedRun, context: Context, _ findings: inout Findings
  ) async -> Part {
    var part = Part()
    guard !picked.isEmpty else {
      part.note = "none asked for"
      return part
    }
    let plan = UnitPlan(n0: voted.rules.n0, n: voted.rules.n, chunkSamples: voted.rules.chunkSamples)
    for (id, chosen) in Dictionary(grouping: picked, by: { $0.item.numericsID ?? "" }).sorted(by: { $0.key < $1.key }) {
      do {
        let precision = id.hasPrefix("cpu-bf16") ? CPUDevice.Precision.bf16 : .f32
        let engine = ComputeEngine(
          device: try CPUDevice(threads: threads, precision: precision), artifacts: try context.artifacts(), batch: nil)
        guard let checkpoint = voted.record.checkpointDigest else {
          throw CommandFailure("the run has no checkpoint yet")
        }
        let standing = try await engine.load(
          checkpoint: checkpoint, dataset: voted.record.datasetDigest, seed: voted.record.seed,
          levels: voted.rules.levels)
        guard standing.numericsID == id else {
          part.note += "\(chosen.count) not checked: drawn by \(id), this machine computes \(standing.numericsID). "
          continue
        }
        for (item, chunk) in chosen.sorted(by: {
          ($0.item.id, $0.chunk.phase, $0.chunk.chunk) < ($1.item.id, $1.chunk.phase, $1.chunk.chunk)
        }) {
          guard let level = voted.rules.levels.first(where: { $0.sigma == item.sigma }) else { continue }
          let unit = chunk.phase == 0 ? 0 : Int(chunk.chunk) + 1
          guard unit < plan.unitCount else { continue }
          let post = try await engine.votes(
            ChunkWork(
              itemID: item.id, checkpointDigest: checkpoint, datasetDigest: voted.record.datasetDigest,
              imageIndex: Int(item.imageIndex), seed: voted.record.seed, level: level, chunk: plan.chunk(ofUnit: unit)))
          part.checked += 1
          let stored = SparseVotes(classes: chunk.classes, votes: chunk.votes)
          guard post.votes != stored else { continue }
          part.differing += 1
          findings.lines.append(
            "image \(item.imageIndex), sigma \(item.sigma), phase \(chunk.phase), chunk \(chunk.chunk) by \(chunk.worker): "
              + "classes \(stored.classes) votes \(stored.votes), drawn anew \(post.votes.classes) \(post.votes.votes)")
        }
      } catch {
        part.note += "\(chosen.count) not checked: \(error) "
      }
    }
    while part.note.last == " " { part.note.removeLast() }
    return part
  }
}

/// A uniform sample of fixed size from a sequence whose length nobody needs to know (Vitter 1985, algorithm R).
struct Reservoir<Element> {
  let size: Int
  private var generator: RandomStream.Generator
  private var offered = 0
  private(set) var chosen: [Element] = []

  init(size: Int, generator: RandomStream.Generator) {
    self.size = size
    self.generator = generator
  }

  mutating func offer(_ element: Element) {
    offered += 1
    if chosen.count < size {
      chosen.append(element)
    } else if size > 0 {
      let place = Int.random(in: 0..<offered, using: &generator)
      if place < size { chosen[place] = element }
    }
  }
}
