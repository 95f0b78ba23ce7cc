internal import Database
internal import Store
internal import Telemetry

/// What a coordinator counts.
struct CoordinatorMetrics: Sendable {
  private let lostWorkers: Counter
  private let rescuedLeases: Counter
  private let rescuedJobs: Counter
  private let ready: Gauge
  private let leased: Gauge
  private let oldest: Gauge
  private let term: Gauge

  init(_ metrics: Metrics) {
    lostWorkers = metrics.counter("rrcm_workers_lost_total", help: "Workers declared gone after silence")
    rescuedLeases = metrics.counter("rrcm_leases_rescued_total", help: "Leases taken back from lost workers")
    rescuedJobs = metrics.counter("rrcm_jobs_rescued_total", help: "Training jobs taken back from lost workers")
    ready = metrics.gauge("rrcm_queue_ready_units", help: "Units that nobody holds")
    leased = metrics.gauge("rrcm_queue_leased_units", help: "Units held by workers")
    oldest = metrics.gauge("rrcm_queue_oldest_seconds", help: "Seconds since the oldest unfinished run was planned")
    term = metrics.gauge("rrcm_leader_term", help: "Term under which this coordinator leads; 0 while it stands by")
  }

  func record(_ rescue: Store.Rescue) {
    lostWorkers.increment(by: Double(rescue.lostWorkers))
    rescuedLeases.increment(by: Double(rescue.leases))
    rescuedJobs.increment(by: Double(rescue.jobs))
  }

  func record(term: Term?) { self.term.set(Double(term?.number ?? 0)) }

  func record(queue rows: [Row]) throws {
    ready.set(try rows.reduce(0) { $0 + (try $1.double("ready")) })
    leased.set(try rows.reduce(0) { $0 + (try $1.double("leased")) })
    oldest.set(try rows.map { try $0.doubleOrNil("oldest_seconds") ?? 0 }.max() ?? 0)
  }
}
