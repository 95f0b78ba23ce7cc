package import Compute
package import Models
import Noise
package import Tensors

/// A fine-tuning that is under way: a pure function of configuration, starting weights, images and seed.
package final class Finetuner {
  package let configuration: FinetuneConfiguration
  /// The classifier: encoder and head, without projector.
  package let model: ViTConfiguration
  package let seed: Int64
  /// Completed steps.
  package private(set) var completed: Int
  private let images: TrainingImages
  private let core: FinetuneStep
  private let noise: RandomStream
  private let augmentation: RandomStream
  private var order: DataOrder

  /// Starts from a pre-trained encoder and a fresh head.
  ///
  /// - Parameters:
  ///   - model: `classes` and `finalNorm` as the classifier shall have them.
  ///   - encoder: the pre-trained tensors; the projector is ignored.
  /// - Throws: `TrainingError` that lists every problem of the settings; `ComputeError` from the device.
  package convenience init(
    _ configuration: FinetuneConfiguration, model: ViTConfiguration, encoder: StateDict, images: TrainingImages,
    device: any Device, seed: Int64
  ) throws {
    let start = try classifierState(
      model, encoder: encoder, from: RandomStream(seed: seed, purpose: "initial-head"))
    try self.init(
      TrainingSnapshot(
        header: .init(
          kind: .finetune, step: 0, seed: seed, model: start.configuration, pretrain: nil, finetune: configuration),
        networks: ["nnet": start.state], optimizer: StateDict()),
      images: images, device: device)
  }

  /// Goes on from a snapshot.
  package convenience init(resuming snapshot: TrainingSnapshot, images: TrainingImages, device: any Device) throws {
    try self.init(snapshot, images: images, device: device)
  }

  private init(_ snapshot: TrainingSnapshot, images: TrainingImages, device: any Device) throws {
    guard let configuration = snapshot.header.finetune else {
      throw TrainingError("the snapshot has no fine-tuning settings; it is of another kind")
    }
    let model = snapshot.header.model
    var problems = configuration.problems + model.problems
    if model.classes < 1 { problems.append("model.classes is 0; fine-tuning needs at least 1") }
    guard problems.isEmpty else { throw TrainingError(problems.joined(separator: "\n")) }
    try images.require(model, batch: configuration.batch)
    try images.requireClasses(model.classes)
    try snapshot.require(.finetune, networks: ["nnet"])
    let network = try device.makeNetwork(model, state: snapshot.networks["nnet"]!)
    if snapshot.header.step > 0 { try network.restoreOptimizer(snapshot.optimizer) }
    core = FinetuneStep(network: network, configuration: configuration)
    self.configuration = configuration
    self.model = model
    self.seed = snapshot.header.seed
    self.completed = snapshot.header.step
    self.images = images
    noise = RandomStream(seed: seed, purpose: "finetune-noise")
    augmentation = RandomStream(seed: seed, purpose: "finetune-augmentation")
    order = DataOrder(
      count: images.count, batch: configuration.batch, stream: RandomStream(seed: seed, purpose: "finetune-order"))
  }

  package var stepsPerEpoch: Int { order.stepsPerEpoch }
  package var totalSteps: Int { configuration.epochs * stepsPerEpoch }
  package var isFinished: Bool { completed >= totalSteps }

  /// Makes one step.
  ///
  /// - Throws: `ComputeError`; the state is then between two steps and must be thrown away.
  package func step() throws -> FinetuneMetrics {
    let indices = order.indices(completed: completed)
    let isNoisy = configuration.task == .consistency
    let rows = indices.count * configuration.copies
    let batch = FinetuneBatch(
      images: images.batch(
        indices, augmentation: configuration.augmentation.image, stream: augmentation, step: completed, view: 0),
      labels: .hard(indices.map { images.label($0) }),
      noise: isNoisy ? noise.normals(count: rows * model.imageElements, at: UInt32(completed)) : [])
    let metrics = try core.run(
      batch, completed: completed,
      rateFactor: configuration.rateFactor(completed: completed, stepsPerEpoch: stepsPerEpoch))
    completed += 1
    return metrics
  }

  /// The state between steps.
  package func snapshot() throws -> TrainingSnapshot {
    TrainingSnapshot(
      header: .init(
        kind: .finetune, step: completed, seed: seed, model: model, pretrain: nil, finetune: configuration),
      networks: ["nnet": try weights], optimizer: try core.network.optimizerState())
  }

  /// Of the steps made here.
  package var numerics: NumericsID { core.network.numerics }

  /// The classifier's weights.
  package var weights: StateDict { get throws { try core.network.state() } }

  /// Accuracy of single noisy predictions (spec 6.4), with the same noise at every call.
  ///
  /// - Parameter noiseLevels: deviations in normalised units, 2·sigma; 0 for clean images.
  /// - Returns: one accuracy per noise level.
  package func evaluate(
    _ heldOut: TrainingImages, noiseLevels: [Double] = [0, 0.5, 1, 2]
  ) throws -> [(noiseLevel: Double, accuracy: Double)] {
    try Evaluator(network: core.network, levels: model.levels, seed: seed)
      .accuracies(heldOut, noiseLevels: noiseLevels)
  }
}
