import Datasets
import Tensors
import TestSupport
import Testing

/// 65 comma-separated values: 64 times `grey`, then `digit`.
private func line(_ grey: Int, _ digit: Int) -> String {
  (Array(repeating: grey, count: 64) + [digit]).map(String.init).joined(separator: ",")
}

@Suite struct ImageSetTests {
  private func sample() throws -> ImageSet {
    try ImageSet(
      name: "two", classNames: ["cat", "dög"], channels: 1, height: 2, width: 2,
      images: Bytes([0, 255, 1, 2, 3, 4, 5, 6]), labels: [1, 0], splits: ["train", "heldout"],
      sources: ["a/1.png", "b/\"2\".png"])
  }

  @Test("a packed set is read back equal, and its digest is the SHA-256 of its file")
  func roundTrip() throws {
    let folder = TemporaryFolder()
    let path = folder.file("set.safetensors")
    let set = try sample()
    try set.write(to: path)
    #expect(try ImageSet.read(path: path) == set)
    #expect(try SHA256(hashing: Bytes(contentsOf: path)) == set.digest)
    #expect(try ImageSet.read(path: path).digest == set.digest)
  }

  @Test("a set whose parts do not fit is refused")
  func inconsistent() throws {
    func make(_ pixels: Int, _ labels: [Int], _ splits: [String], classes: [String] = ["a", "b"]) throws -> ImageSet {
      try ImageSet(
        name: "x", classNames: classes, channels: 1, height: 1, width: 1,
        images: Bytes([UInt8](repeating: 0, count: pixels)), labels: labels, splits: splits, sources: splits)
    }
    _ = try make(2, [0, 1], ["t", "t"])
    #expect(throws: FormatError.self) { try make(3, [0, 1], ["t", "t"]) }
    #expect(throws: FormatError.self) { try make(2, [0, 2], ["t", "t"]) }
    #expect(throws: FormatError.self) { try make(2, [0, -1], ["t", "t"]) }
    #expect(throws: FormatError.self) { try make(2, [0, 1], ["t"]) }
    #expect(throws: FormatError.self) { try make(2, [0, 1], ["t", ""]) }
    #expect(throws: FormatError.self) { try make(2, [0, 1], ["t", "t"], classes: ["a", "a"]) }
    #expect(throws: FormatError.self) { try make(0, [], []) }
  }

  @Test("a safetensors file that is no image set, or one with a part changed, is refused by that part")
  func foreign() throws {
    let folder = TemporaryFolder()
    let path = folder.file("set.safetensors")
    try sample().write(to: path)
    let good = try SafetensorsFile.read(path: path)
    func refusal(_ change: String, _ tensor: RawTensor?) throws -> String {
      var file = SafetensorsFile(metadata: good.metadata)
      for entry in good.entries where entry.name != change { file.append(entry.name, entry.tensor) }
      if let tensor { file.append(change, tensor) }
      let changed = folder.file("changed.safetensors")
      try file.write(to: changed)
      return try #require(#expect(throws: FormatError.self) { try ImageSet.read(path: changed) }).field
    }
    #expect(try refusal("labels", nil) == "tensor \"labels\"")
    #expect(try refusal("labels", RawTensor(shape: [2], int64s: [0, 7])).contains("label of image 1"))
    #expect(try refusal("labels", RawTensor(shape: [3], int64s: [0, 1, 1])).contains("images"))
    #expect(try refusal("splits", RawTensor(shape: [2], uint8s: [0, 9])) == "tensor \"splits\"")
    #expect(try refusal("source_ends", RawTensor(shape: [2], int64s: [5, 4])) == "tensor \"source_ends\"")
    try SafetensorsFile().write(to: path)
    #expect(throws: FormatError.self) { try ImageSet.read(path: path) }
  }
}

@Suite struct DigitsTests {
  @Test("grey values 0 to 16 become round(v·255/16), plain or gzip")
  func values() throws {
    let folder = TemporaryFolder()
    let text = (0...16).map { line($0, $0 % 10) }.joined(separator: "\n") + "\n"
    let set = try Digits.read(path: folder.write(Array(text.utf8), "digits.csv"))
    let expected: [UInt8] = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    #expect((0...16).map { set.image($0).array[63] } == expected)
    #expect(set.labels == (0...16).map { $0 % 10 })
    #expect(set.channels == 1 && set.height == 8 && set.width == 8)
    #expect(try Digits.read(path: folder.write(gzipped(Array(text.utf8)), "digits.csv.gz")) == set)
  }

  @Test("one image in six of each digit is held out, always the same ones")
  func split() throws {
    let folder = TemporaryFolder()
    let text = (0..<1800).map { line($0 % 17, $0 % 10) }.joined(separator: "\n")
    let path = folder.write(Array(text.utf8), "digits.csv")
    let set = try Digits.read(path: path)
    let held = set.indices(split: "heldout")
    for digit in 0...9 { #expect(held.filter { set.labels[$0] == digit }.count == 30) }
    #expect(held.prefix(5) == [6, 10, 15, 16, 20])
    #expect(try Digits.read(path: path).splits == set.splits)
  }

  @Test(
    "a line that is not 64 grey values and a digit is refused with its number",
    arguments: [
      "1,2,3", line(17, 1), line(-1, 1), line(0, 10), line(0, 1) + ",5",
      line(0, 1).replacing("0,", with: "x,", maxReplacements: 1),
    ])
  func refused(bad: String) {
    let folder = TemporaryFolder()
    let path = folder.write(Array((line(0, 1) + "\n" + bad).utf8), "digits.csv")
    let error = #expect(throws: FormatError.self) { try Digits.read(path: path) }
    #expect(error?.field.hasPrefix("line 2") == true)
  }

  @Test("an empty file is refused")
  func empty() {
    let folder = TemporaryFolder()
    let path = folder.write([], "digits.csv")
    #expect(throws: FormatError.self) { try Digits.read(path: path) }
  }
}
