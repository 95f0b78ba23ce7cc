import Artifacts
import Foundation
import Synchronization
import Tensors
import TestSupport
import Testing

@Suite("A store at an address") struct RemoteStoreTests {
  private let folder = TemporaryFolder()

  private static var impatient: TransferPolicy {
    var policy = TransferPolicy()
    policy.firstPause = .milliseconds(10)
    policy.longestPause = .milliseconds(40)
    policy.attempts = 3
    return policy
  }

  private func cache(
    of server: ScriptedServer, _ name: String = "cache", limit: Int64 = 1_000_000
  ) throws -> ArtifactStore {
    try ArtifactStore(
      cache: folder.path + "/" + name, limit: limit,
      of: ArtifactRemote(server.address, token: "sixteen-letters-x", policy: Self.impatient))
  }

  /// What a web server over a store's folder does.
  private static func serve(_ files: [[UInt8]]) -> @Sendable (ScriptedServer.Request) -> [ScriptedServer.Step] {
    let byPath = Dictionary(uniqueKeysWithValues: files.map { ("/" + SHA256(hashing: $0).path, $0) })
    return { request in
      guard let bytes = byPath[request.path] else { return .answer(404) }
      return request.method == "HEAD"
        ? [.send(Data("HTTP/1.1 200 OK\r\nContent-Length: \(bytes.count)\r\nConnection: close\r\n\r\n".utf8))]
        : .file(bytes, request)
    }
  }

