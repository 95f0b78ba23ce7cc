import Artifacts
import Compute
import ComputeCPU
import Database
import Datasets
import Foundation
import Models
import Noise
import Store
import Tensors
import TestSupport
import Training
import Worker

/// A fleet of real processes over a real PostgreSQL, for one test.
///
/// The image set is twelve random grey images, the network small and random, with a head balanced so that votes spread
/// over the classes.
final class Fleet {
  let database: TestDatabase
  let store: Store
  let folder = TemporaryFolder()
  private var processes: [String: Process] = [:]

  static let images = 12

  /// - Parameter images: how many images the set has.
  init(_ database: TestDatabase, images count: Int = Fleet.images) async throws {
    self.database = database
    store = Store(database.connection())
    let artifacts = try ArtifactStore(directory: folder.path + "/store")
    var generator = RandomStream(seed: 5, purpose: "test-images").generator(at: 0)
    let images = try ImageSet(
      name: "tiny", classNames: ["a", "b", "c", "d"], channels: 1, height: 8, width: 8,
      images: Bytes((0..<count * 64).map { _ in UInt8.random(in: 0...255, using: &generator) }),
      labels: (0..<count).map { $0 % 4 }, splits: Array(repeating: "heldout", count: count),
      sources: (0..<count).map { "image \($0)" })
    try await store.insertDataset(
      digest: artifacts.put(images), name: "tiny", channels: 1, height: 8, width: 8, classes: images.classNames,
      source: "a test",
      images: (0..<count).map {
        DatasetImageRow(split: "heldout", label: images.labels[$0], source: images.sources[$0], digest: "")
      })
    let checkpoint = try Self.balancedNetwork()
    try await store.insertCheckpoint(
      digest: artifacts.put(checkpoint), name: "net", kind: checkpoint.kind.rawValue,
      configuration: String(decoding: try JSONEncoder().encode(checkpoint.configuration), as: UTF8.self), runID: nil,
      source: "a test")
  }

  deinit {
    for process in processes.values where process.isRunning { kill(process.processIdentifier, SIGKILL) }
  }

  /// An image's bytes [C, H, W], as stored.
  func pixels(ofImage index: Int) throws -> [UInt8] {
    var generator = RandomStream(seed: 5, purpose: "test-images").generator(at: 0)
    let all = (0..<Self.images * 64).map { _ in UInt8.random(in: 0...255, using: &generator) }
    return Array(all[index * 64..<(index + 1) * 64])
  }

  static func balancedNetwork() throws -> Checkpoint {
    let configuration = ViTConfiguration(
      imageSize: 8, patchSize: 4, channels: 1, width: 64, depth: 2, heads: 4, classes: 4)
    var state = Initialization.framework.state(configuration, from: RandomStream(seed: 3, purpose: "test-weights"))
    let classifier = try CPUDevice(threads: 1).makeClassifier(configuration, state: state, batch: nil)
    let inputs = RandomStream(seed: 4, purpose: "test-inputs").normals(count: 256 * 64, at: 0)
    let logits = try classifier.logits(inputs: inputs, count: 256, noiseLevel: 2)
    state["linear_head.bias"] = Tensor(
      shape: [4], values: (0..<4).map { k in -(0..<256).reduce(Float(0)) { $0 + logits[$1 * 4 + k] } / 256 })
    return try Checkpoint(kind: .classifier, configuration: configuration, state: state)
  }

  // MARK: Processes

  var environment: [String: String] {
    [
      "RRCM_DATABASE_URL": database.url.connectionString, "RRCM_HOME": folder.path,
      "RRCM_STORE": folder.path + "/store",
    ]
  }

  /// Impatient timings, so that rescues happen within a test's time.
  static let timings = ["--beat-seconds", "0.5", "--dead-seconds", "2", "--rescue-seconds", "0.5"]

  /// Starts a long-running part under a name.
  func start(
    _ name: String, _ arguments: [String], environment more: [String: String] = [:],
    timings: [String] = Fleet.timings
  ) throws {
    let process = Program.process(
      arguments + timings,
      environment: ProcessInfo.processInfo.environment.merging(environment) { $1 }.merging(more) { $1 })
    let log = folder.file("log/\(name).log")
    try Data().write(to: URL(fileURLWithPath: log))
    try process.start(errors: log)
    processes[name] = process
  }

  func startCoordinator() throws { try start("coordinator", ["coordinator", "start"]) }
  func startAggregator() throws { try start("aggregator", ["aggregator", "start"]) }
  func startWorker(_ name: String, _ more: [String] = []) throws {
    try start(name, ["worker", "start", "--name", name] + more)
  }

