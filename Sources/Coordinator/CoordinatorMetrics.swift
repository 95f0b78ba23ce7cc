internal import Database
internal import Store
internal import Telemetry

/// What a coordinator counts, and what it sees of the whole fleet.
struct CoordinatorMetrics: Sendable {
  private let lostWorkers: Counter
  private let rescuedLeases: Counter
  private let rescuedJobs: Counter
  private let quarantines: Counter
  private let voidedChunks: Counter
  private let supersededCertificates: Counter
  private let undecidedDisputes: Counter
  private let disputes: Gauge
  private let ready: Gauge
  private let leased: Gauge
  private let oldest: Gauge
  private let term: Gauge
  private let oldestOpen: Gauge
  private let stranded: Gauge
  private let workers: [String: Gauge]
  private let leases: Gauge
  private let disagreements: Gauge
  private let speed: Gauge
  private let deadRows: [String: Gauge]
  private let xminAge: Gauge
  private let transactionAge: Gauge

  init(_ metrics: Metrics) {
    lostWorkers = metrics.counter("rrcm_workers_lost_total", help: "Workers declared gone after silence")
    rescuedLeases = metrics.counter("rrcm_leases_rescued_total", help: "Leases taken back from lost workers")
    rescuedJobs = metrics.counter("rrcm_jobs_rescued_total", help: "Training jobs taken back from lost workers")
    quarantines = metrics.counter(
      "rrcm_workers_quarantined_total", help: "Workers set aside because they computed wrongly")
    voidedChunks = metrics.counter("rrcm_chunks_voided_total", help: "Chunks of such workers, which are computed again")
    supersededCertificates = metrics.counter(
      "rrcm_certificates_superseded_total", help: "Certificates that rested on them and were taken back")
    undecidedDisputes = metrics.counter(
      "rrcm_disputes_undecided_total", help: "Chunks with different results where nothing tells who is wrong")
    disputes = metrics.gauge("rrcm_disputes", help: "Chunks with different results that wait for arbitration")
    ready = metrics.gauge("rrcm_queue_ready_units", help: "Units that may be claimed now")
    leased = metrics.gauge("rrcm_queue_leased_units", help: "Units held by workers")
    oldest = metrics.gauge("rrcm_queue_oldest_seconds", help: "Seconds since the oldest unfinished run was planned")
    term = metrics.gauge("rrcm_leader_term", help: "Term under which this coordinator leads; 0 while it stands by")
    oldestOpen = metrics.gauge(
      "rrcm_queue_oldest_open_seconds", help: "Seconds since the oldest item was planned that still has units to claim")
    stranded = metrics.gauge(
      "rrcm_queue_stranded_runs", help: "Running runs with units to do that no live worker can compute")
    workers = metrics.gauges("rrcm_workers", help: "Workers by state", label: "state", values: ["live", "draining"])
    leases = metrics.gauge("rrcm_leases", help: "Leases held now")
    disagreements = metrics.gauge("rrcm_disagreements", help: "Chunks on record that were computed twice differently")
    speed = metrics.gauge(
      "rrcm_fleet_samples_per_second", help: "Sum of the speeds that live workers measured on their present runs")
    deadRows = metrics.gauges(
      "rrcm_table_dead_rows", help: "Dead rows of a table that autovacuum has not cleaned away", label: "table",
      values: Store.busyTables)
    xminAge = metrics.gauge(
      "rrcm_oldest_xmin_age",
      help: "Transactions since the oldest snapshot that keeps dead rows from being cleaned away")
    transactionAge = metrics.gauge(
      "rrcm_oldest_transaction_seconds", help: "Seconds that the oldest open transaction of this database has been open"
    )
  }

  func record(_ rescue: Store.Rescue) {
    lostWorkers.increment(by: Double(rescue.lostWorkers))
    rescuedLeases.increment(by: Double(rescue.leases))
    rescuedJobs.increment(by: Double(rescue.jobs))
  }

  func record(term: Term?) { self.term.set(Double(term?.number ?? 0)) }

  func record(_ arbitration: Arbitration) {
    quarantines.increment(by: Double(arbitration.quarantines.count))
    voidedChunks.increment(by: Double(arbitration.quarantines.reduce(0) { $0 + $1.chunks }))
    supersededCertificates.increment(by: Double(arbitration.quarantines.reduce(0) { $0 + $1.certificates }))
    undecidedDisputes.increment(by: Double(arbitration.undecided))
    disputes.set(Double(arbitration.waiting))
  }

  func record(queue rows: [Row]) throws {
    ready.set(try rows.reduce(0) { $0 + (try $1.double("ready")) })
    leased.set(try rows.reduce(0) { $0 + (try $1.double("leased")) })
    oldest.set(try rows.map { try $0.doubleOrNil("oldest_seconds") ?? 0 }.max() ?? 0)
    let open = try rows.filter { try $0.double("ready") > 0 }
    oldestOpen.set(try open.map { try $0.doubleOrNil("oldest_seconds") ?? 0 }.max() ?? 0)
    stranded.set(Double(try rows.count { try $0.bool("stranded") && $0.double("ready") + $0.double("leased") > 0 }))
  }

  func record(fleet row: Row) throws {
    for (state, gauge) in workers { gauge.set(try row.double(state)) }
    leases.set(try row.double("leases"))
    disagreements.set(try row.double("disagreements"))
    speed.set(try row.doubleOrNil("samples_per_second") ?? 0)
  }

  func record(server row: Row, deadRows rows: [Row]) throws {
    xminAge.set(try row.doubleOrNil("xmin_age") ?? 0)
    transactionAge.set(try row.doubleOrNil("transaction_seconds") ?? 0)
    for row in rows { deadRows[try row.text("name")]?.set(try row.double("dead")) }
  }
}
