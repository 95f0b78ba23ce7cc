internal import Foundation
internal import Lifecycle
internal import Store

/// A bar on a terminal; dated lines at intervals elsewhere, because people follow batch logs.
struct ProgressDisplay {
  /// What is known of a run at one moment.
  struct View {
    var run: RunProgress
    /// n0 + n of a certification that makes all its draws; nil for others.
    var drawsPerItem: Int64?
    var metrics: [(name: String, step: Int64, value: Double)] = []
    /// Live workers that hold work of the run.
    var workers: Int64 = 1
    /// Sum of the speeds they report, in samples per second.
    var reportedSpeed: Double?

    /// What takes the time: samples of a certification (its items, where drawing may stop early), steps of a training.
    var work: (done: Int64, total: Int64) {
      drawsPerItem.map { (run.samples, run.total * $0) } ?? (run.done, run.total)
    }
  }

  /// What was seen to be done in how many seconds.
  struct Pace: Equatable {
    var seconds: Double
    var done: Int64
    var samples: Int64
  }

  let terminal: Terminal
  /// A dated line every so often while something moves, and every minute while nothing does.
  static let interval: Duration = .seconds(10)
  /// The pace is that of the last minute.
  private static let window: Duration = .seconds(60)

  private var seen: [(at: ContinuousClock.Instant, done: Int64, samples: Int64)] = []
  private var startedAt: ContinuousClock.Instant?
  private var printedAt: ContinuousClock.Instant?
  private var printedDone: Int64 = -1

  init(terminal: Terminal = Terminal()) { self.terminal = terminal }

  mutating func show(_ view: View, at now: ContinuousClock.Instant = .now) {
    let run = view.run
    let pace = observe(done: run.done, samples: run.samples, at: now)
    if terminal.redraws {
      // The width is asked for anew: windows change.
      let width = Terminal().width
      Console.write("\r\u{1B}[2K" + Self.line(view, pace: pace, width: max(20, width - 1)))
      return
    }
    startedAt = startedAt ?? now
    guard let printedAt else { return print(view, pace, now) }
    // Long runs get fewer lines: a hundredth of their time lies between two.
    let interval = max(Self.interval, startedAt!.duration(to: now) / 100)
    let silence = printedAt.duration(to: now)
    if silence >= interval && run.done != printedDone || silence >= max(.seconds(60), interval) {
      print(view, pace, now)
    }
  }

  private mutating func print(_ view: View, _ pace: Pace?, _ now: ContinuousClock.Instant) {
    Console.say("\(Console.stamp()) \(Self.line(view, pace: pace, width: .max))")
    printedAt = now
    printedDone = view.run.done
  }

  /// The pace over the last minute; nil before the first progress, since a run may have waited long before that.
  mutating func observe(done: Int64, samples: Int64, at now: ContinuousClock.Instant) -> Pace? {
    guard done > 0 || samples > 0 else { return nil }
    // The newest observation from before the window stays as its beginning.
    while seen.count > 1, seen[1].at <= now - Self.window { seen.removeFirst() }
    seen.append((now, done, samples))
    let first = seen[0]
    return Pace(
      seconds: first.at.duration(to: now).inSeconds, done: done - first.done,
      samples: samples - first.samples)
  }

  func finish(_ run: RunProgress) {
    if terminal.redraws { Console.write("\r\u{1B}[2K") }
    let seconds = run.elapsedSeconds.map { String(format: " in %.1f s", $0) } ?? ""
    Console.say(
      "\(terminal.redraws ? "" : Console.stamp() + " ")\(run.name): \(run.state), \(run.done) of \(run.total) \(run.unit)\(seconds)"
    )
  }

  /// One line of at most `width` characters: name, bar, share, count, speed, time left, metrics.
  ///
  /// The bar gives way first, then the end of the line.
  static func line(_ view: View, pace: Pace?, width: Int) -> String {
    let run = view.run
    guard run.total > 0 else { return String("\(run.name): \(run.shownState)".prefix(width)) }
    let share = Double(run.done) / Double(run.total)
    var text = "\(String(format: "%3.0f", share * 100)) %  \(run.done)/\(run.total) \(run.unit)"
    if let pace, pace.seconds > 2, pace.samples > 0 {
      text += String(format: "  %.0f samples/s", Double(pace.samples) / pace.seconds)
    }
    if let left = left(view, pace: pace) { text += "  \(left)" }
    if run.provisional > 0 { text += "  \(run.provisional) provisional" }
    if run.held > 0 { text += "  \(run.held) held" }
    for metric in view.metrics where metric.name == "loss" || metric.name == "accuracy_sigma_0.25" {
      text += "  \(metric.name) \(String(format: "%.3f", metric.value))"
    }
    return drawn(run.name, share: share, text: text, width: width)
  }

  /// Name, bar and text in at most `width` characters. The bar gives way first, then the end of the line.
  static func drawn(_ name: String, share: Double, text: String, width: Int) -> String {
    let room = width == .max ? 24 : min(24, width - name.count - text.count - 2)
    guard room >= 4 else { return String("\(name) \(text)".prefix(width)) }
    let filled = Int(share * Double(room))
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: room - filled)
    return "\(name) \(bar) \(text)"
  }

  /// Time left at the measured pace; says so where nobody can know. Nil once nothing is left to compute.
  static func left(_ view: View, pace: Pace?) -> String? {
    let (done, total) = view.work
    guard done < total, !view.run.isFinished else { return nil }
    guard view.run.pausedAt == nil else { return "paused" }
    guard view.workers > 0 else { return "time left unknown: no live worker has it" }
    let remaining = Double(total - done)
    if let pace, pace.seconds > 2 {
      let moved = view.drawsPerItem == nil ? pace.done : pace.samples
      if moved > 0 { return "\(duration(remaining * pace.seconds / Double(moved))) left" }
    }
    if view.drawsPerItem != nil, let speed = view.reportedSpeed, speed > 0 {
      return "\(duration(remaining / speed)) left"
    }
    return "time left unknown"
  }

  static func duration(_ seconds: Double) -> String {
    guard seconds < 1e9 else { return "years" }
    let total = Int(seconds.rounded())
    return total >= 3600
      ? String(format: "%d h %02d min", total / 3600, total / 60 % 60)
      : total >= 60 ? String(format: "%d min %02d s", total / 60, total % 60) : "\(total) s"
  }
}
