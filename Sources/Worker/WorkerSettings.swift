package import Lifecycle

/// How one worker process behaves.
package struct WorkerSettings: Sendable {
  /// Name it registers under; the same name again means a new epoch of the same worker.
  package var name: String
  package var host: String
  package var pid: Int32
  package var software: String
  /// Kinds of runs it takes: `pretrain`, `finetune`, `certify`.
  package var kinds: Set<String>
  /// Samples per forward pass; nil lets the device choose. Part of the numerics id.
  package var batch: Int?
  package var timings: FleetTimings
  /// Units per lease; nil sizes leases in time.
  package var leaseUnits: Int?
  /// End once nothing is left to claim, as a batch scheduler wants it.
  package var stopsWhenIdle: Bool

  package init(
    name: String, host: String, pid: Int32, software: String, kinds: Set<String> = ["pretrain", "finetune", "certify"],
    batch: Int? = nil, timings: FleetTimings = FleetTimings(), leaseUnits: Int? = nil, stopsWhenIdle: Bool = false
  ) {
    self.name = name
    self.host = host
    self.pid = pid
    self.software = software
    self.kinds = kinds
    self.batch = batch
    self.timings = timings
    self.leaseUnits = leaseUnits
    self.stopsWhenIdle = stopsWhenIdle
  }
}
