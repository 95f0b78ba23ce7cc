internal import ArgumentParser
internal import Artifacts
internal import Compute
internal import ComputeCPU
internal import Datasets
internal import Foundation
internal import Models
internal import Noise
internal import Store
internal import Tensors
internal import Worker

struct VerifyNumerics: AsyncParsableCommand, AnswersWithRows {
  static let configuration = CommandConfiguration(
    commandName: "numerics",
    abstract: "Count how often two arithmetics choose different classes for the same noisy images.",
    discussion: """
      rrcm verify numerics digits-classifier digits --sigma 0.25
      rrcm verify numerics digits-classifier digits --sigma 0.25,1 --images 50 --samples 200
      rrcm verify numerics digits-classifier digits --device cuda

      Every sample is classified by every numerics id that this machine computes, on the same bits of noise. Differences
      are why votes of two ids never meet in one certificate. Images are taken at equal distances from the whole set.
      With --device cuda the precisions of that GPU are compared with each other and with this processor's.
      Next: rrcm worker start --precision bf16
      """)
  static let layouts = [
    RowLayout(columns: [
      "numerics_a", "numerics_b", "sigma", "images", "samples", "differing", "share", "differing_top_classes",
    ])
  ]

  @Argument(help: "Name or digest of a classifier.", completion: .checkpoints)
  var checkpoint: String
  @Argument(help: "Name or digest of an image set.", completion: .datasets)
  var dataset: String
  @Option(name: .long, help: "Noise levels, separated by commas.")
  var sigma = "0.25"
  @Option(name: .long, help: "Images to classify.")
  var images = 100
  @Option(name: .long, help: "Noisy samples of each image.")
  var samples = 100
  @Option(name: .long, help: "Seed of the noise.")
  var seed: Int64 = 0
  @Option(name: .long, help: "Threads for computing.")
  var threads = 1
  @Option(
    name: .long,
    help: "Whose precisions to compare beside the processor's: cpu (no other), cuda, cuda:INDEX or cuda:UUID.")
  var device = DeviceChoice.cpu
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let levels = sigma.split(separator: ",").map { Sigma(String($0)) }
    var problems: [String] = []
    if levels.isEmpty || levels.contains(where: { $0 == nil }) {
      problems.append("--sigma is \(sigma); write noise levels above 0, for example 0.25,1")
    }
    if !(1...1_000_000).contains(images) { problems.append("--images is \(images); it must be 1 to 1000000") }
    if !(1...1_000_000).contains(samples) { problems.append("--samples is \(samples); it must be 1 to 1000000") }
    if threads < 1 { problems.append("--threads is \(threads); it must be 1 or more") }
    guard problems.isEmpty else { throw InputProblems(problems) }
    let context = Context()
    // Opened before anything else: a GPU that is not there should be said at once.
    let devices = try Self.devices(device, threads: threads, kernels: context.home + "/kernels")
    let store = try await context.store("verify")
    guard let weights = try await store.checkpoint(checkpoint) else {
      throw InputProblems(["no checkpoint \"\(checkpoint)\"; see: rrcm checkpoint list"])
    }
    guard let set = try await store.dataset(dataset) else {
      throw InputProblems(["no image set \"\(dataset)\"; see: rrcm dataset list"])
    }
    let artifacts = try context.artifacts()
    let (count, draws, seed) = (images, samples, seed)
    var table = OutputTable(Self.layouts[0])
    for level in levels.compactMap({ $0 }) {
      let rows = try await offPool {
        try Self.compare(
          checkpoint: artifacts.checkpointFile(weights.digest), images: artifacts.imageSet(set.digest), sigma: level,
          count: count, samples: draws, seed: seed, devices: devices)
      }
      for row in rows { table.add(row) }
    }
    table.print(output)
  }

  /// The processor in each of its precisions, then the chosen GPU in each of its own.
  private static func devices(_ choice: DeviceChoice, threads: Int, kernels: String) throws -> [any Device] {
    let choices: [DeviceChoice] = choice == .cpu ? [.cpu] : [.cpu, choice]
    return try choices.flatMap { choice in
      try choice.precisions.map { try choice.open(precision: $0, threads: threads, kernels: kernels) }
    }
  }

  /// A row per pair of the ids that these devices compute.
  private static func compare(
    checkpoint: CheckpointFile, images: ImageSet, sigma: Sigma, count: Int, samples: Int, seed: Int64,
    devices: [any Device]
  ) throws -> [[OutputTable.Cell]] {
    var classifiers: [any Classifier] = []
    for device in devices {
      do {
        classifiers.append(
          try device.makeClassifier(checkpoint.configuration, state: checkpoint, batch: nil))
      } catch  where device is CPUDevice && !classifiers.isEmpty {
        // Some shapes have no bfloat16 form on the processor; whatever a GPU refuses is told.
        continue
      }
    }
    let noise = try NoiseStream(seed: seed, sigma: sigma, sampler: .grid(m: GridTable.defaultM(for: sigma)))
    let chosen = min(count, images.count)
    var differing: [[Int]] = Array(repeating: Array(repeating: 0, count: classifiers.count), count: classifiers.count)
    var tops = differing
    for place in 0..<chosen {
      let index = place * images.count / chosen
      let pixels = images.image(index).array
      // One sample a call: its vote is its class.
      let classes = try classifiers.map { classifier in
        try (0..<UInt32(samples)).map { sample -> Int in
          let votes = try classifier.votes(
            for: ChunkRequest(
              pixels: pixels, imageIndex: UInt32(index), phase: .estimation, samples: sample..<sample + 1, noise: noise)
          )
          return votes.firstIndex(of: 1) ?? 0
        }
      }
      let leaders = classes.map { classes in
        Dictionary(grouping: classes, by: \.self).max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }?.key
      }
      for a in classifiers.indices {
        for b in classifiers.indices where b > a {
          differing[a][b] += zip(classes[a], classes[b]).count { $0 != $1 }
          if leaders[a] != leaders[b] { tops[a][b] += 1 }
        }
      }
    }
    return classifiers.indices.flatMap { a in
      classifiers.indices.filter { $0 > a }.map { b in
        [
          .text(classifiers[a].numerics.description), .text(classifiers[b].numerics.description), .text(sigma.decimal),
          .int(chosen), .int(chosen * samples), .int(differing[a][b]),
          .double(Double(differing[a][b]) / Double(max(chosen * samples, 1))), .int(tops[a][b]),
        ]
      }
    }
  }
}
