import Artifacts
import Foundation
import Synchronization
import Tensors
import TestSupport
import Testing

@Suite("Downloads") struct DownloaderTests {
  private let folder = TemporaryFolder()
  private let content: [UInt8] = (0..<300_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 7) }
  private var digest: SHA256 { SHA256(hashing: content) }
  private var target: String { folder.path + "/file" }

  private static var impatient: TransferPolicy {
    var policy = TransferPolicy()
    policy.firstPause = .milliseconds(10)
    policy.longestPause = .milliseconds(40)
    policy.attempts = 4
    policy.stallTimeout = .seconds(1)
    return policy
  }

  private func fetch(
    _ server: ScriptedServer, sha256: SHA256? = nil, md5: String? = nil, size: Int64? = nil, token: String? = nil,
    sizeLimit: Int64? = nil, policy: TransferPolicy = impatient
  ) async throws {
    let download = try Download(
      server.address + "/file?signature=hidden", to: target,
      expected: ExpectedContent(sha256: sha256 ?? (md5 == nil ? digest : nil), md5: md5, size: size), token: token,
      sizeLimit: sizeLimit)
    try await offPool { try Downloader(policy).fetch(download) }
  }

  private func failure(_ body: () async throws -> Void) async -> ArtifactError? {
    do { try await body() } catch { return error as? ArtifactError }
    return nil
  }

  private var isWhole: Bool { FileManager.default.contents(atPath: target) == Data(content) }
  private var files: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] }

  @Test("a file arrives whole, is checked against SHA-256 and MD5, and is not fetched again while it is good")
  func whole() async throws {
    let content = content
    let server = try ScriptedServer { .file(content, $0) }
    try await fetch(server, size: 300_000)
    #expect(isWhole && files == ["file"])
    try await fetch(server)
    #expect(server.requests.count == 1)
    try FileManager.default.removeItem(atPath: target)
    // From Python's hashlib.
    try await fetch(server, md5: "4E55FEC88D66C0CDDD44C5EE194B6349")
    #expect(isWhole && server.requests.count == 2)
  }

  @Test("a damaged file at the destination is replaced")
  func replaced() async throws {
    let content = content
    let server = try ScriptedServer { .file(content, $0) }
    folder.write([1, 2, 3], "file")
    try await fetch(server)
    #expect(isWhole)
  }

  @Test(
    "a connection dropped in the middle is taken up with a Range from the last byte that arrived",
    arguments: [
      false, true,
    ])
  func dropped(reset: Bool) async throws {
    let content = content
    let server = try ScriptedServer { request in
      if request.number > 2 { return .file(content, request) }
      return .file(content, request, dropAfter: 100_000) + (reset ? [.pause(seconds: 0.1), .reset] : [])
    }
    try await fetch(server)
    #expect(isWhole)
    #expect(server.requests.map(\.rangeStart) == [nil, 100_000, 200_000])
  }

  @Test("a part that an earlier process left is taken up; one with other content costs a second try, no more")
  func leftOver() async throws {
    let content = content
    let server = try ScriptedServer { .file(content, $0) }
    folder.write(Array(content.prefix(1000)), "file.part")
    try await fetch(server)
    #expect(isWhole && server.requests.map(\.rangeStart) == [1000])
    try FileManager.default.removeItem(atPath: target)
    folder.write([9, 9, 9], "file.part")
    try await fetch(server)
    #expect(isWhole && server.requests.dropFirst().map(\.rangeStart) == [3, nil])
    try FileManager.default.removeItem(atPath: target)
    folder.write(content + [0], "file.part")
    try await fetch(server)
    #expect(isWhole && server.requests.dropFirst(3).map(\.rangeStart) == [300_001, nil])
    #expect(files == ["file"])
  }

  @Test("a part that is already whole needs no byte more")
  func wholePart() async throws {
    let content = content
    let server = try ScriptedServer { .file(content, $0) }
    folder.write(content, "file.part")
    try await fetch(server, size: 300_000)
    #expect(isWhole && server.requests.isEmpty)
    try FileManager.default.moveItem(atPath: target, toPath: target + ".part")
    try await fetch(server)
    #expect(isWhole && server.requests.count == 1)
  }

  @Test("a server that ignores Range is read from the start")
  func ignoresRange() async throws {
    let content = content
    let server = try ScriptedServer { request in
      .file(content, request, knowsRange: false, dropAfter: request.number == 1 ? 100_000 : nil)
    }
    try await fetch(server)
    #expect(isWhole && server.requests.map(\.rangeStart) == [nil, 100_000])
  }

  @Test("wrong content is refused with both digests, and nothing of it stays")
  func wrongDigest() async throws {
    let content = content
    let server = try ScriptedServer { .file(content, $0) }
    let wanted = SHA256(hashing: [1])
    let error = await failure { try await fetch(server, sha256: wanted) }
    #expect(error?.code == .corrupt && files.isEmpty && server.requests.count == 1)
    #expect(error?.message.contains(wanted.hex) == true && error?.message.contains(digest.hex) == true)
    let other = await failure { try await fetch(server, md5: String(repeating: "0", count: 32)) }
    #expect(other?.code == .corrupt && other?.message.contains("4e55fec88d66c0cddd44c5ee194b6349") == true)
  }

  @Test("a size that is not the expected one is refused before the file is fetched; beyond the limit at the limit")
  func wrongSize() async throws {
    let content = content
    let server = try ScriptedServer { .file(content, $0, statesLength: $0.number == 1) }
    let stated = await failure { try await fetch(server, size: 299_999) }
    #expect(stated?.code == .corrupt && stated?.message.contains("300000 bytes and should have 299999") == true)
    let silent = await failure { try await fetch(server, size: 299_999) }
    #expect(silent?.code == .corrupt && silent?.message.contains("more than 299999 bytes") == true)
    let limited = await failure { try await fetch(server, sizeLimit: 1000) }
    #expect(limited?.code == .corrupt && files.isEmpty)
  }

  @Test("an answer that ends early without stating its length is taken up where the size is known, else refused")
  func truncated() async throws {
    let content = content
    let server = try ScriptedServer { request in
      .file(content, request, dropAfter: request.number == 2 ? nil : 1000, statesLength: false)
    }
    try await fetch(server, size: 300_000)
    #expect(isWhole && server.requests.map(\.rangeStart) == [nil, 1000])
    try FileManager.default.removeItem(atPath: target)
    let error = await failure { try await fetch(server) }
    #expect(error?.code == .corrupt && files.isEmpty)
  }

  @Test("a server that stalls is given up after the stall timeout and asked again")
  func stalled() async throws {
    let content = content
    let server = try ScriptedServer { request in
      request.number == 1
        ? .file(content, request, dropAfter: 1000) + [.pause(seconds: 20)] : .file(content, request)
    }
    let start = ContinuousClock.now
    try await fetch(server)
    #expect(isWhole && server.requests.map(\.rangeStart) == [nil, 1000])
    #expect(ContinuousClock.now - start < .seconds(8))
  }

  @Test("the file is unreachable after a bounded number of attempts that bring nothing, and its part stays")
  func givesUp() async throws {
    let content = content
    let server = try ScriptedServer { request in
      request.number == 1 ? .file(content, request, dropAfter: 1000) : [.reset]
    }
    let error = await failure { try await fetch(server) }
    #expect(error?.code == .unreachable && error?.mayPass == true)
    #expect(server.requests.count == 5 && files == ["file.part"])
    let nobody = try ScriptedServer { _ in [] }.address
    let download = try Download(nobody + "/x", to: target, expected: ExpectedContent(sha256: digest))
    let refused = await failure { try await offPool { try Downloader(Self.impatient).fetch(download) } }
    #expect(refused?.code == .unreachable && refused?.message.contains("4 times in a row") == true)
  }

  @Test("500, 503 and 429 are asked again, and Retry-After is obeyed", arguments: [500, 503, 429])
  func busy(status: Int) async throws {
    let content = content
    let server = try ScriptedServer { request in
      request.number == 1 ? .answer(status, ["Retry-After: 1"], "busy") : .file(content, request)
    }
    let start = ContinuousClock.now
    try await fetch(server)
    #expect(isWhole && ContinuousClock.now - start >= .seconds(1))
  }

  @Test(
    "401, 403, 404 and other refusals end it at once with the address and a remedy",
    arguments: [
      (401, ArtifactError.Code.unauthorized, "RRCM_ARTIFACT_TOKEN"), (403, .unauthorized, "token"),
      (404, .notFound, "not there"), (400, .refused, "answered 400"),
    ])
  func refused(status: Int, code: ArtifactError.Code, words: String) async throws {
    let server = try ScriptedServer { _ in .answer(status, [], "because <of> reasons") }
    let error = await failure { try await fetch(server) }
    #expect(error?.code == code && server.requests.count == 1)
    #expect(error?.message.contains(words) == true && error?.message.contains(server.address + "/file") == true)
    #expect(error?.message.contains("hidden") == false)
  }

  @Test("the token goes to the server as a bearer token, not to another host, and not into messages")
  func token() async throws {
    let content = content
    let other = try ScriptedServer { .file(content, $0) }
    let elsewhere = other.address.replacingOccurrences(of: "127.0.0.1", with: "localhost")
    let server = try ScriptedServer { request in
      request.number == 1 ? .answer(302, ["Location: \(elsewhere)/there"]) : .answer(401)
    }
    try await fetch(server, token: "s3cret")
    #expect(isWhole)
    #expect(server.requests[0].fields["authorization"] == "Bearer s3cret")
    #expect(other.requests.count == 1 && other.requests[0].fields["authorization"] == nil)
    try FileManager.default.removeItem(atPath: target)
    let error = await failure { try await fetch(server, token: "s3cret") }
    #expect(error?.code == .unauthorized && error?.description.contains("s3cret") == false)
    #expect(error?.message.contains("not accepted") == true)
  }

  @Test(
    "an address that is none, and a download without a digest, are refused",
    arguments: [
      "ftp://host/x", "file:///etc/passwd", "host/x", "http://", "http:///x", "http://user:pw@", "http://h/a b", "",
    ])
  func addresses(text: String) {
    let error = #expect(throws: ArtifactError.self) {
      try Download(text, to: target, expected: ExpectedContent(sha256: digest))
    }
    #expect(error?.code == .badRequest && error?.message.contains("pw") == false)
    #expect(throws: ArtifactError.self) { try Download("http://h/x", to: target, expected: ExpectedContent()) }
  }

  @Test(
    "a full disk says so, keeps what is there, and the next call goes on",
    .enabled(if: getuid() == 0, "skipped: mounting a small tmpfs needs root"))
  func diskFull() async throws {
    let content = content
    let server = try ScriptedServer { .file(content, $0) }
    let disk = folder.path + "/disk"
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: false)
    guard mount("rrcm-test", disk, "tmpfs", 0, "size=128k") == 0 else {
      print("skipped: this container may not mount")
      return
    }
    defer { umount2(disk, Int32(MNT_DETACH)) }
    let download = try Download(server.address + "/x", to: disk + "/file", expected: ExpectedContent(sha256: digest))
    let error = await failure { try await offPool { try Downloader(Self.impatient).fetch(download) } }
    #expect(error?.code == .diskFull && error?.message.contains("free space") == true)
    #expect(mount("rrcm-test", disk, "tmpfs", UInt(MS_REMOUNT), "size=1m") == 0)
    try await offPool { try Downloader(Self.impatient).fetch(download) }
    #expect(FileManager.default.contents(atPath: disk + "/file") == Data(content))
    #expect(try #require(server.requests.last?.rangeStart) > 0)
  }

  @Test("a certificate that nobody vouches for is refused; one that the given authorities sign is taken")
  func tls() async throws {
    let folder = folder.path
    func openssl(_ arguments: [String]) throws -> Process {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["openssl"] + arguments
      process.currentDirectoryURL = URL(fileURLWithPath: folder)
      try process.start()
      return process
    }
    let maker = try openssl(
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        .split(separator: " ").map(String.init))
    try await offPool { maker.waitUntilExit() }
    self.folder.write(content, "served")
    let port = try ScriptedServer { _ in [] }.address.split(separator: ":").last!
    let server = try openssl([
      "s_server", "-accept", "\(port)", "-cert", "cert.pem", "-key", "key.pem", "-WWW", "-quiet",
    ])
    defer { kill(server.processIdentifier, SIGKILL) }
    let download = try Download(
      "https://localhost:\(port)/served", to: target, expected: ExpectedContent(sha256: digest, size: 300_000))
    var policy = Self.impatient
    policy.attempts = 50  // it takes a moment to listen
    let refused = await failure { [policy] in try await offPool { try Downloader(policy).fetch(download) } }
    #expect(refused?.code == .refused && refused?.message.contains("certificate") == true)
    #expect(!isWhole)
    policy.authorities = folder + "/cert.pem"
    try await offPool { [policy] in try Downloader(policy).fetch(download) }
    #expect(isWhole)
  }

  @Test("two that fetch one file at once share the work")
  func together() async throws {
    let content = content
    let server = try ScriptedServer { request in [.pause(seconds: 0.3)] + .file(content, request) }
    let download = try Download(server.address + "/x", to: target, expected: ExpectedContent(sha256: digest))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 { group.addTask { try await offPool { try Downloader(Self.impatient).fetch(download) } } }
      try await group.waitForAll()
    }
    #expect(isWhole && server.requests.count == 1 && files == ["file"])
  }

  @Test("a transfer stops when asked, between pieces and between attempts, and keeps its part")
  func stops() async throws {
    let content = content
    let server = try ScriptedServer { request in .file(content, request, dropAfter: 1000) + [.pause(seconds: 20)] }
    let begun = ContinuousClock.now
    var policy = Self.impatient
    policy.stallTimeout = .seconds(30)
    policy.shouldStop = { ContinuousClock.now - begun > .seconds(1) }
    let error = await failure { try await fetch(server, policy: policy) }
    #expect(error?.code == .stopped && files == ["file.part"])
    #expect(ContinuousClock.now - begun < .seconds(5))
  }
}

/// Runs blocking work on a thread of its own.
func offPool<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}
