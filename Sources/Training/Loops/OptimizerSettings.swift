import Compute

/// AdamW's constants (spec 5.2).
package struct OptimizerSettings: Sendable, Hashable, Codable {
  package var beta1 = 0.9
  package var beta2 = 0.999
  package var epsilon = 1e-8

  package init() {}

  enum CodingKeys: String, CodingKey, CaseIterable { case beta1, beta2, epsilon }

  package init(from decoder: any Decoder) throws {
    let keys = try StrictKeys(decoder, CodingKeys.self)
    beta1 = try keys.value(.beta1, default: beta1)
    beta2 = try keys.value(.beta2, default: beta2)
    epsilon = try keys.value(.epsilon, default: epsilon)
  }

  var problems: [String] {
    (0..<1).contains(beta1) && (0..<1).contains(beta2) && epsilon > 0
      ? []
      : [
        "training.optimizer has beta1 \(beta1), beta2 \(beta2), epsilon \(epsilon);"
          + " the betas must be 0 to below 1 and epsilon greater than 0"
      ]
  }
}

extension AdamWUpdate {
  init(step: Int, _ optimizer: OptimizerSettings, gradientScale: Float, groups: ParameterGroups) {
    self.init(step: step, gradientScale: gradientScale, groups: groups)
    beta1 = optimizer.beta1
    beta2 = optimizer.beta2
    epsilon = optimizer.epsilon
  }
}
