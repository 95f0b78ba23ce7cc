import Artifacts
import Coordinator
import Foundation
import Logging
import Telemetry
import Tensors
import TestSupport
import Testing
import Training

@Suite("The artifact server") struct ArtifactServerTests {
  private static let token = "a-token-of-some-length"
  private let folder = TemporaryFolder()

  /// Runs `body` with the address of a server over a fresh store.
  private func withServer(
    sizeLimit: Int64 = 1 << 20, _ body: (_ address: String, _ store: ArtifactStore) async throws -> Void
  ) async throws {
    let store = try ArtifactStore(directory: folder.path + "/served")
    let port = try freePort()
    let server = try ArtifactServer(
      store: store, address: ListeningAddress("\(port)", name: "artifact", example: ""), token: Self.token,
      sizeLimit: sizeLimit, logger: .silent)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      for _ in 0..<100 where !canConnect(port) { try await Task.sleep(for: .milliseconds(20)) }
      try await body("http://127.0.0.1:\(port)", store)
      group.cancelAll()
    }
  }

  private func remote(_ address: String, token: String? = token) throws -> ArtifactStore {
    var policy = TransferPolicy()
    policy.firstPause = .milliseconds(10)
    policy.attempts = 2
    return try ArtifactStore(
      cache: folder.path + "/cache-\(UUID().uuidString)", limit: 1 << 30,
      of: ArtifactRemote(address, token: token, policy: policy))
  }

  private func curl(_ arguments: String...) async throws -> (status: String, text: String) {
    let out = folder.file("out")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["curl", "-s", "--path-as-is", "--max-time", "20", "-o", out, "-w", "%{http_code}"] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try? FileManager.default.removeItem(atPath: out)
    try process.run()
    return try await offPool {
      let status = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      return (status, String(decoding: FileManager.default.contents(atPath: out) ?? Data(), as: UTF8.self))
    }
  }

  private var authorization: String { "Authorization: Bearer \(Self.token)" }

  @Test("a file travels from one machine's cache through the server into another's")
  func travels() async throws {
    try await withServer(sizeLimit: 8 << 20) { address, store in
      let bytes = (0..<5_000_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 9) }
      let (maker, user) = (try remote(address), try remote(address))
      let digest = try await offPool { try maker.put(Bytes(bytes)) }
      #expect(store.contains(digest) && !user.contains(digest))
      let found = try await offPool { try user.read(digest).array }
      #expect(found == bytes)
      let again = try await offPool { try user.put(Bytes(bytes)) }
      #expect(again == digest)
      #expect(try FileManager.default.contentsOfDirectory(atPath: store.directory) == [String(digest.hex.prefix(2))])
    }
  }

  @Test("without the token nothing is said about any path", arguments: [nil, "a-token-of-some-lengtH", "a-token"])
  func needsToken(token: String?) async throws {
    try await withServer { address, store in
      let digest = try store.put(Bytes([1]))
      let other = try remote(address, token: token)
      let error = await #expect(throws: ArtifactError.self) { try await offPool { _ = try other.read(digest) } }
      #expect(error?.code == .unauthorized)
      let put = await #expect(throws: ArtifactError.self) { try await offPool { _ = try other.put(Bytes([2])) } }
      #expect(put?.code == .unauthorized)
      let absent = try await curl(address + "/00/nothing")
      #expect(absent.status == "401")
      #expect(!store.contains(SHA256(hashing: [2])))
    }
  }

  @Test("ranges are answered as asked, and what is no range of the file is refused or ignored")
  func ranges() async throws {
    try await withServer { address, store in
      let digest = try store.put(Bytes(Array("0123456789".utf8)))
      let place = address + "/" + digest.path
      for (field, status, text) in [
        ("bytes=3-", "206", "3456789"), ("bytes=0-0", "206", "0"), ("bytes=8-99", "206", "89"),
        ("bytes=-2", "206", "89"), ("bytes=10-", "416", ""), ("bytes=5-3", "200", "0123456789"),
        ("bytes=0-1,3-4", "200", "0123456789"), ("lines=1-2", "200", "0123456789"),
        ("bytes=9223372036854775807-", "416", ""), ("bytes=0-9223372036854775807", "200", "0123456789"),
      ] {
        let answer = try await curl("-H", authorization, "-H", "Range: \(field)", place)
        #expect(answer.status == status && answer.text == text, "\(field)")
      }
      let head = try await curl("-I", "-H", authorization, place)
      #expect(head.status == "200" && head.text.lowercased().contains("content-length: 10"))
      let empty = try store.put(Bytes([UInt8]()))
      #expect(try await curl("-H", authorization, address + "/" + empty.path).status == "200")
    }
  }

  @Test("there is no path but a digest's: nothing to list, nowhere to climb to")
  func paths() async throws {
    try await withServer { address, store in
      folder.write([1], "secret")
      let digest = try store.put(Bytes([1]))
      let hex = digest.hex
      for path in [
        "/", "", "/../secret", "/%2e%2e/secret", "/\(hex.prefix(2))", "/\(hex.prefix(2))/", "/\(hex)", "/00/\(hex)",
        "/\(hex.prefix(2))/\(hex)/", "/\(hex.prefix(2).uppercased())/\(hex.uppercased())x",
        "/\(hex.prefix(2))/../\(hex.prefix(2))/\(hex)x", "//\(hex.prefix(2))/\(hex)",
        "/\(hex.prefix(2))/\(hex)/../../../secret",
        "/\(hex.prefix(2))/\(hex)%00", "/incoming.tmp-x",
      ] {
        let answer = try await curl("-H", authorization, address + path)
        #expect(["404", "000"].contains(answer.status), "\(path): \(answer.status)")
      }
      #expect(try await curl("-X", "POST", "-H", authorization, address + "/" + digest.path).status == "405")
    }
  }

  @Test("what is put under another digest, too large, or without a length is refused, and nothing of it stays")
  func refusesPut() async throws {
    try await withServer(sizeLimit: 100_000) { address, store in
      let wrong = address + "/" + SHA256(hashing: [1]).path
      let file = folder.write([1, 2], "file")
      let answer = try await curl("-T", file, "-H", authorization, wrong)
      #expect(answer.status == "422" && answer.text.contains(SHA256(hashing: [1, 2]).hex))
      let large = [UInt8](repeating: 3, count: 100_001)
      let largeFile = folder.write(large, "large")
      let refused = try await curl(
        "-T", largeFile, "-H", "Expect:", "-H", authorization, address + "/" + SHA256(hashing: large).path)
      #expect(["413", "000"].contains(refused.status))
      let chunked = try await curl(
        "-T", file, "-H", authorization, "-H", "Transfer-Encoding: chunked",
        address + "/" + SHA256(hashing: [1, 2]).path)
      #expect(chunked.status == "411")
      #expect(try FileManager.default.contentsOfDirectory(atPath: store.directory).isEmpty)
      let good = try await curl("-T", file, "-H", authorization, address + "/" + SHA256(hashing: [1, 2]).path)
      #expect(good.status == "201")
      let again = try await curl("-T", file, "-H", authorization, address + "/" + SHA256(hashing: [1, 2]).path)
      #expect(again.status == "200")
    }
  }

  @Test("a sender that goes away in the middle leaves nothing")
  func truncatedPut() async throws {
    try await withServer(sizeLimit: 10_000_000) { address, store in
      let bytes = [UInt8](repeating: 4, count: 3_000_000)
      let port = UInt16(address.split(separator: ":").last!)!
      let socket = connectTo(port)
      let head = "PUT /\(SHA256(hashing: bytes).path) HTTP/1.1\r\n\(authorization)\r\nContent-Length: 3000000\r\n\r\n"
      _ = head.withCString { send(socket, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
      _ = bytes.withUnsafeBytes { send(socket, $0.baseAddress, 200_000, Int32(MSG_NOSIGNAL)) }
      try await Task.sleep(for: .milliseconds(200))
      close(socket)
      for _ in 0..<100 {
        if try FileManager.default.contentsOfDirectory(atPath: store.directory).isEmpty { break }
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: store.directory).isEmpty)
    }
  }

  @Test("training states may be removed, and nothing else")
  func removes() async throws {
    try await withServer { address, store in
      let kept = try store.put(Bytes([1, 2, 3]))
      let state = SafetensorsFile(metadata: ["rrcm_training": "{}"])
      let removed = try store.put { (emit) throws(FormatError) in try state.serialize(emit) }
      let other = try remote(address)
      try await offPool {
        other.remove(kept)
        other.remove(removed)
      }
      #expect(store.contains(kept) && !store.contains(removed))
      #expect(try await curl("-X", "DELETE", "-H", authorization, address + "/" + kept.path).status == "409")
      #expect(try await curl("-X", "DELETE", "-H", authorization, address + "/" + removed.path).status == "404")
    }
  }
}

private func connectTo(_ port: UInt16) -> Int32 {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var name = sockaddr_in()
  name.sin_family = sa_family_t(AF_INET)
  name.sin_port = port.bigEndian
  name.sin_addr.s_addr = inet_addr("127.0.0.1")
  let connected = withUnsafePointer(to: &name) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
    }
  }
  if connected { return descriptor }
  close(descriptor)
  return -1
}

private func canConnect(_ port: UInt16) -> Bool {
  let descriptor = connectTo(port)
  if descriptor >= 0 { close(descriptor) }
  return descriptor >= 0
}

/// A port of 127.0.0.1 that nobody listens on just now.
private func freePort() throws -> UInt16 {
  let server = try ScriptedServer { _ in [] }
  return UInt16(server.address.split(separator: ":").last!)!
}

private func offPool<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}
