import CKernels
import Foundation
import Testing

@testable import ComputeCPU

/// Small shapes around every edge of the tiles: 6 rows, 16 and 64 columns, blocks of 256 terms.
private let shapes = [
  (1, 1, 1), (6, 16, 8), (7, 17, 3), (13, 64, 64), (5, 80, 255), (3, 15, 256), (11, 130, 257), (200, 33, 520),
]

@Suite("CPU kernels")
struct KernelTests {
  @Test(
    "a bf16 product is that of the rounded factors and has the same bits in every instruction set", arguments: shapes)
  func productBF16(rows: Int, columns: Int, depth: Int) {
    let depth = depth + depth % 2
    let a = buffer(rows * depth, seed: 1)
    let w = buffer(columns * depth, seed: 2)
    let (base, bias) = (buffer(rows * columns, seed: 3), buffer(columns, seed: 4))
    // Numbers at the edge of the normal range: read and written as zero below it.
    for i in stride(from: 0, to: rows * depth, by: 7) { a.base[i] *= 0x1p-125 }
    for i in stride(from: 0, to: columns * depth, by: 5) { w.base[i] *= 0x1p-125 }
    func rounded(_ x: Float) -> Double { Double(Float(bitPattern: bf16Bits(x) << 16)) }
    let linear = Linear(outputs: columns, inputs: depth, weight: nil, bias: bias.base, precision: .bf16)
    linear.pack(w.base)
    var (sums, actives): ([[UInt32]], [[UInt16]]) = ([], [])
    for kernels in Kernels.available {
      let factors = Storage<BFloat16Bits>(rows * depth)
      for i in 0..<rows * depth { factors.base[i] = UInt16(bf16Bits(a.base[i])) }
      let (c, active) = (Buffer(rows * columns), Storage<BFloat16Bits>(rows * columns))
      kernels.product(
        rows: rows, BF16Matrix(factors, row: depth), linear, into: Matrix(c.base, row: columns),
        base: Matrix(base.base, row: columns))
      kernels.product(
        rows: rows, BF16Matrix(factors, row: depth), linear, into: BF16Matrix(active, row: columns), gelu: true)
      sums.append(bits(Array(UnsafeBufferPointer(start: c.base, count: rows * columns))))
      actives.append(Array(UnsafeBufferPointer(start: active.base, count: rows * columns)))
      for i in 0..<rows {
        for j in 0..<columns {
          var sum = Double(bias.base[j])
          for k in 0..<depth { sum += rounded(a.base[i * depth + k]) * rounded(w.base[j * depth + k]) }
          let found = Double(c.base[i * columns + j]) - Double(base.base[i * columns + j])
          #expect(abs(found - sum) < 1e-4, "\(kernels.name): \(found) for \(sum)")
        }
      }
    }
    #expect(Set(sums).count == 1 && Set(actives).count == 1)
  }

