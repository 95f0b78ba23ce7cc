internal import ComputeCUDA

extension Finding {
  /// The GPUs of this machine with the libraries that drive them; or what is missing, each with its remedy. A machine
  /// without a GPU is no trouble.
  static func gpus() -> [Finding] {
    do {
      let libraries = try CUDALibraries.open()
      return [.version("gpu", libraries.summary)]
        + (try CUDADeviceFacts.all(libraries).map { device in
          .version("gpu", "cuda:\(device.index) \(device.name), \(device.bytes >> 30) GiB, \(device.uuid)")
        })
    } catch let problems as CUDAProblems {
      return problems.lines.map { line in
        let parts = line.split(separator: ";", maxSplits: 1).map(String.init)
        return Finding(
          check: "gpu", state: .info, symptom: "none usable: \(parts[0])",
          remedy: parts.count > 1 ? "for a worker on a GPU,\(parts[1])" : nil)
      }
    } catch {
      return [Finding(check: "gpu", state: .info, symptom: "none usable: \(error)")]
    }
  }
}
