package import CCUDA
internal import Glibc

/// NVIDIA's driver, run-time compiler and matrix products, opened when they are wanted: nothing of theirs is needed to
/// build this program or to start it.
package struct CUDALibraries: @unchecked Sendable {
  let driver: rrcm_cu_driver
  let nvrtc: rrcm_nvrtc
  let lt: rrcm_lt

  /// For tests, which bring functions of their own.
  package init(driver: rrcm_cu_driver, nvrtc: rrcm_nvrtc, lt: rrcm_lt) {
    (self.driver, self.nvrtc, self.lt) = (driver, nvrtc, lt)
  }

  /// Opens all three.
  /// - Throws: `CUDAProblems` with one line per library that cannot be used, and what to do about it.
  package static func open() throws(CUDAProblems) -> CUDALibraries {
    var (driver, nvrtc, lt) = (rrcm_cu_driver(), rrcm_nvrtc(), rrcm_lt())
    var problems: [String] = []
    for library in [Library.driver, .nvrtc, .lt] {
      let problem = library.open { path in
        switch library {
        case .driver: rrcm_cu_driver_open(path, &driver)
        case .nvrtc: rrcm_nvrtc_open(path, &nvrtc)
        case .lt: rrcm_lt_open(path, &lt)
        }
      }
      if let problem { problems.append(problem) }
    }
    guard problems.isEmpty else { throw CUDAProblems(lines: problems) }
    return CUDALibraries(driver: driver, nvrtc: nvrtc, lt: lt)
  }

  /// What was found, for people: versions of the driver's interface, NVRTC and cuBLASLt.
  package var summary: String {
    var (version, major, minor): (Int32, Int32, Int32) = (0, 0, 0)
    _ = driver.driver_version(&version)
    _ = nvrtc.version(&major, &minor)
    return "driver for CUDA \(version / 1000).\(version % 1000 / 10), NVRTC \(major).\(minor), cuBLASLt \(ltVersion)"
  }

  var ltVersion: String {
    let version = Int(lt.version())
    return "\(version / 10_000).\(version / 100 % 100).\(version % 100)"
  }

  var nvrtcVersion: String {
    var (major, minor): (Int32, Int32) = (0, 0)
    _ = nvrtc.version(&major, &minor)
    return "\(major).\(minor)"
  }
}

/// Why no GPU can be used: a line per library or device at fault, remedies included.
package struct CUDAProblems: Error, CustomStringConvertible, Sendable {
  package let lines: [String]
  package var description: String { lines.joined(separator: "\n") }
}

/// One of the three libraries and where it may be.
private enum Library {
  case driver, nvrtc, lt

  /// Newest first: file names that carry interfaces we know.
  var names: [String] {
    switch self {
    case .driver: ["libcuda.so.1"]
    case .nvrtc: ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so"]
    case .lt: ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11", "libcublasLt.so"]
    }
  }

  var remedy: String {
    switch self {
    case .driver: "install NVIDIA's driver (Debian: nvidia-driver, libcuda1)"
    case .nvrtc:
      "install the CUDA toolkit's NVRTC (Debian: libnvrtc12 or later; PyPI: nvidia-cuda-nvrtc) and name its folder in"
        + " RRCM_CUDA_PATH"
    case .lt:
      "install cuBLAS (Debian: libcublaslt12 or later; PyPI: nvidia-cublas) and name its folder in RRCM_CUDA_PATH"
    }
  }

  /// Tries folders named by `RRCM_CUDA_PATH`, then the loader's own, then the toolkit's usual one.
  /// - Parameter attempt: opens a path; returns what is wrong.
  /// - Returns: a sentence when no path could be opened.
  func open(_ attempt: (String) -> UnsafePointer<CChar>?) -> String? {
    let named = getenv("RRCM_CUDA_PATH").map { String(cString: $0) } ?? ""
    let folders = named.split(separator: ":").map { $0 + "/" } + ["", "/usr/local/cuda/lib64/"]
    var worst: String?
    for folder in folders {
      for name in names {
        guard let problem = attempt(folder + name) else { return nil }
        let text = String(cString: problem)
        // A library that is there but cannot be used says more than one that is not there.
        if worst == nil || !text.contains("No such file") { worst = text }
      }
    }
    return "\(names[0]) cannot be opened: \(worst ?? "no such file"); \(remedy)"
  }
}
