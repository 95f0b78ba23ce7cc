package import Artifacts
package import Compute
internal import Database
internal import Datasets
package import Lifecycle
internal import Models
internal import Noise
package import Store
internal import Tensors

/// The computing half of a worker: one device on a thread of its own, with the networks, images and noise it has loaded.
///
/// Everything here blocks for as long as it computes, which is why it has its own thread; nothing here talks to the
/// database.
package actor ComputeEngine {
  private nonisolated let thread = PinnedThread(name: "rrcm-compute")
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  let device: any Device
  let artifacts: ArtifactStore
  private let batch: Int?
  private var classifiers: [String: any Classifier] = [:]
  private var imageSets: [String: ImageSet] = [:]
  private var streams: [StreamKey: NoiseStream] = [:]
  var training: Training?

  private struct StreamKey: Hashable {
    let seed: Int64
    let level: CertificationProtocol.Level
  }

  package init(device: any Device, artifacts: ArtifactStore, batch: Int?) {
    self.device = device
    self.artifacts = artifacts
    self.batch = batch
  }

  deinit { thread.stop() }

  /// What a worker knows once it has loaded a checkpoint.
  package struct Standing: Sendable {
    package let numericsID: String
    /// SHA-256 of the canary batch's logits.
    package let canaryDigest: String
    /// How its threads share the work, for the log.
    package let arrangement: String
  }

  /// Loads all that a certification needs, so that a worker which cannot have it refuses the run before it claims
  /// anything, and runs the checkpoint's canary: logits of a fixed batch, whose bits the whole fleet must agree on.
  package func load(
    checkpoint digest: String, dataset: String, seed: Int64, levels: [CertificationProtocol.Level]
  ) throws -> Standing {
    _ = try imageSet(dataset)
    for level in levels { _ = try stream(seed: seed, level: level) }
    let classifier = try classifier(digest)
    return Standing(
      numericsID: classifier.numerics.description, canaryDigest: try canary(checkpoint: digest),
      arrangement: classifier.arrangement)
  }

  /// SHA-256 of the canary batch's logits, computed with the weights as they are in memory now.
  package func canary(checkpoint digest: String) throws -> String {
    let classifier = try classifier(digest)
    // Fewer of large images, whose pass takes long: a worker is to vote within three seconds of its start.
    let count = max(4, min(16, 65_536 / classifier.configuration.imageElements))
    let inputs = RandomStream(seed: 0, purpose: "canary")
      .normals(count: count * classifier.configuration.imageElements, at: 0)
    let logits = try classifier.logits(inputs: inputs, count: count, noiseLevel: 0.5)
    return logits.withUnsafeBytes { SHA256(hashing: $0) }.hex
  }

  /// Drops every network, image and table, so that they are loaded anew: what is in memory is not to be trusted.
  package func forget() {
    classifiers.removeAll()
    imageSets.removeAll()
    streams.removeAll()
    training = nil
  }

  /// Computes one chunk: noise, forward passes, votes.
  package func votes(_ work: ChunkWork) throws -> ChunkPost {
    let clock = ContinuousClock()
    let start = clock.now
    let classifier = try classifier(work.checkpointDigest)
    let images = try imageSet(work.datasetDigest)
    guard (0..<images.count).contains(work.imageIndex) else {
      throw ComputeError(
        "image \(work.imageIndex) is not in image set \(work.datasetDigest), which has \(images.count)")
    }
    let pixels = images.image(work.imageIndex)
    // A set may be larger than memory: its pages go back once the image is copied.
    defer { pixels.releasePages() }
    let request = ChunkRequest(
      pixels: pixels.array, imageIndex: UInt32(work.imageIndex),
      phase: Phase(rawValue: Int16(work.chunk.phase))!, samples: work.chunk.samples,
      noise: try stream(seed: work.seed, level: work.level))
    let votes = try classifier.votes(for: request)
    return ChunkPost(
      itemID: work.itemID, chunk: work.chunk, votes: SparseVotes(dense: votes),
      computeMilliseconds: (clock.now - start).inSeconds * 1000)
  }

  private func classifier(_ digest: String) throws -> any Classifier {
    if let loaded = classifiers[digest] { return loaded }
    let checkpoint = try artifacts.checkpointFile(digest)
    // One network at a time: big ones fill memory, and a worker stays with a run until it is done.
    classifiers.removeAll()
    let classifier = try device.makeClassifier(checkpoint.configuration, state: checkpoint, batch: batch)
    classifiers[digest] = classifier
    return classifier
  }

  func imageSet(_ digest: String) throws -> ImageSet {
    if let loaded = imageSets[digest] { return loaded }
    imageSets.removeAll()
    let images = try artifacts.imageSet(digest)
    imageSets[digest] = images
    return images
  }

  private func stream(seed: Int64, level: CertificationProtocol.Level) throws -> NoiseStream {
    let key = StreamKey(seed: seed, level: level)
    if let stream = streams[key] { return stream }
    if streams.count >= 64 { streams.removeAll() }
    guard let sigma = Sigma(level.sigma) else { throw ComputeError("sigma \(level.sigma) is not a noise level") }
    let stream = try NoiseStream(
      seed: seed, sigma: sigma, sampler: level.gridM > 0 ? .grid(m: level.gridM) : .gaussian,
      table: artifacts.gridTable(level.tableDigest, sigma: sigma, m: level.gridM))
    guard stream.table?.digest == level.tableDigest else {
      throw ComputeError(
        "the noise table of sigma \(sigma) with m \(level.gridM) differs from the one of the run's protocol: this software"
          + " must not compute it")
    }
    streams[key] = stream
    return stream
  }
}

/// One chunk with everything its votes depend on.
package struct ChunkWork: Sendable {
  package let itemID: Int64
  package let checkpointDigest: String
  package let datasetDigest: String
  package let imageIndex: Int
  package let seed: Int64
  /// The protocol's noise level: sigma, grid and the digest of the table that the slack belongs to.
  package let level: CertificationProtocol.Level
  package let chunk: Chunk

  package init(
    itemID: Int64, checkpointDigest: String, datasetDigest: String, imageIndex: Int, seed: Int64,
    level: CertificationProtocol.Level, chunk: Chunk
  ) {
    self.itemID = itemID
    self.checkpointDigest = checkpointDigest
    self.datasetDigest = datasetDigest
    self.imageIndex = imageIndex
    self.seed = seed
    self.level = level
    self.chunk = chunk
  }
}
