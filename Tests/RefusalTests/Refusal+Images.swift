import TestSupport

extension Refusal {
  private static func folder(_ what: String, _ files: [String: [UInt8]], _ says: String...) -> Refusal {
    var paths: [String: [UInt8]] = [:]
    for (name, content) in files { paths["set/" + name] = content }
    return Refusal(what, path: "$F/set", files: paths, says)
  }

  private static func tar(_ what: String, _ file: [UInt8], _ says: String...) -> Refusal {
    Refusal(what, path: "$F/x.tar", files: ["x.tar": file], says)
  }

  private init(_ what: String, path: String, files: [String: [UInt8]], kind: String = "imagefolder", _ says: [String]) {
    self.what = what
    arguments = ["dataset", "import", kind, path, "--name", "evil"] + (kind == "imagefolder" ? ["--size", "8"] : [])
    self.files = files
    environment = [:]
    (before, after, shell) = (nil, nil, nil)
    status = 64
    self.says = says
  }

  private static let good = PNG.image(width: 2, height: 2)

  /// A JPEG's beginning that promises this size.
  private static func jpeg(width: Int, height: Int) -> [UInt8] {
    let size = [UInt8(height >> 8), UInt8(height & 255), UInt8(width >> 8), UInt8(width & 255)]
    return [0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8] + size + [1, 1, 0x11, 0] + [0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0]
  }

  static let images: [Refusal] = [
    folder(
      "damaged files among good ones, all named at once",
      ["a/1.png": good, "a/2.png": Array(good.dropLast(9)), "b/3.jpg": [], "b/4.png": utf8("GIF89a")],
      "3 of 4 files cannot be used", "a/2.png: image data is damaged", "b/3.jpg: image format is an empty file",
      "b/4.png: image format is neither JPEG nor PNG", "convert the file to JPEG or PNG"),
    folder("a JPEG cut after its header", ["a/1.jpg": jpeg(width: 8, height: 8)], "a/1.jpg: image data is damaged"),
    folder(
      "a JPEG of four billion pixels", ["a/1.jpg": jpeg(width: 65_500, height: 65_500)],
      "a/1.jpg: image size is 65500×65500", "resize it before importing"),
    folder(
      "a PNG of a million million pixels", ["a/1.png": PNG.image(width: 1_000_000, height: 1_000_000, rows: 1)],
      "a/1.png: image", "1000000"),
    folder(
      "a PNG whose data end early", ["a/1.png": PNG.image(width: 9, height: 9, rows: 2)],
      "a/1.png: image data is damaged"),
    folder("a strip", ["a/1.png": PNG.image(width: 200, height: 2)], "image size is 200×2", "50 times the shorter"),
    folder(
      "images outside class directories", ["1.png": good, "2.png": good],
      "\"1.png\" and 1 more, outside any class directory", "a directory named after its class"),
    folder("two layouts in one", ["train/a/1.png": good, "b/2.png": good], "beside", "all images must be CLASS/FILE"),
    folder("no image at all", ["a/readme.txt": utf8("x")], "without any image", ".jpg, .jpeg or .png files"),
    Refusal(
      "a missing directory", path: "$F/none", files: [:],
      ["$F/none: path is not readable", "give a directory or a .tar"]),
    Refusal(
      "a side of zero", ["dataset", "import", "imagefolder", "$F", "--size", "0"], says: "image side is 0", "1 to 4096"),
  ]

  private static func archive(_ entries: [(name: String, content: [UInt8], kind: Character)]) -> [UInt8] {
    var tar = TarBuilder()
    for entry in entries { tar.add(entry.name, entry.content, kind: entry.kind) }
    return tar.finished
  }

  static let archives: [Refusal] = [
    tar(
      "entries that reach outside, links and devices, all named at once",
      archive([
        ("../a/1.png", good, "0"), ("/a/2.png", good, "0"), ("a/3.png", [], "2"), ("a/4.png", [], "1"),
        ("a/5.png", [], "3"), ("a/6.png", [], "6"), ("a/7.png", good, "0"),
      ]), "6 of 7 files cannot be used", "\"../a/1.png\"; paths must stay inside", "\"/a/2.png\"",
      "\"a/3.png\", a link; pack the archive again with links followed", "\"a/4.png\", a link",
      "\"a/5.png\" of type '3'",
      "\"a/6.png\" of type '6'"),
    tar(
      "a tar cut short", Array(archive([("a/1.png", good, "0")]).prefix(700)), "cut short",
      "fetch or pack the archive again"),
    tar(
      "a tar with a changed header", [1] + archive([("a/1.png", good, "0")]).dropFirst(),
      "not a tar archive, or damaged", "checksum"),
    tar("text in place of a tar", utf8(String(repeating: "hello ", count: 200)), "not a tar archive"),
    tar(
      "gzip data cut short", Array(gzipped(archive([("a/1.png", good, "0")])).dropLast(20)),
      "compressed data is damaged", "fetch it again"),
    tar(
      "a gzip bomb", gzipped(archive([("a/1.png", [UInt8](repeating: 0, count: 80 << 20), "0")])),
      "compressed data is", "more than 200 to one", "give it unpacked"),
    tar(
      "the same file twice", archive([("a/1.png", good, "0"), ("a/1.png", good, "0")]), "\"a/1.png\" twice",
      "pack the archive again"),
    tar(
      "an archive in an archive in an archive",
      archive([("x.tar", archive([("y.tar", archive([("1.png", good, "0")]), "0")]), "0"), ("a/1.png", good, "0")]),
      "\"x/y.tar\", an archive in an archive in an archive", "unpack the outermost one"),
  ]

  private static func cifar(_ what: String, _ change: (inout CIFAR10Fixture) -> Void, _ says: String...) -> Refusal {
    var fixture = CIFAR10Fixture()
    change(&fixture)
    return Refusal(what, path: "$F/c.tar.gz", files: ["c.tar.gz": fixture.archive], kind: "cifar10", says)
  }

  private static func digits(_ what: String, _ text: String, _ says: String...) -> Refusal {
    Refusal(what, path: "$F/d.csv", files: ["d.csv": utf8(text)], kind: "digits", says)
  }

  private static let greys = String(repeating: "0,", count: 64)

  static let imageFiles: [Refusal] = [
    cifar(
      "a label above 9", { $0.change("data_batch_2.bin") { $0[0] = 77 } }, "data_batch_2.bin: label of record 0 is 77",
      "labels are 0 to 9"),
    cifar(
      "a batch cut short", { $0.change("data_batch_5.bin") { $0.removeLast(5) } },
      "data_batch_5.bin: file size is 9214 bytes", "multiple of 3073"),
    cifar("a batch missing", { $0.files.remove(at: 0) }, "data_batch_1.bin: file is missing", "all seven files"),
    Refusal(
      "CIFAR-10 for Python", path: "$F/py", files: ["py/data_batch_1": [0x80]], kind: "cifar10",
      ["CIFAR-10's version for Python", "cifar-10-binary.tar.gz"]),
    digits("a label out of range", greys + "10\n", "line 1 field 65 is \"10\"", "0 to 9"),
    digits("a grey value out of range", "17," + greys.dropFirst(2) + "1\n", "line 1 field 1 is \"17\"", "0 to 16"),
    digits("a line too short", greys + "1\n1,2,3\n", "line 2 is 3 fields", "64 grey values and a digit"),
    digits("no image", "", "image count is 0", "at least one image"),
  ]
}
