import Compute
import ComputeCPU
import Models
import Noise
import Tensors
import TestSupport
import Testing

@Suite("CPU classifier")
struct ClassifierTests {
  @Test(
    "logits match the authors' fine-tuned forward pass",
    .enabled(
      if: ReferenceData.has("golden/model_a.safetensors", "golden/finetune_forward_b.safetensors"), ReferenceData.absent
    ), arguments: ["a", "b"], [true, false])
  func goldenLogits(name: String, finalNorm: Bool) throws {
    let golden = try Golden("finetune_forward_\(name)")
    var c = name == "a" ? Golden.a : Golden.b
    c.classes = golden["head.bias"].count
    c.finalNorm = finalNorm
    var state = try Golden("model_\(name)").state
    state["linear_head.weight"] = golden.file["head.weight"]!.tensor()
    state["linear_head.bias"] = golden.file["head.bias"]!.tensor()
    let classifier = try device().makeClassifier(c, state: state, batch: 3)
    let tag = finalNorm ? "ln" : "noln"
    let (x, x01, noise) = (golden["x"], golden["x01"], golden["noise"])
    for (text, v) in [("0", 0.0), ("0.5", 0.5), ("1.0", 1), ("2.0", 2)] {
      let inputs = zip(x, noise).map { $0 + Float(v) * $1 }
      let logits = try classifier.logits(inputs: inputs, count: 4, noiseLevel: v)
      let error = largestDifference(logits, golden["logits_\(tag)_noiseaug\(text)"])
      #expect(error < 2e-5, "\(tag) noise \(text): \(error)")
    }
    for (text, sigma) in [("0.25", 0.25), ("0.5", 0.5), ("1.0", 1)] {
      let inputs = zip(x01, noise).map { ($0 + Float(sigma) * $1 - 0.5) / 0.5 }
      let logits = try classifier.logits(inputs: inputs, count: 4, noiseLevel: 2 * sigma)
      let error = largestDifference(logits, golden["certify_logits_\(tag)_sigma\(text)"])
      #expect(error < 2e-5, "\(tag) sigma \(text): \(error)")
    }
  }

