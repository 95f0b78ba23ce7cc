import ComputeCPU
import Datasets
import Models
import Noise
import Tensors
import Testing
import Training

@Suite("Training loops")
struct ResumeTests {
  /// Forty images of four classes: a bright quarter on noise.
  static func images() throws -> TrainingImages {
    var pixels: [UInt8] = []
    var generator = RandomStream(seed: 1, purpose: "test-images").generator(at: 0)
    for i in 0..<40 {
      for y in 0..<8 {
        for x in 0..<8 {
          let bright = y / 4 * 2 + x / 4 == i % 4
          pixels.append(UInt8((bright ? 150 : 20) + Int(generator.next() % 60)))
        }
      }
    }
    let set = try ImageSet(
      name: "quarters", classNames: ["0", "1", "2", "3"], channels: 1, height: 8, width: 8, images: Bytes(pixels),
      labels: (0..<40).map { $0 % 4 }, splits: [String](repeating: "train", count: 40),
      sources: (0..<40).map { "\($0)" })
    return try TrainingImages(set, split: "train")
  }

  static let model = ViTConfiguration(
    imageSize: 8, patchSize: 4, channels: 1, width: 16, depth: 2, heads: 2, projectorHidden: 24, projectorOutput: 8)

  static func pretraining() -> PretrainConfiguration {
    var c = PretrainConfiguration()
    (c.steps, c.batch, c.learningRate, c.warmupSteps, c.weightDecay) = (6, 16, 0.002, 2, 0.01)
    (c.augmentation, c.nnetEMARate) = (.digits, 0.9)
    return c
  }

  static func finetuning() -> FinetuneConfiguration {
    var c = FinetuneConfiguration()
    (c.epochs, c.batch, c.learningRate, c.warmupEpochs, c.scheduleUnit) = (3, 16, 0.002, 1, .step)
    (c.augmentation, c.head, c.weightDecay) = (.digits, .trained, 0.01)
    return c
  }

  /// What a snapshot is after having been a file.
  static func stored(_ snapshot: TrainingSnapshot) throws -> TrainingSnapshot {
    try TrainingSnapshot(parsing: snapshot.file().serialized(), file: "snapshot")
  }

  @Test("six pre-training steps equal three, a stored snapshot, and three more in fresh objects, to the bit")
  func resumePretraining() throws {
    let (images, device) = (try Self.images(), try CPUDevice(threads: 2))
    let straight = try Pretrainer(Self.pretraining(), model: Self.model, images: images, device: device, seed: 7)
    for _ in 0..<6 { _ = try straight.step() }
    let first = try Pretrainer(Self.pretraining(), model: Self.model, images: images, device: device, seed: 7)
    for _ in 0..<3 { _ = try first.step() }
    let second = try Pretrainer(resuming: Self.stored(try first.snapshot()), images: images, device: device)
    #expect(second.completed == 3)
    for _ in 0..<3 { _ = try second.step() }
    #expect(try second.snapshot() == straight.snapshot())
    #expect(straight.isFinished)
    // The comparison could fail: a training from another seed ends elsewhere.
    let other = try Pretrainer(Self.pretraining(), model: Self.model, images: images, device: device, seed: 8)
    for _ in 0..<6 { _ = try other.step() }
    #expect(try other.snapshot().networks != straight.snapshot().networks)
  }

  @Test("a fine-tuning resumes to the bit", arguments: FinetuneConfiguration.Task.allCases)
  func resumeFinetuning(task: FinetuneConfiguration.Task) throws {
    let (images, device) = (try Self.images(), try CPUDevice(threads: 1))
    var model = Self.model
    model.classes = 4
    var configuration = Self.finetuning()
    configuration.task = task
    let encoder = Initialization.framework.state(Self.model, from: RandomStream(seed: 3, purpose: "initial-weights"))
    func start() throws -> Finetuner {
      try Finetuner(configuration, model: model, encoder: encoder, images: images, device: device, seed: 11)
    }
    let straight = try start()
    for _ in 0..<6 { _ = try straight.step() }
    let first = try start()
    for _ in 0..<3 { _ = try first.step() }
    let second = try Finetuner(resuming: Self.stored(try first.snapshot()), images: images, device: device)
    for _ in 0..<3 { _ = try second.step() }
    #expect(try second.snapshot() == straight.snapshot())
    let weights = try straight.weights
    let moved = encoder.pairs.filter { weights[$0.name] != nil && weights[$0.name] != $0.tensor }
    #expect(moved.isEmpty == (task == .linear))
  }

