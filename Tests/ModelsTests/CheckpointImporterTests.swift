import Foundation
import TestSupport
import Testing

import Models
import Tensors

/// A file of `state` under `prefix`, as torch.save writes it.
private func torchFile(_ state: StateDict, prefix: String, extra: [String] = []) -> Bytes {
  var builder = TorchFileBuilder()
  builder.beginDictionary()
  for (i, (name, tensor)) in state.pairs.enumerated() {
    builder.text(prefix + (name.hasPrefix("linear_head") ? name.replacing("base_model.", with: "") : name))
    let isCounter = name.hasSuffix("num_batches_tracked")
    let bytes = isCounter ? little(Int64(tensor.values[0])) : little(tensor.values)
    var strides = [Int](repeating: 1, count: tensor.shape.count)
    for axis in tensor.shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * tensor.shape[axis + 1]
    }
    builder.tensor(
      isCounter ? "LongStorage" : "FloatStorage", key: "\(i)", bytes: bytes, count: tensor.count, shape: tensor.shape,
      strides: strides)
  }
  for name in extra {
    builder.text(name)
    builder.int(1)
  }
  builder.endDictionary()
  return Bytes(builder.file())
}

private let complete = CheckpointImporter(heads: 3, finalNorm: true, levels: 81)

@Suite struct CheckpointImporterTests {
  @Test("prefixes make no difference", arguments: ["", "module.", "base_model.", "module.base_model."])
  func prefixes(prefix: String) throws {
    let state = sampleState(sampleConfiguration)
    let result = try complete.read(torchFile(state, prefix: prefix), file: "x.pt")
    #expect(result.checkpoint.configuration == sampleConfiguration)
    #expect(result.checkpoint.kind == .classifier)
    #expect(result.checkpoint.state == state)
    #expect(result.notes.isEmpty)
  }

  @Test("a network without head is pre-trained, and one without projector is accepted")
  func kinds() throws {
    var configuration = sampleConfiguration
    configuration.classes = 0
    configuration.projectorHidden = 0
    configuration.projectorOutput = 0
    let result = try complete.read(torchFile(sampleState(configuration), prefix: ""), file: "nnet.pth")
    #expect(result.checkpoint.kind == .pretrained)
    #expect(result.checkpoint.configuration == configuration)
  }

