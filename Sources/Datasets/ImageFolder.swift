internal import Dispatch
internal import Tensors

/// Imports class directories of JPEG and PNG files, from a directory or a tar archive (plain or gzip).
///
/// Layout: `[SPLIT/]CLASS/FILE` under one common folder. A file's class is the name of its directory, or of the .tar that
/// holds it (ImageNet's training archive is a tar of such); a directory above it named train, val, valid, validation, test
/// or heldout is its split. Classes are numbered in sorted order, images are sorted by path, both by bytes. Names that start with a dot, and files without a .jpg, .jpeg or .png ending, are
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
  private static let splitNames: Set<String> = ["train", "val", "valid", "validation", "test", "heldout"]

  /// Reads everything under `path`.
  ///
  /// Blocking, and busy on every core: call it from a thread of its own. Memory: a few files' worth, whatever the size of
  /// the set; the pixels go to a nameless file.
  ///
  /// - Parameters:
  ///   - scratch: directory with room for N·3·S² bytes.
  ///   - progress: called now and then with the number of images done and of all, from the calling thread.
  /// - Throws: `RefusedFiles` naming every file that cannot be used, `FormatError` where nothing can be read at all;
  ///   nothing is skipped silently but what is listed above.
  package func read(
    path: String, scratch: String = "/tmp", progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> ImageSet {
    guard (1...4096).contains(side) else {
      throw FormatError(file: path, field: "image side", value: "\(side)", remedy: "give a side from 1 to 4096 pixels")
    }
    let tree = try ImageTree(path: path)
    let listing = try tree.listing()
    let files = listing.files.filter { Self.isImage($0.path) }
      .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    var refusals = listing.refusals
    refusals += files.filter { $0.size > ImageTree.maximumFile }.map {
      FormatError(
        file: $0.path, field: "file size", value: "\($0.size) bytes",
        remedy: "files may have \(ImageTree.maximumFile); take it out of the image set")
    }
    let layout: Layout
    do throws(FormatError) { layout = try Layout(files.map(\.path), in: path, defaultSplit: split) } catch {
      guard !refusals.isEmpty else { throw error }
      throw RefusedFiles(path: path, refusals: refusals + [error], count: files.count + listing.refusals.count)
    }
    let usable = Set(files.filter { $0.size <= ImageTree.maximumFile }.map(\.path))
    let pixels = try ScratchFile(in: scratch)
    refusals += try decode(tree, files.map(\.path), usable, into: pixels, progress)
    guard refusals.isEmpty else {
      throw RefusedFiles(path: path, refusals: refusals, count: files.count + listing.refusals.count)
    }
    return try ImageSet(
      name: name, classNames: layout.classNames, channels: 3, height: side, width: side, images: pixels.bytes(),
      labels: layout.labels, splits: layout.splits, sources: files.map(\.path))
  }

  private static func isImage(_ path: String) -> Bool {
    let parts = path.split(separator: "/")
    let name = parts.last!.lowercased()
    return !parts.contains { $0.hasPrefix(".") } && [".jpg", ".jpeg", ".png"].contains { name.hasSuffix($0) }
  }

  /// Writes planes [N, 3, S, S] in the order of `paths`. Returns a refusal for each file that cannot be used.
  private func decode(
    _ tree: ImageTree, _ paths: [String], _ usable: Set<String>, into pixels: ScratchFile,
    _ progress: (Int, Int) -> Void
  ) throws(FormatError) -> [FormatError] {
    let position = Dictionary(zip(paths, 0...), uniquingKeysWith: { first, _ in first })
    guard position.count == paths.count else {
      let twice = zip(paths, paths.dropFirst()).first { $0 == $1 }!.0
      throw FormatError(file: tree.path, field: "entry", value: "\"\(twice)\" twice", remedy: "pack the archive again")
    }
    var refusals: [FormatError] = []
    var done = 0
    try tree.forEachBatch(of: usable) { (batch) throws(FormatError) in
      for failure in decode(batch, to: pixels, at: { position[$0]! }) {
        // A full disk says nothing about an image.
        if failure.systemError != nil { throw failure }
        refusals.append(failure)
      }
      done += batch.count
      progress(done, paths.count)
    }
    guard done == usable.count else {
      throw FormatError(
        file: tree.path, field: "content", value: "\(done) images on second reading, \(usable.count) on the first",
        remedy: "it changed while it was read; import it again")
    }
    return refusals
  }

  /// Decodes a batch on all cores, each file into its own place. Returns what went wrong.
  private func decode(_ batch: [ImageTree.Content], to pixels: ScratchFile, at place: (String) -> Int) -> [FormatError]
  {
    let places = batch.map { place($0.path) }
    var failures = [FormatError?](repeating: nil, count: batch.count)
    failures.withUnsafeMutableBufferPointer { failures in
      // Each iteration writes its own failure only.
      nonisolated(unsafe) let failures = failures
      DispatchQueue.concurrentPerform(iterations: batch.count) { i in
        do throws(FormatError) {
          let image = try ImageDecoder.decode(batch[i].bytes.open(), name: batch[i].path)
          try requireAspect(image, batch[i].path)
          let planes = Bytes(image.squared(side: side).planes)
          try pixels.write(planes, at: places[i] * planes.count)
        } catch {
          failures[i] = error
        }
      }
    }
    return failures.compactMap(\.self)
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
    let strays = paths.filter { !$0.contains("/") }
    guard strays.isEmpty else {
      let more = strays.count > 1 ? " and \(strays.count - 1) more" : ""
      throw FormatError(
        file: file, field: "entry", value: "\"\(strays[0])\"\(more), outside any class directory",
        remedy: "put each image into a directory named after its class")
    }
    var classes: [String] = []
    var splits: [String] = []
    var root: (parts: ArraySlice<Substring>, hasSplit: Bool, path: String)?
    for path in paths {
      var parts = path.split(separator: "/").dropLast()
      classes.append(String(parts.removeLast()))
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
