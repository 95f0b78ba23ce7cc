import Compute
import ComputeCUDA
import CUDAEmulator
import Foundation
import Models
import TestSupport
import Testing

@Suite("Opening a GPU", .serialized)
struct CUDADeviceTests {
  @Test("a device is chosen by index or by the beginning of its UUID")
  func choice() throws {
    #expect(try emulated(choice: "1").summary.contains("Emulated GPU 1"))
    #expect(try emulated(choice: "GPU-20212223").summary.contains("Emulated GPU 1"))
    #expect(try emulated(choice: "1011").summary.contains("Emulated GPU 0"))
    for wrong in ["7", "GPU-", "x", ""] {
      let problems = #expect(throws: CUDAProblems.self) { try emulated(choice: wrong) }
      #expect(problems!.description.contains("0 (Emulated GPU 0, GPU-10111213-1415-1617-1819-1a1b1c1d1e1f)"))
    }
  }

  @Test(
    "without NVIDIA's libraries each one is named with its remedy",
    .enabled(if: (try? CUDALibraries.open()) == nil, "skipped: they are all here"))
  func noLibraries() throws {
    let problems = #expect(throws: CUDAProblems.self) { _ = try CUDALibraries.open() }
    #expect(problems!.lines.contains { $0.contains("libcuda.so.1") && $0.contains("install NVIDIA's driver") })
  }

  @Test("a driver that cannot start says so, by its error's name")
  func driverFails() throws {
    rrcm_emulator_fail("init", 100, 1)
    let problems = #expect(throws: CUDAProblems.self) { try emulated() }
    #expect(problems!.description.contains("CUDA_ERROR_NO_DEVICE") && problems!.description.contains("nvidia-smi"))
  }

  @Test("failures of launches and of the choice of algorithms are errors with their names")
  func callsFail() throws {
    let c = networks["plain"]!
    rrcm_emulator_fail("choose", 15, 1)
    let shape = #expect(throws: ComputeError.self) { try emulated().makeClassifier(c, state: randomState(c), batch: 2) }
    #expect(shape!.message.contains("no algorithm for") && shape!.message.contains("15"))
    let classifier = try emulated().makeClassifier(c, state: randomState(c), batch: 2)
    rrcm_emulator_fail("launch", 719, 1)
    let launch = #expect(throws: ComputeError.self) {
      try classifier.logits(inputs: normals(64), count: 1, noiseLevel: 1)
    }
    #expect(launch!.message.contains("CUDA_ERROR_LAUNCH_FAILED"))
    // The next call works again.
    #expect(try classifier.logits(inputs: normals(64), count: 1, noiseLevel: 1).count == 10)
  }

  @Test("compiled kernels are kept on disk, and found there by the next process")
  func cache() async throws {
    try await withTemporaryFolder { folder async throws in
      func programs() -> Int {
        var (kernels, products, programs) = (0, 0, 0)
        rrcm_emulator_counts(&kernels, &products, &programs)
        return programs
      }
      let c = networks["plain"]!
      let start = programs()
      _ = try emulated(.bf16, cache: folder + "/kernels").makeClassifier(c, state: randomState(c), batch: 2)
      #expect(programs() == start + 3)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/kernels").count == 3)
      _ = try emulated(.bf16, cache: folder + "/kernels").makeClassifier(c, state: randomState(c), batch: 2)
      #expect(programs() == start + 3)
      // Another precision is other code, but for the noise.
      _ = try emulated(.f32, cache: folder + "/kernels").makeClassifier(c, state: randomState(c), batch: 2)
      #expect(programs() == start + 5)
    }
  }
}
