internal import Database

/// What the database knows of an image set.
package struct DatasetRecord: Sendable {
  package let digest: String
  package let name: String
  package let channels: Int
  package let height: Int
  package let width: Int
  package let classes: [String]
  package let imageCount: Int
  package let source: String
  package let importedAt: String

  init(_ row: Row) throws {
    digest = try row.text("dataset_digest")
    name = try row.text("name")
    channels = Int(try row.int("channels"))
    height = Int(try row.int("height"))
    width = Int(try row.int("width"))
    classes = try row.texts("classes")
    imageCount = Int(try row.int("image_count"))
    source = try row.text("source")
    importedAt = try row.text("imported_at")
  }
}

/// One image of an image set.
package struct DatasetImageRow: Sendable {
  package let split: String
  package let label: Int
  package let source: String
  package let digest: String

  package init(split: String, label: Int, source: String, digest: String) {
    self.split = split
    self.label = label
    self.source = source
    self.digest = digest
  }
}

/// What the database knows of a checkpoint.
package struct CheckpointRecord: Sendable {
  package let digest: String
  package let name: String
  /// `pretrained` or `classifier`.
  package let kind: String
  /// The network's configuration, JSON.
  package let configuration: String
  package let runID: Int64?
  package let source: String
  package let createdAt: String

  init(_ row: Row) throws {
    digest = try row.text("checkpoint_digest")
    name = try row.text("name")
    kind = try row.text("kind")
    configuration = try row.text("configuration")
    runID = try row.intOrNil("run_id")
    source = try row.text("source")
    createdAt = try row.text("created_at")
  }
}

// Image sets and checkpoints.
extension Store {
  /// Records an image set with a row per image. Returns false when the same content was already there.
  @discardableResult
  package func insertDataset(
    digest: String, name: String, channels: Int, height: Int, width: Int, classes: [String], source: String,
    images: [DatasetImageRow]
  ) async throws -> Bool {
    try await connection.transaction { connection in
      let inserted = try connection.rows(
        PackageResources.insert_dataset_sql,
        [
          .text(digest), .text(name), .int(channels), .int(height), .int(width), .texts(classes), .int(images.count),
          .text(source),
        ])
      guard !inserted.isEmpty else { return false }
      _ = try connection.copyIn(
        "rrcm.dataset_image",
        columns: ["dataset_digest", "image_index", "split", "label", "source", "image_digest"],
        rows: images.enumerated().map { index, image in
          [.text(digest), .int(index), .text(image.split), .int(image.label), .text(image.source), .text(image.digest)]
        })
      return true
    }
  }

  /// The image set of that name, digest or digest prefix; nil when there is none or the prefix fits several.
  package func dataset(_ reference: String) async throws -> DatasetRecord? {
    let rows = try await connection.rows(PackageResources.find_dataset_sql, [.text(reference)])
    guard let first = rows.first else { return nil }
    let record = try DatasetRecord(first)
    return rows.count == 1 || record.name == reference ? record : nil
  }

  package func datasets() async throws -> [DatasetRecord] {
    try await connection.rows(PackageResources.list_datasets_sql).map { try DatasetRecord($0) }
  }

  /// Images per split, splits in alphabetical order.
  package func splits(of datasetDigest: String) async throws -> [(split: String, images: Int)] {
    try await connection.rows(PackageResources.dataset_splits_sql, [.text(datasetDigest)])
      .map { (try $0.text("split"), Int(try $0.int("images"))) }
  }

  /// Every image of a set, in order.
  package func images(of datasetDigest: String) async throws -> [DatasetImageRow] {
    try await connection.rows(PackageResources.dataset_images_sql, [.text(datasetDigest)]).map {
      DatasetImageRow(
        split: try $0.text("split"), label: Int(try $0.int("label")), source: try $0.text("source"),
        digest: try $0.text("image_digest"))
    }
  }

  /// Indices of one split in ascending order.
  package func imageIndices(of datasetDigest: String, split: String) async throws -> [Int32] {
    try await connection.rows(PackageResources.split_images_sql, [.text(datasetDigest), .text(split)])
      .map { Int32(try $0.int("image_index")) }
  }

  package func insertCheckpoint(
    digest: String, name: String, kind: String, configuration: String, runID: Int64?, source: String
  ) async throws {
    _ = try await connection.rows(
      PackageResources.insert_checkpoint_sql,
      [
        .text(digest), .text(name), .text(kind), .json(configuration), .optional(runID.map { .int($0) }),
        .text(source),
      ])
  }

  /// The name that the checkpoint with this digest got last.
  package func checkpointName(_ digest: String) async throws -> String? {
    try await connection.rows(PackageResources.checkpoint_label_sql, [.text(digest)]).first?.textOrNil("name")
  }

  /// The newest checkpoint of that name, or the one of that digest or digest prefix.
  package func checkpoint(_ reference: String) async throws -> CheckpointRecord? {
    try await connection.rows(PackageResources.find_checkpoint_sql, [.text(reference)]).first
      .map { try CheckpointRecord($0) }
  }

  package func checkpoints() async throws -> [CheckpointRecord] {
    try await connection.rows(PackageResources.list_checkpoints_sql).map { try CheckpointRecord($0) }
  }
}
