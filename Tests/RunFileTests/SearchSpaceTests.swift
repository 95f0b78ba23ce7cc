import Foundation
import TestSupport
import Testing
import Training

@testable import RunFile

@Suite("Search spaces") struct SearchSpaceTests {
  private func sweep(_ parameters: String, method: String = "grid", more: String = "") throws -> SweepSpec {
    try SweepFile.parse(
      """
      name: probe
      method: \(method)
      metric: {name: loss}
      seed: 5
      parameters: {\(parameters)}
      finetune: {checkpoint: encoder, dataset: {name: tiny}, training: {epochs: 20, warmup_epochs: 1}}
      \(more)
      """
    ) { throw RunFileError([$0]) }
  }

  private let mixed = """
    training.learning_rate: {min: 1.0e-4, max: 1.0e-1, distribution: log_uniform},
    training.eta: {min: 0, max: 2, distribution: uniform},
    training.epochs: {min: 3, max: 9, distribution: int_uniform},
    training.head: {values: [frozen, trained]}
    """

  @Test("a grid has every combination once; the last parameter by name changes first")
  func gridOrder() throws {
    let sweep = try sweep("training.lambda: {values: [1, 2, 3]}, training.eta: {values: [0.5, 1]}")
    #expect(sweep.pointCount == 6)
    let points = sweep.nextTrials(given: [])
    #expect(points.map(\.number) == [1, 2, 3, 4, 5, 6])
    #expect(points.map { $0.values["training.eta"]?.shown } == ["0.5", "0.5", "0.5", "1", "1", "1"])
    #expect(points.map { $0.values["training.lambda"]?.shown } == ["1", "2", "3", "1", "2", "3"])
  }

  @Test("run_cap keeps the first points of a grid")
  func cappedGrid() throws {
    let all = try sweep("training.lambda: {values: [1, 2, 3]}, training.eta: {values: [0.5, 1]}")
    var capped = all
    capped.runCap = 4
    #expect(capped.nextTrials(given: []) == Array(all.nextTrials(given: []).prefix(4)))
    capped.runCap = 400
    #expect(capped.nextTrials(given: []).count == 6)
  }

  @Test("given the trials there are, the next ones are those that are missing, and in the end none")
  func next() throws {
    let sweep = try sweep("training.lambda: {values: [1, 2, 3, 4]}")
    let all = sweep.nextTrials(given: [])
    func result(_ point: TrialPoint, metric: Double?) -> TrialResult {
      TrialResult(point: point, isFinished: metric != nil, metric: metric)
    }
    #expect(sweep.nextTrials(given: [result(all[0], metric: 1), result(all[2], metric: nil)]) == [all[1], all[3]])
    #expect(sweep.nextTrials(given: all.map { result($0, metric: nil) }).isEmpty)
  }

  @Test("random draws repeat with their seed, differ with another, and stay within their bounds")
  func randomDraws() throws {
    let first = try sweep(mixed, method: "random", more: "run_cap: 200")
    let again = try sweep(mixed, method: "random", more: "run_cap: 200")
    var other = first
    other.seed = 6
    let points = first.nextTrials(given: [])
    #expect(points == again.nextTrials(given: []))
    #expect(points.count == 200 && Set(points.map(\.values)).count == 200)
    #expect(points.map(\.values) != other.nextTrials(given: []).map(\.values))
    for point in points {
      guard case .double(let rate)? = point.values["training.learning_rate"],
        case .double(let eta)? = point.values["training.eta"], case .int(let epochs)? = point.values["training.epochs"]
      else { throw RunFileError(["\(point) lacks a value"]) }
      #expect((1e-4...1e-1).contains(rate) && (0...2).contains(eta) && (3...9).contains(epochs))
    }
  }

  @Test("draws follow their distributions")
  func distributions() throws {
    let points = try sweep(mixed, method: "random", more: "run_cap: 1000").nextTrials(given: [])
    func share(_ path: String, _ holds: (SettingValue) -> Bool) -> Double {
      Double(points.count { $0.values[path].map(holds) ?? false }) / Double(points.count)
    }
    func below(_ limit: Double) -> (SettingValue) -> Bool {
      { if case .double(let value) = $0 { value < limit } else { false } }
    }
    // Five standard deviations of a share of 1,000 are 0.08 or less.
    #expect(abs(share("training.learning_rate", below(1e-3)) - 1.0 / 3) < 0.08, "a decade of three")
    #expect(abs(share("training.eta", below(0.5)) - 0.25) < 0.08)
    #expect(abs(share("training.head") { $0 == .string("trained") } - 0.5) < 0.08)
    for epochs in Int64(3)...9 { #expect(abs(share("training.epochs") { $0 == .int(epochs) } - 1.0 / 7) < 0.06) }
  }

  @Test("a larger run_cap, or one more parameter, leaves earlier draws as they are")
  func stableDraws() throws {
    let short = try sweep(mixed, method: "random", more: "run_cap: 10").nextTrials(given: [])
    let long = try sweep(mixed, method: "random", more: "run_cap: 30").nextTrials(given: [])
    #expect(Array(long.prefix(10)) == short)
    let wider = try sweep(
      mixed + ", training.lambda: {min: 1, max: 20, distribution: uniform}", method: "random", more: "run_cap: 10"
    ).nextTrials(given: [])
    #expect(wider.map { $0.values["training.eta"] } == short.map { $0.values["training.eta"] })
  }

  @Test("a random search over few points tries each once and ends")
  func exhausted() throws {
    let sweep = try sweep(
      "training.eta: {values: [0, 1]}, training.epochs: {min: 4, max: 6, distribution: int_uniform}", method: "random",
      more: "run_cap: 50")
    let points = sweep.nextTrials(given: [])
    #expect(points.count == 6 && Set(points.map(\.values)).count == 6)
    #expect(sweep.trialCount == 6)
  }

  @Test("followers move along: a multiple, or the value in the same place")
  func followers() throws {
    let sweep = try SweepFile.parse(
      """
      name: probe
      method: grid
      metric: {name: acr}
      parameters:
        smoothing.sigma: {values: [0.1, 0.25, 1]}
        training.noise_aug: {follows: smoothing.sigma, times: 2}
        training.lambda: {follows: smoothing.sigma, values: [10, 10, 20]}
      finetune: {checkpoint: encoder, dataset: {name: tiny}, training: {warmup_epochs: 1}}
      certify: {dataset: {name: tiny}, smoothing: {n: 100}}
      """
    ) { throw RunFileError([$0]) }
    #expect(sweep.pointCount == 3)
    let plans = try sweep.plan(sweep.nextTrials(given: []))
    #expect(plans.map { $0.point.values.count } == [1, 1, 1], "a follower is no axis")
    var trained: [String] = []
    for plan in plans {
      guard case .finetune(let training, _)? = plan.specs[.finetune]?.work,
        case .certify(let smoothing)? = plan.specs[.certify]?.work
      else { throw RunFileError(["a run is missing"]) }
      trained.append("\(smoothing.sigmas[0]) \(training.noiseAug) \(training.lambda)")
    }
    #expect(trained == ["0.1 0.2 10.0", "0.25 0.5 10.0", "1 2.0 20.0"])
  }
}
