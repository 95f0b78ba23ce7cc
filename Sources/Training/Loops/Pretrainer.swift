package import Compute
package import Models
import Noise
package import Tensors

/// A pre-training that is under way: a pure function of configuration, model, images and seed, step after step.
package final class Pretrainer {
  package let configuration: PretrainConfiguration
  package let model: ViTConfiguration
  package let seed: Int64
  /// Completed steps.
  package private(set) var completed: Int
  private let images: TrainingImages
  private let core: PretrainStep
  private let streams: Streams
  private var order: DataOrder

  private struct Streams {
    let noise, level, augmentation: RandomStream

    init(_ seed: Int64) {
      noise = RandomStream(seed: seed, purpose: "pretrain-noise")
      level = RandomStream(seed: seed, purpose: "pretrain-level")
      augmentation = RandomStream(seed: seed, purpose: "pretrain-augmentation")
    }
  }

  /// Starts from fresh weights, drawn from the seed.
  ///
  /// - Parameter model: with projector; a head is dropped.
  /// - Throws: `TrainingError` that lists every problem of the settings; `ComputeError` from the device.
  package convenience init(
    _ configuration: PretrainConfiguration, model: ViTConfiguration, images: TrainingImages, device: any Device,
    seed: Int64
  ) throws {
    var model = model
    model.classes = 0
    let fresh = configuration.initialization.state(model, from: RandomStream(seed: seed, purpose: "initial-weights"))
    var networks = ["nnet": fresh, "target_model": fresh]
    if configuration.nnetEMARate > 0 { networks["nnet_ema"] = fresh }
    try self.init(
      TrainingSnapshot(
        header: .init(
          kind: .pretrain, step: 0, seed: seed, model: model, pretrain: configuration, finetune: nil),
        networks: networks, optimizer: StateDict()),
      images: images, device: device)
  }

  /// Goes on from a snapshot.
  package convenience init(resuming snapshot: TrainingSnapshot, images: TrainingImages, device: any Device) throws {
    try self.init(snapshot, images: images, device: device)
  }

  private init(_ snapshot: TrainingSnapshot, images: TrainingImages, device: any Device) throws {
    guard let configuration = snapshot.header.pretrain else {
      throw TrainingError("the snapshot has no pre-training settings; it is of another kind")
    }
    let model = snapshot.header.model
    var problems = configuration.problems + model.problems
    if !model.hasProjector { problems.append("model.projector is 0; pre-training needs a projector") }
    guard problems.isEmpty else { throw TrainingError(problems.joined(separator: "\n")) }
    try images.require(model, batch: configuration.batch)
    let hasAverage = configuration.nnetEMARate > 0
    try snapshot.require(
      .pretrain, networks: hasAverage ? ["nnet", "target_model", "nnet_ema"] : ["nnet", "target_model"])
    let online = try device.makeNetwork(model, state: snapshot.networks["nnet"]!)
    if snapshot.header.step > 0 { try online.restoreOptimizer(snapshot.optimizer) }
    core = PretrainStep(
      online: online,
      target: try device.makeNetwork(model, state: snapshot.networks["target_model"]!),
      average: hasAverage ? try device.makeNetwork(model, state: snapshot.networks["nnet_ema"]!) : nil,
      configuration: configuration)
    self.configuration = configuration
    self.model = model
    self.seed = snapshot.header.seed
    self.completed = snapshot.header.step
    self.images = images
    self.streams = Streams(seed)
    self.order = DataOrder(
      count: images.count, batch: configuration.batch, stream: RandomStream(seed: seed, purpose: "pretrain-order"))
  }

  package var isFinished: Bool { completed >= configuration.steps }

  /// Makes one step.
  ///
  /// - Throws: `ComputeError`; the state is then between two steps and must be thrown away.
  package func step() throws -> PretrainMetrics {
    let indices = order.indices(completed: completed)
    let place = UInt32(completed)
    func draw(_ augmentation: Augmentation, view: Int) -> [Float] {
      images.batch(indices, augmentation: augmentation, stream: streams.augmentation, step: completed, view: view)
    }
    let recipe = configuration.augmentation
    let batch = PretrainBatch(
      images: draw(recipe.image, view: 0), view1: draw(recipe.view, view: 1), view2: draw(recipe.view, view: 2),
      noise: streams.noise.normals(count: indices.count * model.imageElements, at: place), count: indices.count)
    let levels = configuration.levelSchedule.levels(at: completed)
    var generator = streams.level.generator(at: place)
    let levelIndex = Int(generator.next().multipliedFullWidth(by: UInt64(levels - 1)).high)
    let metrics = try core.run(batch, levelIndex: levelIndex, completed: completed)
    completed += 1
    return metrics
  }

  /// The state between steps.
  package func snapshot() throws -> TrainingSnapshot {
    var networks = ["nnet": try core.online.state(), "target_model": try core.target.state()]
    if let average = core.average { networks["nnet_ema"] = try average.state() }
    return TrainingSnapshot(
      header: .init(
        kind: .pretrain, step: completed, seed: seed, model: model, pretrain: configuration, finetune: nil),
      networks: networks, optimizer: try core.online.optimizerState())
  }

  /// Of the steps made here.
  package var numerics: NumericsID { core.online.numerics }

  /// The online network's weights, with which fine-tuning begins.
  package var weights: StateDict { get throws { try core.online.state() } }

  /// The number of levels with which a classifier made from this network looks its level up (spec 4.3).
  package var levels: Int { configuration.levelSchedule.levels(at: completed) }

  /// Accuracy of a nearest-centroid classifier on encoder outputs under noise: how much the representation knows
  /// before any label is used in training.
  ///
  /// - Parameters:
  ///   - reference: labelled images whose class means at the lowest level are the centroids.
  ///   - heldOut: labelled images to classify by cosine similarity.
  ///   - noiseLevels: deviations in normalised units; 0 for clean images.
  /// - Returns: one accuracy per noise level.
  package func evaluate(
    reference: TrainingImages, heldOut: TrainingImages, noiseLevels: [Double]
  ) throws -> [(noiseLevel: Double, accuracy: Double)] {
    let evaluator = Evaluator(network: core.online, levels: levels, seed: seed)
    return try evaluator.centroidAccuracies(reference: reference, heldOut: heldOut, noiseLevels: noiseLevels)
  }
}
