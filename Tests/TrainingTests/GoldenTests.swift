import Foundation
import Golden
import Tensors
import TestSupport
import Testing

@Suite("Reference files")
struct GoldenTests {
  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../Fixtures/golden").standardizedFileURL.path

  /// Runs the comparison; failures carry the lines of the failed checks.
  private func verify(_ directory: String) -> (summary: GoldenSummary, text: String) {
    var lines: [String] = []
    let summary = verifyGolden(directory: directory, print: { lines.append($0) })
    return (summary, lines.joined(separator: "\n"))
  }

  private func failures(_ text: String) -> String {
    text.split(separator: "\n").filter { $0.contains("FAIL") || $0.hasPrefix("passed") }.joined(separator: "\n")
  }

  @Test("every kind of reference file made by scripts/make-fixtures.py agrees with this program")
  func fixtures() {
    let (summary, text) = verify(Self.fixtures)
    #expect(summary.failed.isEmpty, "\(failures(text))")
    #expect(!summary.isFailure)
    #expect(
      Set(summary.passed) == [
        "schedules", "time_embedding", "forward_odd", "forward_grey", "finetune_forward_odd", "finetune_forward_grey",
        "contrastive", "finetune_losses", "pretrain_odd", "pretrain_loop_grey", "finetune_odd", "finetune_soft_grey",
        "certify", "clopper_pearson", "checkpoint_tiny", "image_ops", "mixup",
      ])
  }

  @Test(
    "the reference numbers beside the repository agree with this program",
    .enabled(if: ReferenceData.has("golden/schedules.json"), ReferenceData.absent))
  func shared() {
    let (summary, text) = verify(ReferenceData.path("golden"))
    #expect(summary.failed.isEmpty, "\(failures(text))")
    #expect(summary.passed.count >= 17)
  }

  @Test("an empty folder and a folder that does not exist are failures")
  func nothing() async throws {
    try await withTemporaryFolder { folder in
      #expect(verify(folder).summary.isFailure)
      let (summary, text) = verify(folder + "/none")
      #expect(summary.isFailure && text.contains("cannot be listed"))
    }
  }

  /// A folder with copies of some fixtures, to be damaged.
  private func damaged(_ names: [String], _ change: (String) throws -> Void) async throws -> (GoldenSummary, String) {
    try await withTemporaryFolder { folder in
      for name in names {
        try FileManager.default.copyItem(atPath: "\(Self.fixtures)/\(name)", toPath: "\(folder)/\(name)")
      }
      try change(folder)
      return verify(folder)
    }
  }

  @Test("a number that is off fails its check and names the tensor")
  func wrongValue() async throws {
    let (summary, text) = try await damaged(["contrastive.safetensors", "mixup.safetensors"]) { folder in
      let path = folder + "/contrastive.safetensors"
      let file = try SafetensorsFile.read(path: path)
      var changed = SafetensorsFile()
      for entry in file.entries {
        guard entry.name == "nce_local" else {
          changed.append(entry.name, entry.tensor)
          continue
        }
        var tensor = entry.tensor.tensor()
        tensor.values[1] += 1e-3
        changed.append(entry.name, RawTensor(tensor))
      }
      try changed.write(to: path)
    }
    #expect(summary.failed == ["contrastive"] && summary.passed == ["mixup"] && summary.isFailure)
    #expect(text.contains { $0.isNewline } && failures(text).contains("nce_local"))
  }

  @Test("a missing tensor, a missing file and malformed JSON fail their checks with a sentence")
  func damagedFiles() async throws {
    let names = [
      "finetune_losses.json", "schedules.json", "time_embedding.safetensors", "forward_grey.safetensors",
      "model_grey.safetensors",
    ]
    let (summary, text) = try await damaged(names) { folder in
      try Data("{\"sigma_tables\": ".utf8).write(to: URL(fileURLWithPath: folder + "/schedules.json"))
      try SafetensorsFile().write(to: folder + "/time_embedding.safetensors")
    }
    #expect(Set(summary.failed) == ["finetune_losses", "schedules", "time_embedding", "forward_grey"])
    #expect(text.contains("finetune_losses.safetensors is missing"))
    #expect(text.contains("lacks tensor timesteps"))
    #expect(text.contains("no number of heads is given for model_grey.safetensors"))
  }

  @Test("a file that no kind recognises is listed and fails nothing")
  func unknownFile() async throws {
    let (summary, text) = try await damaged(["mixup.safetensors"]) { folder in
      try Data("?".utf8).write(to: URL(fileURLWithPath: folder + "/attention.bin"))
    }
    #expect(summary.passed == ["mixup"] && summary.notChecked == ["attention.bin"] && !summary.isFailure)
    #expect(text.split(separator: "\n").last == "passed 1 (mixup); failed 0; not checked 1 (attention.bin)")
  }
}
