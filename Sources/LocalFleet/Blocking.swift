internal import Dispatch

/// Runs `body`, which may block, on a thread outside Swift's cooperative pool.
func offPool<T: Sendable>(_ body: @Sendable @escaping () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue.global().async { continuation.resume(with: Result { try body() }) }
  }
}
