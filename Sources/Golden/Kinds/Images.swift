import Datasets
import Tensors

/// Resizing, cropping, flipping and normalising of 8-bit images.
func checkImageOps(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let file = try context.folder.tensors(subject + ".safetensors")
  for name in file.names.sorted() {
    if let side = name.hasPrefix("center_crop_") ? Int(name.dropFirst("center_crop_".count)) : nil {
      let image = try pixels(file, "image")
      guard side >= 1 else { throw GoldenError("\(name) names no side") }
      compare(name, image.squared(side: side), try file.bytes(name), &check)
    } else if name.hasPrefix("crop_") {
      let parts = name.split(separator: "_").dropFirst()
      let numbers = parts.compactMap { Int($0) }
      guard parts.count == 6, numbers.count == 5, let filter = filters[String(parts[parts.startIndex + 4])] else {
        check.skip(name, "its name is not crop_TOP_LEFT_HEIGHT_WIDTH_FILTER_SIDE")
        continue
      }
      let image = try pixels(file, "image")
      let (top, left, height, width, side) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
      guard top >= 0, left >= 0, height >= 1, width >= 1, side >= 1, top + height <= image.height,
        left + width <= image.width
      else { throw GoldenError("\(name) leaves the image of \(image.width)×\(image.height)") }
      let ours = image.cropped(
        left: left, top: top, width: width, height: height, resizedTo: side, filter: filter)
      compare(name, ours, try file.bytes(name), &check)
    } else if name == "hflip" {
      let reference = try file.bytes(name)
      compare(name, try pixels(file, "jitter_input").flippedHorizontally(), reference, &check, tolerance: 0)
    } else if name == "normalised_chw" {
      check.absolute(name, try pixels(file, "jitter_input").normalised().values, try file[name].values, 1e-6)
    } else if name != "image" && name != "jitter_input" && !name.hasPrefix("factors_") {
      check.skip(name, "this operation is not part of the program yet")
    }
  }
}

private let filters: [String: ResampleFilter] = ["box": .box, "bilinear": .bilinear, "bicubic": .bicubic]

private func pixels(_ file: GoldenTensors, _ name: String) throws -> PixelImage {
  let (shape, values) = try file.bytes(name)
  guard shape.count == 3, shape.allSatisfy({ $0 >= 1 }) else {
    throw GoldenError("\(file.file): \(name) has shape \(shape); [height, width, channels] is needed")
  }
  return PixelImage(width: shape[1], height: shape[0], channels: shape[2], pixels: values)
}

private func compare(
  _ name: String, _ ours: PixelImage, _ reference: (shape: [Int], values: [UInt8]), _ check: inout GoldenCheck,
  tolerance: Double = 1
) {
  let fits = [ours.height, ours.width, ours.channels] == reference.shape
  check.absolute(name, fits ? ours.pixels.map(Double.init) : [], reference.values.map(Double.init), tolerance)
}
