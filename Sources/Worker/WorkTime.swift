internal import Lifecycle
internal import Store
internal import Synchronization

/// Where a worker's time on one run went during one registration: the span from sending the first claim to the last post's
/// answer, and how much of it was noise and forward passes. Chunks count once their post is answered.
final class WorkTime: Sendable {
  struct Sums: Sendable {
    var samples = 0
    var computeSeconds = 0.0
    var spanSeconds = 0.0
    /// Computing, as a share of the span; nil before the first post.
    var share: Double? { spanSeconds > 0 ? computeSeconds / spanSeconds : nil }
  }

  private struct State {
    var begunAt: ContinuousClock.Instant?
    var sums = Sums()
  }

  private let state = Mutex(State())

  var sums: Sums { state.withLock { $0.sums } }

  /// A claim that was sent at `instant` gave something.
  func claimed(sentAt instant: ContinuousClock.Instant) {
    state.withLock { $0.begunAt = $0.begunAt ?? instant }
  }

  /// A post has been answered. Returns the seconds by which the span has grown.
  func posted(_ chunks: [ChunkPost]) -> Double {
    let now = ContinuousClock.now
    return state.withLock { state in
      let span = state.begunAt.map { (now - $0).inSeconds } ?? 0
      let growth = max(0, span - state.sums.spanSeconds)
      state.sums.spanSeconds += growth
      for chunk in chunks {
        state.sums.samples += chunk.chunk.samples.count
        state.sums.computeSeconds += chunk.computeMilliseconds / 1000
      }
      return growth
    }
  }
}
