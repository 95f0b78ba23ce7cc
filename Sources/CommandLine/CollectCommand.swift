internal import Artifacts
internal import ArgumentParser
internal import Foundation
internal import Models
internal import Store
internal import Tensors

struct CollectCommand: AsyncParsableCommand, AnswersWithRows {
  static let configuration = CommandConfiguration(
    commandName: "gc", abstract: "Remove what nothing needs any more: old events, gone workers, unreferenced files.",
    discussion: """
      rrcm gc --dry-run
      rrcm gc --event-days 30 --file-days 1 --yes

      Safe beside a running fleet: nothing of an unfinished run is touched, no worker with a stored vote, and no file that \
      a row names or that is young. Files go from the store only where it is a folder of this machine; a cache tidies \
      itself, but its abandoned downloads go. Votes, certificates and metrics stay as long as their run: rrcm run delete.
      Next: rrcm doctor --deep
      """)
  static let layouts = [RowLayout(columns: ["what", "count", "bytes", "older_than_days"])]

  @Option(name: .long, help: "Events older than this many days, those of unfinished runs left out.")
  var eventDays = 90
  @Option(name: .long, help: "Workers gone for more than this many days, without a stored vote.")
  var workerDays = 30
  @Option(name: .long, help: "Files that no row names, unchanged for this many days.")
  var fileDays = 7
  @Option(name: .long, help: "Downloads and uploads that did not end, unchanged for this many days.")
  var partialDays = 1
  @Flag(name: .long, help: "Say what would be removed, without doing it.")
  var dryRun = false
  @Flag(name: .long, help: "Do not ask.")
  var yes = false
  @OptionGroup var output: OutputOptions

  func validate() throws {
    let given = [
      ("--event-days", eventDays, 0), ("--worker-days", workerDays, 0), ("--file-days", fileDays, 1),
      ("--partial-days", partialDays, 1),
    ]
    let problems = given.filter { !($2...36_500).contains($1) }.map { "\($0) is \($1); it must be \($2) to 36500" }
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "\n")) }
  }

  func run() async throws {
    let context = Context()
    let store = try await context.store("gc")
    let events = try await store.oldEvents(days: eventDays)
    let workers = try await store.oldWorkers(days: workerDays)
    let artifacts =
      access(context.storeDirectory, F_OK) == 0 ? try ArtifactStore(directory: context.storeDirectory) : nil
    // The disk before the database: what is stored and recorded in between is then too young, or needed.
    let old = try await offPool { artifacts.map { ($0.oldFiles(days: fileDays), $0.oldFiles(days: partialDays)) } }
    let partial = (old?.1 ?? []).filter { $0.digest == nil }
    var files: [ArtifactStore.OldFile] = []
    if let artifacts, let old, context.storeDirectory == context.storeLocation {
      let needed = try await needed(in: store, artifacts)
      files = old.0.filter { $0.digest.map { !needed.contains($0) } ?? false }
    }
    let bytes = (files + partial).reduce(0) { $0 + $1.size }
    let what =
      "remove \(counted(events, "event")), \(counted(workers.count, "worker")) and"
      + " \(counted(files.count + partial.count, "file")) of \(bytes) bytes"
    let isNothing = events == 0 && workers.isEmpty && files.isEmpty && partial.isEmpty
    var counts = (events: events, workers: Int64(workers.count), files: files, partial: partial)
    if !dryRun && !isNothing {
      try Console.confirm(what, yes: yes)
      counts.events = try await store.deleteOldEvents(days: eventDays)
      counts.workers = try await store.deleteWorkers(workers, days: workerDays)
      if let artifacts {
        // Asked again: what came to be needed since the first look stays.
        let needed = files.isEmpty ? [] : try await needed(in: store, artifacts)
        let (chosen, unfinished) = (files.filter { !needed.contains($0.digest!) }, partial)
        (counts.files, counts.partial) = try await offPool {
          (chosen.filter { artifacts.remove($0) }, unfinished.filter { artifacts.remove($0) })
        }
      }
    }
    var table = OutputTable(Self.layouts[0])
    table.add([.text("events"), .int(counts.events), .none, .int(eventDays)])
    table.add([.text("workers"), .int(counts.workers), .none, .int(workerDays)])
    for (name, files, days) in [("files", counts.files, fileDays), ("partial files", counts.partial, partialDays)] {
      table.add([.text(name), .int(files.count), .int(files.reduce(0) { $0 + $1.size }), .int(days)])
    }
    table.print(output)
    if dryRun { Console.say("dry run: nothing was removed; would \(what)") }
  }

  /// Digests that rows name, and those that the manifests of checkpoints name.
  ///
  /// - Throws: when a checkpoint's manifest is here and cannot be read: what it names would be taken for unneeded.
  private func needed(in store: Store, _ artifacts: ArtifactStore) async throws -> Set<String> {
    let rows = try await store.neededFiles()
    return try await offPool {
      var needed = Set(rows.map(\.digest))
      for row in rows where row.isCheckpoint {
        guard let digest = SHA256(hex: row.digest), artifacts.contains(digest) else { continue }
        let manifest = try Manifest(
          parsing: artifacts.read(digest), kind: Checkpoint.format, file: "checkpoint \(row.digest)")
        needed.formUnion(manifest.files.values.map(\.hex))
      }
      return needed
    }
  }
}
