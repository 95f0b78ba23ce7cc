package import Compute
internal import Dispatch
internal import Glibc
package import Models
package import Tensors

/// The processor this program runs on: our own kernels, in float32 or with bfloat16 factors.
///
/// Results depend neither on the instruction set, nor on `threads`, nor on how samples share batches: every output
/// element is one fixed sequence of IEEE operations (rrcm_kernels.h). The numerics id says so by leaving those out.
package struct CPUDevice: Device {
  /// Threads that one call may use.
  package let threads: Int
  /// Of classifiers; training is always float32.
  package let precision: Precision
  /// How a classifier's threads share its work; nil to measure which is faster when it is made.
  package let arrangement: Arrangement?
  let kernels: Kernels

  /// Speed alone: votes and logits are the same bits.
  package enum Arrangement: String, Sendable, CaseIterable {
    /// Each thread has batches of its own.
    case apart
    /// All threads share the products of one larger batch, so that each reads a part of the weights.
    case together
  }

  package enum Precision: String, Sendable, CaseIterable {
    /// Float32 throughout.
    case f32
    /// Linear layers on bfloat16 factors with float32 sums: about twice as fast where the processor has AVX512-BF16,
    /// and another classifier, whose certified accuracy is its own.
    case bf16
  }

  /// - Parameters:
  ///   - threads: at least 1; nil for all cores. A worker process normally has one.
  ///   - precision: of classifiers.
  ///   - arrangement: nil to measure.
  ///   - instructionSet: `portable`, `avx2`, `avx512` or `avx512bf16`; nil for the fastest here. For tests and
  ///     measurements.
  /// - Throws: `ComputeError` when the processor lacks the instruction set or `threads` is not positive.
  package init(
    threads: Int? = nil, precision: Precision = .f32, arrangement: Arrangement? = nil, instructionSet: String? = nil
  )
    throws
  {
    let threads = threads ?? Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    guard threads >= 1 else { throw ComputeError("threads is \(threads); it must be at least 1") }
    self.threads = threads
    self.precision = precision
    self.arrangement = arrangement
    guard let instructionSet else {
      kernels = .best
      return
    }
    guard let found = Kernels.available.first(where: { $0.name == instructionSet }) else {
      let names = Kernels.available.map(\.name).joined(separator: ", ")
      throw ComputeError("instruction set \(instructionSet) is not available here; choose one of \(names)")
    }
    kernels = found
  }

  package var summary: String {
    "\(Self.processorName), \(threads) thread\(threads == 1 ? "" : "s"), \(precision.rawValue), \(kernels.name)"
  }

  /// The id of every classifier of this precision on CPUs of this architecture.
  ///
  /// `simd` names the arithmetic, 16 lanes of fused multiply-adds, which each instruction set performs alike; `batch` is
  /// 1 because a sample's logits are those of a batch of its own.
  package var numerics: NumericsID { Self.numerics(precision) }

  static func numerics(_ precision: Precision) -> NumericsID {
    NumericsID(
      backend: "cpu", precision: precision.rawValue,
      library: "rrcm-kernels-\(precision == .f32 ? Kernels.version : Kernels.bf16Version)",
      simd: "fma16", batch: 1, device: Self.architecture)
  }

  /// Samples per forward pass of a classifier of this shape, unless a worker is told otherwise.
  package static func defaultBatch(for configuration: ViTConfiguration) -> Int {
    CPUClassifier.defaultBatch(configuration)
  }

  package func makeClassifier(_ configuration: ViTConfiguration, state: any TensorSource, batch: Int?) throws
    -> any Classifier
  {
    try CPUClassifier(configuration, state: state, batch: batch, device: self)
  }

  package func makeNetwork(_ configuration: ViTConfiguration, state: StateDict) throws -> any Network {
    try CPUNetwork(configuration, state: state, threads: threads, kernels: kernels)
  }

  static var architecture: String {
    var name = utsname()
    uname(&name)
    return withUnsafeBytes(of: &name.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  static var processorName: String {
    guard let file = fopen("/proc/cpuinfo", "r") else { return architecture }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard text.hasPrefix("model name"), let colon = text.firstIndex(of: ":") else { continue }
      return String(text[text.index(after: colon)...].drop { $0 == " " }.prefix { $0 != "\n" })
    }
    return architecture
  }
}

func checkConfiguration(_ configuration: ViTConfiguration) throws {
  let problems = configuration.problems
  guard problems.isEmpty else { throw ComputeError(problems.joined(separator: "; ")) }
}
