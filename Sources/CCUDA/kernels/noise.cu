// Noise, normalisation and patches in one pass. Compiled without contraction: the noise bits are those of the CPU
// (`rrcm-noise-1`), and so is every float32 operation up to the patches.
#include "common.cuh"

/// The rounded normal: k = lowest + (number of thresholds at or under a 64-bit uniform).
struct GridTable {
  const uint64_t *thresholds;
  const uint32_t *guide;
  uint32_t count;
  uint32_t guide_bits;
  int32_t lowest;
  int32_t m;
};

/// Where an image's elements go: its patches' rows.
struct Geometry {
  int32_t channels, side, patch;
};

struct Uniforms {
  uint64_t even, odd;
};

/// Philox4x32-10 of (pair, sample, image, phase): the uniforms of elements 2·pair and 2·pair + 1.
__device__ __forceinline__ Uniforms uniforms(const Chunk &chunk, uint32_t pair, uint32_t sample) {
  uint32_t c0 = pair, c1 = sample, c2 = chunk.image, c3 = chunk.phase;
  uint32_t k0 = chunk.key[0], k1 = chunk.key[1];
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {(uint64_t)c1 << 32 | c0, (uint64_t)c3 << 32 | c2};
}

__device__ __forceinline__ int32_t rounded_normal(uint64_t u, const GridTable &table) {
  uint32_t below = table.guide[u >> (64 - table.guide_bits)];
  while (below < table.count && table.thresholds[below] <= u) below++;
  return table.lowest + (int32_t)below;
}

/// ln u for u in (0, 1], in the CPU's order of operations.
__device__ __forceinline__ double natural_log(double u) {
  const int64_t bits = __double_as_longlong(u);
  int64_t k = (int64_t)((uint64_t)bits >> 52) - 1023;
  double f = __longlong_as_double((bits & 0x000FFFFFFFFFFFFFll) | 0x3FF0000000000000ll);
  if (f > 1.4142135623730951) {
    f = f * 0.5;
    k += 1;
  }
  const double s = (f - 1.0) / (f + 1.0), z = s * s;
  double series = 1.0 / 25;
#pragma unroll
  for (int n = 23; n >= 3; n -= 2) series = series * z + 1.0 / n;
  return (double)k * 0.69314718055994530942 + 2.0 * s * (1.0 + series * z);
}

/// Two standard normals of a pair's uniforms: Box–Muller, rounded once to float32.
__device__ __forceinline__ void normals(Uniforms u, float *first, float *second) {
  const double r = sqrt(-2.0 * natural_log((double)(int64_t)((u.even >> 11) + 1) * 0x1p-53));
  const double v = (double)(int64_t)(u.odd >> 11) * 0x1p-53;
  const int32_t quarter = (int32_t)(v * 4.0 + 0.5);
  const double x = (v - (double)quarter * 0.25) * 6.28318530717958647692, z = x * x;
  const double s =
      x * (1.0 + z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880 + z * (-1.0 / 39916800 +
           z * (1.0 / 6227020800.0 + z * (-1.0 / 1307674368000.0 + z * (1.0 / 355687428096000.0)))))))));
  const double c =
      1.0 + z * (-0.5 + z * (1.0 / 24 + z * (-1.0 / 720 + z * (1.0 / 40320 + z * (-1.0 / 3628800 +
           z * (1.0 / 479001600 + z * (-1.0 / 87178291200.0 + z * (1.0 / 20922789888000.0))))))));
  double cosine = quarter & 1 ? s : c, sine = quarter & 1 ? c : s;
  if ((quarter + 1) & 2) cosine = -cosine;
  if (quarter & 2) sine = -sine;
  *first = (float)(r * cosine);
  *second = (float)(r * sine);
}

/// Offset of element e of an image [C, S, S] among its patches [N, C·p²].
__device__ __forceinline__ long patch_place(const Geometry &g, int e) {
  const int x = e % g.side, y = e / g.side % g.side, c = e / g.side / g.side;
  const int row = (y / g.patch) * (g.side / g.patch) + x / g.patch;
  return (long)row * g.channels * g.patch * g.patch + (c * g.patch + y % g.patch) * g.patch + x % g.patch;
}

/// Pixels in [0, 1] to [-1, 1] and times c_in.
__device__ __forceinline__ float normalised(float x, float scale) { return (x - 0.5f) * 2.0f * scale; }

/// Patches [n, N, C·p²] of the noisy samples *first … *first + n − 1 of one image, `grid` sampler. A thread per pair of
/// elements; blockIdx.y is the sample. Samples past the chunk's end are drawn too, and never counted.
RRCM_KERNEL(256) grid_patches(
    float *patches, const uint8_t *pixels, const Chunk *chunk, const uint32_t *first, const GridTable *grid, Geometry g,
    int elements) {
  const int pair = blockIdx.x * blockDim.x + threadIdx.x, e = 2 * pair;
  if (e >= elements) return;
  const GridTable table = *grid;
  const Uniforms u = uniforms(*chunk, (uint32_t)pair, *first + blockIdx.y);
  const float unit = (float)(255 * table.m), scale = chunk->scale;
  float *out = patches + (long)blockIdx.y * elements;
  const int32_t a = table.m * pixels[e] + rounded_normal(u.even, table);
  out[patch_place(g, e)] = normalised(__fdiv_rn((float)a, unit), scale);
  if (e + 1 < elements) {
    const int32_t b = table.m * pixels[e + 1] + rounded_normal(u.odd, table);
    out[patch_place(g, e + 1)] = normalised(__fdiv_rn((float)b, unit), scale);
  }
}

/// The same, `gaussian` sampler.
RRCM_KERNEL(256) gaussian_patches(
    float *patches, const uint8_t *pixels, const Chunk *chunk, const uint32_t *first, Geometry g,
    int elements) {
  const int pair = blockIdx.x * blockDim.x + threadIdx.x, e = 2 * pair;
  if (e >= elements) return;
  float a, b;
  normals(uniforms(*chunk, (uint32_t)pair, *first + blockIdx.y), &a, &b);
  const float scale = chunk->scale, sigma = chunk->sigma;
  float *out = patches + (long)blockIdx.y * elements;
  out[patch_place(g, e)] = normalised(__fdiv_rn((float)pixels[e], 255.0f) + sigma * a, scale);
  if (e + 1 < elements) {
    out[patch_place(g, e + 1)] = normalised(__fdiv_rn((float)pixels[e + 1], 255.0f) + sigma * b, scale);
  }
}

/// Patches of given network inputs [n, C, S, S], times c_in. A thread per element; blockIdx.y is the sample.
RRCM_KERNEL(256) input_patches(float *patches, const float *inputs, const Chunk *chunk, Geometry g, int elements) {
  const int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  const long sample = (long)blockIdx.y * elements;
  patches[sample + patch_place(g, e)] = inputs[sample + e] * chunk->scale;
}

/// After a batch: where the next one of this stream starts.
RRCM_KERNEL(32) advance(uint32_t *first, uint32_t step) {
  if (threadIdx.x == 0) *first += step;
}