  @Test(
    "invariant 1, trap 18: a sample's logits have the same bits in any slot, with any neighbours, batch, thread count and instruction set",
    arguments: configurations.keys.sorted(), CPUDevice.Precision.allCases)
  func slotInvariance(name: String, precision: CPUDevice.Precision) throws {
    let c = configurations[name]!
    guard precision == .f32 || c.width % 2 == 0 else { return }
    let state = randomState(c)
    let count = 13
    let inputs = normals(count * c.imageElements, seed: 5)
    let alone = try device(threads: 1, nil, precision).makeClassifier(c, state: state, batch: 1)
    let expected = try (0..<count).map { i in
      bits(
        try alone.logits(
          inputs: Array(inputs[i * c.imageElements..<(i + 1) * c.imageElements]), count: 1, noiseLevel: 0.5))
    }
    let order = [7, 0, 12, 3, 3, 9, 1, 11, 5, 2, 10, 8, 6, 4]
    for set in instructionSets {
      for (batch, threads, arrangement)
        in [
          (nil, 1, .apart), (1, 3, .apart), (1, 3, .together), (2, 1, .apart), (5, 2, .apart), (5, 2, .together),
          (13, 1, .apart), (64, 4, .apart), (nil, 7, .together),
        ] as [(Int?, Int, CPUDevice.Arrangement)]
      {
        let classifier = try device(threads: threads, set, precision, arrangement).makeClassifier(
          c, state: state, batch: batch)
        let shuffled = order.flatMap { inputs[$0 * c.imageElements..<($0 + 1) * c.imageElements] }
        let logits = bits(try classifier.logits(inputs: shuffled, count: order.count, noiseLevel: 0.5))
        for (slot, sample) in order.enumerated() {
          #expect(
            Array(logits[slot * c.classes..<(slot + 1) * c.classes]) == expected[sample],
            "\(set), batch \(String(describing: batch)), threads \(threads): sample \(sample) in slot \(slot)")
        }
      }
    }
  }

  @Test(
    "invariant 1: votes do not depend on how samples are split into chunks, on batch size or on threads",
    arguments: ["digits-2", "odd"], [Sampler.grid(m: 1), .gaussian])
  func chunkInvariance(name: String, sampler: Sampler) throws {
    let c = configurations[name]!
    var state = randomState(c)
    // Centred logits, so that the noise decides.
    let probe = try device().makeClassifier(c, state: state, batch: nil)
    let logits = try probe.logits(inputs: normals(64 * c.imageElements, seed: 2), count: 64, noiseLevel: 1)
    for (i, logit) in logits.enumerated() { state["linear_head.bias"]!.values[i % c.classes] -= logit / 64 }
    let noise = try NoiseStream(seed: 3, sigma: Sigma("0.5")!, sampler: sampler)
    let pixels = (0..<c.imageElements).map { UInt8(truncatingIfNeeded: $0 * 37) }
    func votes(_ classifier: any Classifier, _ samples: Range<UInt32>) throws -> [Int32] {
      try classifier.votes(
        for: ChunkRequest(pixels: pixels, imageIndex: 4, phase: .estimation, samples: samples, noise: noise))
    }
    let whole = try votes(device().makeClassifier(c, state: state, batch: nil), 0..<250)
    #expect(whole.reduce(0, +) == 250)
    #expect(whole.filter { $0 > 0 }.count > 1, "a test with one class only proves little")
    for (batch, threads, cuts) in [(7, 1, [0, 250]), (250, 2, [0, 1, 99, 100, 250]), (3, 3, [0, 128, 250])] {
      let classifier = try device(threads: threads).makeClassifier(c, state: state, batch: batch)
      var sum = [Int32](repeating: 0, count: c.classes)
      for (start, end) in zip(cuts, cuts.dropFirst()) {
        sum = zip(sum, try votes(classifier, UInt32(start)..<UInt32(end))).map { $0 + $1 }
      }
      #expect(sum == whole)
    }
    #expect(try votes(device().makeClassifier(c, state: state, batch: nil), 9..<9).allSatisfy { $0 == 0 })
  }

  @Test("votes are the classes of the logits of the noisy, normalised image, ties going to the lowest class")
  func votesFollowLogits() throws {
    let c = configurations["digits-4"]!
    var state = randomState(c)
    // Classes 2 and 3 are twins, as are 0 and 1: a tie in every sample.
    for (twin, original) in [(1, 0), (3, 2)] {
      state["linear_head.bias"]!.values[twin] = state["linear_head.bias"]!.values[original]
      for j in 0..<c.width {
        state["linear_head.weight"]!.values[twin * c.width + j] =
          state["linear_head.weight"]!.values[original * c.width + j]
      }
    }
    let classifier = try device().makeClassifier(c, state: state, batch: nil)
    let noise = try NoiseStream(seed: 9, sigma: Sigma("1")!, sampler: .gaussian)
    let pixels = (0..<c.imageElements).map { UInt8(truncatingIfNeeded: $0 * 91) }
    var expected = [Int32](repeating: 0, count: c.classes)
    var image = [Float](repeating: 0, count: c.imageElements)
    for sample in UInt32(0)..<200 {
      pixels.withUnsafeBufferPointer { pixels in
        image.withUnsafeMutableBufferPointer {
          noise.noisyPixels(into: $0, pixels: pixels, imageIndex: 2, phase: .selection, sample: sample)
        }
      }
      let logits = try classifier.logits(inputs: image.map { ($0 - 0.5) / 0.5 }, count: 1, noiseLevel: 2)
      expected[logits.firstIndex(of: logits.max()!)!] += 1
    }
    let votes = try classifier.votes(
      for: ChunkRequest(pixels: pixels, imageIndex: 2, phase: .selection, samples: 0..<200, noise: noise))
    #expect(votes == expected)
    #expect(votes[1] == 0 && votes[3] == 0 && votes[0] + votes[2] > 0)
  }

  @Test("the numerics id names what decides the bits and nothing else")
  func numericsID() throws {
    let c = configurations["digits-4"]!
    let one = try device(threads: 1, "portable").makeClassifier(c, state: randomState(c), batch: 1)
    let other = try device(threads: 2).makeClassifier(c, state: randomState(c), batch: 64)
    #expect(one.numerics == other.numerics)
    #expect(one.numerics.description.hasPrefix("cpu-f32/rrcm-kernels-1/fma16/b1/"))
  }

  @Test(
    "bf16 differs from the authors' float32 logits by the rounding of its factors",
    .enabled(
      if: ReferenceData.has("golden/model_a.safetensors", "golden/finetune_forward_a.safetensors"), ReferenceData.absent
    ))
  func bf16Golden() throws {
    let golden = try Golden("finetune_forward_a")
    var c = Golden.a
    c.classes = golden["head.bias"].count
    c.finalNorm = true
    var state = try Golden("model_a").state
    state["linear_head.weight"] = golden.file["head.weight"]!.tensor()
    state["linear_head.bias"] = golden.file["head.bias"]!.tensor()
    let classifier = try device(threads: 1, nil, .bf16).makeClassifier(c, state: state, batch: 3)
    let inputs = zip(golden["x"], golden["noise"]).map { $0 + 0.5 * $1 }
    let logits = try classifier.logits(inputs: inputs, count: 4, noiseLevel: 0.5)
    let expected = golden["logits_ln_noiseaug0.5"]
    let error = largestDifference(logits, expected)
    let size = expected.map(\.magnitude).max()!
    // A factor is off by up to 2⁻⁹ of itself; errors of many terms mostly cancel.
    #expect(error < size * 0x1p-6 && error > size * 0x1p-16, "largest difference \(error), largest logit \(size)")
  }

  @Test("threads are arranged as the device says, or as was measured, and votes are the same")
  func arrangements() throws {
    let c = configurations["digits-4"]!
    let state = randomState(c)
    let noise = try NoiseStream(seed: 1, sigma: Sigma("0.5")!, sampler: .grid(m: 1))
    let request = ChunkRequest(
      pixels: [UInt8](repeating: 90, count: c.imageElements), imageIndex: 1, phase: .estimation, samples: 5..<88,
      noise: noise)
    let alone = try device().makeClassifier(c, state: state, batch: nil)
    #expect(alone.arrangement == "one thread")
    let expected = try alone.votes(for: request)
    for arrangement in [.apart, .together, nil] as [CPUDevice.Arrangement?] {
      let classifier = try device(threads: 3, nil, .f32, arrangement).makeClassifier(c, state: state, batch: 4)
      #expect(try classifier.votes(for: request) == expected)
      #expect(classifier.arrangement.hasPrefix("3 threads \(arrangement?.rawValue ?? "")"))
      // Both were timed where neither was asked for.
      #expect((arrangement == nil) == (classifier.arrangement.split(separator: " µs").count == 2))
    }
  }

  @Test("bf16 is another numerics id, and says which networks it cannot take")
  func bf16Rules() throws {
    let c = configurations["digits-4"]!
    let classifier = try device(threads: 1, nil, .bf16).makeClassifier(c, state: randomState(c), batch: nil)
    #expect(classifier.numerics.description.hasPrefix("cpu-bf16/rrcm-kernels-2/fma16/b1/"))
    let odd = configurations["odd"]!
    let error = #expect(throws: ComputeError.self) {
      try device(threads: 1, nil, .bf16).makeClassifier(odd, state: randomState(odd), batch: nil)
    }
    #expect(error!.message.contains("heads of width \(odd.headWidth)") && error!.message.contains("f32"))
    var state = randomState(c)
    state["blocks.0.mlp.fc2.bias"]!.values[5] = .nan
    let poisoned = #expect(throws: ComputeError.self) {
      try device(threads: 1, nil, .bf16).makeClassifier(c, state: state, batch: nil)
    }
    #expect(poisoned!.message.contains("blocks.0.mlp.fc2.bias"))
  }

  @Test("an image of another size is refused with both sizes")
  func wrongPixels() throws {
    let c = configurations["digits-4"]!
    let classifier = try device().makeClassifier(c, state: randomState(c), batch: nil)
    let noise = try NoiseStream(seed: 1, sigma: Sigma("0.5")!, sampler: .gaussian)
    let request = ChunkRequest(
      pixels: [1, 2, 3], imageIndex: 8, phase: .selection, samples: 0..<2, noise: noise)
    let error = #expect(throws: ComputeError.self) { try classifier.votes(for: request) }
    #expect(error!.message.contains("image 8 has 3 bytes") && error!.message.contains("64"))
    #expect(throws: ComputeError.self) { try classifier.logits(inputs: [1], count: 1, noiseLevel: 1) }
    #expect(throws: ComputeError.self) {
      try classifier.logits(inputs: [Float](repeating: 0, count: 64), count: 1, noiseLevel: .nan)
    }
  }

  @Test("missing and misshapen tensors are all named with expected and found shape")
  func wrongState() throws {
    let c = configurations["digits-4"]!
    var state = randomState(c)
    state["cls_token"] = nil
    state["blocks.1.mlp.fc1.bias"] = Tensor(shape: [5])
    let error = #expect(throws: ComputeError.self) { try device().makeClassifier(c, state: state, batch: nil) }
    #expect(error!.message.contains("cls_token is missing (shape [1, 1, 48])"))
    #expect(error!.message.contains("blocks.1.mlp.fc1.bias has shape [5], not [192]"))
    var headless = c
    headless.classes = 0
    #expect(throws: ComputeError.self) { try device().makeClassifier(headless, state: state, batch: nil) }
    #expect(throws: ComputeError.self) { try device().makeClassifier(c, state: randomState(c), batch: 0) }
    #expect(throws: ComputeError.self) { try CPUDevice(threads: 0) }
    #expect(throws: ComputeError.self) { try CPUDevice(instructionSet: "sse9") }
  }

  @Test("a logit that is not finite is an error, not a vote", arguments: [Float.nan, .infinity, 3e38])
  func notFinite(poison: Float) throws {
    let c = configurations["digits-4"]!
    var state = randomState(c)
    state["blocks.0.mlp.fc2.bias"]!.values[5] = poison
    state["linear_head.weight"]!.values[5] = 100
    let classifier = try device().makeClassifier(c, state: state, batch: nil)
    let noise = try NoiseStream(seed: 1, sigma: Sigma("0.5")!, sampler: .gaussian)
    let request = ChunkRequest(
      pixels: [UInt8](repeating: 9, count: 64), imageIndex: 8, phase: .estimation, samples: 40..<60, noise: noise)
    let error = #expect(throws: ComputeError.self) { try classifier.votes(for: request) }
    #expect(error!.message.contains("image 8") && error!.message.contains("sample 40"))
  }
}

let instructionSets = ["portable", "avx2", "avx512", "avx512bf16"].filter {
  (try? CPUDevice(instructionSet: $0)) != nil
}
