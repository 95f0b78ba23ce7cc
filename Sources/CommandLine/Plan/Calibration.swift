internal import Compute
internal import ComputeCPU
internal import Datasets
internal import Foundation
internal import Lifecycle
internal import Models
internal import Noise
internal import RunFile
internal import Tensors
internal import Training

/// Speeds measured here and now on a network of a run's shape with random weights: votes and steps take the same time
/// whatever the weights are. One thread, as a worker normally has.
enum Calibration {
  /// Noise samples per second of one worker.
  ///
  /// - Parameter patience: about how long to measure.
  static func samplesPerSecond(
    _ model: ViTConfiguration, sigma: Sigma, patience: Duration = .seconds(3)
  ) throws -> Double {
    let stream = RandomStream(seed: 1, purpose: "calibration")
    let device = try CPUDevice(threads: 1)
    let classifier = try device.makeClassifier(
      model, state: Initialization.framework.state(model, from: stream), batch: nil)
    let noise = try NoiseStream(seed: 1, sigma: sigma, sampler: .grid(m: GridTable.defaultM(for: sigma)))
    let pixels = [UInt8](repeating: 127, count: model.imageElements)
    let batch = UInt32(CPUDevice.defaultBatch(for: model))
    func measure(_ samples: Range<UInt32>) throws -> Double {
      let start = ContinuousClock.now
      _ = try classifier.votes(
        for: ChunkRequest(pixels: pixels, imageIndex: 0, phase: .estimation, samples: samples, noise: noise))
      return start.duration(to: .now).inSeconds
    }
    _ = try measure(0..<batch)  // memory is touched, clocks rise
    var (samples, seconds) = (UInt32(0), 0.0)
    while seconds < patience.inSeconds {
      seconds += try measure(samples..<samples + batch)
      samples += batch
    }
    return Double(samples) / seconds
  }

  /// Seconds of one optimizer step. Large batches are measured on 16 images and scaled up.
  static func secondsPerStep(_ spec: RunSpec, model: ViTConfiguration, patience: Duration = .seconds(3)) throws
    -> Double
  {
    let count = 16
    let images = try TrainingImages(
      ImageSet(
        name: "calibration", classNames: (0..<max(model.classes, 2)).map { "\($0)" }, channels: model.channels,
        height: model.imageSize, width: model.imageSize,
        images: Bytes((0..<count * model.imageElements).map { UInt8(truncatingIfNeeded: $0 &* 37) }),
        labels: Array(repeating: 0, count: count), splits: Array(repeating: "train", count: count),
        sources: Array(repeating: "", count: count)), split: "train")
    let device = try CPUDevice(threads: 1)
    let batch: Int
    let step: () throws -> Void
    switch spec.work {
    case .pretrain(var training, _):
      batch = training.batch
      training.batch = min(batch, count)
      let trainer = try Pretrainer(training, model: model, images: images, device: device, seed: 1)
      step = { _ = try trainer.step() }
    case .finetune(var training, _):
      batch = training.batch
      training.batch = min(batch, count)
      let encoder = Initialization.framework.state(model, from: RandomStream(seed: 1, purpose: "calibration"))
      let trainer = try Finetuner(
        training, model: model, encoder: encoder, images: images, device: device, seed: 1)
      step = { _ = try trainer.step() }
    case .certify: preconditionFailure("a certification has no steps")
    }
    try step()
    var (steps, seconds) = (0, 0.0)
    while steps == 0 || seconds < patience.inSeconds && steps < 6 {
      let start = ContinuousClock.now
      try step()
      seconds += start.duration(to: .now).inSeconds
      steps += 1
    }
    return seconds / Double(steps) * Double(batch) / Double(min(batch, count))
  }
}
