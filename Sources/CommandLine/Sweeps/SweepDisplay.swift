internal import Foundation
internal import Lifecycle
internal import Store

/// Progress of a sweep: a bar on a terminal, one dated line at intervals otherwise.
struct SweepDisplay {
  /// Follows a sweep to its end.
  ///
  /// - Throws: `CommandFailure` when it was stopped, or a trial did not end well.
  static func follow(_ id: Int64, in store: Store) async throws {
    let terminal = Terminal()
    var began: (at: ContinuousClock.Instant, share: Double)?
    var printed: (at: ContinuousClock.Instant, line: String)?
    while true {
      let askedAt = ContinuousClock.now
      guard let sweep = try await store.sweepProgress(of: id).first else { throw CommandFailure("sweep \(id) is gone") }
      if began == nil, sweep.share > 0 { began = (askedAt, sweep.share) }
      let pace = began.map { (seconds: $0.at.duration(to: askedAt).inSeconds, share: sweep.share - $0.share) }
      if terminal.redraws {
        Console.write(
          "\r\u{1B}[2K" + line(sweep, pace: pace, width: max(20, Terminal().width - 1)) + (sweep.isFinished ? "\n" : "")
        )
      } else {
        let line = line(sweep, pace: pace, width: .max)
        let silence = printed.map { $0.at.duration(to: askedAt) } ?? .seconds(3600)
        if sweep.isFinished || silence >= .seconds(60)
          || silence >= ProgressDisplay.interval && line != printed?.line
        {
          Console.say("\(Console.stamp()) \(line)")
          printed = (askedAt, line)
        }
      }
      if sweep.isFinished {
        guard sweep.state == "done", sweep.failed + sweep.stopped == 0 else {
          throw CommandFailure(
            "sweep \(id) (\(sweep.name)) is \(sweep.state) with \(sweep.failed) trials failed and \(sweep.stopped) stopped;"
              + " see: rrcm sweep show \(sweep.name)")
        }
        return
      }
      // A twentieth of the time at most goes into asking, however large the sweep.
      let cost = askedAt.duration(to: .now)
      try await Task.sleep(for: max(.milliseconds(500), cost * 20))
    }
  }

  /// One line of at most `width` characters: name, bar, share, trials, runs under way, time left.
  ///
  /// - Parameter pace: share of the work that was done in how many seconds; nil before the first progress.
  static func line(_ sweep: SweepProgress, pace: (seconds: Double, share: Double)?, width: Int) -> String {
    let ended = sweep.done + sweep.failed + sweep.stopped
    var text = "\(String(format: "%3.0f", sweep.share * 100)) %  \(ended)/\(sweep.trials) trials"
    if sweep.failed > 0 { text += "  \(sweep.failed) failed" }
    if sweep.stopped > 0 { text += "  \(sweep.stopped) stopped" }
    if sweep.isFinished {
      text += "  \(sweep.state) in \(ProgressDisplay.duration(sweep.elapsedSeconds))"
    } else {
      text += "  \(counted(sweep.running, "run")) under way"
      if let pace, pace.seconds > 2, pace.share > 0 {
        text += "  \(ProgressDisplay.duration(pace.seconds / pace.share * (1 - sweep.share))) left"
      }
    }
    return ProgressDisplay.drawn(sweep.name, share: sweep.share, text: text, width: width)
  }
}
