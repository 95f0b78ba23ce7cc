import Artifacts
import Foundation
import Models
import Tensors
import TestSupport
import Testing

@Suite struct ArtifactStoreTests {
  private let folder = TemporaryFolder()

  private func store() throws -> ArtifactStore { try ArtifactStore(directory: folder.path + "/deep/store") }

  private func location(_ store: ArtifactStore, _ digest: SHA256) -> String {
    "\(store.directory)/\(digest.hex.prefix(2))/\(digest.hex)"
  }

  private func mode(_ path: String) throws -> Int {
    try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
  }

  @Test("what is put is found under the SHA-256 of its bytes, from memory, from a file and in pieces")
  func put() throws {
    let store = try store()
    let bytes = [UInt8]("content".utf8)
    let digest = try store.put(Bytes(bytes))
    #expect(digest == SHA256(hashing: bytes))
    #expect(try store.path(for: digest) == location(store, digest))
    #expect(try store.read(digest).array == bytes)
    let source = folder.write(bytes, "source")
    #expect(try store.put(fileAt: source) == digest)
    let pieces = try store.put { (emit) throws(FormatError) in
      for byte in bytes { try emit(Bytes([byte])) }
    }
    #expect(pieces == digest)
    #expect(try FileManager.default.contentsOfDirectory(atPath: store.directory) == [String(digest.hex.prefix(2))])
  }

  @Test("other users may read, and nobody may write to a stored file")
  func permissions() throws {
    let store = try store()
    let path = try store.path(for: store.put(Bytes([1])))
    #expect(try mode(path) == 0o444)
    #expect(try mode(store.directory) == 0o755)
    #expect(try mode((path as NSString).deletingLastPathComponent) == 0o755)
  }

  @Test("a digest that is not here is refused with the digest and the place")
  func notFound() throws {
    let store = try store()
    let digest = SHA256(hashing: [9])
    #expect(!store.contains(digest))
    let error = #expect(throws: ArtifactError.self) { try store.path(for: digest) }
    #expect(error?.code == .notFound)
    #expect(error?.message.contains(digest.hex) == true && error?.message.contains(store.directory) == true)
  }

  @Test("a changed file is refused with the digest it has, and putting the content again repairs it")
  func corrupt() throws {
    let digest = try store().put(Bytes([1, 2, 3]))
    let later = try store()
    let path = location(later, digest)
    try FileManager.default.removeItem(atPath: path)
    #expect(FileManager.default.createFile(atPath: path, contents: Data([1, 2, 4])))
    let error = #expect(throws: ArtifactError.self) { try later.read(digest) }
    #expect(error?.code == .corrupt)
    #expect(error?.message.contains(SHA256(hashing: [1, 2, 4]).hex) == true)
    _ = try later.put(Bytes([1, 2, 3]))
    #expect(try later.read(digest).array == [1, 2, 3])
    #expect(try store().read(digest).array == [1, 2, 3])
  }

  @Test("a failure while content is produced leaves nothing behind")
  func failure() throws {
    let store = try store()
    let problem = FormatError(file: "x", field: "y", value: "z", remedy: "w")
    #expect(throws: problem) {
      try store.put { (emit) throws(FormatError) in
        try emit(Bytes([1]))
        throw problem
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: store.directory).isEmpty)
  }

  @Test("a full disk is told apart from other refusals")
  func diskFull() throws {
    // A disk cannot be filled in a test; a producer that meets the error stands for it.
    let store = try store()
    let error = #expect(throws: ArtifactError.self) {
      try store.put { (_) throws(FormatError) in
        throw FormatError(file: "x", field: "file", value: "", remedy: "", systemError: ENOSPC)
      }
    }
    #expect(error?.code == .diskFull)
  }

  @Test("a store where a file is, or below one, is refused")
  func notADirectory() {
    let file = folder.write([1], "file")
    for path in [file, file + "/store"] {
      let error = #expect(throws: ArtifactError.self) { try ArtifactStore(directory: path) }
      #expect(error?.code == .inaccessible)
    }
  }

  @Test("files that a dead writer left are removed after a day, and not before")
  func abandoned() throws {
    let store = try store()
    let old = folder.write([1], "deep/store/incoming.tmp-aaaaaa")
    let young = folder.write([1], "deep/store/incoming.tmp-bbbbbb")
    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSinceNow: -90_000)], ofItemAtPath: old)
    _ = try ArtifactStore(directory: store.directory)
    #expect(!FileManager.default.fileExists(atPath: old))
    #expect(FileManager.default.fileExists(atPath: young))
  }

  @Test("many threads may put the same and different content at once")
  func concurrent() async throws {
    let store = try store()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for i in 0..<32 {
        group.addTask {
          let bytes = [UInt8(i % 4), 7]
          let digest = try store.put(Bytes(bytes))
          #expect(try store.read(digest).array == bytes)
        }
      }
      try await group.waitForAll()
    }
  }

  @Test("a checkpoint goes through the store as three files under its own digest")
  func checkpoint() throws {
    let configuration = ViTConfiguration(imageSize: 4, patchSize: 2, channels: 1, width: 4, depth: 1, heads: 2)
    let state = StateDict(
      ParameterLayout(configuration).entries.map { ($0.name, Tensor(shape: $0.shape, repeating: 0.5)) })
    let checkpoint = try Checkpoint(kind: .pretrained, configuration: configuration, state: state)
    let store = try store()
    let digest = try checkpoint.store(with: store.put)
    #expect(digest == checkpoint.digest)
    #expect(try Checkpoint.load(digest, open: store.read) == checkpoint)
    #expect(throws: (any Error).self) { try Checkpoint.load(store.put(Bytes([1])), open: store.read) }
  }
}
