internal import ArgumentParser
internal import Database
internal import Store

/// The coordinator's rescue, once.
struct Rescue: AsyncParsableCommand {
  @OptionGroup var place: Place
  @Option(name: .long, help: "Seconds of silence after which a worker is dead.")
  var deadSeconds = 35.0

  func run() async throws {
    let store = Store(try place.connection("queue-arm rescue", place.logger()))
    let rescue = try await store.rescue(deadAfterSeconds: deadSeconds)
    try answer(["lost_workers": rescue.lostWorkers, "leases": rescue.leases, "gaps": rescue.gaps])
  }
}
