internal import Glibc

/// Softmax rows in double precision: probabilities and their logarithms.
struct Softmax {
  /// [rows, K]
  let probabilities: [Double]
  let logarithms: [Double]
  let classes: Int

  init(_ logits: [Float], classes: Int) {
    precondition(classes > 0 && logits.count % classes == 0)
    var probabilities = [Double](repeating: 0, count: logits.count)
    var logarithms = probabilities
    for start in stride(from: 0, to: logits.count, by: classes) {
      let row = start..<start + classes
      let largest = Double(logits[row].max()!)
      let total = log(row.reduce(0.0) { $0 + exp(Double(logits[$1]) - largest) })
      for k in row {
        logarithms[k] = Double(logits[k]) - largest - total
        probabilities[k] = exp(logarithms[k])
      }
    }
    self.probabilities = probabilities
    self.logarithms = logarithms
    self.classes = classes
  }

  var rows: Int { probabilities.count / classes }

  /// Adds to `gradient` the gradient with respect to the logits of row `row`, given the one with respect to its
  /// probabilities: p ⊙ (g − ⟨g, p⟩).
  func pullBack(_ g: [Double], row: Int, into gradient: inout [Double]) {
    let start = row * classes
    var along = 0.0
    for c in 0..<classes { along += g[c] * probabilities[start + c] }
    for c in 0..<classes { gradient[start + c] += probabilities[start + c] * (g[c] - along) }
  }
}

/// Mean cross-entropy −Σ y ln p and its gradient.
package struct CrossEntropy {
  /// Per row [rows].
  package let losses: [Double]
  /// Gradient of the mean with respect to the logits [rows, K].
  package let gradient: [Double]
  package var mean: Double { losses.reduce(0, +) / Double(losses.count) }

  /// - Parameter logits: [rows, K]
  package init(logits: [Float], classes: Int, labels: Labels) {
    self.init(Softmax(logits, classes: classes), labels)
  }

  init(_ softmax: Softmax, _ labels: Labels) {
    let classes = softmax.classes
    let rows = softmax.rows
    precondition(labels.count(classes: classes) == rows)
    var losses = [Double](repeating: 0, count: rows)
    var gradient = [Double](repeating: 0, count: rows * classes)
    for i in 0..<rows {
      var mass = 0.0
      for c in 0..<classes {
        let y = labels.weight(i, c, classes: classes)
        mass += y
        if y != 0 { losses[i] -= y * softmax.logarithms[i * classes + c] }
      }
      for c in 0..<classes {
        let y = labels.weight(i, c, classes: classes)
        gradient[i * classes + c] = (mass * softmax.probabilities[i * classes + c] - y) / Double(rows)
      }
    }
    self.losses = losses
    self.gradient = gradient
  }
}

/// Loss of the `linear` and `finetune` tasks: mean cross-entropy plus mean entropy of the prediction, weight 1 each
/// (spec 6.2).
package struct ProbeLoss {
  package let crossEntropy: Double
  package let entropy: Double
  /// Gradient of the sum with respect to the logits [B, K].
  package let gradient: [Float]
  package var total: Double { crossEntropy + entropy }

  /// - Parameter logits: [B, K]
  package init(logits: [Float], classes: Int, labels: Labels) {
    let softmax = Softmax(logits, classes: classes)
    let ce = CrossEntropy(softmax, labels)
    var gradient = ce.gradient
    var entropy = 0.0
    for i in 0..<softmax.rows {
      // H = −Σ p ln p, dH/dp = −ln p − 1; the constant drops out of the softmax's pull-back.
      var g = [Double](repeating: 0, count: classes)
      for c in 0..<classes {
        let k = i * classes + c
        if softmax.probabilities[k] > 0 { entropy -= softmax.probabilities[k] * softmax.logarithms[k] }
        g[c] = -softmax.logarithms[k] / Double(softmax.rows)
      }
      softmax.pullBack(g, row: i, into: &gradient)
    }
    self.crossEntropy = ce.mean
    self.entropy = entropy / Double(softmax.rows)
    self.gradient = gradient.map { Float($0) }
  }
}
