internal import ArgumentParser
internal import Artifacts
internal import Coordinator
internal import Database
internal import Datasets
internal import Foundation
internal import Migrations
internal import Models
internal import Noise
internal import RunFile
internal import Store
internal import Tensors
internal import Training
internal import Worker

/// Migrates an empty database, imports images and a small network, submits a run and lets the coordinator plan it.
struct Prepare: AsyncParsableCommand {
  @OptionGroup var place: Place
  @Option(name: .long, help: "Images of the run.")
  var images = 1000
  @Option(name: .long, help: "Noise levels of the run, separated by commas.")
  var sigmas = "0.25,0.5,1.0"
  @Option(name: .long, help: "Estimation draws per image and noise level.")
  var n = 95_000
  @Option(name: .long, help: "Draws of a chunk.")
  var chunkSamples = 1000

  func run() async throws {
    let logger = place.logger()
    let connection = try place.connection("queue-arm prepare", logger)
    let store = Store(connection)
    _ = try await Migrator(connection).up()
    let artifacts = try ArtifactStore(directory: place.store)
    try await importLibrary(store, artifacts)

    var start = ContinuousClock.now
    let spec = try RunFile.parse(
      """
      kind: certify
      name: queue
      checkpoint: net
      dataset: {name: grey}
      smoothing: {sigma: [\(sigmas)], n0: 100, n: \(n), alpha: 0.001}
      chunk_samples: \(chunkSamples)
      seed: 42
      """)
    let submission = Submission(store: store, artifacts: artifacts, software: "queue-arm")
    let prepared = try await submission.prepare([spec])
    try submission.storeTables(of: prepared)
    let run = try await submission.submit(prepared)[0]
    let submitSeconds = secondsSince(start)
    start = .now
    _ = try await planRuns(in: store)
    let planSeconds = secondsSince(start)
    let items = try await connection.query(
      "SELECT count(*) AS items, sum(unit_count) AS units FROM rrcm.item WHERE run_id = $1", [.int(run)])[0]
    try answer([
      "run": run, "submit_seconds": submitSeconds, "plan_seconds": planSeconds, "items": items.int("items"),
      "units": items.int("units"),
    ])
  }

  private func importLibrary(_ store: Store, _ artifacts: ArtifactStore) async throws {
    let classes = (0..<10).map { "class \($0)" }
    let labels = (0..<images).map { $0 % 10 }
    let set = try ImageSet(
      name: "grey", classNames: classes, channels: 1, height: 8, width: 8,
      images: Bytes((0..<images * 64).map { UInt8(truncatingIfNeeded: $0 &* 37) }), labels: labels,
      splits: Array(repeating: "heldout", count: images), sources: (0..<images).map { "image \($0)" })
    _ = try await store.insertDataset(
      digest: artifacts.put(set), name: "grey", channels: 1, height: 8, width: 8, classes: classes,
      source: "benchmark",
      images: labels.indices.map {
        DatasetImageRow(split: "heldout", label: labels[$0], source: "image \($0)", digest: "")
      })
    let configuration = ViTConfiguration(
      imageSize: 8, patchSize: 4, channels: 1, width: 64, depth: 1, heads: 4, classes: 10)
    let checkpoint = try Checkpoint(
      kind: .classifier, configuration: configuration,
      state: Initialization.framework.state(configuration, from: RandomStream(seed: 3, purpose: "benchmark")))
    try await store.insertCheckpoint(
      digest: artifacts.put(checkpoint), name: "net", kind: checkpoint.kind.rawValue,
      configuration: String(decoding: JSONEncoder().encode(configuration), as: UTF8.self), runID: nil,
      source: "benchmark")
  }
}
