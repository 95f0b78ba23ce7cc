package import Models
package import Tensors

/// What a forward pass computes beyond the encoder, and whether it can be differentiated.
package struct ForwardOptions: Sendable {
  package enum Projector: Sendable {
    /// Not evaluated.
    case none
    /// BatchNorm with batch statistics; the running statistics move (training mode, spec 2.4).
    case batchStatistics
    /// BatchNorm with running statistics (evaluation mode).
    case runningStatistics
  }

  /// Which projector mode to evaluate.
  package var projector: Projector
  /// Apply the final LayerNorm to the class token. Always true in pre-training; the run's flag in fine-tuning.
  package var finalNorm: Bool
  /// Evaluate the linear head.
  package var head: Bool
  /// Keep what `backward` needs.
  package var keepsTape: Bool

  package init(projector: Projector = .none, finalNorm: Bool = true, head: Bool = false, keepsTape: Bool = false) {
    self.projector = projector
    self.finalNorm = finalNorm
    self.head = head
    self.keepsTape = keepsTape
  }
}

/// Outputs of a forward pass, on the host: they are small.
package struct ForwardOutputs {
  /// Encoder output c [B, d].
  package var encoder: [Float]
  /// Projector output z [B, o], when asked for.
  package var projection: [Float]?
  /// Head output [B, K], when asked for.
  package var logits: [Float]?
  /// What `backward` needs; nil when not asked for. Used once.
  package var tape: (any Tape)?

  package init(encoder: [Float], projection: [Float]? = nil, logits: [Float]? = nil, tape: (any Tape)? = nil) {
    self.encoder = encoder
    self.projection = projection
    self.logits = logits
    self.tape = tape
  }
}

/// Activations kept on the device between a forward pass and its backward pass.
package protocol Tape: AnyObject {
  /// What one block saw and made, brought to the host to be compared with a reference. Not after `backward`.
  func record(ofBlock block: Int) -> BlockRecord
}

/// The activations of one block, [B, Q, d], where Q is every token, or in the last block the class token alone.
package struct BlockRecord: Sendable {
  /// What goes in, [B, T, d]: always every token.
  package var input: [Float]
  /// What attention adds to it.
  package var attention: [Float]
  /// What comes out.
  package var output: [Float]
  /// Q.
  package var queries: Int

  package init(input: [Float], attention: [Float], output: [Float], queries: Int) {
    self.input = input
    self.attention = attention
    self.output = output
    self.queries = queries
  }
}

/// Gradients of the loss with respect to a forward pass's outputs. Those left out count as zero.
package struct OutputGradients: Sendable {
  /// [B, d]
  package var encoder: [Float]?
  /// [B, o]
  package var projection: [Float]?
  /// [B, K]
  package var logits: [Float]?

  package init(encoder: [Float]? = nil, projection: [Float]? = nil, logits: [Float]? = nil) {
    self.encoder = encoder
    self.projection = projection
    self.logits = logits
  }
}

/// One AdamW update (spec 5.2): p ← p(1 − lr·wd), then the Adam step with bias correction.
package struct AdamWUpdate: Sendable {
  /// 1 for the first update.
  package var step: Int
  package var beta1: Double = 0.9
  package var beta2: Double = 0.999
  package var epsilon: Double = 1e-8
  /// Multiplies every gradient before use: the clipping factor. 1 for none.
  package var gradientScale: Float
  /// Learning rate and weight decay by parameter name; a parameter that is absent is frozen and skipped entirely.
  package var groups: [String: (learningRate: Double, weightDecay: Double)]

  package init(
    step: Int, gradientScale: Float = 1, groups: [String: (learningRate: Double, weightDecay: Double)]
  ) {
    self.step = step
    self.gradientScale = gradientScale
    self.groups = groups
  }
}

/// A trainable network on a device. Parameters, gradients and moments stay there; outputs come back.
///
/// Calls block their thread and must come from one thread at a time. Any may throw a `ComputeError`: a device can fail.
package protocol Network: AnyObject {
  var configuration: ViTConfiguration { get }
  /// What decides the bits of its steps besides weights, batch and times; complete once a step has been made.
  var numerics: NumericsID { get }

  /// Runs a batch. `inputs` [B, C, H, W] are already multiplied by c_in; `times` [B] are rescaled (spec 3.3).
  func forward(inputs: [Float], times: [Float], options: ForwardOptions) throws -> ForwardOutputs

  /// Adds the parameters' gradients of one forward pass to those held.
  func backward(_ tape: any Tape, gradients: OutputGradients) throws

  /// Sets every gradient to zero.
  func zeroGradients() throws

  /// Global L2 norm over the gradients of the named parameters (all when nil).
  func gradientNorm(of names: Set<String>?) throws -> Double

  /// Gradients by parameter name, for inspection.
  func gradients() throws -> StateDict

  /// Applies one optimizer step to the gradients held.
  func update(_ update: AdamWUpdate) throws

  /// self ← rate·self + (1 − rate)·other, over parameters; buffers stay (spec 5.1 step 6).
  func average(towards other: any Network, rate: Float) throws

  /// Every tensor of `ParameterLayout(configuration)`.
  func state() throws -> StateDict

  /// AdamW's first and second moments as `exp_avg.NAME` and `exp_avg_sq.NAME`.
  func optimizerState() throws -> StateDict

  /// Restores what `optimizerState` returned.
  func restoreOptimizer(_ state: StateDict) throws
}
