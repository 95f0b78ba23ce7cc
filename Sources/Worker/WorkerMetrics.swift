internal import Lifecycle
internal import Store
internal import Telemetry

/// What a worker counts.
struct WorkerMetrics: Sendable {
  let leases: Counter
  let spanSeconds: Counter
  private let samples: Counter
  private let computeSeconds: Counter
  private let chunks: Counter
  private let duplicates: Counter
  private let disagreements: Counter
  private let latePosts: Counter
  private let audits: Counter
  private let selfAudits: Counter
  private let differingAudits: Counter

  init(_ metrics: Metrics) {
    leases = metrics.counter("rrcm_leases_total", help: "Ranges claimed")
    samples = metrics.counter("rrcm_samples_total", help: "Noise samples classified")
    computeSeconds = metrics.counter("rrcm_compute_seconds_total", help: "Seconds spent drawing noise and classifying")
    spanSeconds = metrics.counter(
      "rrcm_span_seconds_total", help: "Seconds from the first claim of a run to its last post, by registration")
    chunks = metrics.counter("rrcm_chunks_stored_total", help: "Chunks whose votes this worker stored first")
    duplicates = metrics.counter(
      "rrcm_chunks_duplicate_total", help: "Chunks that were stored already, with equal votes")
    disagreements = metrics.counter(
      "rrcm_chunks_disagreeing_total", help: "Chunks that were stored already, with different votes")
    latePosts = metrics.counter("rrcm_posts_late_total", help: "Posts whose lease had ended; their votes are stored")
    audits = metrics.counter(
      "rrcm_audits_total", help: "Chunks that this worker computed again to check who posted them")
    selfAudits = metrics.counter(
      "rrcm_audits_own_total", help: "Those that it had posted itself, as no other worker was there")
    differingAudits = metrics.counter("rrcm_audits_differing_total", help: "Those whose votes differed")
  }

  func record(_ post: ChunkPost) {
    samples.increment(by: Double(post.chunk.samples.count))
    computeSeconds.increment(by: post.computeMilliseconds / 1000)
  }

  func record(_ outcome: AuditOutcome) {
    audits.increment()
    if outcome == .selfAudited { selfAudits.increment() }
    if outcome == .differs { differingAudits.increment() }
  }

  func record(_ outcome: PostOutcome) {
    chunks.increment(by: Double(outcome.stored))
    duplicates.increment(by: Double(outcome.duplicates))
    disagreements.increment(by: Double(outcome.disagreements))
    if !outcome.leaseHeld { latePosts.increment() }
  }
}
