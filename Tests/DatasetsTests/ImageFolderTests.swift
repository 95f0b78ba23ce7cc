import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

private func fixture(_ name: String) -> [UInt8] {
  [UInt8](Data(base64Encoded: ImageFixtures.files.first { $0.testDescription == name }!.base64)!)
}
private let png = fixture("PNG")
private let jpeg = fixture("grey JPEG")

private func read(_ path: String, side: Int = 4) throws -> ImageSet {
  try ImageFolder(name: "test", side: side, split: "given").read(path: path)
}

@Suite struct ImageFolderTests {
  private let names = ["b/2.png", "a/1.JPG", "b/10.jpeg", "a/.hidden.png", "a/notes.txt", "c/3.png"]
  private func content(_ name: String) -> [UInt8] { name.hasSuffix("png") ? png : jpeg }

  @Test("a directory and the same files as a tar, plain or gzip, in another order, give one image set")
  func sameFromEverySource() throws {
    let folder = TemporaryFolder()
    var tar = TarBuilder()
    tar.add("./", kind: "5")
    for name in names.reversed() { tar.add("./" + name, content(name)) }
    for name in names { folder.write(content(name), "tree/" + name) }
    let fromDirectory = try read(folder.file("tree"))
    #expect(fromDirectory.classNames == ["a", "b", "c"])
    #expect(fromDirectory.sources == ["a/1.JPG", "b/10.jpeg", "b/2.png", "c/3.png"])
    #expect(fromDirectory.labels == [0, 1, 1, 2])
    #expect(fromDirectory.splitNames == ["given"])
    #expect(try read(folder.write(tar.finished, "x.tar")) == fromDirectory)
    #expect(try read(folder.write(gzipped(tar.finished), "x.tar.gz")) == fromDirectory)
    #expect(try read(folder.write(tar.finished, "x.tar")).digest == fromDirectory.digest)
  }

  @Test("pixels are the decoded file's, squared, in planes")
  func pixels() throws {
    let folder = TemporaryFolder()
    folder.write(png, "a/1.png")
    let set = try read(folder.path)
    let square = try ImageDecoder.decode(Bytes(png), name: "").squared(side: 4)
    let planes = (0..<3).flatMap { c in (0..<16).map { square.pixels[$0 * 3 + c] } }
    #expect(set.image(0).array == planes)
    #expect(set.imageDigest(0) == SHA256(hashing: planes))
    #expect(set.normalised([0]).shape == [1, 3, 4, 4])
    #expect(set.normalised([0]).values == square.normalised().values)
  }

  @Test("split directories are kept as splits, and classes are shared between them")
  func splits() throws {
    let folder = TemporaryFolder()
    for path in ["root/train/b/1.png", "root/train/a/1.png", "root/test/b/1.png"] { folder.write(png, path) }
    let set = try read(folder.path)
    #expect(set.classNames == ["a", "b"])
    #expect(set.sources == ["root/test/b/1.png", "root/train/a/1.png", "root/train/b/1.png"])
    #expect(set.splits == ["test", "train", "train"])
    #expect(set.indices(split: "train") == [1, 2])
  }

  @Test("paths too long for the header come through in all three ways archives write them")
  func longNames() throws {
    let folder = TemporaryFolder()
    let long = String(repeating: "x", count: 120) + ".png"
    var gnu = TarBuilder()
    gnu.add("././@LongLink", Array(("a/" + long).utf8) + [0], kind: "L")
    gnu.add("a/cut", png)
    var posix = TarBuilder()
    let record = " path=a/\(long)\n"
    posix.add("header", Array("\(record.utf8.count + 3)\(record)".utf8), kind: "x")
    posix.add("a/cut", png)
    var prefix = TarBuilder()
    prefix.add("short.png", png, prefix: "a")
    #expect(try read(folder.write(gnu.finished, "gnu.tar")).sources == ["a/" + long])
    #expect(try read(folder.write(posix.finished, "posix.tar")).sources == ["a/" + long])
    #expect(try read(folder.write(prefix.finished, "prefix.tar")).sources == ["a/short.png"])
  }

