/// What decides the bits of a network's output besides the weights and the input.
///
/// Two workers with equal ids must produce equal logits for equal inputs, to the bit; votes of different ids are never
/// mixed inside one certificate (design invariant 8). The canary checks the claim at run time.
package struct NumericsID: Sendable, Hashable, Codable, CustomStringConvertible {
  /// `cpu` or `cuda`.
  package var backend: String
  /// `f32`, `tf32`, `bf16`, …
  package var precision: String
  /// Kernel library, its version and the code path it chose, for example `openblas-0.3.21-Haswell`.
  package var library: String
  /// Instruction set our own kernels chose, for example `avx512`.
  package var simd: String
  /// Samples computed together. Batches are padded to this size, so it is part of the arithmetic.
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
