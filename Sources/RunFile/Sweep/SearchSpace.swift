internal import Foundation
internal import Noise

/// One point of a sweep's search space.
package struct TrialPoint: Sendable, Hashable {
  /// 1, 2, 3… within its sweep.
  package var number: Int
  /// Value of every free parameter, by its path in the sweep file.
  package var values: [String: SettingValue]

  package init(number: Int, values: [String: SettingValue]) {
    self.number = number
    self.values = values
  }
}

/// What a search method may know of an earlier trial.
package struct TrialResult: Sendable, Hashable {
  package var point: TrialPoint
  /// It has ended, well or badly.
  package var isFinished: Bool
  /// The sweep's metric; nil until it is measured, and when the trial failed.
  package var metric: Double?

  package init(point: TrialPoint, isFinished: Bool, metric: Double?) {
    self.point = point
    self.isFinished = isFinished
    self.metric = metric
  }
}

extension SweepSpec {
  /// The trials to add now, given those there are: the one place where a search method decides.
  ///
  /// A pure function. Grid and random search name all their points at once, whatever came of them; a method that learns
  /// would name a few and wait for results. Asked again with its own points among `known` it never repeats one.
  package func nextTrials(given known: [TrialResult]) -> [TrialPoint] {
    guard known.count < trialCount else { return [] }
    let numbers = Set(known.map(\.point.number))
    let points = method == .grid ? gridPoints : randomPoints
    return points.filter { !numbers.contains($0.number) }
  }

  /// How many trials the sweep will have.
  package var trialCount: Int { min(runCap ?? Self.trialLimit, pointCount ?? Self.trialLimit, Self.trialLimit) }

  /// Points of the search space; nil when they cannot be counted.
  package var pointCount: Int? {
    var count = 1
    for parameter in parameters where parameter.isFree {
      guard let size = parameter.domain.size else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      count = overflow ? Int.max : product
    }
    return count
  }

  private var free: [SweepParameter] { parameters.filter(\.isFree) }

  /// Every combination; the last parameter by name changes first.
  private var gridPoints: [TrialPoint] {
    (0..<trialCount).map { index in
      var rest = index
      var values: [String: SettingValue] = [:]
      for parameter in free.reversed() {
        guard case .values(let list) = parameter.domain else { continue }
        values[parameter.path] = list[rest % list.count]
        rest /= list.count
      }
      return TrialPoint(number: index + 1, values: values)
    }
  }

  /// Draws without repeating a point. A draw depends on seed, parameter and its number alone: a larger `run_cap` or one
  /// more parameter leaves the earlier draws as they are.
  private var randomPoints: [TrialPoint] {
    let streams = free.map { RandomStream(seed: seed, purpose: "sweep \($0.path)") }
    var points: [TrialPoint] = []
    var seen: Set<[String: SettingValue]> = []
    var draw: UInt32 = 0
    while points.count < trialCount, draw < 100 * UInt32(Self.trialLimit) {
      var values: [String: SettingValue] = [:]
      for (parameter, stream) in zip(free, streams) {
        var generator = stream.generator(at: draw)
        values[parameter.path] = parameter.domain.value(at: generator.uniform())
      }
      draw += 1
      if seen.insert(values).inserted { points.append(TrialPoint(number: points.count + 1, values: values)) }
    }
    return points
  }
}

extension SweepParameter.Domain {
  /// Different values; nil when they cannot be counted.
  var size: Int? {
    switch self {
    case .values(let list): list.count
    case .intUniform(let min, let max): Int(clamping: (max &- min).addingReportingOverflow(1).partialValue)
    case .uniform(let min, let max), .logUniform(let min, let max): min == max ? 1 : nil
    case .scaled, .paired: 1
    }
  }

  /// The value at `u` in [0, 1). Fractions are rounded to four significant digits, so that they can be read and typed.
  func value(at u: Double) -> SettingValue {
    switch self {
    case .values(let list): list[Int(u * Double(list.count))]
    case .uniform(let low, let high): .double(Self.rounded(low + (high - low) * u, within: low...high))
    case .logUniform(let low, let high):
      .double(Self.rounded(exp(log(low) + (log(high) - log(low)) * u), within: low...high))
    case .intUniform(let low, let high): .int(min(high, low + Int64(u * (Double(high - low) + 1))))
    case .scaled, .paired: .null
    }
  }

  private static func rounded(_ value: Double, within range: ClosedRange<Double>) -> Double {
    let rounded = Double(String(format: "%.4g", value)) ?? value
    return min(max(rounded, range.lowerBound), range.upperBound)
  }
}
