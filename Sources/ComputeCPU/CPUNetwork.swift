internal import Compute
internal import Models
internal import Tensors
final class CPUNetwork {
  init(_ configuration: ViTConfiguration, state: StateDict, threads: Int, kernels: Kernels) throws {}
}
