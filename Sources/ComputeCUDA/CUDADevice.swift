internal import CCUDA
package import Compute
package import Models
package import Tensors

/// One NVIDIA GPU, opened at run time.
package struct CUDADevice: Device {
  /// Of products, in classifiers and in training, whose parameters, gradients and moments are float32 in each.
  package enum Precision: String, Sendable, CaseIterable {
    /// Float32 throughout, no TF32.
    case f32
    /// Linear layers on factors rounded to TF32.
    case tf32
    /// Linear layers and attention on bfloat16 factors with float32 sums.
    case bf16

    var element: Element { self == .bf16 ? .bfloat16 : .float32 }
  }

  /// Changes with the bits that our kernels give.
  static let kernelsVersion = 1

  package let precision: Precision
  let context: CUDAContext
  private let compiler: KernelCompiler
  private let facts: CUDADeviceFacts

  /// - Parameters:
  ///   - libraries: NVIDIA's; nil opens those of this machine.
  ///   - choice: an index such as `0`, or a UUID such as `GPU-1b4e28ba-…`, of which the beginning is enough.
  ///   - precision: of products.
  ///   - cache: folder of compiled kernels; nil compiles them at each start.
  /// - Throws: `CUDAProblems` when libraries or the device are missing, `ComputeError` when it cannot be used.
  package init(
    libraries: CUDALibraries? = nil, choice: String = "0", precision: Precision = .bf16, cache: String? = nil
  ) throws {
    let libraries = try libraries ?? .open()
    let devices = try CUDADeviceFacts.all(libraries)
    facts = try CUDADeviceFacts.choose(choice, from: devices)
    guard facts.major >= 8 else {
      throw CUDAProblems(lines: [
        "\(facts.name) has compute capability \(facts.major).\(facts.minor); bfloat16 and our kernels need 8.0 or later"
      ])
    }
    self.precision = precision
    context = try CUDAContext(libraries: libraries, device: facts.device)
    compiler = KernelCompiler(libraries: libraries, architecture: facts.architecture, cache: cache)
  }

  package var summary: String {
    "\(facts.name), \(facts.bytes >> 30) GiB, \(precision.rawValue), \(facts.architecture), \(facts.uuid)"
  }

  package func makeClassifier(_ configuration: ViTConfiguration, state: any TensorSource, batch: Int?) throws
    -> any Classifier
  {
    try CUDAClassifier(
      configuration, state: state, batch: batch, precision: precision, context: context, compiler: compiler)
  }

  package func makeNetwork(_ configuration: ViTConfiguration, state: StateDict) throws -> any Network {
    try CUDANetwork(configuration, state: state, precision: precision, context: context, compiler: compiler)
  }
}

/// What the driver says about a GPU.
package struct CUDADeviceFacts: Sendable {
  package let index: Int
  package let name: String
  /// `GPU-` and the identifier in hexadecimal, as other tools write it.
  package let uuid: String
  package let bytes: Int
  let device: rrcm_cu_device
  let major: Int
  let minor: Int
  let multiprocessors: Int

  /// For NVRTC, and the device class of numerics ids: `sm_90`.
  var architecture: String { "sm_\(major)\(minor)" }

  /// Every GPU the driver shows this process, in its order.
  /// - Throws: `CUDAProblems` when the driver cannot start, or shows none.
  package static func all(_ libraries: CUDALibraries) throws -> [CUDADeviceFacts] {
    let driver = libraries.driver
    let status = driver.`init`(0)
    guard status == 0 else {
      var name: UnsafePointer<CChar>?
      _ = driver.error_name(status, &name)
      throw CUDAProblems(lines: [
        "NVIDIA's driver cannot start: \(name.map { String(cString: $0) } ?? "error \(status)"); is a GPU there, and is"
          + " the kernel module of the same version loaded (nvidia-smi)?"
      ])
    }
    var count: Int32 = 0
    try check(driver.device_count(&count), libraries, "counting GPUs")
    guard count > 0 else {
      throw CUDAProblems(lines: ["the driver shows this process no GPU; does CUDA_VISIBLE_DEVICES hide it?"])
    }
    return try (0..<Int(count)).map { try CUDADeviceFacts(libraries, index: $0) }
  }

  private init(_ libraries: CUDALibraries, index: Int) throws {
    let driver = libraries.driver
    var device: rrcm_cu_device = 0
    try check(driver.device(&device, Int32(index)), libraries, "opening GPU \(index)")
    func attribute(_ attribute: Int) throws -> Int {
      var value: Int32 = 0
      try check(
        driver.device_attribute(&value, Int32(attribute), device), libraries, "asking about GPU \(index)")
      return Int(value)
    }
    var name = [CChar](repeating: 0, count: 256)
    var uuid = rrcm_cu_uuid()
    var bytes = 0
    try check(driver.device_name(&name, 256, device), libraries, "asking for a GPU's name")
    try check(driver.device_uuid(&uuid, device), libraries, "asking for a GPU's UUID")
    try check(driver.device_memory(&bytes, device), libraries, "asking for a GPU's memory")
    self.index = index
    self.name = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let hex = withUnsafeBytes(of: uuid.bytes) { bytes in
      bytes.map { byte in
        let text = String(byte, radix: 16)
        return text.count == 1 ? "0" + text : text
      }.joined()
    }
    var parts: [Substring] = []
    var rest = hex[...]
    for length in [8, 4, 4, 4, 12] {
      parts.append(rest.prefix(length))
      rest = rest.dropFirst(length)
    }
    self.uuid = "GPU-" + parts.joined(separator: "-")
    self.bytes = bytes
    self.device = device
    major = try attribute(RRCM_CU_ATTRIBUTE_CAPABILITY_MAJOR)
    minor = try attribute(RRCM_CU_ATTRIBUTE_CAPABILITY_MINOR)
    multiprocessors = try attribute(RRCM_CU_ATTRIBUTE_MULTIPROCESSORS)
  }

  /// The device of an index or of the beginning of a UUID.
  static func choose(_ choice: String, from devices: [CUDADeviceFacts]) throws -> CUDADeviceFacts {
    let byIndex = devices.filter { "\($0.index)" == choice }
    let found =
      byIndex.isEmpty
      ? devices.filter { $0.uuid.hasPrefix(choice) || $0.uuid.dropFirst(4).hasPrefix(choice) } : byIndex
    guard found.count == 1 else {
      let known = devices.map { "\($0.index) (\($0.name), \($0.uuid))" }.joined(separator: ", ")
      throw CUDAProblems(lines: [
        "GPU \(choice) is \(found.isEmpty ? "none" : "more than one") of those here: \(known). Give an index or a UUID."
      ])
    }
    return found[0]
  }
}
