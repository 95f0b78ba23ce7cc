import Coordinator
import Database
import Foundation
import Models
import RunFile
import Store
import TestSupport

/// A database with an image set "tiny" (1×4×4, classes a, b, c; 6 images to train, 4 held out), an image set "colour"
/// (3×4×4, two classes), a classifier "net" and an encoder "encoder", both for "tiny".
struct Library {
  let database: TestDatabase
  let store: Store

  static let model = ViTConfiguration(
    imageSize: 4, patchSize: 2, channels: 1, width: 4, depth: 1, heads: 1, classes: 3, levels: 5)
  static let tinyDigest = digest("d")
  static let netDigest = digest("c")

  static func digest(_ letter: Character) -> String { String(repeating: letter, count: 64) }

  static func with<T: Sendable>(_ body: (Library) async throws -> T) async throws -> T {
    try await withTestDatabase { database in
      let library = Library(database: database, store: Store(database.connection()))
      try await library.addImages("tiny", tinyDigest, channels: 1, classes: ["a", "b", "c"])
      try await library.addImages("colour", digest("e"), channels: 3, classes: ["a", "b"])
      try await library.addCheckpoint("net", netDigest, model)
      var encoder = model
      encoder.classes = 0
      try await library.addCheckpoint("encoder", digest("b"), encoder)
      return try await body(library)
    }
  }

  func addImages(_ name: String, _ digest: String, channels: Int, classes: [String]) async throws {
    try await store.insertDataset(
      digest: digest, name: name, channels: channels, height: 4, width: 4, classes: classes, source: "a test",
      images: (0..<10).map {
        DatasetImageRow(
          split: $0 < 6 ? "train" : "heldout", label: $0 % classes.count, source: "line \($0)",
          digest: Self.digest("1"))
      })
  }

  func addCheckpoint(_ name: String, _ digest: String, _ model: ViTConfiguration) async throws {
    try await store.insertCheckpoint(
      digest: digest, name: name, kind: model.classes > 0 ? "classifier" : "pretrained",
      configuration: String(decoding: try JSONEncoder().encode(model), as: UTF8.self), runID: nil, source: "a test")
  }

  // MARK: Run files

  func pretrain(_ name: String = "first", more: String = "") throws -> RunSpec {
    try RunFile.parse(
      """
      kind: pretrain
      name: \(name)
      seed: 1
      dataset: {name: tiny}
      model: {patch: 2, width: 4, depth: 1, heads: 1, projector_hidden: 8, projector_output: 4}
      training: {steps: 7, batch: 2, warmup_steps: 1}
      \(more)
      """)
  }

  func finetune(_ name: String = "second", from checkpoint: String = "first", batch: Int = 2) throws -> RunSpec {
    try RunFile.parse(
      """
      kind: finetune
      name: \(name)
      seed: 1
      checkpoint: \(checkpoint)
      dataset: {name: tiny}
      training: {epochs: 5, batch: \(batch), warmup_epochs: 1}
      """)
  }

  func certify(
    _ name: String = "third", of checkpoint: String = "net", dataset: String = "name: tiny", more: String = ""
  ) throws -> RunSpec {
    try RunFile.parse(
      """
      kind: certify
      name: \(name)
      seed: 1
      checkpoint: \(checkpoint)
      dataset: {\(dataset)}
      smoothing: {sigma: [0.25, 0.12], n0: 10, n: 100}
      chunk_samples: 30
      \(more)
      """)
  }

  // MARK: Doing

  @discardableResult
  func submit(_ specs: RunSpec...) async throws -> [Int64] {
    let submission = Submission(store: store, software: "test")
    return try await submission.submit(try await submission.prepare(specs))
  }

  /// What is wrong with these run files.
  func problems(_ specs: RunSpec...) async throws -> [String] {
    do {
      _ = try await Submission(store: store, software: "test").prepare(specs)
      return []
    } catch let error as RunFileError { return error.problems }
  }

  /// What the run came to: its state, and why it failed.
  func outcome(_ id: Int64) async throws -> (state: String, error: String?) {
    let run = try await store.run("\(id)")
    return (run?.state ?? "missing", run?.error)
  }

  /// Trains a run's job as a worker would, with a checkpoint of this shape as its result; nil fails the job for good.
  func train(_ run: Int64, makes model: ViTConfiguration?, digest: String = Library.digest("a")) async throws {
    let worker = try await store.register(name: "w", host: "h", pid: 1, device: "test", software: "test")
    guard let job = try await store.claimJob(run: run, worker: worker, deadlineSeconds: 60) else {
      throw RunFileError(["run \(run) has no job to claim"])
    }
    if let model {
      _ = try await store.finishJob(
        job, run: run, checkpointDigest: digest, name: try await store.run("\(run)")?.name ?? "",
        kind: model.classes > 0 ? "classifier" : "pretrained",
        configuration: String(decoding: try JSONEncoder().encode(model), as: UTF8.self))
    } else {
      try await store.failJob(job, error: "it broke", limit: 1)
    }
  }

  func count(_ sql: String) async throws -> Int64 {
    try await store.connection.query("SELECT (\(sql))::bigint AS n")[0].int("n")
  }
}
