import Foundation
import Noise
import TestSupport
import Testing
import Training

@testable import RunFile

private let good = """
  kind: sweep
  name: probe
  method: grid
  metric: {name: certified_accuracy@0.5}
  parameters:
    training.eta: {values: [0.5, 1]}
    smoothing.sigma: {values: [0.25, 0.5]}
  seed: 3
  finetune: {checkpoint: encoder, dataset: {name: tiny}, training: {warmup_epochs: 1, epochs: 4}}
  certify: {dataset: {name: tiny}, smoothing: {n: 200}}
  """

@Suite("Sweep files") struct SweepFileTests {
  private func parse(_ text: String, overrides: [String] = []) throws -> SweepSpec {
    try SweepFile.parse(text, overrides: overrides) { throw RunFileError(["no file \($0)"]) }
  }

  private func problems(_ text: String, overrides: [String] = []) -> [String] {
    do {
      _ = try parse(text, overrides: overrides)
      return []
    } catch { return (error as? RunFileError)?.problems ?? ["\(error)"] }
  }

  @Test("every trial's runs are resolved: parameters, what trials share, defaults, one seed, names of their own")
  func resolved() throws {
    let sweep = try parse(good)
    let plans = try sweep.plan(sweep.nextTrials(given: []))
    #expect(plans.count == 4)
    let (finetune, certify) = (plans[3].specs[.finetune]!, plans[3].specs[.certify]!)
    #expect(finetune.name == "probe-004-finetune" && certify.name == "probe-004-certify")
    #expect(certify.checkpoint == "probe-004-finetune" && finetune.checkpoint == "encoder")
    #expect(finetune.seed == 3 && certify.seed == 3)
    guard case .finetune(let training, _) = finetune.work, case .certify(let smoothing) = certify.work else {
      throw RunFileError(["wrong kinds"])
    }
    #expect(training.eta == 1 && training.epochs == 4 && training.lambda == 10)
    #expect(smoothing.sigmas.map(\.decimal) == ["0.5"] && smoothing.n == 200 && smoothing.n0 == 100)
    #expect(plans[3].specs[.confirm] == nil)
    #expect(Set(plans.flatMap { $0.specs.values.map(\.name) }).count == 8)
  }

  @Test("the stored form reads back as the same sweep")
  func storedForm() throws {
    let sweep = try parse(good + "\nconfirm: {dataset: {offset: 1}}\nrun_cap: 3")
    #expect(try SweepSpec(stored: sweep.settings.json) == sweep)
    let drawn = try parse(good.replacing("seed: 3\n", with: ""))
    #expect(try SweepSpec(stored: drawn.settings.json).seed == drawn.seed, "a drawn seed is stored")
  }

