package import Models
package import Noise
package import Tensors

/// A classifier's starting state from a pre-trained encoder: its tensors and a fresh linear head, without projector
/// (spec 6.1).
///
/// - Parameters:
///   - configuration: of the classifier; `classes` greater than 0. A projector is dropped.
///   - encoder: every encoder tensor; others are ignored.
/// - Returns: the classifier's configuration and state.
/// - Throws: `TrainingError` for a tensor that is missing or has another shape.
package func classifierState(
  _ configuration: ViTConfiguration, encoder: StateDict, from stream: RandomStream
) throws -> (configuration: ViTConfiguration, state: StateDict) {
  var configuration = configuration
  configuration.projectorHidden = 0
  configuration.projectorOutput = 0
  let fresh = Initialization.framework.state(configuration, from: stream)
  var state = StateDict()
  for entry in ParameterLayout(configuration).entries {
    if entry.name.hasPrefix("linear_head.") {
      state[entry.name] = fresh[entry.name]
      continue
    }
    guard let tensor = encoder[entry.name] else {
      throw TrainingError("the pre-trained checkpoint lacks tensor \(entry.name); give one of the same model")
    }
    guard tensor.shape == entry.shape else {
      throw TrainingError(
        "tensor \(entry.name) of the pre-trained checkpoint has shape \(tensor.shape), the model needs \(entry.shape);"
          + " make the model section equal to the checkpoint's")
    }
    state[entry.name] = tensor
  }
  return (configuration, state)
}

/// What went wrong in a training: settings, images or snapshots that do not fit.
package struct TrainingError: Error, CustomStringConvertible, Sendable {
  package let message: String
  package init(_ message: String) { self.message = message }
  package var description: String { message }
}