  private static func content(_ seed: UInt8, count: Int = 1000) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) ^ seed }
  }

  @Test("what is missing is fetched once, checked, and then found in the cache without the server")
  func fetches() async throws {
    let bytes = Self.content(1)
    let digest = SHA256(hashing: bytes)
    let server = try ScriptedServer(Self.serve([bytes]))
    let store = try cache(of: server)
    #expect(try await offPool { try store.read(digest).array } == bytes)
    #expect(server.requests.map(\.method) == ["HEAD", "GET"])
    #expect(server.requests.allSatisfy { $0.fields["authorization"] == "Bearer sixteen-letters-x" })
    let later = try cache(of: server)
    #expect(try await offPool { try later.read(digest).array } == bytes)
    #expect(server.requests.count == 2)
    let missing = await #expect(throws: ArtifactError.self) {
      try await offPool { _ = try store.read(SHA256(hashing: [7])) }
    }
    #expect(missing?.code == .notFound && missing?.message.contains(server.address) == true)
  }

  @Test("a damaged file in the cache is noticed and fetched anew")
  func damaged() async throws {
    let bytes = Self.content(2)
    let digest = SHA256(hashing: bytes)
    let server = try ScriptedServer(Self.serve([bytes]))
    let first = try cache(of: server)
    let path = try await offPool { try first.path(for: digest) }
    try FileManager.default.removeItem(atPath: path)
    #expect(FileManager.default.createFile(atPath: path, contents: Data(bytes.dropLast() + [0])))
    let later = try cache(of: server)
    #expect(try await offPool { try later.read(digest).array } == bytes)
    #expect(server.requests.filter { $0.method == "GET" }.count == 2)
  }

  @Test("the least recently used file makes room; one in use stays, and when all are, that is said")
  func bounded() async throws {
    let files = (0..<4).map { Self.content(UInt8($0)) }
    let digests = files.map { SHA256(hashing: $0) }
    let server = try ScriptedServer(Self.serve(files))
    let store = try cache(of: server, limit: 2500)
    func fetch(_ i: Int) async throws -> Bytes {
      // The order of use is told by the file system's clock.
      try await Task.sleep(for: .milliseconds(20))
      return try await offPool { try store.read(digests[i]) }
    }
    _ = try await fetch(0)
    _ = try await fetch(1)
    _ = try await fetch(0)
    _ = try await fetch(2)
    #expect(digests.map(store.contains) == [true, false, true, false])
    let inUse = try await fetch(0)
    _ = try await fetch(2)
    _ = try await fetch(3)
    #expect(digests.map(store.contains) == [true, false, false, true])
    let second = try await fetch(3)
    let error = await #expect(throws: ArtifactError.self) { _ = try await fetch(1) }
    #expect(error?.code == .diskFull && error?.message.contains("RRCM_CACHE_GB") == true)
    #expect(inUse.array == files[0] && second.array == files[3])
    let tooLarge = try ScriptedServer(Self.serve([Self.content(9, count: 3000)]))
    let small = try cache(of: tooLarge, "small", limit: 2500)
    let refused = await #expect(throws: ArtifactError.self) {
      try await offPool { _ = try small.read(SHA256(hashing: Self.content(9, count: 3000))) }
    }
    #expect(refused?.code == .diskFull && refused?.message.contains("3000 bytes does not fit") == true)
  }

  @Test("what is put goes to the server, which need not be asked for it again, and is sent once")
  func puts() async throws {
    let stored = Held()
    let server = try ScriptedServer { request in
      switch request.method {
      case "PUT":
        // The first answer is lost on its way, after the file has arrived.
        let isFirst = stored.add(request.path, Array(request.body))
        return isFirst ? [.reset] : .answer(201)
      case "HEAD":
        guard let bytes = stored[request.path] else { return .answer(404) }
        return [.send(Data("HTTP/1.1 200 OK\r\nContent-Length: \(bytes.count)\r\nConnection: close\r\n\r\n".utf8))]
      case "DELETE":
        stored.remove(request.path)
        return [.send(Data("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".utf8))]
      default: return .answer(405)
      }
    }
    let store = try cache(of: server)
    let bytes = Self.content(5, count: 100_000)
    let digest = try await offPool { try store.put(Bytes(bytes)) }
    #expect(digest == SHA256(hashing: bytes) && stored["/" + digest.path] == bytes)
    #expect(try await offPool { try store.put(Bytes(bytes)) } == digest)
    #expect(server.requests.filter { $0.method == "PUT" }.count == 1)
    #expect(try await offPool { try store.read(digest).array } == bytes)
    try await offPool { store.remove(digest) }
    #expect(stored["/" + digest.path] == nil && !store.contains(digest))
  }

  @Test("a server that refuses what is put is named with what it said")
  func refusesPut() async throws {
    let server = try ScriptedServer { $0.method == "HEAD" ? .answer(404) : .answer(413, [], "too much for me") }
    let store = try cache(of: server)
    let error = await #expect(throws: ArtifactError.self) { try await offPool { _ = try store.put(Bytes([1, 2])) } }
    #expect(error?.code == .refused && error?.message.contains("too much for me") == true)
  }

  @Test("two processes with one cache that want one file fetch it once")
  func twoProcesses() async throws {
    let bytes = Self.content(3, count: 400_000)
    let digest = SHA256(hashing: bytes)
    let serve = Self.serve([bytes])
    let server = try ScriptedServer { request in
      (request.method == "GET" ? [.pause(seconds: 0.5)] : []) + serve(request)
    }
    // Two stores share nothing in memory; flock tells open files apart, not processes.
    let stores = try [cache(of: server), cache(of: server)]
    try await withThrowingTaskGroup(of: [UInt8].self) { group in
      for store in stores { group.addTask { try await offPool { try store.read(digest).array } } }
      for try await found in group { #expect(found == bytes) }
    }
    #expect(server.requests.filter { $0.method == "GET" }.count == 1)
  }

  @Test("the token comes from the environment or the file it names; what cannot be one is refused without showing it")
  func tokens() throws {
    #expect(try ArtifactToken.read(environment: [:]) == nil)
    #expect(try ArtifactToken.read(environment: ["RRCM_ARTIFACT_TOKEN": "0123456789abcdef"]) == "0123456789abcdef")
    let file = folder.write(Array("0123456789abcdefX\n".utf8), "token")
    #expect(try ArtifactToken.read(environment: ["RRCM_ARTIFACT_TOKEN_FILE": file]) == "0123456789abcdefX")
    for wrong in [
      ["RRCM_ARTIFACT_TOKEN": "hunter2"], ["RRCM_ARTIFACT_TOKEN": "two words 0123456789"],
      ["RRCM_ARTIFACT_TOKEN_FILE": file + "-absent"],
      ["RRCM_ARTIFACT_TOKEN": "0123456789abcdef", "RRCM_ARTIFACT_TOKEN_FILE": file],
    ] {
      let error = #expect(throws: ArtifactError.self) { try ArtifactToken.read(environment: wrong) }
      #expect(error?.code == .badRequest && error?.message.contains("RRCM_ARTIFACT_TOKEN") == true)
      #expect(error?.message.contains("hunter2") == false && error?.message.contains("0123456789") == false)
    }
  }
}

/// What a scripted server holds.
private final class Held: Sendable {
  private let files = Mutex<[String: [UInt8]]>([:])

  subscript(path: String) -> [UInt8]? { files.withLock { $0[path] } }
  func add(_ path: String, _ bytes: [UInt8]) -> Bool { files.withLock { $0.updateValue(bytes, forKey: path) == nil } }
  func remove(_ path: String) { files.withLock { _ = $0.removeValue(forKey: path) } }
}
