internal import Artifacts
internal import Compute
internal import Datasets
internal import Foundation
internal import Models
package import RunFile
internal import Tensors
internal import Training

extension ComputeEngine {
  /// The training a worker holds.
  enum Training {
    case pretrain(Pretrainer)
    case finetune(Finetuner)
  }

  /// What one stretch of training produced.
  package struct Progress: Sendable {
    package let step: Int
    /// Of the last step, when it is one to report; else empty.
    package let metrics: [(String, Double)]
    package let isFinished: Bool
  }

  /// Begins a training, or goes on from a snapshot.
  package func begin(_ spec: RunSpec, datasetDigest: String, checkpointDigest: String?, snapshotDigest: String?) throws
  {
    training = nil
    let images = try imageSet(datasetDigest)
    let chosen = try spec.dataset.choose(from: images.indices(split: spec.dataset.split).map { Int32($0) })
    let data = try TrainingImages(images, members: chosen.map { Int($0) })
    if let snapshotDigest {
      let snapshot = try artifacts.snapshot(snapshotDigest)
      training =
        switch spec.work {
        case .pretrain: .pretrain(try Pretrainer(resuming: snapshot, images: data, device: device))
        default: .finetune(try Finetuner(resuming: snapshot, images: data, device: device))
        }
      return
    }
    switch spec.work {
    case .pretrain(let configuration, let shape):
      training = .pretrain(
        try Pretrainer(
          configuration, model: shape.configuration(imageSize: images.height, channels: images.channels), images: data,
          device: device, seed: spec.seed))
    case .finetune(let configuration, let shape):
      guard let checkpointDigest else { throw ComputeError("the run has no checkpoint to start from") }
      let checkpoint = try artifacts.checkpoint(checkpointDigest)
      var model = checkpoint.configuration
      model.classes = images.classNames.count
      model.finalNorm = shape.finalNorm
      model.levels = shape.levels
      training = .finetune(
        try Finetuner(
          configuration, model: model, encoder: checkpoint.state, images: data, device: device, seed: spec.seed))
    case .certify: throw ComputeError("a certification is not a training")
    }
  }

  /// Trains up to the next multiple of `every` steps, but not much longer than `stretch`.
  package func train(reportingEvery every: Int, stretch: Duration) throws -> Progress {
    let end = ContinuousClock.now + stretch
    while true {
      let (step, isFinished, metrics): (Int, Bool, [(name: String, value: Double)])
      switch training {
      case .pretrain(let trainer):
        metrics = trainer.isFinished ? [] : try trainer.step().values
        (step, isFinished) = (trainer.completed, trainer.isFinished)
      case .finetune(let trainer):
        metrics = trainer.isFinished ? [] : try trainer.step().values
        (step, isFinished) = (trainer.completed, trainer.isFinished)
      case nil: throw ComputeError("no training has begun")
      }
      let reports = isFinished || step % every == 0
      if reports || ContinuousClock.now >= end {
        return Progress(step: step, metrics: reports ? metrics.map { ($0.name, $0.value) } : [], isFinished: isFinished)
      }
    }
  }

  /// Accuracy under noise on the images of `split`, by name of the metric; empty when the set has no such split.
  package func evaluate(datasetDigest: String, split: String, trainSplit: String) throws -> [(String, Double)] {
    let images = try imageSet(datasetDigest)
    let heldOut = images.indices(split: split)
    guard !heldOut.isEmpty else { return [] }
    let data = try TrainingImages(images, members: heldOut)
    let noiseLevels: [Double] = [0, 0.5, 1, 2]
    let accuracies: [(noiseLevel: Double, accuracy: Double)]
    switch training {
    case .pretrain(let trainer):
      let reference = try TrainingImages(images, split: trainSplit)
      accuracies = try trainer.evaluate(reference: reference, heldOut: data, noiseLevels: noiseLevels)
    case .finetune(let trainer): accuracies = try trainer.evaluate(data, noiseLevels: noiseLevels)
    case nil: throw ComputeError("no training has begun")
    }
    return accuracies.map { ("accuracy_sigma_\($0.noiseLevel / 2)", $0.accuracy) }
  }

  /// The numerics id of the steps made since the training began or went on.
  package func trainingNumerics() throws -> String {
    switch training {
    case .pretrain(let trainer): trainer.numerics.description
    case .finetune(let trainer): trainer.numerics.description
    case nil: throw ComputeError("no training has begun")
    }
  }

  /// Stores the state between steps. Returns its digest.
  package func saveSnapshot(ofRun run: Int64) throws -> String {
    switch training {
    case .pretrain(let trainer): try artifacts.put(try trainer.snapshot(), ofRun: run)
    case .finetune(let trainer): try artifacts.put(try trainer.snapshot(), ofRun: run)
    case nil: throw ComputeError("no training has begun")
    }
  }

  /// What a finished training made.
  package struct Product: Sendable {
    package let digest: String
    package let kind: String
    /// JSON.
    package let configuration: String
  }

  /// Stores the checkpoint of a finished training.
  package func saveCheckpoint() throws -> Product {
    let model: ViTConfiguration
    let state: StateDict
    switch training {
    case .pretrain(let trainer):
      model = trainer.model
      state = try trainer.weights
    case .finetune(let trainer):
      model = trainer.model
      state = try trainer.weights
    case nil: throw ComputeError("no training has begun")
    }
    let kind: Checkpoint.Kind = model.classes > 0 ? .classifier : .pretrained
    let checkpoint = try Checkpoint(kind: kind, configuration: model, state: state)
    return Product(
      digest: try artifacts.put(checkpoint), kind: kind.rawValue,
      configuration: String(decoding: try JSONEncoder().encode(model), as: UTF8.self))
  }

  /// Removes a training state that a newer one has replaced.
  package func discard(_ snapshotDigest: String) { SHA256(hex: snapshotDigest).map { artifacts.remove($0) } }

  /// Forgets the training held.
  package func endTraining() { training = nil }
}
