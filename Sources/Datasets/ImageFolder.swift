internal import Dispatch
package import Tensors

/// Imports class directories of JPEG and PNG files, from a directory or a tar archive (plain or gzip).
///
/// Layout: `[SPLIT/]CLASS/FILE` under one common folder. A file's class is the name of its directory; a directory above
/// it named train, val, valid, validation, test or heldout is its split. Classes are numbered in sorted order, images are
/// sorted by path, both by bytes. Names that start with a dot, and files without a .jpg, .jpeg or .png ending, are
/// left out. Each image becomes S×S RGB as `PixelImage.squared(side:)` says.
package struct ImageFolder: Sendable {
  /// The set's name for people.
  package var name: String
  /// Image side S.
  package var side: Int
  /// Split of files that are under no split directory.
  package var split: String

  package init(name: String, side: Int, split: String = "heldout") {
    self.name = name
    self.side = side
    self.split = split
  }

  /// Longest side an image may have in units of its shortest: beyond, the middle square says little and costs much.
  private static let maximumAspect = 50
  /// Largest file read.
  private static let maximumFile = 1 << 28
  private static let splitNames: Set<String> = ["train", "val", "valid", "validation", "test", "heldout"]

  /// Reads everything under `path`.
  ///
  /// Blocking, and busy on every core: call it from a thread of its own. Memory: the images, plus a few files.
  ///
  /// - Parameter progress: called now and then with the number of images done and of all, from the calling thread.
  /// - Throws: `FormatError` naming the file that cannot be used; nothing is skipped silently but what is listed above.
  package func read(path: String, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }) throws(FormatError)
    -> ImageSet
  {
    guard (1...4096).contains(side) else {
      throw FormatError(file: path, field: "image side", value: "\(side)", remedy: "give a side from 1 to 4096 pixels")
    }
    let tree = try ImageTree(path: path)
    let files = try tree.files().filter { Self.isImage($0.path) }
      .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    let layout = try Layout(files.map(\.path), in: path, defaultSplit: split)
    if let large = files.first(where: { $0.size > Self.maximumFile }) {
      throw FormatError(
        file: path, field: large.path, value: "\(large.size) bytes", remedy: "files may have \(Self.maximumFile)")
    }
    let pixels = try readPixels(tree, files.map(\.path), progress)
    return try ImageSet(
      name: name, classNames: layout.classNames, channels: 3, height: side, width: side, images: Bytes(pixels),
      labels: layout.labels, splits: layout.splits, sources: files.map(\.path))
  }

  private static func isImage(_ path: String) -> Bool {
    let parts = path.split(separator: "/")
    let name = parts.last!.lowercased()
    return !parts.contains { $0.hasPrefix(".") } && [".jpg", ".jpeg", ".png"].contains { name.hasSuffix($0) }
  }

  /// Planes [N, 3, S, S] in the order of `paths`.
  private func readPixels(_ tree: ImageTree, _ paths: [String], _ progress: (Int, Int) -> Void) throws(FormatError)
    -> [UInt8]
  {
    let position = Dictionary(uniqueKeysWithValues: zip(paths, 0...))
    guard position.count == paths.count else {
      let twice = zip(paths, paths.dropFirst()).first { $0 == $1 }!.0
      throw FormatError(file: tree.path, field: "entry", value: "\"\(twice)\" twice", remedy: "pack the archive again")
    }
    let imageSize = 3 * side * side
    let (size, overflow) = imageSize.multipliedReportingOverflow(by: paths.count)
    precondition(!overflow, "more images than memory can address")
    var done = 0
    var failure: FormatError?
    let pixels = [UInt8](unsafeUninitializedCapacity: size) { target, initialized in
      do throws(FormatError) {
        try tree.forEachBatch(of: Set(paths)) { (batch) throws(FormatError) in
          let places = batch.map { file in
            let start = position[file.path]! * imageSize
            return UnsafeMutableBufferPointer(rebasing: target[start..<start + imageSize])
          }
          try decode(batch, into: places)
          done += batch.count
          progress(done, paths.count)
        }
        initialized = size
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    guard done == paths.count else {
      throw FormatError(
        file: tree.path, field: "content", value: "\(done) images on second reading, \(paths.count) on the first",
        remedy: "it changed while it was read; import it again")
    }
    return pixels
  }

  /// Decodes a batch on all cores, each file into its own planes.
  private func decode(_ batch: [ImageTree.Content], into planes: [UnsafeMutableBufferPointer<UInt8>])
    throws(FormatError)
  {
    var failures = [FormatError?](repeating: nil, count: batch.count)
    failures.withUnsafeMutableBufferPointer { failures in
      // Each iteration writes its own planes and its own failure only.
      nonisolated(unsafe) let (failures, planes) = (failures, planes)
      DispatchQueue.concurrentPerform(iterations: batch.count) { i in
        do throws(FormatError) {
          let image = try ImageDecoder.decode(batch[i].bytes.open(), name: batch[i].path)
          try requireAspect(image, batch[i].path)
          image.squared(side: side).copyPlanes(to: planes[i])
        } catch {
          failures[i] = error
        }
      }
    }
    if let first = failures.compactMap(\.self).first { throw first }
  }

  private func requireAspect(_ image: PixelImage, _ name: String) throws(FormatError) {
    let (short, long) = (min(image.width, image.height), max(image.width, image.height))
    guard long <= short * Self.maximumAspect else {
      throw FormatError(
        file: name, field: "image size", value: "\(image.width)×\(image.height)",
        remedy: "the longer side may be \(Self.maximumAspect) times the shorter; take it out or crop it")
    }
  }
}

/// Classes and splits read off the paths of an image folder.
private struct Layout {
  let classNames: [String]
  let labels: [Int]
  let splits: [String]

  init(_ paths: [String], in file: String, defaultSplit: String) throws(FormatError) {
    var classes: [String] = []
    var splits: [String] = []
    var root: (parts: ArraySlice<Substring>, hasSplit: Bool, path: String)?
    for path in paths {
      var parts = path.split(separator: "/").dropLast()
      guard let className = parts.popLast() else {
        throw FormatError(
          file: file, field: "entry", value: "\"\(path)\", outside any class directory",
          remedy: "put each image into a directory named after its class")
      }
      classes.append(String(className))
      let hasSplit = parts.last.map { ImageFolder.isSplit($0) } ?? false
      splits.append(hasSplit ? String(parts.removeLast()) : defaultSplit)
      if let root, root.parts != parts || root.hasSplit != hasSplit {
        throw FormatError(
          file: file, field: "layout", value: "\"\(path)\" beside \"\(root.path)\"",
          remedy: "all images must be CLASS/FILE, or all SPLIT/CLASS/FILE, under one folder")
      }
      root = root ?? (parts, hasSplit, path)
    }
    guard !paths.isEmpty else {
      throw FormatError(
        file: file, field: "content", value: "without any image",
        remedy: "class directories with .jpg, .jpeg or .png files are expected")
    }
    classNames = Set(classes).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let number = Dictionary(uniqueKeysWithValues: zip(classNames, 0...))
    labels = classes.map { number[$0]! }
    self.splits = splits
  }
}

extension ImageFolder {
  fileprivate static func isSplit(_ directory: Substring) -> Bool { splitNames.contains(directory.lowercased()) }
}
