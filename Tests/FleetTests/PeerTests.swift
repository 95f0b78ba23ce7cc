import Compute
import ComputeCPU
import Datasets
import Foundation
import Models
import Noise
import Tensors
import TestSupport
import Testing

/// The authors' own certification of a small classifier, and ours of the same file.
private struct AuthorsLog: Decodable {
  struct Row: Decodable {
    let file: String
    let predict: Int
    let n: Int
    let selectionVotes: [Int]
    let estimationVotes: [Int]

    enum CodingKeys: String, CodingKey {
      case file, predict, n
      case selectionVotes = "selection_votes"
      case estimationVotes = "estimation_votes"
    }
  }

  let rows: [Row]
}

@Suite("Against the authors' own log") struct PeerTests {
  private static let files = (
    checkpoint: "golden/peer/n05peer_300k_small.pt", log: "golden/peer/certify_dev.json",
    images: "data/cifar10-test.tar.gz"
  )
  private static var isThere: Bool { ReferenceData.has(files.checkpoint, files.log, files.images) }

  @Test(
    "an imported classifier's votes on real images agree with the authors' within sampling error",
    .enabled(if: isThere, ReferenceData.absent), arguments: [Sampler.grid(m: 1), .gaussian])
  func votesAgree(sampler: Sampler) throws {
    let imported = try CheckpointImporter(heads: 4, finalNorm: false, levels: 81)
      .read(path: ReferenceData.path(Self.files.checkpoint)).checkpoint
    let classifier = try CPUDevice(threads: 2)
      .makeClassifier(imported.configuration, state: imported.state, batch: nil)
    let images = try ImageFolder(name: "cifar10", side: 32, split: "test")
      .read(path: ReferenceData.path(Self.files.images))
    let log = try JSONDecoder().decode(
      AuthorsLog.self, from: Data(contentsOf: URL(fileURLWithPath: ReferenceData.path(Self.files.log))))
    #expect(log.rows.count == 100)
    let noise = try NoiseStream(seed: 11, sigma: Sigma("0.25")!, sampler: sampler)
    let draws: UInt32 = 1000

    var scores: [Double] = []
    for row in log.rows {
      let index = try #require(images.sources.firstIndex(of: row.file))
      let votes = try classifier.votes(
        for: ChunkRequest(
          pixels: images.image(index).array, imageIndex: UInt32(index), phase: .estimation, samples: 0..<draws,
          noise: noise))
      // Their top class, or what their selection preferred where they abstained.
      let theirs = row.predict >= 0 ? row.predict : row.selectionVotes.firstIndex(of: row.selectionVotes.max()!)!
      let (a, b) = (Double(row.estimationVotes[theirs]), Double(votes[theirs]))
      let (m, n) = (Double(row.n), Double(draws))
      let p = (a + b) / (m + n)
      guard p * n >= 10, p * n <= n - 10 else { continue }
      scores.append((a / m - b / n) / (p * (1 - p) * (1 / m + 1 / n)).squareRoot())
    }
    #expect(scores.count > 50)
    #expect(scores.allSatisfy { abs($0) <= 4.5 })
    let (mean, square) = (
      scores.reduce(0, +) / Double(scores.count), scores.reduce(0) { $0 + $1 * $1 } / Double(scores.count)
    )
    #expect((-0.5...0.5).contains(mean))
    #expect((0.6...1.5).contains(square))
  }
}
