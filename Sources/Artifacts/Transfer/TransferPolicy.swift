/// How patient transfers over HTTP are.
package struct TransferPolicy: Sendable {
  /// Time to connect, name lookup and TLS included.
  package var connectTimeout: Duration = .seconds(15)
  /// A transfer that moves no byte for this long is given up and taken up again. Noticed within a second.
  package var stallTimeout: Duration = .seconds(30)
  /// Attempts in a row that bring nothing new before it counts as unreachable. A transfer that advances goes on.
  package var attempts = 6
  /// Before the second attempt; doubled for each further one, with jitter.
  package var firstPause: Duration = .milliseconds(500)
  package var longestPause: Duration = .seconds(20)
  /// PEM file of certificate authorities to trust instead of the system's; nil for those. TLS is always verified.
  package var authorities: String?
  /// Asked a few times a second; a transfer that should stop throws `stopped` and keeps what has arrived.
  package var shouldStop: @Sendable () -> Bool = { false }

  package init() {}
}
