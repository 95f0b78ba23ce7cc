internal import Dispatch
internal import Synchronization

/// Runs `body(slot, index)` for every index below `count`, at most `threads` at a time, and waits.
///
/// A slot below `threads` belongs to one thread during a call, so scratch memory can be kept per slot. Which slot gets
/// which index is not fixed; bodies must write apart from each other, and results that do not depend on it.
func parallel(_ count: Int, threads: Int, _ body: (_ slot: Int, _ index: Int) -> Void) {
  let threads = min(threads, count)
  guard threads > 1 else {
    for index in 0..<count { body(0, index) }
    return
  }
  let next = Atomic<Int>(0)
  withoutActuallyEscaping(body) { body in
    // Slots keep the threads apart, see above.
    nonisolated(unsafe) let body = body
    DispatchQueue.concurrentPerform(iterations: threads) { slot in
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        body(slot, index)
      }
    }
  }
}
