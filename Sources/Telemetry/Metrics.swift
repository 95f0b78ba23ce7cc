internal import Synchronization

/// The numbers one process shows to Prometheus.
///
/// Labels come from closed sets that are known when a metric is made (a part, a table, a state): what varies without bound,
/// such as runs and workers, is in the database.
package final class Metrics: Sendable {
  private struct Family {
    let help: String
    let type: String
    /// Each gives its lines without the family's name.
    var series: [(labels: [Label], lines: @Sendable () -> [Line])]
  }

  /// A label's name and value.
  package typealias Label = (name: String, value: String)
  /// What follows the family's name, labels of its own, a value.
  private typealias Line = (suffix: String, labels: [Label], value: Double)

  private let families = Mutex<[String: Family]>([:])

  package init() {}

  /// A number that only rises. Names end in `_total`.
  package func counter(_ name: String, help: String, labels: [Label] = []) -> Counter {
    let counter = Counter()
    add(name, help, "counter", labels) { [("", [], counter.value)] }
    return counter
  }

  /// A number that goes up and down, in base units.
  package func gauge(_ name: String, help: String, labels: [Label] = []) -> Gauge {
    let gauge = Gauge()
    add(name, help, "gauge", labels) { [("", [], gauge.value)] }
    return gauge
  }

  /// One gauge for each value of a label.
  package func gauges(_ name: String, help: String, label: String, values: [String]) -> [String: Gauge] {
    Dictionary(uniqueKeysWithValues: values.map { ($0, gauge(name, help: help, labels: [(label, $0)])) })
  }

  /// How values are spread, for example times in seconds.
  ///
  /// - Parameter bounds: upper bounds of the buckets, rising; one without a bound is added.
  package func histogram(_ name: String, help: String, bounds: [Double], labels: [Label] = []) -> Histogram {
    let histogram = Histogram(bounds: bounds)
    add(name, help, "histogram", labels) {
      let (counts, sum) = histogram.snapshot
      var total = 0
      let buckets: [Line] = zip(bounds.map { "\($0)" } + ["+Inf"], counts).map { bound, count in
        total += count
        return ("_bucket", [("le", bound)], Double(total))
      }
      return buckets + [("_sum", [], sum), ("_count", [], Double(total))]
    }
    return histogram
  }

  private func add(
    _ name: String, _ help: String, _ type: String, _ labels: [Label], _ lines: @escaping @Sendable () -> [Line]
  ) {
    families.withLock {
      var family = $0[name] ?? Family(help: help, type: type, series: [])
      precondition(
        family.type == type && !family.series.contains { Self.text($0.labels) == Self.text(labels) },
        "metric \(name) is defined twice")
      family.series.append((labels, lines))
      $0[name] = family
    }
  }

  /// Everything in Prometheus's text format, by name.
  package var text: String {
    families.withLock { $0 }.sorted { $0.key < $1.key }.map { name, family in
      let lines = family.series.flatMap { series in
        series.lines().map { "\(name)\($0.suffix)\(Self.text(series.labels + $0.labels)) \(Self.text($0.value))\n" }
      }
      return "# HELP \(name) \(Self.escaped(family.help))\n# TYPE \(name) \(family.type)\n" + lines.joined()
    }.joined()
  }

  private static func text(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
  }

  private static func text(_ labels: [Label]) -> String {
    if labels.isEmpty { return "" }
    return "{"
      + labels.map { "\($0.name)=\"\(escaped($0.value).replacing("\"", with: "\\\""))\"" }.joined(separator: ",")
      + "}"
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
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

/// How values are spread over buckets.
package final class Histogram: Sendable {
  private let bounds: [Double]
  private let state: Mutex<(counts: [Int], sum: Double)>

  init(bounds: [Double]) {
    precondition(bounds == bounds.sorted())
    self.bounds = bounds
    state = Mutex((Array(repeating: 0, count: bounds.count + 1), 0))
  }

  package func observe(_ value: Double) {
    let place = bounds.firstIndex { value <= $0 } ?? bounds.count
    state.withLock {
      $0.counts[place] += 1
      $0.sum += value
    }
  }

  /// Values per bucket, not summed up, and the sum of all values.
  package var snapshot: (counts: [Int], sum: Double) { state.withLock { $0 } }
}
