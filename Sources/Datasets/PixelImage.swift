/// An 8-bit image in memory: rows from top to bottom, pixels from left to right, channels interleaved (H, W, C).
package struct PixelImage: Sendable, Equatable {
  package let width: Int
  package let height: Int
  package let channels: Int
  /// `height · width · channels` bytes.
  package var pixels: [UInt8]

  /// - Precondition: `pixels` holds exactly the image.
  package init(width: Int, height: Int, channels: Int, pixels: [UInt8]) {
    precondition(
      width > 0 && height > 0 && channels > 0 && pixels.count == width * height * channels,
      "\(pixels.count) bytes are not \(channels)×\(height)×\(width)")
    self.width = width
    self.height = height
    self.channels = channels
    self.pixels = pixels
  }

  /// Planes (C, H, W), the order in which image sets and networks keep pixels.
  package var planes: [UInt8] {
    let plane = width * height
    return [UInt8](unsafeUninitializedCapacity: pixels.count) { target, initialized in
      pixels.withUnsafeBufferPointer { source in
        for c in 0..<channels {
          for i in 0..<plane { target[c * plane + i] = source[i * channels + c] }
        }
      }
      initialized = pixels.count
    }
  }
}
