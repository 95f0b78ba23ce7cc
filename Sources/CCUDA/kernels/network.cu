// What the network does beside its matrix products: tokens, LayerNorm, GELU, votes. RRCM_ELEMENT is what linear layers
// read (bf16 or float); the residual stream, sums and statistics are float32. Every reduction has one fixed order.
#include "common.cuh"

typedef RRCM_ELEMENT element;

__device__ __forceinline__ void load8(const float *p, float x[8]) {
  const float4 a = *(const float4 *)p, b = *(const float4 *)(p + 4);
  x[0] = a.x, x[1] = a.y, x[2] = a.z, x[3] = a.w, x[4] = b.x, x[5] = b.y, x[6] = b.z, x[7] = b.w;
}

__device__ __forceinline__ void load8(const bf16 *p, float x[8]) {
  const uint4 a = *(const uint4 *)p;
  const uint32_t pairs[4] = {a.x, a.y, a.z, a.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    x[2 * i] = __uint_as_float(pairs[i] << 16);
    x[2 * i + 1] = __uint_as_float(pairs[i] & 0xFFFF0000u);
  }
}

__device__ __forceinline__ void store8(float *p, const float x[8]) {
  *(float4 *)p = make_float4(x[0], x[1], x[2], x[3]);
  *(float4 *)(p + 4) = make_float4(x[4], x[5], x[6], x[7]);
}

__device__ __forceinline__ void store8(bf16 *p, const float x[8]) {
  *(uint4 *)p = make_uint4(bf16_pair(x[0], x[1]), bf16_pair(x[2], x[3]), bf16_pair(x[4], x[5]), bf16_pair(x[6], x[7]));
}

/// Tokens [n, T, d] = what each token starts from [T, d], plus the embedded patches [n, T − 2, d] from token 2 on.
RRCM_KERNEL(256) embed(float *tokens, const float *start, const float *patches, int count, int width, long total) {
  const long i = (long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= total) return;
  const int j = (int)(i % width), t = (int)(i / width % count);
  const long sample = i / width / count;
  float x = start[t * width + j];
  if (t >= 2) x += patches[(sample * (count - 2) + t - 2) * width + j];
  tokens[i] = x;
}

/// y = LayerNorm(x)·gain + bias, row by row; a warp per row, four rows a block. 1e-5 is added to the variance.
template <typename T>
__device__ __forceinline__ void layer_norm_row(
    T *y, const float *x, const float *gain, const float *bias, int width, int lane) {
  if (width % 8 == 0 && width <= 1024) {
    float v[4][8], sum = 0, squares = 0;
#pragma unroll
    for (int p = 0; p < 4; p++) {
      const int j = (p * WARP + lane) * 8;
      if (j < width) {
        load8(x + j, v[p]);
#pragma unroll
        for (int i = 0; i < 8; i++) sum += v[p][i];
      }
    }
    const float mean = warp_sum(sum) / (float)width;
#pragma unroll
    for (int p = 0; p < 4; p++) {
      if ((p * WARP + lane) * 8 < width) {
#pragma unroll
        for (int i = 0; i < 8; i++) squares += (v[p][i] - mean) * (v[p][i] - mean);
      }
    }
    const float scale = 1.0f / sqrtf(warp_sum(squares) / (float)width + 1e-5f);
#pragma unroll
    for (int p = 0; p < 4; p++) {
      const int j = (p * WARP + lane) * 8;
      if (j < width) {
        float g[8], b[8];
        load8(gain + j, g);
        load8(bias + j, b);
#pragma unroll
        for (int i = 0; i < 8; i++) v[p][i] = (v[p][i] - mean) * scale * g[i] + b[i];
        store8(y + j, v[p]);
      }
    }
    return;
  }
  float sum = 0, squares = 0;
  for (int j = lane; j < width; j += WARP) sum += x[j];
  const float mean = warp_sum(sum) / (float)width;
  for (int j = lane; j < width; j += WARP) squares += (x[j] - mean) * (x[j] - mean);
  const float scale = 1.0f / sqrtf(warp_sum(squares) / (float)width + 1e-5f);
  for (int j = lane; j < width; j += WARP) store(y + j, (x[j] - mean) * scale * gain[j] + bias[j]);
}

RRCM_KERNEL(128) layer_norm(
    element *y, const float *x, const float *gain, const float *bias, int width, long rows) {
  const long row = (long)blockIdx.x * 4 + threadIdx.x / WARP;
  if (row < rows) layer_norm_row(y + row * width, x + row * width, gain, bias, width, threadIdx.x % WARP);
}

/// The same with a float32 result: the final norm.
RRCM_KERNEL(128) layer_norm_float(
    float *y, const float *x, const float *gain, const float *bias, int width, long rows) {
  const long row = (long)blockIdx.x * 4 + threadIdx.x / WARP;
  if (row < rows) layer_norm_row(y + row * width, x + row * width, gain, bias, width, threadIdx.x % WARP);
}

__device__ __forceinline__ float gelu_of(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }

/// x = GELU(x + bias), rows of `columns`, in place; eight elements a thread.
RRCM_KERNEL(256) bias_gelu(element *x, const float *bias, int columns, long count) {
  const long i = ((long)blockIdx.x * blockDim.x + threadIdx.x) * 8;
  if (columns % 8 == 0) {
    if (i >= count) return;
    float v[8], b[8];
    load8(x + i, v);
    load8(bias + i % columns, b);
#pragma unroll
    for (int k = 0; k < 8; k++) v[k] = gelu_of(v[k] + b[k]);
    store8(x + i, v);
  } else {
    for (long k = i; k < i + 8 && k < count; k++) store(x + k, gelu_of(to_float(x[k]) + bias[k % columns]));
  }
}

/// The class of the largest logit, the lowest of equals, of each sample before the chunk's end is counted once. A warp
/// per sample, four a block. A sample with a logit that is not finite goes to `spoiled` instead, the lowest one stays.
RRCM_KERNEL(128) count_votes(
    int *votes, uint32_t *spoiled, const float *logits, const Chunk *chunk, const uint32_t *first, int classes,
    int batch) {
  const int slot = blockIdx.x * 4 + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (slot >= batch) return;
  const uint32_t sample = *first + (uint32_t)slot;
  const float *row = logits + (long)slot * classes;
  float best = -__int_as_float(0x7F800000);
  int top = classes, bad = 0;
  for (int k = lane; k < classes; k += WARP) {
    const float x = row[k];
    bad |= !(fabsf(x) < __int_as_float(0x7F800000));
    if (x > best) best = x, top = k;
  }
  for (int step = WARP / 2; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(ALL_LANES, best, step);
    const int class_ = __shfl_xor_sync(ALL_LANES, top, step);
    bad |= __shfl_xor_sync(ALL_LANES, bad, step);
    if (other > best || (other == best && class_ < top)) best = other, top = class_;
  }
  if (lane != 0 || sample >= chunk->end) return;
  if (bad) {
    atomicMin(spoiled, sample);
  } else {
    atomicAdd(votes + top, 1);
  }
}
