/// Mixing a batch with itself in reverse order, and the soft labels that belong to it (spec 6.4).
package enum BatchMixing {
  /// Label distributions [B, K]: lambda parts of each image's smoothed label and 1 − lambda of its partner's.
  ///
  /// - Parameter smoothing: s; a label has 1 − s + s/K on its class and s/K elsewhere.
  package static func targets(labels: [Int], classes: Int, lambda: Float, smoothing: Float) -> [Float] {
    let off = smoothing / Float(classes)
    let on = 1 - smoothing + off
    var targets = [Float](repeating: 0, count: labels.count * classes)
    for (i, (own, partner)) in zip(labels, labels.reversed()).enumerated() {
      for c in 0..<classes {
        targets[i * classes + c] = (c == own ? on : off) * lambda + (c == partner ? on : off) * (1 - lambda)
      }
    }
    return targets
  }

  /// Mixup: lambda parts of each image and 1 − lambda of its partner, [B, …].
  package static func mixup(_ images: [Float], count: Int, lambda: Float) -> [Float] {
    let size = images.count / count
    return images.indices.map { i in
      lambda * images[i] + (1 - lambda) * images[(count - 1 - i / size) * size + i % size]
    }
  }

  /// Cutmix: the partner's pixels inside a box.
  ///
  /// - Parameters:
  ///   - images: [B, C, size, size]
  ///   - rows: of the box. `columns`: likewise.
  /// - Returns: the images, and lambda corrected to the part of the image outside the box.
  package static func cutmix(
    _ images: [Float], count: Int, channels: Int, size: Int, rows: Range<Int>, columns: Range<Int>
  ) -> (images: [Float], lambda: Float) {
    var mixed = images
    for b in 0..<count {
      for c in 0..<channels {
        for y in rows {
          for x in columns {
            let place = (c * size + y) * size + x
            mixed[b * channels * size * size + place] = images[(count - 1 - b) * channels * size * size + place]
          }
        }
      }
    }
    return (mixed, 1 - Float(rows.count * columns.count) / Float(size * size))
  }
}
