internal import ArgumentParser
internal import Models
internal import Noise
internal import Tensors
internal import Training

struct CheckpointInit: AsyncParsableCommand, AnswersWithRows {
  static let layouts = [Checkpoint.layout]
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Make a classifier of a published shape with random weights, to measure or to try with.",
    discussion: """
      rrcm checkpoint init rrcm-s-imagenet
      rrcm checkpoint init rrcm-b-cifar10 --classes 100 --seed 7 --name b100

      rrcm-s-imagenet       image 224, patch 16, width 512, depth 6, heads 8
      rrcm-b-imagenet       image 224, patch 16, width 768, depth 12, heads 12
      rrcm-b-deep-imagenet  image 224, patch 16, width 768, depth 24, heads 24
      rrcm-b-cifar10        image 32, patch 4, width 768, depth 12, heads 12
      It has learned nothing: its certificates are sound and worthless.
      Next: rrcm checkpoint show NAME
      """)

  @Argument(help: "The model's shape.")
  var model: PublishedModel
  @Option(name: .long, help: "Classes of the head; default: 1000 for ImageNet, 10 for CIFAR-10.")
  var classes: Int?
  @Option(name: .long, help: "Seed of the weights: the same seed gives the same checkpoint.")
  var seed: Int64 = 0
  @Option(name: .long, help: "Name for run files; default: MODEL-random.")
  var name: String?
  @Flag(name: .long, help: "Make and check it, without storing anything.")
  var dryRun = false
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let classes, !(2...32_767).contains(classes) {
      throw ValidationError("--classes is \(classes); it must be 2 to 32767")
    }
  }

  func run() async throws {
    let checkpoint = try await offPool { try model.random(classes: classes, seed: seed) }
    let label = name ?? "\(model.rawValue)-random"
    if !dryRun {
      try await checkpoint.record(as: label, source: "random weights of \(model.rawValue), seed \(seed)", Context())
    }
    checkpoint.table(label).print(output)
    if dryRun { Console.say("dry run: nothing was stored") }
  }
}

/// The shapes of the paper's Table 3 and the public configurations (spec section 2.6).
enum PublishedModel: String, ExpressibleByArgument, CaseIterable {
  case small = "rrcm-s-imagenet"
  case base = "rrcm-b-imagenet"
  case deep = "rrcm-b-deep-imagenet"
  case baseCIFAR10 = "rrcm-b-cifar10"

  /// The classifier's configuration: no projector, as after fine-tuning.
  func configuration(classes: Int?) -> ViTConfiguration {
    let isImageNet = self != .baseCIFAR10
    let (width, depth, heads) =
      switch self {
      case .small: (512, 6, 8)
      case .base, .baseCIFAR10: (768, 12, 12)
      case .deep: (768, 24, 24)
      }
    return ViTConfiguration(
      imageSize: isImageNet ? 224 : 32, patchSize: isImageNet ? 16 : 4, width: width, depth: depth, heads: heads,
      classes: classes ?? (isImageNet ? 1000 : 10), finalNorm: isImageNet)
  }

  /// Weights as a training would begin with.
  func random(classes: Int?, seed: Int64) throws -> Checkpoint {
    let configuration = configuration(classes: classes)
    let initialization: Initialization = self == .baseCIFAR10 ? .framework : .moco
    let state = initialization.state(configuration, from: RandomStream(seed: seed, purpose: "initial-weights"))
    return try Checkpoint(
      kind: .classifier, configuration: configuration, state: state,
      provenance: [
        .init("initialization", .string(initialization.rawValue)), .init("model", .string(rawValue)),
        .init("seed", .number("\(seed)")),
      ])
  }
}
