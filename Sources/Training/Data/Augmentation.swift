internal import Glibc
package import Noise

/// A list of random changes to an image, applied in order to values in [0, 1], before normalisation.
///
/// All randomness comes from the generator given, so an image's augmentation is a pure function of its place in the
/// training.
package struct Augmentation: Sendable, Hashable {
  /// One change. Those of the published list (spec 5.4) that are missing here become further cases.
  package enum Change: Sendable, Hashable {
    /// Rotation by up to `degrees`, scale uniform in `scale` and shift by up to `shift` pixels each way, about the
    /// centre, in one bilinear sampling; outside is 0.
    case affine(degrees: Double, scale: ClosedRange<Double>, shift: Double)
    /// Pads by this many pixels of 0 and crops the original size at a random place.
    case paddedCrop(Int)
    /// Mirrors left and right with this probability.
    case flip(Double)
    /// With the probability: values times U[1 − brightness, 1 + brightness], then away from their mean by
    /// U[1 − contrast, 1 + contrast]; clipped to [0, 1].
    case jitter(brightness: Double, contrast: Double, probability: Double)
  }

  package var changes: [Change]

  package init(_ changes: [Change]) { self.changes = changes }

  /// Changes one image `[C, H, W]` of side `size`.
  package func apply(to image: inout [Float], channels: Int, size: Int, using generator: inout RandomStream.Generator) {
    precondition(image.count == channels * size * size)
    for change in changes {
      switch change {
      case .affine(let degrees, let scale, let shift):
        let angle = generator.uniform(-degrees, degrees) * Double.pi / 180
        let factor = generator.uniform(scale.lowerBound, scale.upperBound)
        let (down, right) = (generator.uniform(-shift, shift), generator.uniform(-shift, shift))
        warp(&image, channels, size, angle: angle, factor: factor, down: down, right: right)
      case .paddedCrop(let padding):
        let down = Int(generator.next() % UInt64(2 * padding + 1)) - padding
        let right = Int(generator.next() % UInt64(2 * padding + 1)) - padding
        translate(&image, channels, size, down: down, right: right)
      case .flip(let probability):
        guard generator.uniform() < probability else { continue }
        for row in stride(from: 0, to: image.count, by: size) { image[row..<row + size].reverse() }
      case .jitter(let brightness, let contrast, let probability):
        let draws = (
          generator.uniform(), generator.uniform(-brightness, brightness), generator.uniform(-contrast, contrast)
        )
        guard draws.0 < probability else { continue }
        jitter(&image, brightness: Float(1 + draws.1), contrast: Float(1 + draws.2))
      }
    }
  }

  /// Samples the image at R(−angle)/factor of each pixel's offset from the shifted centre.
  private func warp(
    _ image: inout [Float], _ channels: Int, _ size: Int, angle: Double, factor: Double, down: Double, right: Double
  ) {
    let source = image
    let (cosine, sine) = (cos(angle) / factor, sin(angle) / factor)
    let centre = Double(size - 1) / 2
    for y in 0..<size {
      for x in 0..<size {
        let (v, u) = (Double(y) - centre - down, Double(x) - centre - right)
        let (fromY, fromX) = (cosine * v - sine * u + centre, sine * v + cosine * u + centre)
        let (top, left) = (floor(fromY), floor(fromX))
        let (wy, wx) = (Float(fromY - top), Float(fromX - left))
        for c in 0..<channels {
          func at(_ y: Int, _ x: Int) -> Float {
            0..<size ~= y && 0..<size ~= x ? source[(c * size + y) * size + x] : 0
          }
          let (i, j) = (Int(top), Int(left))
          let upper = (1 - wx) * at(i, j) + wx * at(i, j + 1)
          let lower = (1 - wx) * at(i + 1, j) + wx * at(i + 1, j + 1)
          image[(c * size + y) * size + x] = (1 - wy) * upper + wy * lower
        }
      }
    }
  }

  private func translate(_ image: inout [Float], _ channels: Int, _ size: Int, down: Int, right: Int) {
    let source = image
    for c in 0..<channels {
      for y in 0..<size {
        for x in 0..<size {
          let (i, j) = (y - down, x - right)
          image[(c * size + y) * size + x] =
            0..<size ~= i && 0..<size ~= j ? source[(c * size + i) * size + j] : 0
        }
      }
    }
  }

  private func jitter(_ image: inout [Float], brightness: Float, contrast: Float) {
    let mean = image.reduce(0, +) / Float(image.count) * brightness
    for k in image.indices { image[k] = min(1, max(0, mean + contrast * (brightness * image[k] - mean))) }
  }
}

extension Augmentation {
  /// A named choice of augmentations, as a run file gives it.
  package enum Recipe: String, Sendable, Hashable, Codable, CaseIterable {
    case none
    /// Small grey images whose mirror image means something else: rotation, scale, shift and light.
    case digits
    /// Small photographs: padded crop, flip; the views of pre-training change the light, too.
    case cropFlip = "crop-flip"

    /// For the image itself: in pre-training x, in fine-tuning everything.
    package var image: Augmentation {
      switch self {
      case .none: Augmentation([])
      case .digits: Augmentation([.affine(degrees: 8, scale: 0.9...1.1, shift: 0.6)])
      case .cropFlip: Augmentation([.paddedCrop(4), .flip(0.5)])
      }
    }

    /// For the two views of pre-training.
    package var view: Augmentation {
      switch self {
      case .none: Augmentation([])
      case .digits:
        Augmentation([
          .affine(degrees: 12, scale: 0.85...1.15, shift: 1), .jitter(brightness: 0.3, contrast: 0.3, probability: 0.8),
        ])
      case .cropFlip:
        Augmentation([.paddedCrop(4), .flip(0.5), .jitter(brightness: 0.4, contrast: 0.4, probability: 0.8)])
      }
    }
  }
}

extension RandomStream.Generator {
  /// Uniform in [low, high).
  mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }
}