  @Test(
    "entries that reach outside, links and devices are refused by name",
    arguments: [
      ("../a/x.png", "0"), ("/a/x.png", "0"), ("a/../../x.png", "0"), ("a/x.png", "1"), ("a/x.png", "2"),
      ("a/x.png", "3"), ("a/x.png", "4"), ("a/x.png", "6"), ("a/x.png", "S"),
    ] as [(String, Character)])
  func hostileEntries(name: String, kind: Character) {
    let folder = TemporaryFolder()
    var tar = TarBuilder()
    tar.add(name, kind == "0" ? png : [], kind: kind)
    tar.add("a/y.png", png)
    tar.add("../second", png)
    let path = folder.write(tar.finished, "x.tar")
    let error = #expect(throws: RefusedFiles.self) { try read(path) }
    #expect(error?.refusals.count == 2 && error?.count == 3)
    let first = error?.refusals.first
    #expect(first?.value.contains(name) == true && first?.field == "entry", "\(String(describing: error))")
  }

  @Test("an archive cut at any block, or with a changed header, is refused")
  func cutArchive() {
    let folder = TemporaryFolder()
    var tar = TarBuilder()
    tar.add("a/1.png", png)
    tar.add("a/2.png", png)
    for length in stride(from: 0, through: tar.bytes.count, by: 128) {
      let path = folder.write(Array(tar.bytes.prefix(length)), "cut.tar")
      #expect(throws: FormatError.self, "cut at \(length)") { try read(path) }
    }
    let whole = gzipped(tar.finished)
    let path = folder.write(Array(whole.prefix(whole.count / 2)), "cut.tar.gz")
    #expect(throws: FormatError.self) { try read(path) }
    var changed = tar.finished
    changed[3] ^= 1
    let changedPath = folder.write(changed, "changed.tar")
    let error = #expect(throws: FormatError.self) { try read(changedPath) }
    #expect(error?.value.contains("checksum") == true)
  }

  @Test("damaged images are named with their paths, all at once, and nothing is imported")
  func damaged() {
    let folder = TemporaryFolder()
    folder.write(png, "a/1.png")
    folder.write(Array(jpeg.dropLast(20)), "a/2.jpg")
    folder.write([], "b/3.jpg")
    folder.write(Array("GIF89a".utf8), "b/4.png")
    let error = #expect(throws: RefusedFiles.self) { try read(folder.path) }
    #expect(error?.refusals.map(\.file) == ["a/2.jpg", "b/3.jpg", "b/4.png"])
    #expect(error?.description.contains("3 of 4 files cannot be used; nothing was imported") == true)
  }

  @Test("a tar of a tar per class, as ImageNet's training archive, and a folder of such tars, are class directories")
  func nestedArchives() throws {
    let folder = TemporaryFolder()
    func classTar(_ names: [String]) -> [UInt8] {
      var tar = TarBuilder()
      for name in names { tar.add(name, content(name)) }
      return tar.finished
    }
    var whole = TarBuilder()
    whole.add("n02.tar", classTar(["n02_1.png", "n02_2.jpeg"]))
    whole.add("n01.tar", classTar(["n01_1.png"]))
    let set = try read(folder.write(whole.finished, "train.tar"))
    #expect(set.classNames == ["n01", "n02"] && set.labels == [0, 1, 1])
    #expect(set.sources == ["n01/n01_1.png", "n02/n02_1.png", "n02/n02_2.jpeg"])
    #expect(try read(folder.write(gzipped(whole.finished), "train.tar.gz")) == set)
    folder.write(classTar(["n01_1.png"]), "train/n01.tar")
    folder.write(classTar(["n02_1.png", "n02_2.jpeg"]), "train/n02.tar")
    let fromFolder = try read(folder.path + "/train")
    #expect(fromFolder.sources == set.sources && fromFolder.images == set.images)
    var twice = TarBuilder()
    twice.add("outer.tar", whole.finished)
    twice.add("a/1.png", png)
    let path = folder.write(twice.finished, "twice.tar")
    let error = #expect(throws: RefusedFiles.self) { try read(path) }
    #expect(error?.refusals.count == 2 && error?.refusals.first?.value.contains("outer/n02.tar") == true)
  }

