internal import Glibc

/// What one attempt of a transfer came to.
enum Attempt<Value> {
  case done(Value)
  /// Worth another attempt, `waitSeconds` from now at the soonest; `advanced` when it brought something new.
  case again(reason: String, waitSeconds: Int = 0, advanced: Bool = false)
}

/// Repeats `attempt` until it is done or has brought nothing new too often.
///
/// Pauses double, with jitter, up to the policy's longest; what a server asks for in `Retry-After` is obeyed up to a minute.
/// - Throws: `unreachable` with the last reason, `stopped`, and what `attempt` throws.
func repeating<Value>(
  _ address: WebAddress, _ policy: TransferPolicy, attempt: () throws(ArtifactError) -> Attempt<Value>
) throws(ArtifactError) -> Value {
  var fruitless = 0
  while true {
    let (reason, waitSeconds): (String, Int)
    switch try attempt() {
    case .done(let value): return value
    case .again(let why, let wait, let advanced):
      (reason, waitSeconds) = (why, wait)
      fruitless = advanced ? 0 : fruitless + 1
    }
    guard fruitless < policy.attempts else {
      throw ArtifactError(
        code: .unreachable,
        message: "\(address) failed \(fruitless) times in a row, last: \(reason); look at that server and the network"
          + " between, then ask again")
    }
    let doubled = policy.firstPause * Double(1 << min(fruitless, 20))
    let pause = min(doubled, policy.longestPause) * Double.random(in: 0.5...1)
    let end = ContinuousClock.now + max(pause, .seconds(min(waitSeconds, 60)))
    while ContinuousClock.now < end {
      if policy.shouldStop() { throw ArtifactError(code: .stopped, message: "\(address): stopped between attempts") }
      usleep(20_000)
    }
  }
}

extension ArtifactError {
  /// What an answer's status means, where it is not a success; nil where another attempt may succeed.
  init?(status: Int, from address: WebAddress, hasToken: Bool, says body: String) {
    let quoted = body.isEmpty ? "" : " (\"\(body)\")"
    switch status {
    case 401, 403:
      self.init(
        code: .unauthorized,
        message: "\(address) answered \(status)\(quoted); "
          + (hasToken
            ? "the token was not accepted: check RRCM_ARTIFACT_TOKEN or the file that RRCM_ARTIFACT_TOKEN_FILE names"
            : "it may want a token: set RRCM_ARTIFACT_TOKEN, or RRCM_ARTIFACT_TOKEN_FILE to a file that holds it"))
    case 404, 410:
      self.init(code: .notFound, message: "\(address) is not there (\(status)\(quoted)); check the address")
    case 507:
      self.init(code: .diskFull, message: "\(address) has no room left\(quoted); free space on that server")
    case 408, 425, 429, 500...: return nil
    default:
      self.init(code: .refused, message: "\(address) answered \(status)\(quoted); check the address and that server")
    }
  }
}
