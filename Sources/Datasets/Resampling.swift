internal import Glibc

/// Filters for resizing 8-bit images, with Pillow's definitions.
package enum ResampleFilter: Sendable {
  case box
  case bilinear
  /// Keys' cubic with a = -1/2.
  case bicubic

  /// Half-width in source pixels at scale 1.
  fileprivate var support: Double {
    switch self {
    case .box: 0.5
    case .bilinear: 1
    case .bicubic: 2
    }
  }

  fileprivate func weight(_ x: Double) -> Double {
    switch self {
    case .box: return x > -0.5 && x <= 0.5 ? 1 : 0
    case .bilinear: return max(0, 1 - abs(x))
    case .bicubic:
      let a = -0.5
      let x = abs(x)
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
      return 0
    }
  }
}

extension PixelImage {
  /// The image at another size, antialiased: the filter widens with the reduction.
  ///
  /// Pillow's 8-bit method to the bit: weights in double, normalised, rounded to 22 fractional bits; first along rows,
  /// rounded to bytes, then along columns. An axis that keeps its length is left alone.
  ///
  /// - Note: Pillow up to version 12. From 13 on it takes columns first where the height shrinks much more than the
  ///   width, which moves single pixels of tall images by a few levels.
  /// - Precondition: both lengths are positive.
  package func resized(width newWidth: Int, height newHeight: Int, filter: ResampleFilter) -> PixelImage {
    precondition(newWidth > 0 && newHeight > 0, "an image cannot be resized to \(newWidth)×\(newHeight)")
    var image = self
    if newWidth != width { image = image.resampledRows(to: newWidth, filter) }
    if newHeight != height { image = image.resampledColumns(to: newHeight, filter) }
    return image
  }

  private func resampledRows(to newWidth: Int, _ filter: ResampleFilter) -> PixelImage {
    let weights = ResampleWeights(from: width, to: newWidth, filter)
    let rowBytes = width * channels
    let out = [UInt8](unsafeUninitializedCapacity: height * newWidth * channels) { target, initialized in
      pixels.withUnsafeBufferPointer { source in
        weights.fixed.withUnsafeBufferPointer { fixed in
          var at = 0
          for y in 0..<height {
            for x in 0..<newWidth {
              let first = y * rowBytes + weights.starts[x] * channels
              let w = x * weights.capacity
              let taps = weights.counts[x]
              for c in 0..<channels {
                var sum = ResampleWeights.half
                for i in 0..<taps { sum &+= Int32(source[first + i * channels + c]) &* fixed[w + i] }
                target[at] = ResampleWeights.byte(sum)
                at += 1
              }
            }
          }
        }
      }
      initialized = height * newWidth * channels
    }
    return PixelImage(width: newWidth, height: height, channels: channels, pixels: out)
  }

  private func resampledColumns(to newHeight: Int, _ filter: ResampleFilter) -> PixelImage {
    let weights = ResampleWeights(from: height, to: newHeight, filter)
    let rowBytes = width * channels
    var sums = [Int32](repeating: 0, count: rowBytes)
    let out = [UInt8](unsafeUninitializedCapacity: newHeight * rowBytes) { target, initialized in
      pixels.withUnsafeBufferPointer { source in
        sums.withUnsafeMutableBufferPointer { sums in
          for y in 0..<newHeight {
            sums.update(repeating: ResampleWeights.half)
            for i in 0..<weights.counts[y] {
              let row = (weights.starts[y] + i) * rowBytes
              let weight = weights.fixed[y * weights.capacity + i]
              for x in 0..<rowBytes { sums[x] &+= Int32(source[row + x]) &* weight }
            }
            for x in 0..<rowBytes { target[y * rowBytes + x] = ResampleWeights.byte(sums[x]) }
          }
        }
      }
      initialized = newHeight * rowBytes
    }
    return PixelImage(width: width, height: newHeight, channels: channels, pixels: out)
  }
}

/// For each output position: which source positions enter and with what fixed-point weights.
private struct ResampleWeights {
  /// Fractional bits: 32 less 8 for the pixel and 2 for the filter's overshoot.
  static let precision: Int32 = 22
  static let half: Int32 = 1 << (precision - 1)

  /// First source position of each output position.
  var starts: [Int] = []
  /// Number of source positions of each output position.
  var counts: [Int] = []
  /// Weights of output position x, from `x · capacity`.
  var fixed: [Int32]
  let capacity: Int

  init(from inLength: Int, to outLength: Int, _ filter: ResampleFilter) {
    let scale = Double(inLength) / Double(outLength)
    let filterScale = max(scale, 1)
    let support = filter.support * filterScale
    capacity = Int(ceil(support)) * 2 + 1
    fixed = [Int32](repeating: 0, count: outLength * capacity)
    let inverse = 1 / filterScale
    for x in 0..<outLength {
      let center = (Double(x) + 0.5) * scale
      let start = max(Int(center - support + 0.5), 0)
      let count = min(Int(center + support + 0.5), inLength) - start
      var weights = (0..<count).map { filter.weight((Double($0 + start) - center + 0.5) * inverse) }
      let total = weights.reduce(0, +)
      if total != 0 { weights = weights.map { $0 / total } }
      for (i, weight) in weights.enumerated() {
        let scaled = weight * Double(1 << Self.precision)
        fixed[x * capacity + i] = Int32(scaled < 0 ? scaled - 0.5 : scaled + 0.5)
      }
      starts.append(start)
      counts.append(count)
    }
  }

  @inline(__always) static func byte(_ sum: Int32) -> UInt8 { UInt8(clamping: sum >> precision) }
}