  @Test("an archive in an archive that is cut short is refused by name")
  func cutNestedArchive() {
    let folder = TemporaryFolder()
    var inner = TarBuilder()
    inner.add("1.png", png)
    var whole = TarBuilder()
    whole.add("n01.tar", Array(inner.finished.prefix(600)))
    let path = folder.write(whole.finished, "train.tar")
    let error = #expect(throws: FormatError.self) { try read(path) }
    #expect(error?.file.hasSuffix("train.tar: n01.tar") == true, "\(String(describing: error))")
  }

  @Test("an entry whose header promises more than a file may have is refused without taking memory for it")
  func largeEntry() {
    let folder = TemporaryFolder()
    var tar = TarBuilder()
    tar.add("a/1.png", png, size: 0o77777777777)
    let path = folder.write(tar.finished, "x.tar")
    let error = #expect(throws: (any Error).self) { try read(path) }
    #expect("\(error!)".contains("cut short") || "\(error!)".contains("8589934591"), "\(error!)")
  }

  @Test("a gzip file that unpacks to a thousand times its size is refused on the way")
  func gzipBomb() {
    let folder = TemporaryFolder()
    var tar = TarBuilder()
    tar.add("a/1.png", [UInt8](repeating: 0, count: 100 << 20))
    let path = folder.write(gzipped(tar.finished), "bomb.tar.gz")
    let error = #expect(throws: FormatError.self) { try read(path) }
    #expect(error?.field == "compressed data" && error?.value.contains("more than 200 to one") == true)
  }

  @Test("a folder without room for the pixels is named, and no image is blamed")
  func scratchRefused() {
    let folder = TemporaryFolder()
    folder.write(png, "a/1.png")
    let error = #expect(throws: FormatError.self) {
      try ImageFolder(name: "x", side: 4).read(path: folder.path, scratch: "/nowhere")
    }
    #expect(error?.file == "a scratch file in /nowhere")
  }

  @Test(
    "ImageNet's JPEGs import, grey, CMYK and large ones too",
    .enabled(if: ReferenceData.has("data/imagenet-sample-500.tar"), ReferenceData.absent))
  func imagenet() throws {
    let set = try ImageFolder(name: "imagenet", side: 16).read(path: ReferenceData.path("data/imagenet-sample-500.tar"))
    #expect(set.count == 500 && set.classNames.count == 500 && set.splitNames == ["val"])
    #expect(Set(set.labels).count == 500)
  }

  static let layouts: [[String]] = [
    [], ["1.png"], ["a/1.png", "1.png"], ["train/a/1.png", "a/1.png"], ["x/a/1.png", "y/a/1.png"], ["a/notes.txt"],
  ]

  @Test("layouts that do not tell classes clearly are refused", arguments: layouts)
  func layout(paths: [String]) {
    let folder = TemporaryFolder()
    for path in paths { folder.write(png, path) }
    #expect(throws: FormatError.self) { try read(folder.path) }
  }

  @Test("a missing path, a strip of pixels and a side of zero are refused")
  func otherRefusals() {
    let folder = TemporaryFolder()
    folder.write(png, "a/1.png")
    #expect(throws: FormatError.self) { try read(folder.path + "/nowhere") }
    #expect(throws: FormatError.self) { try read(folder.path, side: 0) }
  }

  @Test(
    "CIFAR-10's JPEG test images import with ten sorted classes of 500",
    .enabled(if: ReferenceData.has("data/cifar10-test.tar.gz"), ReferenceData.absent))
  func cifar() throws {
    let path = ReferenceData.path("data/cifar10-test.tar.gz")
    let set = try ImageFolder(name: "cifar10", side: 32).read(path: path)
    #expect(set.count == 5000)
    #expect(set.classNames.first == "airplane" && set.classNames.last == "truck" && set.classNames.count == 10)
    #expect((0..<10).allSatisfy { k in set.labels.filter { $0 == k }.count == 500 })
    #expect(set.splitNames == ["test"])
    #expect(set.sources[50] == "test/airplane/0050.jpg")
  }
}
