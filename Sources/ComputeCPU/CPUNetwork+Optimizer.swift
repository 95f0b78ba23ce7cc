internal import CKernels
internal import Compute
internal import Glibc
internal import Models
internal import Tensors

extension CPUNetwork {
  func update(_ update: AdamWUpdate) {
    let moments = heldMoments()
    let correction1 = 1 - pow(update.beta1, Double(update.step))
    let correction2 = 1 - pow(update.beta2, Double(update.step))
    let places = parameters.places
    parallel(places.count, threads: threads) { _, index in
      let place = places[index]
      guard place.entry.isParameter, let group = update.groups[place.entry.name] else { return }
      var constants = rrcm_adamw(
        gradient_scale: update.gradientScale, decay: Float(1 - group.learningRate * group.weightDecay),
        one_minus_beta1: Float(1 - update.beta1), beta2: Float(update.beta2), one_minus_beta2: Float(1 - update.beta2),
        step_size: Float(group.learningRate / correction1), root_correction: Float(correction2.squareRoot()),
        epsilon: Float(update.epsilon))
      rrcm_adamw_update(
        &constants, place.count, parameters.pointer(place), gradientStore.pointer(place), moments.first.pointer(place),
        moments.second.pointer(place))
    }
    parametersChanged()
  }

  func average(towards other: any Network, rate: Float) throws {
    guard let other = other as? CPUNetwork, other.configuration == configuration else {
      throw ComputeError("only a CPU network of the same configuration can be averaged into this one")
    }
    for place in parameters.places where place.entry.isParameter {
      rrcm_average(place.count, parameters.pointer(place), other.parameters.pointer(place), rate)
    }
    parametersChanged()
  }

  func optimizerState() -> StateDict {
    let moments = heldMoments()
    return StateDict(
      moments.first.state(prefix: "exp_avg.", parametersOnly: true).pairs.map { ($0.name, $0.tensor) }
        + moments.second.state(prefix: "exp_avg_sq.", parametersOnly: true).pairs.map { ($0.name, $0.tensor) })
  }

  func restoreOptimizer(_ state: StateDict) throws {
    let moments = heldMoments()
    try moments.first.load(state, prefix: "exp_avg.", parametersOnly: true)
    try moments.second.load(state, prefix: "exp_avg_sq.", parametersOnly: true)
  }

  private func heldMoments() -> (first: ParameterStore, second: ParameterStore) {
    if let moments { return moments }
    let layout = ParameterLayout(configuration).entries
    let created = (ParameterStore(layout), ParameterStore(layout))
    moments = created
    return created
  }
}
