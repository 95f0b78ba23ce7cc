internal import CCodecs
internal import Tensors

extension ImageSet {
  /// Image `index` as a PNG file, byte for byte what the network is fed: grey for one channel, RGB for three.
  ///
  /// Nil for other numbers of channels. The file has no colour profile and no gamma.
  package func png(_ index: Int) -> [UInt8]? {
    guard channels == 1 || channels == 3 else { return nil }
    let plane = height * width
    var interleaved = [UInt8](repeating: 0, count: imageSize)
    image(index).withUnsafeBytes { source in
      for c in 0..<channels {
        for i in 0..<plane { interleaved[i * channels + c] = source[c * plane + i] }
      }
    }
    var header = png_image()
    header.version = UInt32(PNG_IMAGE_VERSION)
    header.width = UInt32(width)
    header.height = UInt32(height)
    header.format = channels == 1 ? 0 : UInt32(PNG_FORMAT_FLAG_COLOR)
    defer { png_image_free(&header) }
    var size = png_alloc_size_t(0)
    guard png_image_write_to_memory(&header, nil, &size, 0, interleaved, 0, nil) != 0 else { return nil }
    var file = [UInt8](repeating: 0, count: Int(size))
    guard png_image_write_to_memory(&header, &file, &size, 0, interleaved, 0, nil) != 0 else { return nil }
    file.removeSubrange(Int(size)...)
    return file
  }
}
