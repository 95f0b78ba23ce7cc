package import Tensors

extension PixelImage {
  /// The rectangle of `width` × `height` pixels whose upper left corner is at (`left`, `top`).
  ///
  /// - Precondition: it lies within the image.
  package func cropped(left: Int, top: Int, width newWidth: Int, height newHeight: Int) -> PixelImage {
    precondition(
      left >= 0 && top >= 0 && newWidth > 0 && newHeight > 0 && left + newWidth <= width && top + newHeight <= height,
      "crop \(newWidth)×\(newHeight) at (\(left), \(top)) leaves the image of \(width)×\(height)")
    if newWidth == width && newHeight == height { return self }
    var out: [UInt8] = []
    out.reserveCapacity(newWidth * newHeight * channels)
    for y in top..<top + newHeight {
      let start = (y * width + left) * channels
      out.append(contentsOf: pixels[start..<start + newWidth * channels])
    }
    return PixelImage(width: newWidth, height: newHeight, channels: channels, pixels: out)
  }

  /// The image with left and right exchanged.
  package func flippedHorizontally() -> PixelImage {
    var out = pixels
    for y in 0..<height {
      for x in 0..<width {
        for c in 0..<channels {
          out[(y * width + x) * channels + c] = pixels[(y * width + width - 1 - x) * channels + c]
        }
      }
    }
    return PixelImage(width: width, height: height, channels: channels, pixels: out)
  }

  /// The square of side S that a network is fed: short side to S, then the middle (spec section 5.4).
  ///
  /// The image is halved with a box filter while its short side is at least 2S, resized with a bicubic filter so that the
  /// short side is S (the other is rounded, ties to even), and cropped with offsets rounded down. An S×S image is
  /// returned as it is.
  package func squared(side: Int) -> PixelImage {
    var image = self
    while min(image.width, image.height) >= 2 * side {
      image = image.resized(width: image.width / 2, height: image.height / 2, filter: .box)
    }
    let scale = Double(side) / Double(min(image.width, image.height))
    image = image.resized(
      width: Int((Double(image.width) * scale).rounded(.toNearestOrEven)),
      height: Int((Double(image.height) * scale).rounded(.toNearestOrEven)), filter: .bicubic)
    return image.cropped(left: (image.width - side) / 2, top: (image.height - side) / 2, width: side, height: side)
  }

  /// A rectangle of the image resized to S×S, as random-resized-crop augmentation does once its rectangle is drawn.
  ///
  /// Pixels outside the rectangle do not enter, not even at its edges.
  package func cropped(left: Int, top: Int, width: Int, height: Int, resizedTo side: Int, filter: ResampleFilter)
    -> PixelImage
  {
    cropped(left: left, top: top, width: width, height: height).resized(width: side, height: side, filter: filter)
  }

  /// Planes [C, H, W] normalised from 0...255 to -1...1: (b/255 - ½)/½ in float32, in this order of operations.
  package func normalised() -> Tensor {
    let plane = width * height
    var values = [Float](repeating: 0, count: pixels.count)
    for c in 0..<channels {
      for i in 0..<plane { values[c * plane + i] = Self.normalise(pixels[i * channels + c]) }
    }
    return Tensor(shape: [channels, height, width], values: values)
  }

  /// The network's value of one stored byte (spec section 4.1).
  @inline(__always) package static func normalise(_ byte: UInt8) -> Float { (Float(byte) / 255 - 0.5) / 0.5 }
}
