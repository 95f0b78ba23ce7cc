internal import CCUDA
internal import Compute
internal import Glibc
internal import Tensors

/// Our CUDA sources, compiled by NVRTC for one architecture, and kept on disk by the digest of all that decides the code.
struct KernelCompiler {
  let libraries: CUDALibraries
  /// For example `sm_90`.
  let architecture: String
  /// Where compiled code is kept; nil to compile each time.
  let cache: String?

  /// Which kernels, and how their arithmetic is compiled.
  struct Source: Sendable, Hashable {
    let file: String
    let options: [String]

    /// Without contraction: its bits are the CPU's.
    static let noise = Source(file: "noise.cu", options: ["--fmad=false"])
    static func network(_ element: Element) -> Source { Source(file: "network.cu", options: element.options) }
    static func attention(_ element: Element) -> Source { Source(file: "attention.cu", options: element.options) }
    static func training(_ element: Element) -> Source { Source(file: "training.cu", options: element.options) }
    static func attentionBackward(_ element: Element) -> Source {
      Source(file: "attention_backward.cu", options: element.options)
    }
  }

  /// Machine code for this architecture and, where it was compiled now, the compiler's log.
  func compile(_ source: Source) throws -> (code: [UInt8], log: String) {
    let options = ["--gpu-architecture=\(architecture)", "--std=c++17", "--ptxas-options=-v"] + source.options
    let text = rrcm_cuda_source(source.file)!
    let headers = Self.headers.map { rrcm_cuda_source($0)! }
    let key = ([libraries.nvrtcVersion] + options + (headers + [text]).map { String(cString: $0) })
      .joined(separator: "\u{0}")
    let path = cache.map { "\($0)/\(SHA256(hashing: key.utf8).hex).cubin" }
    if let path, let code = try? Bytes(contentsOf: path).array, !code.isEmpty { return (code, "") }
    let compiled = try compile(source.file, text: text, headers: headers, options: options)
    // A cache that cannot be written costs a second at the next start, nothing more.
    if let path, let cache {
      mkdir(cache, 0o755)
      try? AtomicFile.write(Bytes(compiled.code), to: path)
    }
    return compiled
  }

  /// What sources include.
  private static let headers = ["common.cuh", "attention.cuh"]

  private func compile(
    _ name: String, text: UnsafePointer<CChar>, headers: [UnsafePointer<CChar>], options: [String]
  ) throws -> (code: [UInt8], log: String) {
    let nvrtc = libraries.nvrtc
    var program: rrcm_nvrtc_program?
    let sources: [UnsafePointer<CChar>?] = headers
    let created = withCStrings(Self.headers) { nvrtc.create(&program, text, name, Int32(headers.count), sources, $0) }
    guard created == 0, program != nil else { throw ComputeError("NVRTC cannot take \(name): \(reason(created))") }
    defer { _ = nvrtc.destroy(&program) }
    let status = withCStrings(options) { nvrtc.compile(program, Int32(options.count), $0) }
    var size = 0
    _ = nvrtc.log_size(program, &size)
    var log = [CChar](repeating: 0, count: max(size, 1))
    _ = nvrtc.log(program, &log)
    let text = String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard status == 0 else { throw ComputeError("NVRTC cannot compile \(name) for \(architecture): \(text)") }
    guard nvrtc.code_size(program, &size) == 0, size > 0 else {
      throw ComputeError("NVRTC \(libraries.nvrtcVersion) makes no code for \(architecture); a newer one may")
    }
    var code = [UInt8](repeating: 0, count: size)
    try code.withUnsafeMutableBytes {
      let status = nvrtc.code(program, $0.baseAddress!.assumingMemoryBound(to: CChar.self))
      guard status == 0 else { throw ComputeError("NVRTC keeps the code of \(name): \(reason(status))") }
    }
    return (code, text)
  }

  private func reason(_ status: Int32) -> String {
    libraries.nvrtc.error_text(status).map { String(cString: $0) } ?? "error \(status)"
  }
}

/// What linear layers read on the device.
enum Element: Sendable, Hashable {
  case float32, bfloat16

  var bytes: Int { self == .float32 ? 4 : 2 }
  var options: [String] {
    switch self {
    case .float32: ["-DRRCM_ELEMENT=float"]
    case .bfloat16: ["-DRRCM_ELEMENT=bf16", "-DRRCM_BF16"]
    }
  }
}

private func withCStrings<R>(_ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R) -> R {
  let copies = strings.map { strdup($0) }
  defer { for copy in copies { free(copy) } }
  return copies.map { UnsafePointer($0) }.withUnsafeBufferPointer { body($0.baseAddress!) }
}
