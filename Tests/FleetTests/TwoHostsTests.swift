import Compute
import ComputeCPU
import Foundation
import Models
import Noise
import TestSupport
import Testing
import Training

@Suite("Two hosts") struct TwoHostsTests {
  private static let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardizedFileURL.path

  /// What the machine lacks; nil when network namespaces can be made.
  private static let obstacle: String? = {
    guard getuid() == 0 else { return "skipped: network namespaces need root" }
    for tool in ["/usr/sbin/ip", "/usr/sbin/nft", "/usr/bin/psql"]
    where !FileManager.default.isExecutableFile(atPath: tool) { return "skipped: \(tool) is not installed" }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["unshare", "--net", "true"]
    guard (try? process.start()) != nil else { return "skipped: unshare is not installed" }
    process.waitUntilExit()
    return process.terminationStatus == 0 ? nil : "skipped: this container may not make network namespaces"
  }()

  @Test(
    "a run completes by itself on two hosts that reach two ports only, one of them cut off in the middle",
    .enabled(if: obstacle == nil, "\(obstacle ?? "")"))
  func completes() async throws {
    let folder = TemporaryFolder()
    let configuration = ViTConfiguration(
      imageSize: 8, patchSize: 4, channels: 1, width: 64, depth: 2, heads: 4, classes: 10)
    let state = Initialization.framework.state(configuration, from: RandomStream(seed: 3, purpose: "test-weights"))
    let network = folder.file("net/x")
    try Checkpoint(kind: .classifier, configuration: configuration, state: state)
      .write(folder: (network as NSString).deletingLastPathComponent)
    var generator = RandomStream(seed: 5, purpose: "test-images").generator(at: 0)
    let lines = (0..<30).map { index in
      (0..<64).map { _ in "\(Int.random(in: 0...16, using: &generator))" }.joined(separator: ",") + ",\(index % 10)\n"
    }
    let images = folder.write(Array(lines.joined().utf8), "digits.csv")
    let run = folder.write(
      Array(
        """
        kind: certify
        name: two-hosts
        checkpoint: toy
        dataset: {name: digits, split: heldout}
        smoothing: {sigma: 0.5, n0: 100, n: 20000, alpha: 0.001}
        chunk_samples: 500
        seed: 1
        """.utf8), "run.yaml")

    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.root + "/scripts/two-hosts")
    process.arguments = [
      "--rrcm", Program.path, "--cut", "3", "--cut-at", "20", "--worker", "--beat-seconds 0.3 --dead-seconds 1.5",
      "--hub", "--beat-seconds 0.3 --dead-seconds 1.5 --rescue-seconds 0.5", "--dataset", "digits \(images)",
      "--checkpoint", "\(folder.path)/net --name toy", run,
    ]
    let log = folder.write([], "log")
    try process.start(output: log, errors: log)
    defer { if process.isRunning { kill(process.processIdentifier, SIGTERM) } }
    try await eventually("the script ends", seconds: 55) { !process.isRunning }
    let text = try String(contentsOfFile: log, encoding: .utf8)
    #expect(process.terminationStatus == 0, "\(text)")
    for words in [
      "reach ports 5432 and 8470", "host b is cut off for 3 s", "host b is back", "run two-hosts is done",
      "host-a:", "host-b:", "compute_share=",
    ] { #expect(text.contains(words), "\(words) in:\n\(text)") }
  }
}
