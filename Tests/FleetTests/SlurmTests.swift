import Database
import Foundation
import Store
import TestSupport
import Testing

private let hasSlurm = ["slurmctld", "slurmd", "munged"].allSatisfy {
  FileManager.default.isExecutableFile(atPath: "/usr/sbin/\($0)")
}

/// A Slurm of one node, started by `scripts/local-slurm`.
private final class LocalSlurm {
  private let folder = TemporaryFolder()
  private let environment: [String: String]

  init(_ environment: [String: String]) throws {
    self.environment = environment.merging(["SLURM_CONF": folder.path + "/slurm.conf"]) { $1 }
    try run(["\(Repository.root)/scripts/local-slurm", "start", folder.path])
  }

  deinit { _ = try? run(["\(Repository.root)/scripts/local-slurm", "stop", folder.path]) }

  /// Runs a command to its end. Returns standard output.
  @discardableResult
  func run(_ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.environment = environment
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
    let (output, errors) = (folder.write([], "out"), folder.write([], "err"))
    try process.start(output: output, errors: errors)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw TestFailure("\(arguments.joined(separator: " ")): \(try String(contentsOfFile: errors, encoding: .utf8))")
    }
    return try String(contentsOfFile: output, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  func log(_ task: String) -> String {
    (try? String(contentsOfFile: "\(folder.path)/rrcm-worker-\(task).log", encoding: .utf8)) ?? ""
  }
}

@Suite("deploy/slurm") struct SlurmTests {
  @Test(
    "an array of workers certifies a run; one is cancelled and one told to end and queue again, and both drain",
    .enabled(if: hasSlurm, "skipped: no Slurm on this machine (apt-get install slurm-wlm)"))
  func array() async throws {
    try await withFleet { fleet in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      let run = try await fleet.certify("slurm", n: 60_000)
      let slurm = try LocalSlurm([
        "PATH": "/usr/sbin:/usr/bin:/bin", "HOME": fleet.folder.path, "RRCM": Program.path,
        "RRCM_DATABASE_URL": fleet.database.url.connectionString, "RRCM_STORE": fleet.folder.path + "/store",
        "RRCM_WORKER_OPTIONS": Fleet.timings.joined(separator: " "),
      ])
      let job = try slurm.run([
        "sbatch", "--parsable", "--array=0-2", "--export=ALL", "\(Repository.root)/deploy/slurm/workers.sbatch",
      ])
      func hasPosted(_ task: Int) async throws -> Bool {
        try await fleet.number(
          "SELECT count(*) FROM rrcm.chunk_count JOIN rrcm.worker USING (worker_id) WHERE name = 'slurm-\(job)-\(task)'"
        )
          > 0
      }
      try await eventually("all three post votes") {
        for task in 0...2 where try await !hasPosted(task) { return false }
        return true
      }
      // The last task of an array bears the array's own number: requeueing it must leave the others alone.
      try slurm.run(["scancel", "--signal=USR1", "--batch", "\(job)_2"])
      try slurm.run(["scancel", "\(job)_1"])
      try await eventually("both leave") {
        try await fleet.number("SELECT count(*) FROM rrcm.worker WHERE name LIKE 'slurm-%' AND state = 'gone'") == 2
      }
      #expect(try await fleet.progress(run).state == "running", "they ended in the middle of the run")
      // Slurm starts a requeued job after two minutes; until then it waits.
      try await eventually("the one is queued again") {
        let state = try slurm.run(["scontrol", "show", "job", "\(job)_2"])
        return state.contains("JobState=PENDING") && state.contains("Restarts=1")
      }
      #expect(try slurm.run(["squeue", "--noheader", "--array", "--format=%i %T"]).contains("\(job)_0 RUNNING"))

      try await fleet.waitUntilDone(run)
      try await eventually("a worker ends when nothing is left") {
        try !slurm.run(["squeue", "--noheader", "--array", "--format=%i"]).contains("\(job)_0")
      }
      for task in 0...2 { #expect(slurm.log("\(job)_\(task)").contains("ended with status 0")) }
      #expect(
        try await fleet.number("SELECT count(*) FROM rrcm.event WHERE kind IN ('worker_lost', 'leases_rescued')") == 0,
        "whoever is cancelled drains: nothing needs to be rescued")
    }
  }
}
