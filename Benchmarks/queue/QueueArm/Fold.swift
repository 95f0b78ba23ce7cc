internal import Aggregator
internal import ArgumentParser
internal import Database
internal import Foundation
internal import Lifecycle
internal import Store
internal import Telemetry

/// The real aggregator, until nothing is left that it could certify. Answers the seconds of each tenth.
struct Fold: AsyncParsableCommand {
  @OptionGroup var place: Place

  func run() async throws {
    let logger = place.logger()
    let connection = try place.connection("queue-arm fold", logger)
    let waiting = Int(
      try await connection.query("SELECT count(*) AS n FROM rrcm.item WHERE state = 'claimed'")[0].int("n"))
    let aggregator = AggregatorService(
      store: Store(connection), timings: FleetTimings(),
      presence: Presence(kind: "aggregator", host: "benchmark", pid: getpid(), software: "queue-arm"), logger: logger,
      metrics: Metrics())
    let start = ContinuousClock.now
    var certified = 0
    var tenths: [Double] = []
    while true {
      let count = try await aggregator.certify(limit: 500)
      if count == 0 { break }
      certified += count
      while tenths.count < 10, certified * 10 >= (tenths.count + 1) * waiting { tenths.append(secondsSince(start)) }
    }
    let spans = zip(tenths, [0] + tenths).map { $0 - $1 }
    try answer(["certificates": certified, "seconds": secondsSince(start), "tenth_seconds": spans])
  }
}
