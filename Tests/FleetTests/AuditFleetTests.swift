import Artifacts
import ComputeCPU
import Database
import Foundation
import Lifecycle
import Logging
import Store
import Telemetry
import TestSupport
import Testing
import Worker

@Suite("An audited fleet", .serialized) struct AuditFleetTests {
  /// A worker within this process whose memory lost a bit after its canary; it works until cancelled.
  private func failingWorker(_ fleet: Fleet, _ name: String) throws -> Task<Void, any Error> {
    var timings = FleetTimings()
    (timings.beatEvery, timings.deadAfter) = (.seconds(0.5), .seconds(2))
    let worker = WorkerService(
      store: Store(fleet.database.connection()), device: FailingDevice(cpu: try CPUDevice(threads: 1)),
      artifacts: try ArtifactStore(directory: fleet.folder.path + "/store"),
      settings: WorkerSettings(name: name, host: "h", pid: 1, software: "test", timings: timings, leaseUnits: 5),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, metrics: Metrics())
    return Task { try await worker.run() }
  }

  @Test(
    "a worker whose weights lost a bit after its canary is caught, and the certificates are those of a healthy fleet")
  func flippedBit() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("a", ["--lease-chunks", "5"])
      try fleet.startWorker("b", ["--lease-chunks", "5"])
      let healthy = try await fleet.certify("healthy", n: 10_000)
      try await fleet.waitUntilDone(healthy)
      #expect(
        try await fleet.number("SELECT agreed FROM rrcm.run_audit WHERE run_id = \(healthy)") >= 2, "each was audited")

      // The broken worker alone until it has posted enough to be drawn: 200 chunks at a share of a fifth, four in ten of them wrong,
      // escape with a probability below 1e-6.
      for name in ["a", "b"] { fleet.signal(name, SIGSTOP) }
      let run = try await fleet.certify("attacked", n: 10_000, reversed: true, more: "audit: {share: 0.2}")
      let worker = try failingWorker(fleet, "bad")
      defer { worker.cancel() }
      try await eventually("it has posted") { try await fleet.progress(run).samples > 200 * 500 }
      for name in ["a", "b"] { fleet.signal(name, SIGCONT) }
      try await eventually("it is caught", seconds: 60) {
        try await fleet.number("SELECT count(*) FROM rrcm.worker WHERE name = 'bad' AND quarantined_at IS NOT NULL")
          == 1
      }
      try await fleet.waitUntilDone(run)

      let voided = try await fleet.number("SELECT count(*) FROM rrcm.chunk_count_void")
      let share = try await fleet.store.connection.query(
        """
        SELECT avg((v.classes <> k.classes OR v.votes <> k.votes)::int)::float8 AS share
          FROM rrcm.chunk_count_void v JOIN rrcm.chunk_count k USING (item_id, phase, chunk)
        """)[0].double("share")
      print(
        "a flipped bit was caught after \(voided) chunks, \(Int((100 * share).rounded())) % of them with wrong votes"
      )
      #expect(voided > 0 && share > 0)
      #expect(try await fleet.certificates("attacked") == fleet.certificates("healthy"))
      #expect(
        try await fleet.number(
          "SELECT count(*) FROM rrcm.chunk_count JOIN rrcm.worker USING (worker_id) WHERE name = 'bad'") == 0)
      #expect(try await fleet.number("SELECT superseded FROM rrcm.run_audit WHERE run_id = \(run)") > 0)
      #expect(fleet.log("coordinator").contains("worker set aside"))
      #expect(try await fleet.rrcm(["worker", "list"]).contains("quarantined"))
      #expect(
        try await fleet.rrcm(["report", "attacked", "--format", "markdown"]).contains("computed wrongly were voided"))
      #expect(try await fleet.outcome(["worker", "release", "a"]).errors.contains("no worker \"a\" is in quarantine"))

      // A person looks and releases it; the process loads everything anew and works again.
      try await fleet.rrcm(["worker", "release", "bad"])
      try await eventually("it is back") {
        try await fleet.number("SELECT count(*) FROM rrcm.worker WHERE name = 'bad' AND state = 'live'") == 1
      }
      worker.cancel()
      _ = try? await worker.value
    }
  }

  @Test("a worker that is alone audits itself in other batches, and run and report say so")
  func alone() async throws {
    try await withFleet { fleet async throws in
      try fleet.startCoordinator()
      try fleet.startAggregator()
      try fleet.startWorker("w")
      let run = try await fleet.certify("alone", n: 2000, more: "audit: {share: 0.2}")
      try await fleet.waitUntilDone(run)
      #expect(try await fleet.number("SELECT self_audited FROM rrcm.run_audit WHERE run_id = \(run)") > 5)
      #expect(try await fleet.number("SELECT agreed + due + disputed FROM rrcm.run_audit WHERE run_id = \(run)") == 0)
      let report = try await fleet.rrcm(["report", "alone", "--format", "markdown"])
      #expect(report.contains("only by the worker that posted them, in other batches: no other was there"), "\(report)")
      let plain = try await fleet.certify("unaudited", n: 500, more: "audit: {share: 0}")
      try await fleet.waitUntilDone(plain)
      #expect(
        try await fleet.rrcm(["report", "unaudited", "--format", "markdown"]).contains(
          "no worker was checked by another"))
    }
  }
}
