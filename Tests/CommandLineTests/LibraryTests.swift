import Database
import Foundation
import Store
import Tensors
import TestSupport
import Testing

/// A database, a store and the program over both.
private struct Library {
  let environment: [String: String]
  let folder: TemporaryFolder
  let store: Store

  init(_ database: TestDatabase, _ folder: TemporaryFolder) {
    self.folder = folder
    store = Store(database.connection())
    environment = [
      "RRCM_DATABASE_URL": database.url.connectionString, "RRCM_HOME": folder.path + "/home",
      "RRCM_STORE": folder.path + "/store",
    ]
  }

  func rrcm(_ arguments: String...) async throws -> Program.Outcome {
    try await Program.run(arguments, environment: environment)
  }
}

private func withLibrary(_ body: (Library) async throws -> Void) async throws {
  let folder = TemporaryFolder()
  try await withTestDatabase { database async throws in try await body(Library(database, folder)) }
}

@Suite("Image sets and checkpoints by command") struct LibraryTests {
  @Test("a fetched image set survives a connection that breaks, is checked, recorded once and found again")
  func fetch() async throws {
    try await withLibrary { library async throws in
      let archive = CIFAR10Fixture().archive
      let digest = SHA256(hashing: archive).hex
      let server = try ScriptedServer { request in
        .file(archive, request, dropAfter: request.number == 1 ? archive.count / 2 : nil)
      }
      let url = server.address + "/cifar-10-binary.tar.gz"
      let first = try await library.rrcm("dataset", "fetch", "cifar10", "--url", url, "--sha256", digest)
      #expect(first.status == 0 && first.output.contains("test 3, train 15"), "\(first)")
      #expect(server.requests.map(\.rangeStart) == [nil, archive.count / 2])
      let set = try #require(try await library.store.dataset("cifar10"))
      #expect(set.source == "\(url) sha256:\(digest)" && set.classes[0] == "airplane" && set.imageCount == 18)
      let again = try await library.rrcm("dataset", "fetch", "cifar10", "--url", url, "--sha256", digest)
      #expect(again.status == 0 && again.errors.contains("was fetched on") && server.requests.count == 2)
      let other = try await library.rrcm("dataset", "fetch", "cifar10")
      #expect(other.status == 64 && other.errors.contains("choose another --name"), "\(other)")
      let left = try FileManager.default.contentsOfDirectory(atPath: library.folder.path + "/home/downloads")
      #expect(left.isEmpty)
    }
  }

  @Test("an archive that is not the published one is refused, and nothing is recorded")
  func wrongDigest() async throws {
    try await withLibrary { library async throws in
      let archive = CIFAR10Fixture().archive
      let server = try ScriptedServer { .file(archive, $0) }
      let outcome = try await library.rrcm("dataset", "fetch", "cifar10", "--url", server.address + "/x.tar.gz")
      #expect(outcome.status == 74 && outcome.errors.contains("should have 170052171"), "\(outcome)")
      let wanted = SHA256(hashing: [1]).hex
      let other = try await library.rrcm(
        "dataset", "fetch", "cifar10", "--url", server.address + "/x.tar.gz", "--sha256", wanted)
      #expect(other.status == 74 && other.errors.contains("SHA-256 is") && other.errors.contains(wanted), "\(other)")
      #expect(try await library.store.datasets().isEmpty)
    }
  }

  @Test("CIFAR-10's binary version imports by name, and a dry run stores nothing")
  func importCIFAR10() async throws {
    try await withLibrary { library async throws in
      let path = library.folder.write(CIFAR10Fixture(perFile: 2).archive, "cifar-10-binary.tar.gz")
      let dry = try await library.rrcm("dataset", "import", "cifar10", path, "--dry-run", "--output", "json")
      #expect(dry.status == 0 && dry.output.contains("\"splits\": \"test 2, train 10\""), "\(dry)")
      #expect(try await library.store.datasets().isEmpty)
      #expect(!FileManager.default.fileExists(atPath: library.folder.path + "/store"))
      let done = try await library.rrcm("dataset", "import", "cifar10", path)
      let set = try #require(try await library.store.dataset("cifar10"))
      #expect(done.status == 0 && set.channels == 3 && set.height == 32 && set.imageCount == 12)
      let images = try await library.store.images(of: set.digest)
      #expect(images.last?.split == "test" && images.last?.source == "test_batch.bin record 1")
      #expect(Set(images.map(\.digest)).count > 1 && images.allSatisfy { $0.digest.count == 64 })
    }
  }

  @Test("a random checkpoint is the same for the same seed, and another for another")
  func randomCheckpoint() async throws {
    try await withLibrary { library async throws in
      func digest(_ more: String...) async throws -> String {
        let outcome = try await Program.run(
          ["checkpoint", "init", "rrcm-s-imagenet", "--classes", "20", "--output", "csv"] + more,
          environment: library.environment)
        #expect(outcome.status == 0, "\(outcome.errors)")
        return String(outcome.output.split(separator: "\n").last?.split(separator: ",")[1] ?? "")
      }
      let first = try await digest("--dry-run")
      #expect(try await library.store.checkpoints().isEmpty)
      #expect(try await digest() == first)
      #expect(try await digest("--seed", "1", "--dry-run") != first)
      let record = try #require(try await library.store.checkpoint("rrcm-s-imagenet-random"))
      #expect(record.digest == first && record.source == "random weights of rrcm-s-imagenet, seed 0")
      let shown = try await library.rrcm("checkpoint", "show", "rrcm-s-imagenet-random", "--output", "json")
      // 19,401,728 of the encoder (spec section 2.6), 512·20 + 20 of the head.
      #expect(shown.output.contains("\"parameters\": 19411988"), "\(shown.output)")
    }
  }
}