  @Test("what the file does not tell is asked for all at once, with the divisors of the width")
  func notGiven() throws {
    let file = torchFile(sampleState(sampleConfiguration), prefix: "")
    let error = #expect(throws: FormatError.self) { try CheckpointImporter().read(file, file: "x.pt") }
    for part in ["heads (one of 1, 2, 3, 6", "final norm", "levels"] { #expect(error?.value.contains(part) == true) }
    let levels = #expect(throws: FormatError.self) {
      try CheckpointImporter(heads: 3, finalNorm: false).read(file, file: "x.pt")
    }
    #expect(levels?.value.contains("heads") == false && levels?.value.contains("levels") == true)
    let heads = #expect(throws: FormatError.self) {
      try CheckpointImporter(heads: 4, finalNorm: false, levels: 81).read(file, file: "x.pt")
    }
    #expect(heads?.value.contains("multiple of model.heads (4)") == true)
  }

  @Test("extra keys are ignored and noted; missing and misshapen tensors are refused together")
  func keys() throws {
    var state = sampleState(sampleConfiguration)
    state["ema.decay"] = Tensor(shape: [1], values: [0.5])
    let result = try complete.read(torchFile(state, prefix: "module.", extra: ["step"]), file: "x.pt")
    #expect(result.notes == ["ignored: ema.decay, step"])
    state["norm.weight"] = nil
    state["blocks.1.norm2.bias"] = Tensor(shape: [2], values: [0, 0])
    let bad = torchFile(state, prefix: "")
    let error = #expect(throws: FormatError.self) { try complete.read(bad, file: "x.pt") }
    #expect(error?.value.contains("missing norm.weight") == true)
    #expect(error?.value.contains("blocks.1.norm2.bias of shape [2], not [6]") == true)
  }

  @Test("the same tensor under two prefixes, and weights that are not finite, are refused")
  func twiceAndInfinite() {
    var state = sampleState(sampleConfiguration)
    state["module.norm.bias"] = state["norm.bias"]
    let twice = torchFile(state, prefix: "")
    #expect(throws: FormatError.self) { try complete.read(twice, file: "x.pt") }
    state["module.norm.bias"] = nil
    state["norm.bias"]!.values[2] = .nan
    let infinite = torchFile(state, prefix: "")
    let error = #expect(throws: FormatError.self) { try complete.read(infinite, file: "x.pt") }
    #expect(error?.field == "norm.bias")
  }

  static let strange: [(String, StateDict)] = [
    ("a number", StateDict()), ("no patches", StateDict([("x", Tensor(shape: [1], values: [0]))])),
    (
      "tokens that are no square",
      {
        var state = sampleState(sampleConfiguration)
        state["pos_embed"] = Tensor(shape: [1, 5, 6])
        return state
      }()
    ),
    (
      "a gap in the blocks",
      {
        var state = sampleState(sampleConfiguration)
        state["blocks.7.norm1.bias"] = Tensor(shape: [6])
        return state
      }()
    ),
    (
      "a key that ends in the prefix",
      {
        var state = sampleState(sampleConfiguration)
        state["pos_embed"] = Tensor(shape: [1, 2, 6])
        state["blocks."] = Tensor(shape: [6])
        return state
      }()
    ),
  ]

  @Test("a file that is not this kind of network is refused", arguments: strange)
  func notANetwork(what: String, state: StateDict) {
    let file = torchFile(state, prefix: "")
    #expect(throws: FormatError.self, "\(what)") { try complete.read(file, file: "x.pt") }
  }

  @Test(
    "the authors' files import bit for bit",
    .enabled(
      if: ReferenceData.has("golden/checkpoint_micro.json", "golden/checkpoint_micro/n10example_3k_tiny.pt"),
      ReferenceData.absent))
  func reference() throws {
    let json = try JSON(
      parsing: Bytes(contentsOf: ReferenceData.path("golden/checkpoint_micro.json")), file: "checkpoint_micro.json")
    var tensors = 0
    for file in try #require(json["files"]?.members) {
      let path = ReferenceData.path("golden/checkpoint_micro/" + file.key)
      let archive = try TorchArchive.read(path: path)
      if let step = file.value.int {
        #expect(archive.root.int == step)
        continue
      }
      tensors += try compare(archive.root, file.value, file.key)
      guard file.value["cls_token"] != nil || file.key.hasSuffix(".pt") else { continue }
      let result = try CheckpointImporter(heads: 2, finalNorm: false, levels: 81).read(path: path)
      let c = result.checkpoint.configuration
      #expect(c.imageSize == 16 && c.patchSize == 4 && c.width == 32 && c.depth == 1 && c.projectorHidden == 64)
      #expect(c.projectorOutput == 16 && c.classes == (file.key.hasSuffix(".pt") ? 10 : 0) && c.mlpRatio == 4)
      #expect(result.notes.isEmpty)
      for member in try #require(archive.root.members) {
        let name = member.key.string!.replacing("module.", with: "").replacing("base_model.", with: "")
        #expect(result.checkpoint.state[name] == member.value.tensor?.contiguous.tensor(), "\(name)")
      }
    }
    #expect(tensors > 100)
  }

  /// Compares a saved value with its description and returns the number of tensors met.
  private func compare(_ value: TorchValue, _ expected: JSON, _ place: String) throws -> Int {
    switch expected {
    case .object where expected["dtype"] != nil:
      let tensor = try #require(value.tensor, "\(place)").contiguous
      #expect(tensor.shape == expected["shape"]?.array?.map { $0.int! }, "\(place)")
      let types: [ElementType: String] = [.float32: "torch.float32", .int64: "torch.int64"]
      #expect(types[tensor.type] == expected["dtype"]?.string, "\(place)")
      let values = tensor.doubles()
      if let first = expected["first"]?.array {
        #expect(Array(values.prefix(3)) == first.map { $0.double! }, "\(place)")
      }
      let magnitude = try #require(expected["abs_sum"]?.double)
      // Sums depend on the order of addition; in double the difference is far below any single element.
      let slack = magnitude * 1e-13
      #expect(abs(values.reduce(0) { $0 + abs($1) } - magnitude) <= slack, "\(place)")
      #expect(abs(values.reduce(0, +) - expected["sum"]!.double!) <= slack, "\(place)")
      return 1
    case .object(let members):
      #expect(value.members?.count == members.count, "\(place)")
      return try members.reduce(0) { count, member in
        let inner = value[member.key] ?? value.members?.first { $0.key.int == Int(member.key) }?.value
        return count + (try compare(#require(inner, "\(place) \(member.key)"), member.value, "\(place) \(member.key)"))
      }
    case .array(let elements):
      let inner = try #require(value.elements, "\(place)")
      #expect(inner.count == elements.count, "\(place)")
      return try zip(inner, elements).reduce(0) { $0 + (try compare($1.0, $1.1, place)) }
    case .number: #expect(value.double == expected.double, "\(place)")
    case .string: #expect(value.string == expected.string, "\(place)")
    case .bool: #expect(value.bool == expected.bool, "\(place)")
    case .null: #expect(value.isNone, "\(place)")
    }
    return 0
  }

  @Test(
    "a classifier saved by one process imports with the shape its authors give",
    .enabled(if: ReferenceData.has("golden/peer/n05peer_300k_small.pt"), ReferenceData.absent))
  func peer() throws {
    let importer = CheckpointImporter(heads: 4, finalNorm: false, levels: 81)
    let result = try importer.read(path: ReferenceData.path("golden/peer/n05peer_300k_small.pt"))
    #expect(
      result.checkpoint.configuration
        == ViTConfiguration(
          imageSize: 32, patchSize: 8, width: 128, depth: 6, heads: 4, projectorHidden: 256, projectorOutput: 64,
          classes: 10))
    #expect(result.checkpoint.configuration.tokens == 18)
    #expect(result.notes.isEmpty)
    let folder = TemporaryFolder()
    try result.checkpoint.write(folder: folder.path)
    #expect(try Checkpoint.read(folder: folder.path) == result.checkpoint)
  }
}
