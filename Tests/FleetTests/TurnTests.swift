import Database
import Lifecycle
import TestSupport
import Testing

@testable import Store
@testable import Worker

/// How a worker stops by itself before a lease of its ends.
@Suite("Turns") struct TurnTests {
  private static let lease = Lease(
    id: 1, itemID: 1, units: 0..<100, imageIndex: 0, sigma: "0.25", numericsID: "x")

  /// A turn that talks to nobody.
  private static func turn() throws -> Turn {
    Turn(
      store: Store(
        Connection(try DatabaseURL("host=/nowhere dbname=none"), applicationName: "rrcm tests", logger: .silent)),
      identity: WorkerIdentity(id: 1, epoch: 1), weight: 100, urgency: Urgency(), helps: false, logger: .silent)
  }

  @Test("a lease counts from when its claim was sent, not from when it is begun, and lapses a tenth early")
  func fromTheClaim() throws {
    let turn = try Self.turn()
    turn.claimed(Self.lease, sentAt: .seconds(100), holdsFor: .seconds(60))
    turn.begin(Self.lease)
    #expect(turn.take(0, at: .seconds(153.9)))
    #expect(!turn.take(1, at: .seconds(154)))
  }

  @Test("a renewal counts from when it was sent, and only once it was answered that the lease is still held")
  func renewals() throws {
    let turn = try Self.turn()
    turn.claimed(Self.lease, sentAt: .seconds(100), holdsFor: .seconds(60))
    turn.begin(Self.lease)
    // Sent at 150, on its way.
    #expect(!turn.take(1, at: .seconds(154)))
    turn.renewed(Self.lease, sentAt: .seconds(150), holdsFor: .seconds(60))
    #expect(turn.take(1, at: .seconds(203)))
    #expect(!turn.take(2, at: .seconds(204)))
    // One that was answered that it is not held ends it, whatever its watch says.
    turn.renewed(Self.lease, sentAt: .seconds(200), holdsFor: .seconds(60))
    turn.heard(nil, of: Self.lease)
    #expect(!turn.take(2, at: .seconds(201)))
    // A late answer brings nothing back.
    turn.ended(Self.lease.id)
    turn.renewed(Self.lease, sentAt: .seconds(300), holdsFor: .seconds(60))
    turn.begin(Self.lease)
    #expect(!turn.take(2, at: .seconds(301)))
  }
}
