internal import CLibPQ

extension Connection {
  /// Subscribes to a channel, now and after every reconnect.
  ///
  /// Needs a session of its own (``canListen()``): through PgBouncer in transaction mode callers poll instead.
  package func listen(_ channel: String) throws {
    try call { _ = try $0.executeSimple("LISTEN \(Connection.quoted(channel))") }
    if !channels.contains(channel) { channels.append(channel) }
  }

  /// Whether notifications reach this connection: not through a pooler, which gives every transaction another session.
  package func canListen() throws -> Bool { try call { try $0.hasServerOfItsOwn() } }

  /// Waits for a notification on any channel listened to.
  ///
  /// The wait holds this connection: give waiting a connection of its own. ``cancel()`` ends it early, and so does, within
  /// a second, the cancellation of the calling task.
  ///
  /// - Returns: the payload; the empty string also after a reconnect, since notifications may have been missed; nil when
  ///   none came in time or the wait was ended early.
  package func waitForNotification(timeout: Duration) throws -> String? {
    let deadline = ContinuousClock.now + timeout
    return try scope {
      while true {
        let session: Session
        do { session = try liveSession() } catch let error as DatabaseError where error.isCancellation { return nil }
        if mayHaveMissedNotifications {
          mayHaveMissedNotifications = false
          return ""
        }
        if let payload = session.nextNotification() { return payload }
        let now = ContinuousClock.now
        if now >= deadline || interrupter.isRequested || Task.isCancelled { return nil }
        _ = interrupter.wait(for: PQsocket(session.pointer), Session.readable, until: min(deadline, now + .seconds(1)))
      }
    }
  }
}

extension Session {
  fileprivate func nextNotification() -> String? {
    guard let note = PQnotifies(pointer) else { return nil }
    defer { PQfreemem(note) }
    return String(cString: note.pointee.extra)
  }
}
