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

  @Test("wrong usage of the arm is refused with its usage")
  func usage() throws {
    let built = URL(fileURLWithPath: Program.path).deletingLastPathComponent().appendingPathComponent("GPUArm").path
    let run = try Tool.run([built, "paint"])
    #expect(run.status == 64 && run.output.contains("usage: GPUArm check GOLDEN"))
  }
}
