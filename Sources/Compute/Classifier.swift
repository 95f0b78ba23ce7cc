package import Models
package import Noise
package import Tensors

/// One chunk of work: a range of noise samples of one image at one noise level.
package struct ChunkRequest: Sendable {
  /// The image's bytes b, [C, H, W]; pixel value b/255.
  package let pixels: [UInt8]
  /// The image's index in its dataset; part of the noise counter.
  package let imageIndex: UInt32
  package let phase: Phase
  /// Sample indices within the phase. Any range: votes do not depend on how samples are split into chunks.
  package let samples: Range<UInt32>
  /// Sampler, sigma and key of the run.
  package let noise: NoiseStream

  package init(
    pixels: [UInt8], imageIndex: UInt32, phase: Phase, samples: Range<UInt32>, noise: NoiseStream
  ) {
    self.pixels = pixels
    self.imageIndex = imageIndex
    self.phase = phase
    self.samples = samples
    self.noise = noise
  }
}

/// A fine-tuned network resident on a device, ready to vote.
///
/// Weights stay on the device; a chunk is one call; one small array of votes comes back. Calls block their thread and
/// must come from one thread at a time.
package protocol Classifier: AnyObject {
  var configuration: ViTConfiguration { get }
  var numerics: NumericsID { get }
  /// For people: how the device's threads share the work, with what was measured to choose; empty where nothing is.
  var arrangement: String { get }

  /// Votes [K] of the samples of one chunk, summing to `request.samples.count`.
  ///
  /// Each sample is noised, normalised to [-1, 1], multiplied by c_in and classified at the level nearest to 2·sigma
  /// (spec sections 4 and 7). Ties go to the lowest class. A sample's logits do not depend on its slot in a batch.
  /// - Throws: `ComputeError` when the pixels do not fit the configuration or a logit is not finite.
  func votes(for request: ChunkRequest) throws -> [Int32]

  /// Logits [M, K] of given network inputs before c_in: `inputs` [M, C, H, W], normalised to [-1, 1] and noisy.
  ///
  /// - Parameter noiseLevel: the level v in normalised units, 2·sigma; 0 selects the last (clean) level.
  func logits(inputs: [Float], count: Int, noiseLevel: Double) throws -> [Float]
}

extension Classifier {
  package var arrangement: String { "" }
}

/// A machine part that computes: a CPU or one GPU.
package protocol Device: Sendable {
  /// For people: model name, cores or memory.
  var summary: String { get }

  /// Places a classifier's weights on the device.
  /// - Parameters:
  ///   - state: every tensor of `ParameterLayout(configuration)` up to the projector, which is not read.
  ///   - batch: samples per forward pass; nil lets the device choose. Part of the numerics id where results notice it.
  func makeClassifier(_ configuration: ViTConfiguration, state: any TensorSource, batch: Int?) throws
    -> any Classifier

  /// Places a trainable network on the device: parameters, gradients, optimizer moments.
  func makeNetwork(_ configuration: ViTConfiguration, state: StateDict) throws -> any Network
}

/// What went wrong in a computation.
package struct ComputeError: Error, CustomStringConvertible, Sendable {
  package let message: String
  package init(_ message: String) { self.message = message }
  package var description: String { message }
}
