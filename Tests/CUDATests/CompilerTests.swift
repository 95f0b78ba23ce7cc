import CCUDA
import CUDAEmulator
import Foundation
import Testing

@testable import ComputeCUDA

/// NVRTC as scripts/fetch-nvrtc puts it; nil where it is not there.
private let nvrtcPath: String? = {
  let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
  let path = package.appendingPathComponent(".build/nvrtc/libnvrtc.so.13").standardizedFileURL.path
  return FileManager.default.isReadableFile(atPath: path) ? path : nil
}()

@Suite("Compiling the kernels")
struct KernelCompilerTests {
  private static let sources: [KernelCompiler.Source] = [
    .noise, .network(.float32), .network(.bfloat16), .attention(.float32), .attention(.bfloat16), .training(.float32),
    .training(.bfloat16), .attentionBackward(.float32), .attentionBackward(.bfloat16),
  ]

  private func compiler(_ architecture: String) throws -> KernelCompiler {
    var nvrtc = rrcm_nvrtc()
    if let problem = rrcm_nvrtc_open(nvrtcPath!, &nvrtc) { Issue.record("\(String(cString: problem))") }
    return KernelCompiler(
      libraries: CUDALibraries(driver: rrcm_emulated_driver(), nvrtc: nvrtc, lt: rrcm_emulated_lt()),
      architecture: architecture, cache: nil)
  }

  @Test(
    "every kernel compiles for every family of devices, and none spills registers",
    .enabled(if: nvrtcPath != nil, "skipped: no NVRTC under .build/nvrtc (scripts/fetch-nvrtc)"),
    arguments: ["sm_80", "sm_86", "sm_89", "sm_90", "sm_100"])
  func everyFamily(architecture: String) throws {
    let compiler = try compiler(architecture)
    var kernels = 0
    for source in Self.sources {
      let (code, log) = try compiler.compile(source)
      #expect(code.starts(with: [0x7F, 0x45, 0x4C, 0x46]), "not an ELF file")
      for usage in KernelUsage.read(log) {
        kernels += 1
        print("\(architecture) \(source.options.first ?? "") \(usage.kernel): \(usage.registers) registers")
        #expect(usage.spilledBytes == 0, "\(usage.kernel) spills \(usage.spilledBytes) bytes")
        // 128 threads a block, 65,536 registers: three blocks at least share a multiprocessor.
        #expect(usage.registers <= 168, "\(usage.kernel)")
      }
    }
    // The noise; kernels of two elements; attention for one and both ways.
    #expect(kernels == 4 + 2 * 5 + 1 + 3 + 2 * 17 + 2 + 6)
  }

  @Test(
    "source that does not compile is refused with the compiler's words",
    .enabled(if: nvrtcPath != nil, "skipped: no NVRTC under .build/nvrtc (scripts/fetch-nvrtc)"))
  func refusals() throws {
    let unknown = #expect(throws: (any Error).self) { try compiler("sm_11").compile(.noise) }
    #expect("\(unknown!)".contains("noise.cu for sm_11"))
    let broken = KernelCompiler.Source(file: "network.cu", options: ["-DRRCM_ELEMENT=nothing"])
    let error = #expect(throws: (any Error).self) { try compiler("sm_90").compile(broken) }
    #expect("\(error!)".contains("nothing"))
  }
}

/// What ptxas says about a kernel.
private struct KernelUsage {
  let kernel: String
  let registers: Int
  let spilledBytes: Int

  static func read(_ log: String) -> [KernelUsage] {
    var found: [KernelUsage] = []
    var (kernel, spilled) = ("", 0)
    for line in log.split(separator: "\n") {
      if let match = line.firstMatch(of: /Compiling entry function '(\w+)'/) {
        (kernel, spilled) = (String(match.1), 0)
      }
      if let match = line.firstMatch(of: /(\d+) bytes spill stores, (\d+) bytes spill loads/) {
        spilled = Int(match.1)! + Int(match.2)!
      }
      if let match = line.firstMatch(of: /Used (\d+) registers/) {
        found.append(KernelUsage(kernel: kernel, registers: Int(match.1)!, spilledBytes: spilled))
      }
    }
    return found
  }
}
