import Foundation
import TestSupport
import Testing

import Models
import Tensors

/// A small network's state with values that differ from each other.
func sampleState(_ configuration: ViTConfiguration) -> StateDict {
  var next: Float = 0
  return StateDict(
    ParameterLayout(configuration).entries.map { entry in
      let count = entry.shape.reduce(1, *)
      next += 1
      let values = (0..<count).map { entry.isCounter ? next : Float($0) * 0.37 - next }
      return (entry.name, Tensor(shape: entry.shape, values: values))
    })
}

let sampleConfiguration = ViTConfiguration(
  imageSize: 8, patchSize: 4, channels: 1, width: 6, depth: 2, heads: 3, mlpRatio: 2, projectorHidden: 5,
  projectorOutput: 4, classes: 3, finalNorm: true, levels: 81)

@Suite struct CheckpointTests {
  private func sample() throws -> Checkpoint {
    try Checkpoint(
      kind: .classifier, configuration: sampleConfiguration, state: sampleState(sampleConfiguration),
      provenance: [.init("seed", .number(17)), .init("note", .string("a \"test\""))])
  }

  @Test("a checkpoint is read back equal, counters included, and keeps its digest")
  func roundTrip() throws {
    let folder = TemporaryFolder()
    let checkpoint = try sample()
    try checkpoint.write(folder: folder.path)
    let read = try Checkpoint.read(folder: folder.path)
    #expect(read == checkpoint)
    #expect(read.digest == checkpoint.digest)
    let file = try SafetensorsFile.read(path: folder.file("model.safetensors"))
    #expect(file["projection_head.1.num_batches_tracked"]?.type == .int64)
    #expect(file.entries.map(\.name) == ParameterLayout(sampleConfiguration).entries.map(\.name))
  }

  @Test("a store of files by content gives the checkpoint back under its digest")
  func throughStore() throws {
    var stored: [SHA256: Bytes] = [:]
    let checkpoint = try sample()
    let digest = try checkpoint.store { produce in
      var bytes: [UInt8] = []
      try produce { part in bytes += part.array }
      let digest = SHA256(hashing: bytes)
      stored[digest] = Bytes(bytes)
      return digest
    }
    #expect(digest == checkpoint.digest)
    #expect(stored.count == 3)
    #expect(try Checkpoint.load(digest) { stored[$0]! } == checkpoint)
  }

  @Test("the digest changes with a weight, a setting and the provenance")
  func digest() throws {
    let checkpoint = try sample()
    var state = checkpoint.state
    state["norm.bias"]!.values[0] += 1
    var configuration = checkpoint.configuration
    configuration.finalNorm = false
    let others = [
      try Checkpoint(
        kind: .classifier, configuration: checkpoint.configuration, state: state, provenance: checkpoint.provenance),
      try Checkpoint(
        kind: .classifier, configuration: configuration, state: checkpoint.state, provenance: checkpoint.provenance),
      try Checkpoint(kind: .classifier, configuration: checkpoint.configuration, state: checkpoint.state),
    ]
    #expect(Set(others.map(\.digest) + [checkpoint.digest]).count == 4)
  }

  @Test("tensors that are missing, unknown or of another shape are all named at once")
  func mismatch() throws {
    var state = sampleState(sampleConfiguration)
    state["cls_token"] = nil
    state["surplus"] = Tensor(shape: [1], values: [0])
    state["norm.bias"] = Tensor(shape: [2], values: [0, 0])
    let error = #expect(throws: FormatError.self) {
      try Checkpoint(kind: .classifier, configuration: sampleConfiguration, state: state)
    }
    for part in ["missing cls_token", "unknown surplus", "norm.bias of shape [2], not [6]"] {
      #expect(error?.value.contains(part) == true)
    }
  }

  @Test("a model file of another element type, or with a counter too large, is refused by tensor")
  func types() throws {
    let folder = TemporaryFolder()
    let checkpoint = try sample()
    try checkpoint.write(folder: folder.path)
    let path = folder.file("model.safetensors")
    let good = try SafetensorsFile.read(path: path)
    func refusal(_ name: String, _ tensor: RawTensor) throws -> FormatError? {
      var file = SafetensorsFile()
      for entry in good.entries { file.append(entry.name, entry.name == name ? tensor : entry.tensor) }
      try file.write(to: path)
      return #expect(throws: FormatError.self) { try Checkpoint.read(folder: folder.path) }
    }
    let double = try refusal("norm.bias", RawTensor(shape: [6], doubles: [0, 0, 0, 0, 0, 0]))
    #expect(double?.value.contains("norm.bias of type F64, not F32") == true)
    let counter = "projection_head.4.num_batches_tracked"
    #expect(try refusal(counter, RawTensor(shape: [], int64s: [1 << 24 + 1]))?.field == counter)
    #expect(try refusal(counter, RawTensor(shape: [], int64s: [.max]))?.field == counter)
    #expect(try refusal(counter, RawTensor(shape: [], int64s: [-1]))?.field == counter)
  }

  @Test("kind and classes must agree")
  func kind() {
    var headless = sampleConfiguration
    headless.classes = 0
    let state = sampleState(headless)
    #expect(throws: FormatError.self) { try Checkpoint(kind: .classifier, configuration: headless, state: state) }
    #expect(throws: Never.self) { try Checkpoint(kind: .pretrained, configuration: headless, state: state) }
  }

  @Test("config.json lists everything that is wrong in it at once")
  func configProblems() throws {
    let text = """
      {"format": "rrcm-checkpoint-1", "kind": "classifer", "provenance": {}, "extra": 1,
       "model": {"image_size": 8, "patch_size": 4, "channels": 1, "width": -6, "depth": 2, "head": 3, "mlp_ratio": 2.5,
       "projector_hidden": 5, "projector_output": 4, "classes": 3, "final_norm": 1, "levels": 81}}
      """
    let error = #expect(throws: FormatError.self) {
      try CheckpointDescription(parsing: Bytes(Array(text.utf8)), file: "config.json")
    }
    for part in [
      "kind is \"classifer\"", "extra is unknown", "model.width is -6", "model.head is unknown",
      "model.heads is missing", "model.mlp_ratio is 2.5", "model.final_norm is 1",
    ] {
      #expect(error?.value.contains(part) == true, "\(part)")
    }
  }

  @Test("config.json that is well formed but makes no network is refused")
  func configUnusable() throws {
    var description = CheckpointDescription(kind: .classifier, configuration: sampleConfiguration, provenance: [])
    let good = Bytes(Array(description.text.utf8))
    #expect(try CheckpointDescription(parsing: good, file: "c") == description)
    description.configuration.heads = 4
    let bad = Bytes(Array(description.text.utf8))
    let error = #expect(throws: FormatError.self) { try CheckpointDescription(parsing: bad, file: "c") }
    #expect(error?.value.contains("model.width is 6") == true)
  }
}
