/// What decides the bits of a network's output besides the weights and the input.
///
/// Two workers with equal ids must produce equal logits for equal inputs, to the bit; votes of different ids are never
/// mixed inside one certificate (design invariant 8). The canary checks the claim at run time.
package struct NumericsID: Sendable, Hashable, Codable, CustomStringConvertible {
  /// `cpu` or `cuda`.
  package var backend: String
  /// `f32`, `tf32`, `bf16`, …
  package var precision: String
  /// Kernel library, its version and the code path it chose, where that matters, for example `rrcm-kernels-1`.
  package var library: String
  /// Instruction set, for example `avx512`; or the arithmetic that several sets share to the bit, for example `fma16`.
  package var simd: String
  /// Samples whose arithmetic is shared: the size batches are padded to, or 1 where a sample does not notice its batch.
  package var batch: Int
  /// Device class: the machine architecture for CPUs, the compute capability for GPUs.
  package var device: String

  package init(backend: String, precision: String, library: String, simd: String, batch: Int, device: String) {
    self.backend = backend
    self.precision = precision
    self.library = library
    self.simd = simd
    self.batch = batch
    self.device = device
  }

  /// The canonical text stored in the database: `backend-precision/library/simd/batch/device`.
  package var description: String { "\(backend)-\(precision)/\(library)/\(simd)/b\(batch)/\(device)" }
}
