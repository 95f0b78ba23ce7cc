import Foundation
import Models
import Testing

@testable import Training

@Suite("Schedules")
struct ScheduleTests {
  @Test("the authors' curriculum has 20 intervals at the very first step only")
  func icm() {
    let schedule = LevelSchedule(totalSteps: 600_000)
    #expect([0, 1, 258_406, 258_407, 600_000].map(schedule.levels) == [21, 41, 41, 81, 81])
  }

  @Test("the original curriculum has 20, 40 and 80 intervals for a third each")
  func floorForm() {
    let schedule = LevelSchedule(mode: .floor, totalSteps: 300)
    #expect([0, 99, 100, 199, 200, 299, 300].map(schedule.levels) == [21, 21, 41, 41, 81, 81, 81])
  }

  @Test("the target's rate begins exactly at its start and stays below its end")
  func average() {
    let schedule = AverageSchedule(decaySteps: 1000)
    #expect(schedule.rate(at: 0) == 0.99)
    let rates = (0...1100).map(schedule.rate)
    #expect(zip(rates, rates.dropFirst()).allSatisfy { $0 <= $1 } && rates.last! < 0.9999)
  }

  @Test("by epochs the whole first epoch has rate 0; by steps only the first step has")
  func units() {
    var configuration = FinetuneConfiguration()
    (configuration.epochs, configuration.warmupEpochs) = (20, 4)
    func factors(_ steps: Range<Int>) -> [Double] {
      steps.map { configuration.rateFactor(completed: $0, stepsPerEpoch: 5) }
    }
    #expect(factors(0..<7) == [0, 0, 0, 0, 0, 0.25, 0.25])
    configuration.scheduleUnit = .step
    #expect(factors(0..<3) == [0, 0.05, 0.1])
    configuration.scaleLearningRate = true
    configuration.batch = 512
    #expect(factors(1..<2) == [0.1])
  }

  @Test("layer-wise rates fall towards the input and vectors have no weight decay")
  func groups() {
    let model = ViTConfiguration(imageSize: 8, patchSize: 4, channels: 1, width: 8, depth: 2, heads: 2, classes: 3)
    let groups = layerwiseGroups(model, learningRate: 1, weightDecay: 0.1, decay: 0.5)
    #expect(groups["linear_head.weight"]! == (1, 0.1) && groups["linear_head.bias"]! == (1, 0))
    #expect(groups["blocks.1.attn.qkv.weight"]! == (0.5, 0.1) && groups["blocks.0.norm1.bias"]! == (0.25, 0))
    #expect(groups["cls_token"]! == (0.125, 0.1) && groups["patch_embed.proj.bias"]! == (0.125, 0))
    #expect(layerwiseGroups(model, learningRate: 1, weightDecay: 0.1, decay: 0)["cls_token"]! == (1, 0.1))
  }

  @Test("settings that are left out have the published values")
  func defaults() throws {
    let pretrain = try JSONDecoder().decode(PretrainConfiguration.self, from: Data(#"{"steps": 7}"#.utf8))
    #expect(pretrain.steps == 7 && pretrain.tau == 0.2 && pretrain.optimizer.beta2 == 0.999)
    let finetune = try JSONDecoder().decode(FinetuneConfiguration.self, from: Data(#"{"noise_aug": 2}"#.utf8))
    #expect(finetune.noiseAug == 2 && finetune.head == .frozen && finetune.copies == 2)
  }

  @Test("settings survive being stored")
  func roundTrip() throws {
    var configuration = PretrainConfiguration()
    (configuration.learningRate, configuration.augmentation, configuration.stopGradConv1) = (0.003, .digits, true)
    let stored = try JSONEncoder().encode(configuration)
    #expect(try JSONDecoder().decode(PretrainConfiguration.self, from: stored) == configuration)
  }

  @Test("an unknown setting is named, with the known ones")
  func unknownKey() throws {
    let error = #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(FinetuneConfiguration.self, from: Data(#"{"lamda": 10}"#.utf8))
    }
    let text = String(reflecting: error)
    #expect(text.contains("lamda") && text.contains("lambda"))
  }

  @Test("every impossible setting is listed at once")
  func problems() {
    var configuration = PretrainConfiguration()
    (configuration.batch, configuration.tau, configuration.steps) = (1, 0, 0)
    let text = configuration.problems.joined(separator: "\n")
    for field in ["training.batch is 1", "training.tau is 0.0", "training.steps is 0"] { #expect(text.contains(field)) }
  }
}
