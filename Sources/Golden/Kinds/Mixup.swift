import Tensors
import Training

/// Mixed images and soft labels.
func checkMixup(_ context: GoldenContext, _ subject: String, _ check: inout GoldenCheck) throws {
  let file = try context.folder.tensors(subject + ".safetensors")
  let x = try file.tensor("x", shape: [nil, nil, nil, nil])
  let (count, channels, size) = (x.shape[0], x.shape[1], x.shape[2])
  guard x.shape[3] == size else { throw GoldenError("\(file.file): the images of x are not square") }
  let labels = try file.integers("y")
  guard labels.count == count, labels.allSatisfy({ $0 >= 0 }) else {
    throw GoldenError("\(file.file): y must be \(count) classes")
  }
  for name in file.names.sorted() {
    let reference = try file[name]
    if name.hasPrefix("target_lam") {
      let parts = name.dropFirst("target_lam".count).split(separator: "_smooth")
      guard parts.count == 2, let lambda = Float(parts[0]), let smoothing = Float(parts[1]),
        reference.shape.count == 2, labels.allSatisfy({ $0 < reference.shape[1] })
      else { throw GoldenError("\(file.file): \(name) does not have the form target_lamL_smoothS [B, K]") }
      let ours = BatchMixing.targets(
        labels: labels, classes: reference.shape[1], lambda: lambda, smoothing: smoothing)
      check.absolute(name, ours, reference.values, 1e-6)
    } else if name.hasPrefix("mixup_x_lam"), let lambda = Float(name.dropFirst("mixup_x_lam".count)) {
      check.absolute(name, BatchMixing.mixup(x.values, count: count, lambda: lambda), reference.values, 1e-6)
    } else if name.hasPrefix("cutmix_x_bbox_") {
      let box = name.dropFirst("cutmix_x_bbox_".count).split(separator: "_").compactMap {
        Int($0.drop { !$0.isNumber })
      }
      guard box.count == 4, 0 <= box[0], box[0] <= box[1], box[1] <= size, 0 <= box[2], box[2] <= box[3], box[3] <= size
      else { throw GoldenError("\(file.file): \(name) does not name a box ylA_yhB_xlC_xhD inside the image") }
      let ours = BatchMixing.cutmix(
        x.values, count: count, channels: channels, size: size, rows: box[0]..<box[1], columns: box[2]..<box[3])
      check.absolute(name, ours.images, reference.values, 1e-6)
      if file.contains("cutmix_corrected_lam") {
        check.absolute("cutmix_corrected_lam", [ours.lambda], try file["cutmix_corrected_lam"].values, 1e-6)
      }
    }
  }
}
