internal import ArgumentParser
internal import Compute
internal import ComputeCPU
internal import ComputeCUDA

/// What `--device` names: `cpu`, `cuda`, or `cuda:` with the index or UUID of a GPU.
enum DeviceChoice: ExpressibleByArgument, Equatable {
  case cpu
  case cuda(String)

  init?(argument: String) {
    switch argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init) {
    case ["cpu"]: self = .cpu
    case ["cuda"]: self = .cuda("0")
    case let parts where parts.count == 2 && parts[0] == "cuda" && !parts[1].isEmpty: self = .cuda(parts[1])
    default: return nil
    }
  }

  /// Precisions it computes in; the first is the default.
  var precisions: [String] {
    switch self {
    case .cpu: ["f32", "bf16"]
    case .cuda: ["bf16", "tf32", "f32"]
    }
  }

  /// - Returns: a sentence when it has no such precision.
  func problem(precision: String?) -> String? {
    guard let precision, !precisions.contains(precision) else { return nil }
    return
      "--precision is \(precision); --device \(self == .cpu ? "cpu" : "cuda") has \(precisions.joined(separator: ", "))"
  }

  /// - Parameters:
  ///   - precision: nil for the device's default.
  ///   - kernels: folder where kernels compiled for a GPU are kept.
  /// - Throws: `ExitStatus.badMachine` with the reasons when there is no such device here.
  func open(precision: String?, threads: Int, kernels: String) throws -> any Device {
    switch self {
    case .cpu:
      return try CPUDevice(threads: threads, precision: precision.map { CPUDevice.Precision(rawValue: $0)! } ?? .f32)
    case .cuda(let choice):
      do {
        return try CUDADevice(
          choice: choice, precision: precision.map { CUDADevice.Precision(rawValue: $0)! } ?? .bf16, cache: kernels)
      } catch let problems as CUDAProblems {
        throw CommandFailure("no GPU to compute with:\n\(problems)", status: .badMachine)
      }
    }
  }
}
