internal import CCodecs
package import Tensors

/// Turns JPEG and PNG files into RGB pixels.
///
/// The format is told by the first bytes, not by the name. Stored values are taken as they are: no colour profile, no
/// gamma, no orientation tag; grey becomes three equal channels, transparency is dropped. This is what the authors'
/// loaders get from Pillow's conversion to RGB.
package enum ImageDecoder {
  /// Largest image decoded, in pixels; checked on the header, before any memory is taken.
  package static let maximumPixels = 1 << 26

  /// Decodes one file's bytes.
  ///
  /// - Parameter name: the file's name for error messages.
  /// - Throws: `FormatError` for other formats, images above `maximumPixels`, and files that are damaged or cut short.
  package static func decode(_ bytes: Bytes, name: String) throws(FormatError) -> PixelImage {
    try bytes.withUnsafeBytes { (region) throws(FormatError) in
      if region.starts(with: [0xFF, 0xD8, 0xFF]) { return try decodeJPEG(region, name: name) }
      if region.starts(with: pngSignature) { return try decodePNG(region, name: name) }
      throw FormatError(
        file: name, field: "image format", value: region.isEmpty ? "an empty file" : "neither JPEG nor PNG",
        remedy: "convert the file to JPEG or PNG, or take it out of the image set")
    }
  }

  fileprivate static func requireSize(_ width: Int, _ height: Int, name: String) throws(FormatError) {
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    guard width > 0, height > 0, !overflow, pixels <= maximumPixels else {
      throw FormatError(
        file: name, field: "image size", value: "\(width)×\(height)",
        remedy: "images may have 1 to \(maximumPixels) pixels; resize it before importing")
    }
  }

  fileprivate static func damaged(_ name: String, _ message: String) -> FormatError {
    FormatError(
      file: name, field: "image data", value: "damaged (\(message))",
      remedy: "replace the file, or take it out of the image set")
  }
}

// MARK: - JPEG

extension ImageDecoder {
  private static func decodeJPEG(_ region: UnsafeRawBufferPointer, name: String) throws(FormatError) -> PixelImage {
    guard let handle = tjInitDecompress() else {
      throw damaged(name, "no decoder: \(String(cString: tjGetErrorStr()))")
    }
    defer { tjDestroy(handle) }
    let source = region.bindMemory(to: UInt8.self).baseAddress
    var width: Int32 = 0
    var height: Int32 = 0
    var subsampling: Int32 = 0
    var colorSpace: Int32 = 0
    let size = UInt(region.count)
    guard tjDecompressHeader3(handle, source, size, &width, &height, &subsampling, &colorSpace) == 0 else {
      throw damaged(name, String(cString: tjGetErrorStr2(handle)))
    }
    try requireSize(Int(width), Int(height), name: name)
    let isCMYK = colorSpace == TJCS_CMYK.rawValue || colorSpace == TJCS_YCCK.rawValue
    let format = isCMYK ? TJPF_CMYK : TJPF_RGB
    var status: Int32 = 0
    let count = Int(width) * Int(height) * (isCMYK ? 4 : 3)
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      status = tjDecompress2(
        handle, source, size, target.baseAddress, width, 0, height, Int32(format.rawValue),
        Int32(TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS))
      // After a warning some rows may not have been written; they are not looked at, the file is refused below.
      initialized = count
    }
    if status != 0 {
      let message = String(cString: tjGetErrorStr2(handle))
      guard isHarmless(message), tjGetErrorCode(handle) == TJERR_WARNING.rawValue else { throw damaged(name, message) }
    }
    return PixelImage(
      width: Int(width), height: Int(height), channels: 3, pixels: isCMYK ? rgb(invertedCMYK: pixels) : pixels)
  }

  /// Many cameras leave a few stray bytes between segments; every pixel is there all the same.
  private static func isHarmless(_ warning: String) -> Bool { warning.contains("extraneous bytes before marker") }

  /// Adobe's files store 255 minus the ink, and no others are met in practice; Pillow assumes the same.
  private static func rgb(invertedCMYK pixels: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(pixels.count / 4 * 3)
    for i in stride(from: 0, to: pixels.count, by: 4) {
      let light = Int(pixels[i + 3])
      for c in 0..<3 {
        let product = (255 - Int(pixels[i + c])) * light + 128
        out.append(UInt8(light - (product >> 8 + product) >> 8))
      }
    }
    return out
  }
}

// MARK: - PNG

extension ImageDecoder {
  private static let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  private static func decodePNG(_ region: UnsafeRawBufferPointer, name: String) throws(FormatError) -> PixelImage {
    // libpng reads from this memory until the image is finished: it must outlive every call.
    let essential = Bytes(try essentialChunks(of: region, name: name))
    return try essential.withUnsafeBytes { (memory) throws(FormatError) in
      try decodePNG(essential: memory, name: name)
    }
  }

  private static func decodePNG(
    essential: UnsafeRawBufferPointer, name: String
  ) throws(FormatError) -> PixelImage {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    guard png_image_begin_read_from_memory(&image, essential.baseAddress, essential.count) != 0 else {
      throw damaged(name, message(of: image))
    }
    try requireSize(Int(image.width), Int(image.height), name: name)
    // Alpha is asked for so that it can be dropped: without it colours would be blended with a background.
    image.format = UInt32(PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA)
    image.flags |= UInt32(PNG_IMAGE_FLAG_16BIT_sRGB)
    let count = Int(image.width) * Int(image.height) * 4
    var finished: Int32 = 0
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
      finished = png_image_finish_read(&image, nil, target.baseAddress, 0, nil)
      initialized = count
    }
    guard finished != 0, image.warning_or_error == 0 else { throw damaged(name, message(of: image)) }
    var rgb = [UInt8](repeating: 0, count: count / 4 * 3)
    for i in 0..<count / 4 {
      for c in 0..<3 { rgb[i * 3 + c] = pixels[i * 4 + c] }
    }
    return PixelImage(width: Int(image.width), height: Int(image.height), channels: 3, pixels: rgb)
  }

  private static func message(of image: png_image) -> String {
    withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  /// The file without its optional chunks, so that neither gamma nor profile nor text reaches the decoder.
  private static func essentialChunks(of region: UnsafeRawBufferPointer, name: String) throws(FormatError) -> [UInt8] {
    var out = pngSignature
    var position = pngSignature.count
    while position < region.count {
      guard region.count - position >= 12 else { throw damaged(name, "cut short inside a chunk") }
      let length = Int(UInt32(bigEndian: region.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
      guard length <= region.count - position - 12 else { throw damaged(name, "cut short inside a chunk") }
      let chunk = region[position..<position + length + 12]
      let isOptional = region[position + 4] & 0x20 != 0
      if !isOptional { out.append(contentsOf: chunk) }
      position += length + 12
      if region[position - length - 8..<position - length - 4].elementsEqual("IEND".utf8) { return out }
    }
    throw damaged(name, "cut short before its end mark")
  }
}
