import Foundation
import TestSupport
import Testing

import Tensors

@Suite struct FileTests {
  @Test("a file appears under its name only when committed, and nothing else stays behind")
  func atomic() throws {
    let folder = TemporaryFolder()
    let path = folder.write([1], "x")
    do {
      let file = try AtomicFile(path: path)
      try file.write(Bytes([2, 3]))
      #expect(try Bytes(contentsOf: path).array == [1])
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["x"])
    try AtomicFile.write(Bytes([2, 3]), to: path)
    #expect(try Bytes(contentsOf: path).array == [2, 3])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["x"])
  }

  @Test("writing into a folder that is not there says to create it")
  func noFolder() {
    let error = #expect(throws: FormatError.self) { try AtomicFile.write(Bytes([]), to: "/nowhere/x") }
    #expect(error?.remedy == "create the folder first")
  }

  @Test("an open mapping keeps its bytes when a new file is renamed over the old one")
  func mappingSurvivesReplacement() throws {
    let folder = TemporaryFolder()
    let path = folder.write([1, 2, 3], "x")
    let old = try Bytes(contentsOf: path)
    try AtomicFile.write(Bytes([9]), to: path)
    #expect(old.array == [1, 2, 3])
    #expect(old.slice(1..<3).slice(1..<2).array == [3])
  }

  @Test("SHA-256 agrees with FIPS 180-4's examples, whole and in pieces")
  func digest() {
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    #expect(SHA256(hashing: Array("abc".utf8)).hex == expected)
    let accumulator = SHA256.Accumulator()
    for part in ["a", "", "bc"] { Bytes(Array(part.utf8)).withUnsafeBytes { accumulator.update($0) } }
    #expect(accumulator.finish().hex == expected)
    #expect(SHA256(hashing: Bytes([])).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test("a digest is read back from its text, and other text is not a digest")
  func digestText() {
    let digest = SHA256(hashing: [1, 2, 3])
    #expect(SHA256(hex: digest.hex) == digest)
    #expect(SHA256(hex: digest.hex.uppercased()) == digest)
    #expect(SHA256(hex: String(digest.hex.dropLast())) == nil)
    #expect(SHA256(hex: "g" + digest.hex.dropFirst()) == nil)
    #expect(SHA256(hex: "é" + digest.hex.dropFirst(2)) == nil)
  }
}