  @Test("runs may be named by file; what the file calls itself and what it certifies do not matter")
  func includes() throws {
    let folder = TemporaryFolder()
    _ = folder.write(
      Array(
        "kind: certify\nname: mine\ncheckpoint: some-net\ndataset: {name: tiny}\nsmoothing: {sigma: 1, n: 300}".utf8),
      "certify.yaml")
    let file = folder.write(
      Array(
        """
        name: probe
        method: grid
        metric: {name: acr}
        parameters: {training.eta: {values: [0, 1]}}
        finetune: {checkpoint: encoder, dataset: {name: tiny}, training: {warmup_epochs: 1}}
        certify: certify.yaml
        """.utf8), "sweep.yaml")
    let sweep = try SweepFile.read(path: file, overrides: ["certify.smoothing.n=400", "name=other"])
    let certify = try sweep.plan(sweep.nextTrials(given: []))[0].specs[.certify]
    #expect(certify?.name == "other-001-certify" && certify?.checkpoint == "other-001-finetune")
    guard case .certify(let smoothing)? = certify?.work else { throw RunFileError(["not a certification"]) }
    #expect(smoothing.n == 400 && smoothing.sigmas.map(\.decimal) == ["1"])
    let missing = #expect(throws: RunFileError.self) {
      try SweepFile.read(path: folder.write(Array("certify: nowhere.yaml".utf8), "bad.yaml"))
    }
    #expect(missing?.description.contains("certify is \"nowhere.yaml\"; ") == true)
    #expect(missing?.description.contains("nowhere.yaml cannot be read") == true)
  }

  @Test("confirm is certify with other settings over it, the parameters included")
  func confirm() throws {
    let sweep = try parse(good + "\nconfirm: {dataset: {split: other}, smoothing: {n: 900}}")
    let confirm = try sweep.plan(sweep.nextTrials(given: []))[1].specs[.confirm]
    guard case .certify(let smoothing)? = confirm?.work else { throw RunFileError(["not a certification"]) }
    #expect(smoothing.n == 900 && smoothing.sigmas.map(\.decimal) == ["0.25"])
    #expect(confirm?.dataset.split == "other" && confirm?.name == "probe-002-confirm")
  }

  @Test("a trial may only certify, and then compares checkpoints if asked to; or only fine-tune")
  func oneStep() throws {
    let certify = try parse(
      """
      name: nets
      method: grid
      metric: {name: acr, goal: maximize, sigma: 0.5}
      parameters: {checkpoint: {values: [one, two]}}
      certify: {dataset: {name: tiny}, smoothing: {sigma: [0.25, 0.5]}}
      """)
    let plans = try certify.plan(certify.nextTrials(given: []))
    #expect(plans.map { $0.specs[.certify]?.checkpoint } == ["one", "two"] && plans[0].specs[.finetune] == nil)
    let finetune = try parse(
      good.replacing("certified_accuracy@0.5", with: "loss").replacing(
        "  smoothing.sigma: {values: [0.25, 0.5]}\n", with: ""
      ).split(separator: "\n").dropLast().joined(separator: "\n"))
    #expect(finetune.steps == [.finetune] && finetune.metric.goal == .minimize)
  }

  @Test("every problem is told at once, each with field, value and remedy")
  func allAtOnce() {
    let found = problems(
      """
      name: 7
      methd: grid
      method: gird
      metric: {name: accuracy, goal: up}
      parameters:
        training.learning_rat: {values: [1]}
        training.eta: {vals: [1]}
        seed: {values: [1, 2]}
        training.lambda: [1, 2]
        training.noise_aug: {follows: smoothing.sgma, times: 2}
        smoothing.sigma: {values: []}
      run_cap: 0
      finetune: {chekpoint: encoder, dataset: {name: tiny, every: x}}
      certify: {kind: finetune, dataset: {name: tiny}}
      confirm: maybe
      """)
    for start in [
      "methd is not a setting; did you mean \"method\"?",
      "method is \"gird\"; it must be one of grid, random",
      "name is 7; it must not be a number",
      "run_cap is 0; it must be a whole number from 1 to 1000",
      "metric.name is \"accuracy\"; it must be certified_accuracy@R",
      "parameters.training.learning_rat is not a setting of these runs; did you mean \"training.learning_rate\"?",
      "parameters.training.eta.vals is not a setting; did you mean \"values\"?",
      "parameters.seed is a setting of both runs; write finetune.seed or certify.seed",
      "parameters.training.lambda is [1, 2]; it must be a group such as {values: [0.5, 1]}",
      "parameters.smoothing.sigma.values is []; it must be a list of at least one value",
      "parameters.training.noise_aug.follows is \"smoothing.sgma\"; it must be another parameter; did you mean \"smoothing.sigma\"?",
      "finetune: chekpoint is not a setting; did you mean \"checkpoint\"?",
      "finetune: dataset.every is \"x\"; it must be a whole number",
      "certify.kind is \"finetune\"; it must be certify",
      "confirm is \"maybe\"; it must be a group of settings",
    ] {
      #expect(found.contains { $0.hasPrefix(start) }, "\(start) is missing from:\n\(found.joined(separator: "\n"))")
    }
  }

  @Test(
    "what can never work is refused",
    arguments: [
      ("metric: {name: certified_accuracy}", "certified_accuracy@R with a radius R, acr or loss"),
      ("metric: {name: certified_accuracy@-1}", "it must be certified_accuracy@R"),
      ("metric: {name: acr, goal: minimize}", "metric.goal is \"minimize\"; it must be maximize for acr; leave it out"),
      ("metric: {name: los}", "did you mean \"loss\"?"),
      ("metric: {name: loss, sigma: 0.5}", "metric.sigma is 0.5; belongs to a certified metric; leave it out"),
      ("metric: {name: acr, sigma: 0.7}", "metric.sigma is 0.7; certify certifies at 0.25: name one of these (trial 1"),
      ("metric: {}", "metric.name is missing; it must be a name"),
      ("method: random", "run_cap is missing; say how many trials a random search may try"),
      ("parameters: {}", "parameters is {}; it must name settings to try"),
      ("parameters: {training.batch: {min: 1, max: 2, distribution: int_uniform}}", "a grid has no distributions"),
      ("parameters: {training.eta: {values: [1, 1]}}", "values is [1, 1]; it must not name a value twice"),
      ("parameters: {training.eta: {values: [0, 0.0]}}", "it must not name a value twice"),
      ("parameters: {training.eta: {values: [1], min: 0}}", "parameters.training.eta.min does not go with values"),
      ("parameters: {training.eta: {}}", "parameters.training.eta.values is missing; it must be a list"),
      ("parameters: {certify.checkpoint: {values: [a]}}", "parameters.certify.checkpoint is not a setting"),
      ("parameters: {name: {values: [a]}}", "parameters.name is not a setting of these runs"),
      (
        "parameters: {training.eta: {values: [1]}, finetune.training.eta: {values: [2]}}",
        "parameters names finetune.training.eta twice: finetune.training.eta and training.eta; keep one"
      ),
      (
        "parameters: {training.eta: {values: [1, 2]}, training.lambda: {follows: training.eta, values: [1]}}",
        "which has 2 values; parameters.training.lambda.values has 1: pair them"
      ),
      (
        "parameters: {training.eta: {follows: training.lambda}, training.lambda: {follows: training.eta}}",
        "that one follows another itself"
      ),
      ("certify: {checkpoint: net, dataset: {name: tiny}}", "certify.checkpoint is \"net\"; it is what the trial's"),
      ("kind: certify", "kind is \"certify\"; it must be sweep, or left out"),
      ("name: a b", "name is \"a b\"; it must be 1 to 80 letters"),
    ])
  func impossible(line: String, message: String) {
    let key = String(line.prefix { $0 != ":" })
    var kept = good
    if key == "parameters" {
      kept = good.replacing(#/(?s)parameters:.*seed/#, with: "seed")
      // What the parameters gave.
      kept = kept.replacing("smoothing: {", with: "smoothing: {sigma: 0.25, ")
    }
    let text = kept.split(separator: "\n").filter { !$0.hasPrefix("\(key):") }.joined(separator: "\n") + "\n\(line)"
    #expect(problems(text).contains { $0.contains(message) }, "\(problems(text).joined(separator: "\n"))")
  }

  @Test(
    "distributions with impossible bounds are refused",
    arguments: [
      ("{min: 1, max: 0, distribution: uniform}", "max is 0; it must be at least min (1.0)"),
      ("{min: 0, max: 1, distribution: log_uniform}", "min is 0; it must be above 0 for log_uniform"),
      ("{min: 0, max: 1}", "distribution is missing; it must be one of uniform, log_uniform, int_uniform"),
      ("{min: 0, max: 1, distribution: normal}", "distribution is \"normal\"; it must be one of"),
      ("{min: 0.5, max: 1, distribution: int_uniform}", "min is 0.5; it must be a whole number"),
      ("{min: 0, distribution: uniform}", "max is missing; it must be a number"),
    ])
  func bounds(domain: String, message: String) {
    let text = good.replacing("method: grid", with: "method: random\nrun_cap: 4").replacing(
      "training.eta: {values: [0.5, 1]}", with: "training.eta: \(domain)")
    #expect(
      problems(text).contains { $0.hasPrefix("parameters.training.eta.") && $0.contains(message) }, "\(problems(text))")
  }

  @Test("a value that only some trials cannot use is told once, with the first of them")
  func partlyWrong() {
    let found = problems(good.replacing("[0.5, 1]", with: "[0.5, -1]"))
    #expect(
      found == [
        "finetune: training.lambda, eta are 10.0, -1.0; they must not be negative"
          + " (trial 2: smoothing.sigma 0.25, training.eta -1 and 1 more)"
      ])
    #expect(problems(good.replacing("n: 200", with: "n0: 5, n: 5")).count == 1, "what all trials share is told once")
  }

  @Test("several noise levels need a word on which of them ranks")
  func severalSigmas() {
    let several = good.replacing(
      "smoothing.sigma: {values: [0.25, 0.5]}", with: "smoothing.sigma: {values: [[0.25, 1], [0.5, 1]]}")
    #expect(
      problems(several).first?.hasPrefix("metric.sigma is missing; certify certifies at 0.25, 1: say which") == true)
    #expect(problems(several.replacing("@0.5}", with: "@0.5, sigma: 1.0}")).isEmpty)
  }

  @Test("run submit points a sweep file the right way")
  func submittedByMistake() {
    let error = #expect(throws: RunFileError.self) { try RunFile.parse(good) }
    #expect(error?.description == "kind is \"sweep\"; a sweep file is not a run file: rrcm sweep create takes it")
  }

  @Test("docs/sweeps.md names every key of a sweep file, every distribution and every metric, and no other")
  func documentation() throws {
    let text = try Repository.text("docs/sweeps.md")
    func keys(_ heading: String) -> Set<String> {
      guard let section = text.components(separatedBy: "\n## ").first(where: { $0.hasPrefix(heading + "\n") }) else {
        return []
      }
      return Set(section.matches(of: /(?m)^\| `([a-z_.@A-Z]+)`/).map { String($0.1) })
    }
    var known = Set<String>()
    guard case .map(let template) = SweepSpec.template else { return }
    for (key, value) in template {
      if case .map(let inner) = value, !inner.isEmpty {
        known.formUnion(inner.keys.map { "\(key).\($0)" })
      } else {
        known.insert(key)
      }
    }
    #expect(keys("The file") == known)
    #expect(keys("Parameters") == SweepParameter.domainKeys)
    #expect(keys("Metrics") == ["certified_accuracy@R", "acr", "loss"])
    for distribution in SweepParameter.Distribution.allCases {
      #expect(text.contains("`\(distribution.rawValue)`"), "\(distribution.rawValue) is not documented")
    }
  }
}
