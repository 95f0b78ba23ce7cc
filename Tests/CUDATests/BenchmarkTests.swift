import ComputeCUDA
import Foundation
import TestSupport
import Testing

@Suite("The GPU benchmark's folder")
struct GPUBenchmarkTests {
  /// What Benchmarks/gpu/pack puts together, from this build.
  private func folder(_ path: String, arm: Bool) throws {
    for name in ["gpu/run", "gpu/gpu.py", "gpu/arm.py", "forward/network.py"] {
      let source = "\(Repository.root)/Benchmarks/\(name)"
      try FileManager.default.copyItem(atPath: source, toPath: "\(path)/\((name as NSString).lastPathComponent)")
    }
    try FileManager.default.createDirectory(atPath: "\(path)/golden", withIntermediateDirectories: true)
    guard arm else { return }
    let built = URL(fileURLWithPath: Program.path).deletingLastPathComponent().appendingPathComponent("GPUArm").path
    try FileManager.default.createSymbolicLink(atPath: "\(path)/GPUArm", withDestinationPath: built)
  }

  @Test("a folder without our arm, and a machine without a GPU, are told apart by sentence and status")
  func missing() async throws {
    try await withTemporaryFolder { path async throws in
      try folder(path, arm: false)
      let bare = try Tool.run(["/bin/bash", "\(path)/run"])
      #expect(bare.status == 64 && bare.output.contains("Benchmarks/gpu/pack"), "\(bare.output)")
    }
    // True of machines without a GPU only.
    guard (try? CUDALibraries.open()) == nil else { return }
    try await withTemporaryFolder { path async throws in
      try folder(path, arm: true)
      let run = try Tool.run(["/bin/bash", "\(path)/run", "--output", "json"])
      #expect(run.status == 71 && run.output.contains("libcuda.so.1"), "\(run.output)")
      #expect(run.output.contains("install NVIDIA's driver"))
    }
  }

  @Test("checks hold and every time is told on an emulated GPU; PyTorch's arms are left out with a reason")
  func emulated() async throws {
    try await withTemporaryFolder { path async throws in
      try folder(path, arm: true)
      let golden = "\(Repository.root)/Tests/Fixtures/golden"
      // Emulated, the others take minutes.
      for name in try FileManager.default.contentsOfDirectory(atPath: golden)
      where ["finetune_odd", "model_odd", "time_embedding"].contains(
        where: name.hasPrefix)
      {
        try FileManager.default.copyItem(atPath: "\(golden)/\(name)", toPath: "\(path)/golden/\(name)")
      }
      let environment = try EmulatedGPU.install(in: "\(path)/cuda").merging([
        "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
      ]) { $1 }
      let text = try Tool.run(["/bin/bash", "\(path)/run", "--quick"], environment: environment)
      #expect(text.status == 0, "\(text.output)")
      #expect(
        !text.output.contains("FAIL") && text.output.contains("pass  golden files in f32: passed 2"), "\(text.output)")
      for check in [
        "logits in bf16 against cpu-f32", "votes in tf32, twice", "noise, gaussian, against the CPU's: 0 of",
      ] {
        #expect(text.output.contains("pass  \(check)"), "\(text.output)")
      }
      for line in ["noise and counting", "tiny, training steps of batch 64", "logits from ours in f32", "samples/s"] {
        #expect(text.output.contains(line), "\(text.output)")
      }
      #expect(text.output.contains("PyTorch: left out, "))
    }
  }

  @Test("wrong usage of the arm is refused with its usage")
  func usage() throws {
    let built = URL(fileURLWithPath: Program.path).deletingLastPathComponent().appendingPathComponent("GPUArm").path
    let run = try Tool.run([built, "paint"])
    #expect(run.status == 64 && run.output.contains("usage: GPUArm check GOLDEN"))
  }
}
