import Datasets
import Models
import Noise
import Tensors
import Testing

@testable import Training

@Suite("Initial weights, image order and augmentation")
struct DataTests {
  static let model = ViTConfiguration(
    imageSize: 8, patchSize: 4, channels: 3, width: 32, depth: 2, heads: 4, projectorHidden: 24, projectorOutput: 8,
    classes: 5)

  @Test("initial weights fill the range of their scheme and no more", arguments: Initialization.allCases)
  func initialRanges(scheme: Initialization) {
    let state = scheme.state(Self.model, from: RandomStream(seed: 3, purpose: "initial-weights"))
    func largest(_ name: String) -> Float { state[name]!.values.map(abs).max()! }
    func fills(_ name: String, _ bound: Float) {
      #expect(largest(name) <= bound && largest(name) > 0.97 * bound, "\(name)")
    }
    switch scheme {
    case .framework:
      fills("blocks.0.mlp.fc2.weight", 1 / (128 as Float).squareRoot())
      fills("blocks.1.attn.qkv.weight", 1 / (32 as Float).squareRoot())
      fills("patch_embed.proj.weight", 1 / (48 as Float).squareRoot())
      #expect(largest("blocks.0.mlp.fc2.bias") > 0.5 / Float(128).squareRoot())
    case .moco:
      fills("blocks.0.mlp.fc2.weight", (6 / 160.0 as Float).squareRoot())
      fills("blocks.1.attn.qkv.weight", (6 / 64.0 as Float).squareRoot())
      fills("patch_embed.proj.weight", (6 / 80.0 as Float).squareRoot())
      #expect(largest("blocks.0.mlp.fc2.bias") == 0 && largest("patch_embed.proj.bias") == 0)
    }
    fills("projection_head.3.weight", 1 / (24 as Float).squareRoot())
    #expect(state["projection_head.1.running_var"]!.values.allSatisfy { $0 == 1 })
    #expect(state["blocks.0.norm1.weight"]!.values.allSatisfy { $0 == 1 })
    #expect(largest("cls_token") < 1e-5 && largest("cls_token") > 0)
    #expect(largest("linear_head.weight") < 2e-4 && largest("linear_head.bias") == 0)
    #expect(state.names == ParameterLayout(Self.model).entries.map(\.name))
  }

  @Test("initial weights are a function of the seed")
  func initialSeed() {
    func draw(_ seed: Int64) -> StateDict {
      Initialization.framework.state(Self.model, from: RandomStream(seed: seed, purpose: "initial-weights"))
    }
    #expect(draw(1) == draw(1))
    #expect(draw(1)["pos_embed"] != draw(2)["pos_embed"])
  }

  @Test("a classifier starts from the encoder's tensors and refuses those of another shape")
  func classifier() throws {
    let stream = RandomStream(seed: 1, purpose: "initial-head")
    let encoder = Initialization.framework.state(Self.model, from: stream)
    let start = try classifierState(Self.model, encoder: encoder, from: stream)
    #expect(!start.configuration.hasProjector && start.state["projection_head.0.weight"] == nil)
    #expect(start.state["blocks.1.mlp.fc1.weight"] == encoder["blocks.1.mlp.fc1.weight"])
    var other = Self.model
    other.width = 16
    #expect(throws: TrainingError.self) { try classifierState(other, encoder: encoder, from: stream) }
  }

  @Test("every epoch shows each image at most once, and any step can be asked for alone", arguments: [1, 4, 7, 23])
  func order(batch: Int) {
    let stream = RandomStream(seed: 9, purpose: "order-tests")
    var walk = DataOrder(count: 23, batch: batch, stream: stream)
    let perEpoch = walk.stepsPerEpoch
    let batches = (0..<3 * perEpoch).map { walk.indices(completed: $0) }
    for epoch in 0..<3 {
      let seen = batches[epoch * perEpoch..<(epoch + 1) * perEpoch].flatMap(\.self)
      #expect(Set(seen).count == perEpoch * batch && seen.allSatisfy { 0..<23 ~= $0 })
    }
    var fresh = DataOrder(count: 23, batch: batch, stream: stream)
    #expect(fresh.indices(completed: 2 * perEpoch) == batches[2 * perEpoch])
    #expect(batches[0] != batches[perEpoch])
  }

  static let picture: [Float] = (0..<2 * 6 * 6).map { Float($0 % 36) / 36 }

  func apply(_ changes: [Augmentation.Change], place: UInt32 = 0) -> [Float] {
    var image = Self.picture
    var generator = RandomStream(seed: 2, purpose: "augmentation-tests").generator(at: place)
    Augmentation(changes).apply(to: &image, channels: 2, size: 6, using: &generator)
    return image
  }

  @Test("augmentations of no strength change nothing")
  func identity() {
    let changes: [Augmentation.Change] = [
      .affine(degrees: 0, scale: 1...1, shift: 0), .paddedCrop(0), .flip(0),
      .jitter(brightness: 0, contrast: 0, probability: 1),
    ]
    #expect(zip(apply(changes), Self.picture).allSatisfy { abs($0 - $1) < 1e-6 })
  }

  @Test("a flip mirrors every row")
  func flip() {
    let flipped = apply([.flip(1)])
    #expect(flipped[0] == Self.picture[5] && flipped[36 + 7] == Self.picture[36 + 10])
    #expect(apply([.flip(1), .flip(1)]) == Self.picture)
  }

  @Test("a padded crop is a shift with zeros from outside", arguments: 0..<8)
  func crop(place: Int) {
    let shifted = apply([.paddedCrop(2)], place: UInt32(place))
    let fits = (-2...2).contains { down in
      (-2...2).contains { right in
        (0..<36).allSatisfy { k in
          let (y, x) = (k / 6 - down, k % 6 - right)
          let inside = 0..<6 ~= y && 0..<6 ~= x
          return shifted[k] == (inside ? Self.picture[y * 6 + x] : 0)
        }
      }
    }
    #expect(fits)
  }

  @Test("enlarging twice brings a corner half-way to the centre")
  func scale() {
    var image: [Float] = [1, 0, 0, 0, 0, 0, 0, 0, 0]
    var generator = RandomStream(seed: 2, purpose: "augmentation-tests").generator(at: 0)
    Augmentation([.affine(degrees: 0, scale: 2...2, shift: 0)]).apply(
      to: &image, channels: 1, size: 3, using: &generator)
    #expect(image == [0.25, 0, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test("an augmentation is a function of its place")
  func places() {
    let recipe = Augmentation.Recipe.digits.view.changes
    #expect(apply(recipe, place: 1) == apply(recipe, place: 1))
    #expect(apply(recipe, place: 1) != apply(recipe, place: 2))
    #expect(apply(recipe, place: 3).allSatisfy { (0...1).contains($0) })
  }
}
