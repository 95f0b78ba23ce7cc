import Foundation
import FuzzTargets
import Testing

private let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .appendingPathComponent("../Fuzz/Corpus").standardizedFileURL.path

@Suite("What fuzzing begins with and has found") struct CorpusTests {
  @Test("every file of the corpus, whole and cut, is read or refused, never crashed on", arguments: FuzzTarget.allCases)
  func replay(target: FuzzTarget) throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: "\(corpus)/\(target.rawValue)")
    #expect(files.count >= 4)
    for file in files {
      let bytes = [UInt8](try #require(FileManager.default.contents(atPath: "\(corpus)/\(target.rawValue)/\(file)")))
      target.run(bytes)
      target.run(Array(bytes.prefix(bytes.count / 2)))
      target.run(Array(bytes.dropLast()))
    }
  }
}
