internal import Tensors

/// The binary version of CIFAR-10 as its authors distribute it: 60,000 colour images of 32×32 in ten classes.
///
/// Source: https://www.cs.toronto.edu/~kriz/cifar.html. A `.bin` file is a row of records of 3073 bytes: the label, then
/// 1024 red, green and blue bytes, row by row. Images keep the files' order, `train` before `test`, so that image i of the
/// test split is the i-th that everybody certifies.
package enum CIFAR10 {
  static let trainFiles = (1...5).map { "data_batch_\($0).bin" }
  static let testFile = "test_batch.bin"
  static let classFile = "batches.meta.txt"
  private static let pixels = 3072
  private static let record = 1 + pixels

  /// Reads `cifar-10-binary.tar.gz`, or the folder it unpacks to.
  ///
  /// - Parameter scratch: directory with room for the pixels, 184 MB.
  /// - Throws: `RefusedFiles` with everything that is missing, of a wrong size, or labelled with no class.
  package static func read(path: String, name: String = "cifar10", scratch: String = "/tmp") throws -> ImageSet {
    let tree = try ImageTree(path: path)
    let listing = try tree.listing()
    let wanted = trainFiles + [testFile, classFile]
    let found = try find(wanted, in: listing.files, path)
    var refusals = listing.refusals
    func refuse(_ file: String, _ field: String, _ value: String, _ remedy: String) {
      refusals.append(FormatError(file: file, field: field, value: value, remedy: remedy))
    }
    for file in wanted where found[file] == nil {
      refuse(file, "file", "missing", "give cifar-10-binary.tar.gz or its folder, with all seven files")
    }
    // Where each file's images begin.
    var starts: [String: Int] = [:]
    var count = 0
    for name in trainFiles + [testFile] {
      guard let file = found[name] else { continue }
      guard file.size > 0, file.size.isMultiple(of: record), file.size <= ImageTree.maximumFile else {
        refuse(file.path, "file size", "\(file.size) bytes", "it must be a multiple of \(record); fetch it again")
        continue
      }
      starts[file.path] = count
      count += file.size / record
    }
    if let file = found[classFile], file.size > 4096 {
      refuse(file.path, "file size", "\(file.size) bytes", "ten names are expected; fetch it again")
    }
    guard refusals.isEmpty else { throw RefusedFiles(path: path, refusals: refusals, count: listing.files.count) }

    let scratch = try ScratchFile(in: scratch)
    var labels = [Int](repeating: 0, count: count)
    var sources = [String](repeating: "", count: count)
    var classNames: [String] = []
    try tree.forEachBatch(of: Set(found.values.map(\.path))) { (batch) throws(FormatError) in
      for file in batch {
        let bytes = try file.bytes.open()
        guard let start = starts[file.path] else {
          classNames = names(bytes)
          if classNames.count != 10 {
            refuse(file.path, "class names", "\(classNames.count) lines", "ten names are expected; fetch it again")
          }
          continue
        }
        guard bytes.count == found.values.first(where: { $0.path == file.path })!.size else {
          throw FormatError(
            file: file.path, field: "content", value: "\(bytes.count) bytes on second reading",
            remedy: "it changed while it was read; import it again")
        }
        let stem = file.path.split(separator: "/").last!
        try bytes.withUnsafeBytes { (region) throws(FormatError) in
          for i in 0..<region.count / record {
            let label = Int(region[i * record])
            if label > 9 { refuse(file.path, "label of record \(i)", "\(label)", "labels are 0 to 9; fetch it again") }
            labels[start + i] = label
            sources[start + i] = "\(stem) record \(i)"
            let image = UnsafeRawBufferPointer(rebasing: region[i * record + 1..<(i + 1) * record])
            try scratch.write(image, at: (start + i) * pixels)
          }
        }
      }
    }
    guard refusals.isEmpty else { throw RefusedFiles(path: path, refusals: refusals, count: wanted.count) }
    let firstTest = starts[found[testFile]!.path]!
    return try ImageSet(
      name: name, classNames: classNames, channels: 3, height: 32, width: 32, images: scratch.bytes(), labels: labels,
      splits: (0..<count).map { $0 < firstTest ? "train" : "test" }, sources: sources)
  }

  /// The wanted files by name, wherever they lie.
  private static func find(_ wanted: [String], in files: [ImageTree.File], _ path: String) throws -> [String:
    ImageTree.File]
  {
    var found: [String: ImageTree.File] = [:]
    for file in files {
      let name = String(file.path.split(separator: "/").last!)
      guard wanted.contains(name) else { continue }
      guard found.updateValue(file, forKey: name) == nil else {
        throw FormatError(file: path, field: name, value: "present twice", remedy: "give one copy of the files")
      }
    }
    if found.isEmpty, files.contains(where: { $0.path.hasSuffix("data_batch_1") }) {
      throw FormatError(
        file: path, field: "content", value: "CIFAR-10's version for Python",
        remedy: "give the binary version, cifar-10-binary.tar.gz")
    }
    return found
  }

  private static func names(_ bytes: Bytes) -> [String] {
    String(decoding: bytes.array, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
  }
}
