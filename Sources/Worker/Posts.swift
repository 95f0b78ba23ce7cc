/// Posts on their way to the database, one at a time and in order, while the device computes on.
///
/// A second post waits for the first: what is computed but not stored stays bounded.
struct Posts {
  private var last: Task<Void, any Error>?

  /// Sends once the post before has been answered.
  ///
  /// - Throws: what that one threw; nothing is then sent.
  mutating func send(_ post: @escaping @Sendable () async throws -> Void) async throws {
    try await settle()
    last = Task { try await post() }
  }

  /// Waits until everything has been answered.
  mutating func settle() async throws {
    let waiting = last
    last = nil
    try await waiting?.value
  }
}
