internal import Glibc

/// InfoNCE between features and targets (spec 5.1): per sample −⟨f̂, t̂⟩/tau + ln Σ_j exp(⟨f̂, t̂_j⟩/tau), hats meaning
/// division by the L2 norm, which is held at 1e-12 or more.
///
/// Targets may be more numerous than features: several processes' targets, in which row `positiveOffset + i` belongs to
/// feature row i. No gradient flows to the targets. Products and sums are in double precision.
package struct InfoNCE {
  /// Loss per feature row [B].
  package let losses: [Double]
  /// Gradient of the mean loss with respect to the features [B, D].
  package let gradient: [Float]

  /// - Parameters:
  ///   - features: [B, D]
  ///   - targets: [M, D], M ≥ B + positiveOffset
  ///   - dimension: D
  ///   - tau: temperature, greater than 0; 0.2 in all published runs.
  package init(features: [Float], targets: [Float], dimension: Int, tau: Double, positiveOffset: Int = 0) {
    let rows = features.count / dimension
    let columns = targets.count / dimension
    precondition(rows * dimension == features.count && columns * dimension == targets.count)
    precondition(positiveOffset >= 0 && positiveOffset + rows <= columns)
    let f = Directions(features, dimension: dimension)
    let t = Directions(targets, dimension: dimension)
    var losses = [Double](repeating: 0, count: rows)
    var gradient = [Float](repeating: 0, count: features.count)
    var similarities = [Double](repeating: 0, count: columns)
    var pull = [Double](repeating: 0, count: dimension)
    for i in 0..<rows {
      var largest = -Double.infinity
      for j in 0..<columns {
        similarities[j] = dot(f.units, i * dimension, t.units, j * dimension, dimension) / tau
        largest = max(largest, similarities[j])
      }
      let positive = positiveOffset + i
      let positiveSimilarity = similarities[positive]
      var total = 0.0
      for j in 0..<columns {
        similarities[j] = exp(similarities[j] - largest)
        total += similarities[j]
      }
      losses[i] = largest + log(total) - positiveSimilarity
      // d loss / d f̂ = (Σ_j p_j t̂_j − t̂_positive) / tau, averaged over the batch.
      let scale = 1 / (tau * Double(rows))
      for d in 0..<dimension { pull[d] = 0 }
      for j in 0..<columns {
        let weight = (similarities[j] / total - (j == positive ? 1 : 0)) * scale
        accumulate(&pull, weight, t.units, j * dimension)
      }
      f.pullBack(pull, row: i, into: &gradient)
    }
    self.losses = losses
    self.gradient = gradient
  }
}

/// Rows divided by their L2 norms.
private struct Directions {
  /// [rows, D]
  let units: [Double]
  let norms: [Double]
  let dimension: Int
  static let smallestNorm = 1e-12

  init(_ values: [Float], dimension: Int) {
    let rows = values.count / dimension
    var units = [Double](repeating: 0, count: values.count)
    var norms = [Double](repeating: 0, count: rows)
    for i in 0..<rows {
      var square = 0.0
      for k in i * dimension..<(i + 1) * dimension { square += Double(values[k]) * Double(values[k]) }
      norms[i] = max(square.squareRoot(), Self.smallestNorm)
      for k in i * dimension..<(i + 1) * dimension { units[k] = Double(values[k]) / norms[i] }
    }
    self.units = units
    self.norms = norms
    self.dimension = dimension
  }

  /// Writes the gradient with respect to the undivided row: (g − ⟨g, û⟩ û)/‖v‖.
  func pullBack(_ g: [Double], row: Int, into gradient: inout [Float]) {
    let start = row * dimension
    // A norm at its floor is a constant, so there is no component to remove.
    let along = norms[row] > Self.smallestNorm ? dot(g, 0, units, start, dimension) : 0
    for k in 0..<dimension { gradient[start + k] = Float((g[k] - along * units[start + k]) / norms[row]) }
  }
}

/// Σ a[i + k]·b[j + k], in eight partial sums so that the loop can be vectorised.
@inline(__always)
private func dot(_ a: [Double], _ i: Int, _ b: [Double], _ j: Int, _ count: Int) -> Double {
  a.withUnsafeBufferPointer { a in
    b.withUnsafeBufferPointer { b in
      var sums = SIMD8<Double>.zero
      var k = 0
      while k + 8 <= count {
        let x = UnsafeRawPointer(a.baseAddress! + i + k).loadUnaligned(as: SIMD8<Double>.self)
        let y = UnsafeRawPointer(b.baseAddress! + j + k).loadUnaligned(as: SIMD8<Double>.self)
        sums += x * y
        k += 8
      }
      var sum = sums.sum()
      while k < count {
        sum += a[i + k] * b[j + k]
        k += 1
      }
      return sum
    }
  }
}

/// sums[k] += weight·rows[start + k]
@inline(__always)
private func accumulate(_ sums: inout [Double], _ weight: Double, _ rows: [Double], _ start: Int) {
  sums.withUnsafeMutableBufferPointer { sums in
    rows.withUnsafeBufferPointer { rows in
      for k in sums.indices { sums[k] += weight * rows[start + k] }
    }
  }
}
