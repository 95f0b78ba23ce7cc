import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

private let golden = "golden/image_ops.safetensors"

/// A stored HWC image.
private func image(_ name: String, in file: SafetensorsFile) throws -> PixelImage {
  let tensor = try #require(file[name], "no tensor \(name)")
  return PixelImage(
    width: tensor.shape[1], height: tensor.shape[0], channels: tensor.shape[2],
    pixels: try #require(tensor.uint8s()))
}

@Suite struct ImageOpsTests {
  @Test(
    "resize, crop, flip and normalisation equal Pillow's and torchvision's to the bit",
    .enabled(if: ReferenceData.has(golden), ReferenceData.absent))
  func reference() throws {
    let file = try SafetensorsFile.read(path: ReferenceData.path(golden))
    let source = try image("image", in: file)
    var checked = 0
    for entry in file.entries {
      let parts = entry.name.split(separator: "_")
      let numbers = parts.compactMap { Int($0) }
      let result: PixelImage
      switch parts[0] {
      case "center": result = source.squared(side: numbers[0])
      case "crop":
        result = source.cropped(
          left: numbers[1], top: numbers[0], width: numbers[3], height: numbers[2], resizedTo: numbers[4],
          filter: entry.name.contains("bicubic") ? .bicubic : .bilinear)
      case "hflip": result = try image("jitter_input", in: file).flippedHorizontally()
      default: continue
      }
      #expect(result == (try image(entry.name, in: file)), "\(entry.name)")
      checked += 1
    }
    #expect(checked == 6)
    let normalised = try #require(file["normalised_chw"]?.tensor())
    #expect(try image("jitter_input", in: file).normalised() == normalised)
  }

  @Test("an image that already has the wanted size is not changed")
  func identity() {
    let image = PixelImage(width: 5, height: 5, channels: 3, pixels: (0..<75).map { UInt8($0 * 3) })
    #expect(image.squared(side: 5) == image)
    #expect(image.resized(width: 5, height: 5, filter: .bicubic) == image)
  }

  @Test("halving with the box filter takes means of 2×2 pixels, rounded half up")
  func box() {
    let image = PixelImage(width: 4, height: 2, channels: 1, pixels: [0, 4, 10, 11, 8, 12, 10, 11])
    #expect(image.resized(width: 2, height: 1, filter: .box).pixels == [6, 11])
  }

  @Test("a constant image stays constant under every filter and size", arguments: [1, 2, 7, 31, 100])
  func constant(size: Int) {
    let image = PixelImage(width: 13, height: 9, channels: 2, pixels: [UInt8](repeating: 200, count: 13 * 9 * 2))
    for filter in [ResampleFilter.box, .bilinear, .bicubic] {
      #expect(image.resized(width: size, height: size, filter: filter).pixels.allSatisfy { $0 == 200 })
    }
  }

  @Test("the middle square lies at offsets rounded down")
  func centre() {
    let row = PixelImage(width: 6, height: 3, channels: 1, pixels: (0..<18).map { UInt8($0) })
    #expect(row.squared(side: 3).pixels == [1, 2, 3, 7, 8, 9, 13, 14, 15])
  }

  @Test("bytes 0, 51 and 255 become -1, -0.6 and 1, in planes")
  func normalised() {
    let image = PixelImage(width: 1, height: 1, channels: 3, pixels: [0, 51, 255])
    let values = image.normalised()
    #expect(values.shape == [3, 1, 1])
    #expect(values.values[0] == -1 && values.values[2] == 1)
    #expect(abs(values.values[1] + 0.6) < 1e-7)
  }
}

@Suite struct ImageDecoderTests {
  @Test("every usual kind of file decodes to the pixels other software reads", arguments: ImageFixtures.files)
  func decodes(file: ImageFixtures.File) throws {
    let bytes = Bytes([UInt8](try #require(Data(base64Encoded: file.base64))))
    let image = try ImageDecoder.decode(bytes, name: "x")
    #expect(image.width == ImageFixtures.width && image.height == ImageFixtures.height && image.channels == 3)
    #expect(image.pixels == file.pixels)
  }

  @Test("a file cut anywhere is refused by name, never read with missing pixels", arguments: ImageFixtures.files)
  func cut(file: ImageFixtures.File) throws {
    let bytes = Bytes([UInt8](try #require(Data(base64Encoded: file.base64))))
    for length in 0..<bytes.count {
      let error = #expect(throws: FormatError.self) {
        try ImageDecoder.decode(bytes.slice(0..<length), name: "cut.jpg")
      }
      #expect(error?.file == "cut.jpg")
    }
  }

  @Test("other formats are refused with what to do", arguments: ["GIF89a....", "<svg/>", ""])
  func foreign(text: String) {
    let error = #expect(throws: FormatError.self) { try ImageDecoder.decode(Bytes(Array(text.utf8)), name: "x.png") }
    #expect(error?.field == "image format")
  }

  @Test("a header that promises too many pixels is refused before decoding")
  func bomb() throws {
    let png = ImageFixtures.files.first { $0.testDescription == "PNG" }!
    var bytes = [UInt8](try #require(Data(base64Encoded: png.base64)))
    // Width and height of 16384, with the checksum of that header.
    bytes.replaceSubrange(16..<24, with: [0, 0, 0x40, 0, 0, 0, 0x40, 0])
    let checksum = CRC32.of(bytes[12..<29])
    bytes.replaceSubrange(29..<33, with: withUnsafeBytes(of: checksum.bigEndian) { [UInt8]($0) })
    let error = #expect(throws: FormatError.self) { try ImageDecoder.decode(Bytes(bytes), name: "bomb.png") }
    #expect(error?.value == "16384×16384")
    let jpeg = ImageFixtures.files[0]
    bytes = [UInt8](try #require(Data(base64Encoded: jpeg.base64)))
    let frame = try #require(bytes.indices.first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xC0 })
    bytes.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
    let other = #expect(throws: FormatError.self) { try ImageDecoder.decode(Bytes(bytes), name: "bomb.jpg") }
    #expect(other?.value == "65500×65500")
  }
}
