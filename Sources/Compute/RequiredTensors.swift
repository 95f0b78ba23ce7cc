package import Models
package import Tensors

/// Checks that `state` holds every tensor of a layout, called `prefix` + name.
///
/// - Throws: `ComputeError` listing each tensor that is missing or of another shape.
package func requireTensors(_ entries: [ParameterLayout.Entry], in state: any TensorSource, prefix: String = "") throws
{
  let problems = entries.compactMap { entry -> String? in
    let name = prefix + entry.name
    guard let shape = state.shape(of: name) else { return "\(name) is missing (shape \(entry.shape))" }
    return shape == entry.shape ? nil : "\(name) has shape \(shape), not \(entry.shape)"
  }
  guard problems.isEmpty else {
    throw ComputeError(
      "the tensors do not fit the configuration: " + problems.joined(separator: "; ")
        + ". Check the checkpoint and model.* of its configuration.")
  }
}