  /// Memory that a part holds for itself, file pages left out, in KiB.
  func anonymousMemory(_ name: String) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(processes[name]!.processIdentifier)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
    return line.flatMap { Int($0.split(separator: " ")[1].filter(\.isNumber)) } ?? 0
  }

  /// The process of a part that runs; nil when it does not.
  func pid(_ name: String) -> Int32? { processes[name].flatMap { $0.isRunning ? $0.processIdentifier : nil } }

  func signal(_ name: String, _ signal: Int32) { kill(processes[name]!.processIdentifier, signal) }

  /// Kills a part the hard way and forgets it.
  func slay(_ name: String) async throws {
    signal(name, SIGKILL)
    _ = try await waitForExit(name)
  }

  /// Waits for a part to end. Returns its exit status, negative for a signal.
  func waitForExit(_ name: String, seconds: Double = 20) async throws -> Int32 {
    let process = processes[name]!
    try await eventually("\(name) ends", seconds: seconds) { !process.isRunning }
    processes[name] = nil
    return process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
  }

  func log(_ name: String) -> String {
    (try? String(contentsOfFile: folder.path + "/log/\(name).log", encoding: .utf8)) ?? ""
  }

  /// Shows what every part said, after a failure.
  func printLogs() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path + "/log")) ?? [] {
      print("--- \(name)\n\(log(String(name.dropLast(4))).suffix(3000))")
    }
  }

  /// Runs a verb to its end, however it ends.
  func outcome(_ arguments: [String]) async throws -> Program.Outcome {
    try await Program.run(arguments, environment: environment)
  }

  /// Runs a verb to its end; fails the test when its exit status is not 0.
  @discardableResult
  func rrcm(_ arguments: [String], other: [String: String] = [:]) async throws -> String {
    let outcome = try await Program.run(arguments, environment: environment.merging(other) { $1 })
    guard outcome.status == 0 else { throw TestFailure("rrcm \(arguments.joined(separator: " ")): \(outcome.errors)") }
    return outcome.output
  }

  // MARK: Runs

  /// Submits a run file's text. Returns the run's number.
  func submit(_ yaml: String, name: String) async throws -> Int64 {
    try await rrcm(["run", "submit", folder.write(Array(yaml.utf8), "\(name).yaml")])
    guard let run = try await store.run(name) else { throw TestFailure("run \(name) was not recorded") }
    return run.id
  }

  /// A certification of all twelve images that takes one worker some seconds.
  func certify(_ name: String, n: Int = 40_000, reversed: Bool = false, more: String = "") async throws -> Int64 {
    let order = reversed ? ", indices: [\((0..<Self.images).reversed().map(String.init).joined(separator: ", "))]" : ""
    return try await submit(
      """
      kind: certify
      name: \(name)
      checkpoint: net
      dataset: {name: tiny\(order)}
      smoothing: {sigma: [0.25, 1.0], n0: 100, n: \(n), alpha: 0.001}
      chunk_samples: 500
      seed: 42
      \(more)
      """, name: name)
  }

  func progress(_ run: Int64) async throws -> RunProgress { try await store.progress(ofRun: run)[0] }

  func waitUntilDone(_ run: Int64, seconds: Double = 120) async throws {
    try await eventually("run \(run) is done", seconds: seconds) {
      let progress = try await self.progress(run)
      guard progress.state != "failed" else { throw TestFailure("run \(run) failed: \(progress.error ?? "")") }
      return progress.state == "done"
    }
  }

  /// Exported certificates without the time column.
  func certificates(_ name: String) async throws -> [String] {
    let rows = try await rrcm(["export", "certificates", name, "--output", "csv"]).split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    let time = rows[0].firstIndex(of: "time_seconds")!
    return rows.map { ($0[..<time] + $0[(time + 1)...]).joined(separator: ",") }
  }

  func number(_ sql: String) async throws -> Int64 {
    try await store.connection.query("SELECT (\(sql))::bigint AS n")[0].int("n")
  }
}

struct TestFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Asks until the answer is yes.
func eventually(_ claim: String, seconds: Double = 30, _ holds: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while try await !holds() {
    guard ContinuousClock.now < deadline else { throw TestFailure("not within \(seconds) s: \(claim)") }
    try await Task.sleep(for: .milliseconds(50))
  }
}

/// Makes a fleet, runs `body`, and shows the parts' logs when it throws.
func withFleet(images: Int = Fleet.images, _ body: (Fleet) async throws -> Void) async throws {
  try await withTestDatabase { database async throws in
    let fleet = try await Fleet(database, images: images)
    do { try await body(fleet) } catch {
      fleet.printLogs()
      throw error
    }
  }
}
