import Artifacts
import Compute
import ComputeCUDA
import CUDAEmulator
import Database
import Models
import Store
import Telemetry
import TestSupport
import Testing
import Worker

@Suite("CPU and GPU workers on one database", .serialized) struct MixedFleetTests {
  @Test("invariant 8: both compute one run, items stay with one numerics id each, and nothing mixes")
  func nothingMixes() async throws {
    try await withFleet { fleet in
      let libraries = CUDALibraries(
        driver: rrcm_emulated_driver(), nvrtc: rrcm_emulated_nvrtc(), lt: rrcm_emulated_lt())
      let device = try CUDADevice(libraries: libraries, precision: .f32)
      // The batch is part of the id, so the worker takes the size that the id names.
      let checkpoint = try Fleet.balancedNetwork()
      let gpu = try device.makeClassifier(checkpoint.configuration, state: checkpoint.state, batch: 16).numerics
      let cpu = "cpu-f32/rrcm-kernels-1/fma16/b1/x86_64"
      try fleet.startCoordinator()
      try fleet.startAggregator()
      let run = try await fleet.submit(
        """
        kind: certify
        name: mixed
        checkpoint: net
        dataset: {name: tiny}
        smoothing: {sigma: [0.25, 1.0], n0: 20, n: 200, alpha: 0.001}
        chunk_samples: 50
        numerics: ["\(cpu)", "\(gpu)"]
        seed: 42
        """, name: "mixed")
      try await eventually("the run is planned") { try await fleet.progress(run).state == "running" }
      let worker = WorkerService(
        store: Store(fleet.database.connection()), device: device,
        artifacts: try ArtifactStore(directory: fleet.folder.path + "/store"),
        settings: WorkerSettings(
          name: "gpu", host: "here", pid: 1, software: "tests", kinds: ["certify"], batch: 16, leaseUnits: 2),
        logger: .silent, metrics: Metrics())
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await worker.run() }
        try await eventually("the GPU worker has votes") {
          try await fleet.number("SELECT count(*) FROM rrcm.chunk_count") > 0
        }
        try fleet.startWorker("cpu", ["--lease-chunks", "1"])
        try await fleet.waitUntilDone(run)
        group.cancelAll()
      }
      let ids = try await fleet.store.connection.query(
        "SELECT numerics_id AS id, count(*) AS n FROM rrcm.certificate GROUP BY 1 ORDER BY 1")
      #expect(try ids.map { try $0.text("id") } == [cpu, gpu.description].sorted())
      #expect(
        try await fleet.number(
          """
          SELECT count(*) FROM rrcm.chunk_count c JOIN rrcm.item i USING (item_id) JOIN rrcm.worker w USING (worker_id)
           WHERE (w.name = 'gpu') <> (i.numerics_id LIKE 'cuda-%')
          """) == 0)
      // Noise is the same, and so is the arithmetic up to rounding: the other kind of worker would have certified alike.
      #expect(try await fleet.number("SELECT count(*) FROM rrcm.disagreement") == 0)
    }
  }
}