  @Test("a product is exact to rounding and has the same bits in every instruction set", arguments: shapes)
  func product(rows: Int, columns: Int, depth: Int) {
    let a = buffer(rows * depth, seed: 1)
    let w = buffer(columns * depth, seed: 2)
    let (base, bias) = (buffer(rows * columns, seed: 3), buffer(columns, seed: 4))
    let linear = Linear(outputs: columns, inputs: depth, weight: w.base, bias: nil)
    linear.pack(w.base)
    // The same operands stored the other way round.
    let turned = Buffer(rows * depth)
    for i in 0..<rows { for k in 0..<depth { turned.base[k * rows + i] = a.base[i * depth + k] } }
    let rowsOfB = Buffer(columns * depth)
    for j in 0..<columns { for k in 0..<depth { rowsOfB.base[k * columns + j] = w.base[j * depth + k] } }

    var expected = [Float](repeating: 0, count: rows * columns)
    for i in 0..<rows {
      for j in 0..<columns {
        var sum = Double(base.base[i * columns + j]) + Double(bias.base[j])
        for k in 0..<depth { sum += Double(a.base[i * depth + k]) * Double(w.base[j * depth + k]) }
        expected[i * columns + j] = Float(sum)
      }
    }
    var found: [[Float]] = []
    for kernels in Kernels.available {
      for (left, right) in [
        (Matrix(a.base, row: depth), linear.operand), (Matrix(a.base, row: depth), .rows(rowsOfB.base, row: columns)),
        (Matrix(turned.base, row: rows).transposed, linear.operand),
      ] {
        let c = Buffer(rows * columns)
        kernels.product(
          rows: rows, columns: columns, depth: depth, left, right, into: c.matrix(columns), base: base.matrix(columns),
          bias: bias.base)
        found.append([Float](c, rows * columns))
      }
      // In place, and with rows apart.
      let wide = Buffer(rows * (columns + 3))
      for i in 0..<rows {
        (wide.base + i * (columns + 3)).update(from: base.base + i * columns, count: columns)
        for j in 0..<3 { wide.base[i * (columns + 3) + columns + j] = 77 }
      }
      let into = wide.matrix(columns + 3)
      kernels.product(
        rows: rows, columns: columns, depth: depth, Matrix(a.base, row: depth), linear.operand, into: into, base: into,
        bias: bias.base)
      found.append(
        (0..<rows).flatMap { [Float](UnsafeBufferPointer(start: wide.base + $0 * (columns + 3), count: columns)) })
      let untouched = (0..<rows).allSatisfy { wide.base[$0 * (columns + 3) + columns] == 77 }
      #expect(untouched, "wrote past the last column")
    }
    #expect(largestDifference(found[0], expected) < 4e-6 * Float(depth).squareRoot())
    for other in found.dropFirst() { #expect(bits(other) == bits(found[0])) }
  }

  @Test("GELU and its derivative are within rounding of the exact form, and exact in both tails")
  func gelu() {
    let count = 40_001
    let x = (0..<count).map { Float($0 - 20_000) / 2000 } + [-.infinity, 100, -100, 3e38, .nan]
    let input = Buffer(x.count)
    input.base.update(from: x, count: x.count)
    for kernels in Kernels.available {
      let y = Buffer(x.count)
      let slope = Buffer(x.count)
      slope.base.update(repeating: 1, count: x.count)
      kernels.gelu(count: x.count, input.base, into: y.base)
      kernels.geluBackward(count: x.count, input.base, gradient: slope.base)
      var (worst, worstSlope) = (0.0, 0.0)
      for i in 0..<count {
        let v = Double(x[i])
        let below = 0.5 * erfc(-v / 2.0.squareRoot())
        worst = max(worst, abs(Double(y.base[i]) - v * below) / max(1, abs(v)))
        let exact = below + v * exp(-v * v / 2) / (2 * Double.pi).squareRoot()
        worstSlope = max(worstSlope, abs(Double(slope.base[i]) - exact))
      }
      #expect(worst < 2e-7, "\(kernels.name): \(worst)")
      #expect(worstSlope < 4e-7, "\(kernels.name): \(worstSlope)")
      #expect(y.base[count].isNaN || y.base[count] == 0)
      #expect(y.base[count + 1] == 100 && y.base[count + 2] == 0 && y.base[count + 3] == 3e38)
      #expect(y.base[count + 4].isNaN, "NaN must not be lost")
    }
  }

  @Test(
    "GELU inside a product, LayerNorm, attention and column sums have the same bits in every instruction set",
    arguments: [(8, 2, 6), (27, 3, 18), (48, 3, 17), (64, 1, 66), (96, 4, 33)])
  func sameBits(width: Int, heads: Int, tokens: Int) {
    var found: [[UInt32]] = []
    for kernels in Kernels.available {
      let x = buffer(tokens * width, seed: 1)
      let (gain, bias) = (buffer(width, seed: 2), buffer(width, seed: 3))
      let weight = buffer(2 * width * width, seed: 4)
      let packed = Linear(outputs: 2 * width, inputs: width, weight: weight.base, bias: nil)
      packed.pack(weight.base)
      let (normal, hidden) = (Buffer(tokens * width), Buffer(tokens * 2 * width))
      let norm = Affine(gain: gain.base, bias: bias.base)
      kernels.layerNorm(rows: tokens, width: width, x.matrix(width), norm, into: normal.matrix(width))
      kernels.product(
        rows: tokens, columns: 2 * width, depth: width, normal.matrix(width), packed.operand,
        into: hidden.matrix(2 * width), gelu: true)
      let gradient = buffer(tokens * width, seed: 5)
      let back = Buffer(tokens * width)
      kernels.layerNormBackward(
        rows: tokens, width: width, x.matrix(width), gain: gain.base, gradient: gradient.matrix(width),
        into: back.matrix(width))
      let (gains, biases, sums) = (Buffer(width), Buffer(width), Buffer(width))
      kernels.layerNormGradients(
        rows: tokens, width: width, x.matrix(width), gradient: gradient.matrix(width),
        into: Affine(gain: gains.base, bias: biases.base))
      kernels.columnSums(rows: tokens, columns: width, gradient.matrix(width), into: sums.base)
      let attention = attend(kernels, width: width, heads: heads, tokens: tokens, scale: 1)
      found.append(
        [normal, hidden, back, gains, biases, sums].flatMap { bits([Float]($0, $0.count)) } + bits(attention))
    }
    for other in found.dropFirst() { #expect(other == found[0]) }
  }

  @Test("attention matches plain double precision, also where one key takes all", arguments: [1, 4, 40] as [Float])
  func attention(scale: Float) {
    let (width, heads, tokens) = (24, 2, 18)
    let found = attend(.best, width: width, heads: heads, tokens: tokens, scale: scale)
    let (q, kv) = (buffer(tokens * width, seed: 6), buffer(tokens * 2 * width, seed: 7))
    let w = width / heads
    for h in 0..<heads {
      for i in 0..<tokens {
        let scores = (0..<tokens).map { j in
          (0..<w).reduce(0.0) {
            $0 + Double(scale * q.base[i * width + h * w + $1]) * Double(kv.base[j * 2 * width + h * w + $1])
          } / Double(w).squareRoot()
        }
        let e = scores.map { exp($0 - scores.max()!) }
        for k in 0..<w {
          let expected =
            (0..<tokens).reduce(0.0) {
              $0 + e[$1] * Double(kv.base[$1 * 2 * width + width + h * w + k])
            } / e.reduce(0, +)
          #expect(abs(Double(found[i * width + h * w + k]) - expected) < 2e-6 * Double(scale))
        }
      }
    }
  }

  @Test(
    "bf16 attention is that of rounded factors to bfloat16, with the same bits in every instruction set",
    arguments: [(18, 12), (66, 64), (1, 2), (197, 34)])
  func attentionBF16(tokens: Int, headWidth: Int) {
    let heads = 2
    let width = heads * headWidth
    func rounded(_ buffer: Buffer) -> Storage<BFloat16Bits> {
      let factors = Storage<BFloat16Bits>(buffer.count)
      for i in 0..<buffer.count {
        factors.base[i] = UInt16(bf16Bits(buffer.base[i]))
        buffer.base[i] = Float(bitPattern: UInt32(factors.base[i]) << 16)
      }
      return factors
    }
    let (q, kv) = (buffer(tokens * width, seed: 6), buffer(tokens * 2 * width, seed: 7))
    let (query, keyValue) = (rounded(q), rounded(kv))
    let exact = Buffer(tokens * width)
    let scratch = Buffer(rrcm_attention_scratch(tokens, tokens, headWidth))
    Kernels.best.attention(
      rrcm_attention(
        queries: tokens, tokens: tokens, heads: heads, head_width: headWidth, q: q.base, q_row: width, k: kv.base,
        v: kv.base + width, kv_row: 2 * width, out: exact.base, out_row: width, scratch: scratch.base))
    var found: Set<[UInt16]> = []
    for kernels in Kernels.available {
      let out = Storage<BFloat16Bits>(tokens * width)
      kernels.attention(
        rrcm_attention_bf16(
          queries: tokens, tokens: tokens, heads: heads, head_width: headWidth, q: query.base, q_row: width,
          k: keyValue.base, v: keyValue.base + width, kv_row: 2 * width, out: out.base, out_row: width,
          scratch: scratch.base))
      found.insert(Array(UnsafeBufferPointer(start: out.base, count: tokens * width)))
      for i in 0..<tokens * width {
        // A weight is off by up to 2⁻⁹ of itself, the result by as much again; values are within ±5.
        let error = abs(Float(bitPattern: UInt32(out.base[i]) << 16) - exact.base[i])
        #expect(error < 0x1p-9 * (abs(exact.base[i]) + 5))
      }
    }
    #expect(found.count == 1)
  }

  @Test("LayerNorm of a constant row is its bias, and of a huge row is finite")
  func layerNorm() {
    let width = 21
    let (gain, bias) = (buffer(width, seed: 1), buffer(width, seed: 2))
    for kernels in Kernels.available {
      let x = Buffer(2 * width)
      for j in 0..<width { (x.base[j], x.base[width + j]) = (4, Float(j) * 1e15) }
      kernels.layerNorm(
        rows: 2, width: width, x.matrix(width), Affine(gain: gain.base, bias: bias.base), into: x.matrix(width))
      #expect(bits([Float](x, width)) == bits([Float](bias, width)))
      #expect(![Float](x, 2 * width).contains { !$0.isFinite })
    }
  }
}

private func buffer(_ count: Int, seed: Int64) -> Buffer {
  let buffer = Buffer(count)
  buffer.base.update(from: normals(count, seed: seed), count: count)
  return buffer
}

/// Attention output [tokens, width] of random queries (times `scale`), keys and values.
private func attend(_ kernels: Kernels, width: Int, heads: Int, tokens: Int, scale: Float) -> [Float] {
  let (q, kv) = (buffer(tokens * width, seed: 6), buffer(tokens * 2 * width, seed: 7))
  for i in 0..<q.count { q.base[i] *= scale }
  let out = Buffer(tokens * width)
  let scratch = Buffer((tokens + 15) / 16 * 16 * (width / heads + 2 * tokens))
  kernels.attention(
    rrcm_attention(
      queries: tokens, tokens: tokens, heads: heads, head_width: width / heads, q: q.base, q_row: width, k: kv.base,
      v: kv.base + width, kv_row: 2 * width, out: out.base, out_row: width, scratch: scratch.base))
  return [Float](out, tokens * width)
}

/// The bfloat16 number nearest to a finite x, ties to even.
private func bf16Bits(_ x: Float) -> UInt32 {
  let (down, rest) = (x.bitPattern >> 16, x.bitPattern & 0xFFFF)
  return rest > 0x8000 || rest == 0x8000 && down % 2 == 1 ? down + 1 : down
}
