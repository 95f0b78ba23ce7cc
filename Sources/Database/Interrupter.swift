internal import CLibPQ
internal import Dispatch
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// Lets any thread stop what a connection's own thread is doing: a statement (PQcancel), a wait or a pause (eventfd).
///
/// A request counts for the call in progress only. Between calls it does nothing, and the end of a call waits for a
/// cancel packet that is under way, so that it cannot strike the next statement.
final class Interrupter: @unchecked Sendable {
  private struct State {
    var call: UInt64 = 0
    var isRunning = false
    var isRequested = false
  }

  private let state = Mutex(State())
  /// Guards the libpq token, and is held while a cancel packet is under way.
  private let delivery = Mutex(Token())
  private struct Token: @unchecked Sendable { var pointer: OpaquePointer? }
  private let signal: Int32

  init() {
    signal = rrcm_eventfd()
    precondition(signal >= 0, "eventfd failed: \(String(cString: strerror(errno)))")
  }

  deinit {
    delivery.withLock { PQfreeCancel($0.pointer) }
    Glibc.close(signal)
  }

  /// Names the session that a request would cancel; nil when there is none.
  func attach(_ connection: OpaquePointer?) {
    delivery.withLock { token in
      PQfreeCancel(token.pointer)
      token.pointer = connection.flatMap { PQgetCancel($0) }
    }
  }

  func begin() {
    state.withLock { $0 = State(call: $0.call + 1, isRunning: true) }
    var drained: UInt64 = 0
    _ = read(signal, &drained, 8)
  }

  func end() {
    let wasRequested = state.withLock { state in
      state.isRunning = false
      return state.isRequested
    }
    if wasRequested { delivery.withLock { _ in } }
  }

  /// True once the call in progress was asked to stop.
  var isRequested: Bool { state.withLock { $0.isRequested } }

  /// Asks the call in progress to stop. Returns at once; the packet is sent from a thread that may block.
  func request() {
    let call: UInt64? = state.withLock { state in
      guard state.isRunning else { return nil }
      state.isRequested = true
      return state.call
    }
    guard let call else { return }
    var one: UInt64 = 1
    _ = write(signal, &one, 8)
    DispatchQueue.global().async { self.deliver(call) }
  }

  /// Sends the cancel packet, again every 100 ms until the call ends: one that arrives before its statement is lost.
  private func deliver(_ call: UInt64) {
    let isOver = delivery.withLock { token in
      guard let pointer = token.pointer, state.withLock({ $0.isRunning && $0.call == call }) else { return true }
      var reason = [CChar](repeating: 0, count: 256)
      _ = PQcancel(pointer, &reason, Int32(reason.count))
      return false
    }
    if !isOver { DispatchQueue.global().asyncAfter(deadline: .now() + 0.1) { self.deliver(call) } }
  }

  /// Waits until `descriptor` is ready, a stop is requested or the deadline passes.
  ///
  /// - Parameter descriptor: negative to wait for time alone.
  /// - Returns: true when the descriptor is ready.
  func wait(for descriptor: Int32, _ events: Int32, until deadline: ContinuousClock.Instant) -> Bool {
    while !isRequested {
      let left = ContinuousClock.now.duration(to: deadline)
      if left <= .zero { return false }
      let (seconds, attoseconds) = left.components
      let milliseconds = Int32(clamping: min(seconds, 1_000_000) * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
      var watched = [
        pollfd(fd: descriptor, events: Int16(events), revents: 0),
        pollfd(fd: signal, events: Int16(POLLIN), revents: 0),
      ]
      if poll(&watched, 2, milliseconds) > 0, watched[0].revents != 0 { return true }
    }
    return false
  }
}
