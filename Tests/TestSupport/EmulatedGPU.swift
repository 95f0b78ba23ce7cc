package import Foundation

/// The GPU that tests bring along, for processes that open NVIDIA's libraries.
package enum EmulatedGPU {
  /// Fills a folder with those libraries under the names that programs look for.
  /// - Returns: the environment in which they are found.
  package static func install(in folder: String) throws -> [String: String] {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let built = URL(fileURLWithPath: Program.path).deletingLastPathComponent()
      .appendingPathComponent("libEmulatedCUDA.so").path
    for name in ["libcuda.so.1", "libnvrtc.so.13", "libcublasLt.so.13"] {
      try FileManager.default.createSymbolicLink(atPath: "\(folder)/\(name)", withDestinationPath: built)
    }
    return ["RRCM_CUDA_PATH": folder]
  }
}
