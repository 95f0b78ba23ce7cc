import Compute
import ComputeCPU
import ComputeCUDA
import CUDAEmulator
import Models
import Noise
import Tensors
import Testing

/// The kernels' own source and all of the host's code, on an emulated GPU: what a real one adds is speed, and its own
/// rounding in matrix products.
@Suite("The CUDA classifier on an emulated GPU", .serialized)
struct CUDAClassifierTests {
  @Test(
    "logits are those of cpu-f32, as far as the precision allows", arguments: networks.keys.sorted(),
    CUDADevice.Precision.allCases)
  func logits(name: String, precision: CUDADevice.Precision) throws {
    let c = networks[name]!
    let state = randomState(c)
    let inputs = normals(5 * c.imageElements)
    let expected = try CPUDevice(threads: 1).makeClassifier(c, state: state, batch: nil)
      .logits(inputs: inputs, count: 5, noiseLevel: 0.5)
    let logits = try emulated(precision).makeClassifier(c, state: state, batch: 3)
      .logits(inputs: inputs, count: 5, noiseLevel: 0.5)
    let error = difference(logits, expected)
    let size = expected.map(\.magnitude).max()!
    switch precision {
    case .f32: #expect(error < size * 1e-5, "largest difference \(error), largest logit \(size)")
    case .tf32: #expect(error < size * 0x1p-8 && error > size * 0x1p-20, "difference \(error) of \(size)")
    case .bf16: #expect(error < size * 0x1p-4 && error > size * 0x1p-16, "difference \(error) of \(size)")
    }
  }

  @Test(
    "votes are those of cpu-f32: the same noise, sample by sample", arguments: ["plain", "odd"],
    [Sampler.grid(m: 1), .gaussian])
  func votes(name: String, sampler: Sampler) throws {
    let c = networks[name]!
    let state = try centred(randomState(c), c)
    let noise = try NoiseStream(seed: 3, sigma: Sigma("0.5")!, sampler: sampler)
    let pixels = (0..<c.imageElements).map { UInt8(truncatingIfNeeded: $0 * 37) }
    func request(_ samples: Range<UInt32>) -> ChunkRequest {
      ChunkRequest(pixels: pixels, imageIndex: 4, phase: .estimation, samples: samples, noise: noise)
    }
    let expected = try CPUDevice(threads: 1).makeClassifier(c, state: state, batch: nil).votes(for: request(7..<47))
    #expect(expected.count { $0 > 0 } > 1, "a test with one class only proves little")
    let classifier = try emulated().makeClassifier(c, state: state, batch: 8)
    #expect(try classifier.votes(for: request(7..<47)) == expected)
    // A second chunk on the same graphs, in pieces that do not fill batches.
    let pieces = try [7..<8, 8..<30, 30..<47].map { try classifier.votes(for: request($0)) }
    #expect((0..<c.classes).map { k in pieces.reduce(0) { $0 + $1[k] } } == expected)
    #expect(try classifier.votes(for: request(9..<9)).allSatisfy { $0 == 0 })
  }

  @Test("a chunk is one launch per batch and stream step, and other levels use the same graphs")
  func graphs() throws {
    let c = networks["one-block"]!
    let classifier = try emulated().makeClassifier(c, state: randomState(c), batch: 4)
    func kernels() -> Int {
      var (kernels, products, programs) = (0, 0, 0)
      rrcm_emulator_counts(&kernels, &products, &programs)
      return kernels
    }
    func run(_ sigma: String, _ count: UInt32) throws -> Int {
      let noise = try NoiseStream(seed: 3, sigma: Sigma(sigma)!, sampler: .grid(m: 1))
      let before = kernels()
      _ = try classifier.votes(
        for: ChunkRequest(
          pixels: [UInt8](repeating: 9, count: c.imageElements), imageIndex: 0, phase: .selection, samples: 0..<count,
          noise: noise))
      return kernels() - before
    }
    let perBatch = try run("0.5", 4)
    #expect(try run("0.5", 12) == 3 * perBatch)
    #expect(try run("0.25", 11) == 3 * perBatch)
  }

