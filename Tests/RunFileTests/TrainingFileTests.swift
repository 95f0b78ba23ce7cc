import TestSupport
import Testing
import Training

@testable import RunFile

private let pretrain = """
  kind: pretrain
  name: p
  dataset: {name: digits}
  model: {patch: 4, width: 64, depth: 3, heads: 4}
  """
private let finetune = "kind: finetune\nname: f\ncheckpoint: p\ndataset: {name: digits}"

@Suite("Training run files") struct TrainingFileTests {
  private func problems(_ text: String) -> [String] {
    do {
      _ = try RunFile.parse(text)
      return []
    } catch { return (error as? RunFileError)?.problems ?? ["not a RunFileError: \(error)"] }
  }

  @Test("a file without a training section has the published settings")
  func defaults() throws {
    let first = try RunFile.parse(pretrain)
    guard case .pretrain(let training, let shape) = first.work else { throw RunFileError(["not a pre-training"]) }
    #expect(training == PretrainConfiguration())
    #expect(shape.mlpRatio == 4 && shape.projectorHidden == 2048 && shape.projectorOutput == 256)
    #expect(first.dataset.split == "train" && first.checkpoint == nil)
    let second = try RunFile.parse(finetune)
    guard case .finetune(let tuning, let classifier) = second.work else { throw RunFileError(["not a fine-tuning"]) }
    #expect(tuning == FinetuneConfiguration())
    #expect(classifier.levels == 81 && !classifier.finalNorm)
  }

  @Test("one setting changes that setting alone")
  func oneSetting() throws {
    guard case .pretrain(let training, _) = try RunFile.parse(pretrain + "\ntraining: {optimizer: {beta2: 0.95}}").work
    else { throw RunFileError(["not a pre-training"]) }
    var expected = PretrainConfiguration()
    expected.optimizer.beta2 = 0.95
    #expect(training == expected)
  }

  @Test("every wrong value of a section is reported at once: words, fractions and ranges alike")
  func sectionProblems() {
    let found = problems(
      pretrain + """

        training:
          steps: 1.5
          batch: 2.5
          schedule: linear
          augmentation: flips
          tau: .inf
          weight_decay: -1
          learnign_rate: 1
        """)
    #expect(
      found.sorted() == [
        #"training.augmentation is "flips"; it must be one of none, digits, crop-flip"#,
        "training.batch is 2.5; it must be a whole number",
        #"training.learnign_rate is not a setting; did you mean "learning_rate"?"#,
        #"training.schedule is "linear"; it must be one of warmup-cosine, warmup, constant"#,
        "training.steps is 1.5; it must be a whole number",
        "training.tau is inf; it must be a finite number",
        "training.weight_decay is -1.0; it must not be negative",
      ])
  }

  @Test(
    "values that a training cannot work with are refused",
    arguments: [
      ("training: {steps: many}", "training.steps is \"many\"; it must be a whole number"),
      ("training: {steps: 0, warmup_steps: -1}", "training.steps is 0; it must be at least 1"),
      ("training: {batch: 1}", "training.batch is 1; InfoNCE"),
      ("training: {steps: 10}", "training.warmup_steps is 10000; it must be less than training.steps (10)"),
      ("training: {optimizer: {beta1: 1}}", "the betas must be 0 to below 1"),
      ("training: {stop_grad_conv1: 3}", "training.stop_grad_conv1 is 3; it must be true or false"),
      ("model: {patch: 4, width: 65, depth: 3, heads: 4}", "model.width is 65; it must be a multiple of model.heads"),
      ("model: {patch: 4, width: 64, depth: 0, heads: 4}", "model.depth is 0; it must be a whole number from 1 to 256"),
      ("model: {width: 64, depth: 1, heads: 4}", "model.patch is missing; it must be a whole number"),
      ("checkpoint: x", "checkpoint is not a setting"),
    ])
  func impossible(section: String, message: String) {
    let text =
      section.hasPrefix("model") ? pretrain.split(separator: "\n").dropLast().joined(separator: "\n") : pretrain
    let found = problems(text + "\n" + section)
    #expect(found.contains { $0.contains(message) }, "\(found)")
  }

  @Test("fractions are taken where the default happens to be whole")
  func fractionsOverWholeDefaults() throws {
    guard
      case .finetune(let training, _) = try RunFile.parse(
        finetune + "\ntraining: {min_scale: 0.25, lambda: 12.5, weight_decay: 0.05}"
      ).work
    else { throw RunFileError(["not a fine-tuning"]) }
    #expect(training.minScale == 0.25 && training.lambda == 12.5 && training.weightDecay == 0.05)
  }

  @Test("every setting that is a word has its list of words", arguments: [RunSpec.Kind.pretrain, .finetune])
  func choicesAreComplete(kind: RunSpec.Kind) throws {
    guard case .map(let training) = try RunSpec.template(kind).defaults.value(at: "training") else {
      throw RunFileError(["no training section"])
    }
    let choices = kind == .pretrain ? PretrainConfiguration.choices : FinetuneConfiguration.choices
    let words = training.filter { if case .string = $0.value { true } else { false } }
    #expect(Set(words.keys) == Set(choices.keys))
    for (key, value) in words {
      #expect(choices[key]?.contains { .string($0) == value } == true, "\(key)")
    }
  }

  @Test("a file that is missing, or is not text, says so with its path")
  func unreadableFiles() throws {
    let folder = TemporaryFolder()
    func problem(_ path: String) -> String {
      do { _ = try RunFile.read(path: path, environment: [:]) } catch { return "\(error)" }
      return ""
    }
    #expect(problem("/nowhere/x.yaml") == "/nowhere/x.yaml cannot be read; check the path and its permissions")
    #expect(
      problem(folder.write([0xFF, 0xFE, 0x41], "b.yaml")).hasSuffix("b.yaml is not UTF-8 text; a run file is YAML"))
    let wrong = folder.write(Array("kind: certify\nzebra: 1".utf8), "c.yaml")
    #expect(problem(wrong).split(separator: "\n").allSatisfy { $0.hasPrefix("\(wrong): ") })
  }
}
