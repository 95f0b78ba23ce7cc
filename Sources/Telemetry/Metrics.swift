internal import Synchronization

/// The numbers one process shows to Prometheus. Values have no labels: what would vary is in the database.
package final class Metrics: Sendable {
  private struct Entry {
    let name: String
    let help: String
    let type: String
    let value: @Sendable () -> Double
  }

  private let entries = Mutex<[Entry]>([])

  package init() {}

  /// A number that only rises. Names end in `_total`.
  package func counter(_ name: String, help: String) -> Counter {
    let counter = Counter()
    add(Entry(name: name, help: help, type: "counter", value: { counter.value }))
    return counter
  }

  /// A number that goes up and down, in base units.
  package func gauge(_ name: String, help: String) -> Gauge {
    let gauge = Gauge()
    add(Entry(name: name, help: help, type: "gauge", value: { gauge.value }))
    return gauge
  }

  private func add(_ entry: Entry) {
    entries.withLock {
      precondition(!$0.contains { $0.name == entry.name }, "metric \(entry.name) is defined twice")
      $0.append(entry)
    }
  }

  /// Everything in Prometheus's text format, by name.
  package var text: String {
    entries.withLock { $0 }.sorted { $0.name < $1.name }.map { entry in
      let value = entry.value()
      let shown = value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
      return "# HELP \(entry.name) \(entry.help)\n# TYPE \(entry.name) \(entry.type)\n\(entry.name) \(shown)\n"
    }.joined()
  }
}

/// A number that only rises.
package final class Counter: Sendable {
  private let state = Mutex<Double>(0)

  package func increment(by amount: Double = 1) {
    precondition(amount >= 0)
    state.withLock { $0 += amount }
  }

  package var value: Double { state.withLock { $0 } }
}

/// A number that goes up and down.
package final class Gauge: Sendable {
  private let state = Mutex<Double>(0)

  package func set(_ value: Double) { state.withLock { $0 = value } }

  package var value: Double { state.withLock { $0 } }
}