  @Test(
    "invariant 1: a sample's logits have the same bits in any slot, with any neighbours",
    arguments: networks.keys.sorted(),
    [CUDADevice.Precision.f32, .bf16])
  func slotInvariance(name: String, precision: CUDADevice.Precision) throws {
    let c = networks[name]!
    let classifier = try emulated(precision).makeClassifier(c, state: randomState(c), batch: 3)
    let inputs = normals(4 * c.imageElements)
    func logits(_ order: [Int]) throws -> [[UInt32]] {
      let shuffled = order.flatMap { inputs[$0 * c.imageElements..<($0 + 1) * c.imageElements] }
      let logits = try classifier.logits(inputs: shuffled, count: order.count, noiseLevel: 0.5)
      return order.indices.map { logits[$0 * c.classes..<($0 + 1) * c.classes].map(\.bitPattern) }
    }
    let expected = try (0..<4).map { try logits([$0])[0] }
    let order = [3, 0, 2, 2, 1]
    for (slot, bits) in try logits(order).enumerated() { #expect(bits == expected[order[slot]], "slot \(slot)") }
  }

  @Test("a logit that is not finite is an error that names the first such sample, not a vote")
  func notFinite() throws {
    let c = networks["plain"]!
    var state = randomState(c)
    state["blocks.0.mlp.fc2.bias"]!.values[5] = 3e38
    state["linear_head.weight"]!.values[5] = 100
    let classifier = try emulated().makeClassifier(c, state: state, batch: 4)
    let noise = try NoiseStream(seed: 1, sigma: Sigma("0.5")!, sampler: .gaussian)
    let request = ChunkRequest(
      pixels: [UInt8](repeating: 9, count: 64), imageIndex: 8, phase: .estimation, samples: 40..<60, noise: noise)
    let error = #expect(throws: ComputeError.self) { try classifier.votes(for: request) }
    #expect(error!.message.contains("image 8") && error!.message.contains("sample 40"))
  }

  @Test("what a classifier takes of the device's memory goes back when it goes")
  func memory() throws {
    let before = rrcm_emulator_allocations()
    do {
      let c = networks["plain"]!
      let classifier = try emulated().makeClassifier(c, state: randomState(c), batch: 4)
      _ = try classifier.logits(inputs: normals(64), count: 1, noiseLevel: 0)
      #expect(rrcm_emulator_allocations() > before)
    }
    #expect(rrcm_emulator_allocations() == before)
  }

  @Test("the batch is what fits; what does not fit is named with both sizes")
  func batchFromMemory() throws {
    let c = networks["plain"]!
    defer { rrcm_emulator_set_memory(8 << 30) }
    func batch() throws -> Int { try emulated().makeClassifier(c, state: randomState(c), batch: nil).numerics.batch }
    #expect(try batch() == 8448)
    rrcm_emulator_set_memory(220 << 20)
    let smaller = try batch()
    #expect(smaller < 8448 && smaller > 100)
    let state = randomState(c)
    let device = try emulated()
    rrcm_emulator_set_memory(60 << 20)
    let error = #expect(throws: ComputeError.self) { try device.makeClassifier(c, state: state, batch: nil) }
    #expect(error!.message.contains("MiB are free") && error!.message.contains("--batch"))
    #expect(throws: ComputeError.self) { try device.makeClassifier(c, state: state, batch: 0) }
  }

  @Test("the numerics id names versions, algorithms, batch and architecture")
  func numericsID() throws {
    let c = networks["plain"]!
    func id(_ precision: CUDADevice.Precision, _ batch: Int) throws -> String {
      try emulated(precision).makeClassifier(c, state: randomState(c), batch: batch).numerics.description
    }
    let one = try id(.bf16, 4)
    #expect(one.hasPrefix("cuda-bf16/rrcm-cuda-1+cublaslt-13.0.2+nvrtc-13.0/algorithms-"))
    #expect(one.hasSuffix("/b4/sm_90"))
    #expect(try id(.bf16, 4) == one)
    #expect(try id(.bf16, 8) != one && id(.tf32, 4) != one)
  }

  @Test(
    "patches drawn on the GPU are the CPU's pixels, normalised, to the bit", arguments: [Sampler.grid(m: 2), .gaussian])
  func noiseBits(sampler: Sampler) throws {
    let c = networks["odd"]!
    let device = try emulated()
    let classifier = try device.makeClassifier(c, state: randomState(c), batch: 3)
    let noise = try NoiseStream(seed: 5, sigma: Sigma("0.25")!, sampler: sampler)
    let request = ChunkRequest(
      pixels: (0..<c.imageElements).map { UInt8(truncatingIfNeeded: $0 &* 41) }, imageIndex: 3, phase: .estimation,
      samples: 10..<13, noise: noise)
    #expect(
      try device.patches(classifier, for: request).map(\.bitPattern)
        == NoiseComparison.patches(c, request, count: 3).map(\.bitPattern))
    // What is measured beside the network leaves the next chunk alone.
    let votes = try classifier.votes(for: request)
    try device.noiseAndCounting(classifier, for: request)
    #expect(try classifier.votes(for: request) == votes)
    #expect(try device.productRate(side: 16, repetitions: 2) > 0)
  }
}