  @Test("a frozen head keeps its initial values while the encoder learns")
  func frozenHead() throws {
    var model = Self.model
    model.classes = 4
    var configuration = Self.finetuning()
    configuration.head = .frozen
    let encoder = Initialization.framework.state(Self.model, from: RandomStream(seed: 3, purpose: "initial-weights"))
    let trainer = try Finetuner(
      configuration, model: model, encoder: encoder, images: Self.images(), device: CPUDevice(threads: 1), seed: 11)
    let before = try trainer.weights
    for _ in 0..<3 { _ = try trainer.step() }
    #expect(try trainer.weights["linear_head.weight"] == before["linear_head.weight"])
    #expect(try trainer.weights["blocks.0.attn.qkv.weight"] != before["blocks.0.attn.qkv.weight"])
  }

  @Test("a frozen patch embedding keeps its initial values in pre-training")
  func frozenPatchEmbedding() throws {
    var configuration = Self.pretraining()
    configuration.stopGradConv1 = true
    let trainer = try Pretrainer(
      configuration, model: Self.model, images: Self.images(), device: CPUDevice(threads: 1), seed: 7)
    let before = try trainer.weights
    for _ in 0..<3 { _ = try trainer.step() }
    #expect(try trainer.weights["patch_embed.proj.weight"] == before["patch_embed.proj.weight"])
    #expect(try trainer.weights["pos_embed"] != before["pos_embed"])
  }

  @Test("pre-training and fine-tuning teach a small network to tell noisy images apart")
  func learns() throws {
    let (images, device) = (try Self.images(), try CPUDevice(threads: 2))
    var pretraining = Self.pretraining()
    (pretraining.steps, pretraining.warmupSteps, pretraining.batch) = (60, 5, 40)
    pretraining.learningRate = 0.004
    let pretrainer = try Pretrainer(pretraining, model: Self.model, images: images, device: device, seed: 1)
    let firstLoss = try pretrainer.step().loss
    var lastLoss = firstLoss
    while !pretrainer.isFinished { lastLoss = try pretrainer.step().loss }
    #expect(lastLoss < firstLoss - 0.5)

    var model = Self.model
    (model.classes, model.levels) = (4, pretrainer.levels)
    var finetuning = Self.finetuning()
    (finetuning.epochs, finetuning.batch, finetuning.learningRate) = (150, 40, 0.005)
    (finetuning.layerDecay, finetuning.lambda, finetuning.augmentation) = (1, 2, .none)
    let finetuner = try Finetuner(
      finetuning, model: model, encoder: try pretrainer.weights, images: images, device: device, seed: 1)
    while !finetuner.isFinished { _ = try finetuner.step() }
    let accuracies = try finetuner.evaluate(images, noiseLevels: [0, 0.5])
    #expect(accuracies.map(\.noiseLevel) == [0, 0.5])
    #expect(accuracies.allSatisfy { $0.accuracy > 0.9 }, "\(accuracies)")
  }

  @Test("a snapshot of another kind, images of another size and too large a batch are refused with the remedy")
  func refusals() throws {
    let (images, device) = (try Self.images(), try CPUDevice(threads: 1))
    let trainer = try Pretrainer(Self.pretraining(), model: Self.model, images: images, device: device, seed: 7)
    let snapshot = try trainer.snapshot()
    func message(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return "no error"
    }
    #expect(message { _ = try Finetuner(resuming: snapshot, images: images, device: device) }.contains("another kind"))
    var large = Self.pretraining()
    large.batch = 41
    #expect(
      message { _ = try Pretrainer(large, model: Self.model, images: images, device: device, seed: 7) }
        .contains("training.batch is 41 but there are only 40 images"))
    var wide = Self.model
    wide.imageSize = 12
    #expect(
      message { _ = try Pretrainer(Self.pretraining(), model: wide, images: images, device: device, seed: 7) }
        .contains("set model.channels and model.image to fit"))
  }
}
