internal import CLibPQ
internal import Dispatch
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#endif

/// A serial executor that owns one operating-system thread, for calls that block (libpq).
///
/// Jobs run in the order they came. The thread lives until ``stop()``; jobs queued before that still run.
package final class PinnedThread: SerialExecutor {
  private struct Queue {
    var jobs: [UnownedJob] = []
    var isStopped = false
  }

  private let queue = Mutex(Queue())
  private let wake = DispatchSemaphore(value: 0)

  /// Starts the thread.
  /// - Parameter name: shown by `top -H` and debuggers; cut to 15 bytes.
  package init(name: String) {
    var thread = pthread_t()
    let start = Unmanaged.passRetained(Start(executor: self, name: name))
    let status = pthread_create(
      &thread, nil,
      { argument in
        let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        rrcm_name_thread(start.name)
        start.executor.run()
        return nil
      }, start.toOpaque())
    precondition(status == 0, "pthread_create failed: \(String(cString: strerror(status)))")
    pthread_detach(thread)
  }

  private final class Start {
    let executor: PinnedThread
    let name: String
    init(executor: PinnedThread, name: String) {
      self.executor = executor
      self.name = name
    }
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.withLock { $0.jobs.append(job) }
    wake.signal()
  }

  /// Ends the thread once the queued jobs have run. Callable from any thread, this one included.
  package func stop() {
    queue.withLock { $0.isStopped = true }
    wake.signal()
  }

  private func run() {
    while true {
      wake.wait()
      let (jobs, isStopped) = queue.withLock { queue in
        defer { queue.jobs.removeAll(keepingCapacity: true) }
        return (queue.jobs, queue.isStopped)
      }
      for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
      if isStopped && queue.withLock({ $0.jobs.isEmpty }) { return }
    }
  }
}
