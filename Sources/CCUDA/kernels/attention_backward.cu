// Gradients of attention.cu's product by its queries, keys and values. Scores are made anew from Q and K; every sum has
// one owner and one order, so nothing is added by chance. Two launches: `…_queries`, a row of scores at a time, which
// also leaves each row's statistics, then `…_keys`, a column at a time.
#include "attention.cuh"

struct AttentionGradientPlaces {
  /// `out` holds what the forward pass made.
  AttentionPlaces forward;
  /// Laid out as `out`.
  const element *out_gradient;
  /// Laid out as q, k and v.
  element *q_gradient, *k_gradient, *v_gradient;
  /// [samples, heads, queries, 2]: the logarithm of the sum of a row's exponentials, and Σ out·out_gradient.
  float *statistics;
  int heads;
};

__device__ __forceinline__ float *statistics_of(const AttentionGradientPlaces &g) {
  return g.statistics + ((long)blockIdx.y * g.heads + blockIdx.x) * g.forward.queries * 2;
}

/// A warp per query, four a block; blockIdx.x is the head, .y the sample, .z the group of queries.
RRCM_KERNEL(128) attention_backward_queries(AttentionGradientPlaces g) {
  RRCM_DYNAMIC_SHARED(memory);
  const AttentionPlaces &a = g.forward;
  const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, query = blockIdx.z * 4 + warp;
  if (query >= a.queries) return;  // no barrier of the whole block below
  float *scores = (float *)memory + warp * (a.tokens + 2 * a.width), *q = scores + a.tokens, *d = q + a.width;
  const long q_place = blockIdx.y * a.q_sample + query * a.q_row + blockIdx.x * a.width;
  const long out_place = blockIdx.y * a.out_sample + query * a.out_row + blockIdx.x * a.width;
  const float root = 1.0f / sqrtf((float)a.width);
  float delta = 0;
  for (int i = lane; i < a.width; i += WARP) {
    q[i] = to_float(a.q[q_place + i]) * root;
    d[i] = to_float(g.out_gradient[out_place + i]);
    delta += d[i] * to_float(a.out[out_place + i]);
  }
  delta = warp_sum(delta);
  __syncwarp();
  const element *k = a.k + blockIdx.y * a.kv_sample + blockIdx.x * a.width;
  const element *v = a.v + blockIdx.y * a.kv_sample + blockIdx.x * a.width;
  float largest = -__int_as_float(0x7F800000);
  for (int t = lane; t < a.tokens; t += WARP) {
    float x = 0;
    for (int i = 0; i < a.width; i++) x += q[i] * to_float(k[t * a.kv_row + i]);
    scores[t] = x;
    largest = fmaxf(largest, x);
  }
  largest = warp_largest(largest);
  float sum = 0;
  for (int t = lane; t < a.tokens; t += WARP) sum += expf(scores[t] - largest);
  const float whole = largest + logf(warp_sum(sum));
  for (int t = lane; t < a.tokens; t += WARP) {
    float x = 0;
    for (int i = 0; i < a.width; i++) x += d[i] * to_float(v[t * a.kv_row + i]);
    scores[t] = expf(scores[t] - whole) * (x - delta) * root;
  }
  __syncwarp();
  for (int i = lane; i < a.width; i += WARP) {
    float x = 0;
    for (int t = 0; t < a.tokens; t++) x += scores[t] * to_float(k[t * a.kv_row + i]);
    store(g.q_gradient + q_place + i, x);
  }
  if (lane == 0) {
    float *statistics = statistics_of(g) + 2 * query;
    statistics[0] = whole, statistics[1] = delta;
  }
}

/// A warp per key, four a block; blockIdx.z is the group of keys.
RRCM_KERNEL(128) attention_backward_keys(AttentionGradientPlaces g) {
  RRCM_DYNAMIC_SHARED(memory);
  const AttentionPlaces &a = g.forward;
  const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, key = blockIdx.z * 4 + warp;
  if (key >= a.tokens) return;  // no barrier of the whole block below
  float *share = (float *)memory + warp * 2 * (a.queries + a.width), *slope = share + a.queries;
  float *k = slope + a.queries, *v = k + a.width;
  const long place = blockIdx.y * a.kv_sample + key * a.kv_row + blockIdx.x * a.width;
  const element *q = a.q + blockIdx.y * a.q_sample + blockIdx.x * a.width;
  const element *d = g.out_gradient + blockIdx.y * a.out_sample + blockIdx.x * a.width;
  const float root = 1.0f / sqrtf((float)a.width);
  for (int i = lane; i < a.width; i += WARP) {
    k[i] = to_float(a.k[place + i]);
    v[i] = to_float(a.v[place + i]);
  }
  __syncwarp();
  const float *statistics = statistics_of(g);
  for (int r = lane; r < a.queries; r += WARP) {
    float x = 0, y = 0;
    for (int i = 0; i < a.width; i++) {
      x += to_float(q[r * a.q_row + i]) * root * k[i];
      y += to_float(d[r * a.out_row + i]) * v[i];
    }
    share[r] = expf(x - statistics[2 * r]);
    slope[r] = share[r] * (y - statistics[2 * r + 1]) * root;
  }
  __syncwarp();
  for (int i = lane; i < a.width; i += WARP) {
    float x = 0, y = 0;
    for (int r = 0; r < a.queries; r++) {
      x += slope[r] * to_float(q[r * a.q_row + i]);
      y += share[r] * to_float(d[r * a.out_row + i]);
    }
    store(g.k_gradient + place + i, x);
    store(g.v_gradient + place + i, y);
  }
}

#ifdef RRCM_BF16

/// Rows of one head [count, W], from memory to [padded, W + 8] in shared memory, zeros past the last.
template <int W>
__device__ __forceinline__ void load_rows(uint16_t *to, const element *from, long row, int count, int padded) {
  for (int i = threadIdx.x; i < padded * (W / 2); i += blockDim.x) {
    const int t = i / (W / 2), j = i % (W / 2) * 2;
    *(uint32_t *)(to + t * (W + 8) + j) = t < count ? *(const uint32_t *)(from + t * row + j) : 0;
  }
}

/// Sixteen rows of one head as the matrix units' first operand, zeros past `count`.
template <int W>
__device__ __forceinline__ void load_operand(
    uint32_t to[W / 16][4], const element *from, long row, int first, int count, int lane) {
#pragma unroll
  for (int s = 0; s < W / 16; s++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int r = first + lane / 4 + i % 2 * 8;
      to[s][i] = r < count ? *(const uint32_t *)(from + r * row + s * 16 + i / 2 * 8 + lane % 4 * 2) : 0;
    }
  }
}

/// [16, 16] += rows a · (sixteen rows of b)ᵀ, as two tiles of eight columns.
template <int W>
__device__ __forceinline__ void against_rows(
    float to[2][4], const uint32_t a[W / 16][4], const uint16_t *b, int lane) {
#pragma unroll
  for (int n = 0; n < 2; n++) {
#pragma unroll
    for (int s = 0; s < W / 16; s++) {
      const uint16_t *from = b + (n * 8 + lane / 4) * (W + 8) + s * 16 + lane % 4 * 2;
      mma(to[n], a[s], *(const uint32_t *)from, *(const uint32_t *)(from + 8));
    }
  }
}

/// [16, W] += x [16, 16] · sixteen rows of b [16, W].
template <int W>
__device__ __forceinline__ void times_rows(float to[W / 8][4], const float x[2][4], const uint16_t *b, int lane) {
  const uint32_t a[4] = {
      bf16_pair(x[0][0], x[0][1]), bf16_pair(x[0][2], x[0][3]), bf16_pair(x[1][0], x[1][1]),
      bf16_pair(x[1][2], x[1][3])};
  const int row = W + 8;
#pragma unroll
  for (int j = 0; j < W / 8; j++) {
    const uint16_t *from = b + lane % 4 * 2 * row + j * 8 + lane / 4;
    mma(to[j], a, from[0] | (uint32_t)from[row] << 16, from[8 * row] | (uint32_t)from[9 * row] << 16);
  }
}

template <int W>
__device__ __forceinline__ void store_rows(
    element *to, long row, int first, int count, const float x[W / 8][4], int lane) {
#pragma unroll
  for (int h = 0; h < 2; h++) {
    const int r = first + lane / 4 + 8 * h;
    if (r < count) {
#pragma unroll
      for (int j = 0; j < W / 8; j++) {
        *(uint32_t *)(to + r * row + j * 8 + lane % 4 * 2) = bf16_pair(x[j][2 * h], x[j][2 * h + 1]);
      }
    }
  }
}

__device__ __forceinline__ float quad_sum(float x) {
  x += __shfl_xor_sync(ALL_LANES, x, 1);
  return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

/// Keys and values in shared memory, sixteen queries a warp at a time: statistics first, then the gradient.
template <int W>
__device__ __forceinline__ void backward_queries(const AttentionGradientPlaces &g) {
  RRCM_DYNAMIC_SHARED(memory);
  const AttentionPlaces &a = g.forward;
  const int padded = (a.tokens + 15) / 16 * 16, lane = threadIdx.x % WARP, pair = lane % 4 * 2;
  uint16_t *keys = (uint16_t *)memory, *values = keys + padded * (W + 8);
  load_rows<W>(keys, a.k + blockIdx.y * a.kv_sample + blockIdx.x * W, a.kv_row, a.tokens, padded);
  load_rows<W>(values, a.v + blockIdx.y * a.kv_sample + blockIdx.x * W, a.kv_row, a.tokens, padded);
  __syncthreads();
  const float root = 1.0f / sqrtf((float)W), scale = 1.4426950408889634f * root;
  const long q_place = blockIdx.y * a.q_sample + blockIdx.x * W, out_place = blockIdx.y * a.out_sample + blockIdx.x * W;
  float *statistics = statistics_of(g);
  for (int first = threadIdx.x / WARP * 16; first < a.queries; first += blockDim.x / WARP * 16) {
    uint32_t q[W / 16][4], d[W / 16][4];
    load_operand<W>(q, a.q + q_place, a.q_row, first, a.queries, lane);
    load_operand<W>(d, g.out_gradient + out_place, a.out_row, first, a.queries, lane);
    float delta[2] = {0, 0}, largest[2], sum[2] = {0, 0};
    {
      uint32_t o[W / 16][4];
      load_operand<W>(o, a.out + out_place, a.out_row, first, a.queries, lane);
#pragma unroll
      for (int s = 0; s < W / 16; s++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          delta[i % 2] += __uint_as_float(d[s][i] << 16) * __uint_as_float(o[s][i] << 16);
          delta[i % 2] += __uint_as_float(d[s][i] & 0xFFFF0000u) * __uint_as_float(o[s][i] & 0xFFFF0000u);
        }
      }
    }
    largest[0] = largest[1] = -__int_as_float(0x7F800000);
    for (int t0 = 0; t0 < padded; t0 += 16) {
      float s[2][4] = {};
      against_rows<W>(s, q, keys + t0 * (W + 8), lane);
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float highest = largest[h];
#pragma unroll
        for (int i = 0; i < 4; i++) {
          float &x = s[i / 2][2 * h + i % 2];
          x = t0 + i / 2 * 8 + pair + i % 2 < a.tokens ? x * scale : -__int_as_float(0x7F800000);
          highest = fmaxf(highest, x);
        }
        highest = fmaxf(highest, __shfl_xor_sync(ALL_LANES, highest, 1));
        highest = fmaxf(highest, __shfl_xor_sync(ALL_LANES, highest, 2));
        sum[h] *= power_of_2(largest[h] - highest);
        largest[h] = highest;
#pragma unroll
        for (int i = 0; i < 4; i++) sum[h] += power_of_2(s[i / 2][2 * h + i % 2] - highest);
      }
    }
    float whole[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
      delta[h] = quad_sum(delta[h]);
      whole[h] = largest[h] + log2f(quad_sum(sum[h]));
      const int r = first + lane / 4 + 8 * h;
      if (pair == 0 && r < a.queries) statistics[2 * r] = whole[h], statistics[2 * r + 1] = delta[h];
    }
    float gradient[W / 8][4] = {};
    for (int t0 = 0; t0 < padded; t0 += 16) {
      float s[2][4] = {}, x[2][4] = {};
      against_rows<W>(s, q, keys + t0 * (W + 8), lane);
      against_rows<W>(x, d, values + t0 * (W + 8), lane);
#pragma unroll
      for (int n = 0; n < 2; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const float share = power_of_2(s[n][i] * scale - whole[i / 2]);
          x[n][i] = t0 + n * 8 + pair + i % 2 < a.tokens ? share * (x[n][i] - delta[i / 2]) * root : 0.0f;
        }
      }
      times_rows<W>(gradient, x, keys + t0 * (W + 8), lane);
    }
    store_rows<W>(g.q_gradient + q_place, a.q_row, first, a.queries, gradient, lane);
  }
}

/// Queries and the output's gradient in shared memory, sixteen keys a warp at a time.
template <int W>
__device__ __forceinline__ void backward_keys(const AttentionGradientPlaces &g) {
  RRCM_DYNAMIC_SHARED(memory);
  const AttentionPlaces &a = g.forward;
  const int padded = (a.queries + 15) / 16 * 16, lane = threadIdx.x % WARP, pair = lane % 4 * 2;
  uint16_t *queries = (uint16_t *)memory, *outs = queries + padded * (W + 8);
  float *whole = (float *)(outs + padded * (W + 8)), *delta = whole + padded;
  load_rows<W>(queries, a.q + blockIdx.y * a.q_sample + blockIdx.x * W, a.q_row, a.queries, padded);
  load_rows<W>(outs, g.out_gradient + blockIdx.y * a.out_sample + blockIdx.x * W, a.out_row, a.queries, padded);
  const float *statistics = statistics_of(g);
  for (int r = threadIdx.x; r < padded; r += blockDim.x) {
    // Rows past the last have no share in anything.
    whole[r] = r < a.queries ? statistics[2 * r] : __int_as_float(0x7F800000);
    delta[r] = r < a.queries ? statistics[2 * r + 1] : 0.0f;
  }
  __syncthreads();
  const float root = 1.0f / sqrtf((float)W), scale = 1.4426950408889634f * root;
  const long place = blockIdx.y * a.kv_sample + blockIdx.x * W;
  for (int first = threadIdx.x / WARP * 16; first < a.tokens; first += blockDim.x / WARP * 16) {
    uint32_t k[W / 16][4], v[W / 16][4];
    load_operand<W>(k, a.k + place, a.kv_row, first, a.tokens, lane);
    load_operand<W>(v, a.v + place, a.kv_row, first, a.tokens, lane);
    float k_gradient[W / 8][4] = {}, v_gradient[W / 8][4] = {};
    for (int r0 = 0; r0 < padded; r0 += 16) {
      float s[2][4] = {}, x[2][4] = {};
      against_rows<W>(s, k, queries + r0 * (W + 8), lane);
      against_rows<W>(x, v, outs + r0 * (W + 8), lane);
#pragma unroll
      for (int n = 0; n < 2; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          const int r = r0 + n * 8 + pair + i % 2;
          s[n][i] = power_of_2(s[n][i] * scale - whole[r]);
          x[n][i] = s[n][i] * (x[n][i] - delta[r]) * root;
        }
      }
      times_rows<W>(v_gradient, s, outs + r0 * (W + 8), lane);
      times_rows<W>(k_gradient, x, queries + r0 * (W + 8), lane);
    }
    store_rows<W>(g.k_gradient + place, a.kv_row, first, a.tokens, k_gradient, lane);
    store_rows<W>(g.v_gradient + place, a.kv_row, first, a.tokens, v_gradient, lane);
  }
}

RRCM_KERNEL(128) attention_backward_queries_32(AttentionGradientPlaces g) { backward_queries<32>(g); }
RRCM_KERNEL(128) attention_backward_queries_64(AttentionGradientPlaces g) { backward_queries<64>(g); }
RRCM_KERNEL(128) attention_backward_keys_32(AttentionGradientPlaces g) { backward_keys<32>(g); }
RRCM_KERNEL(128) attention_backward_keys_64(AttentionGradientPlaces g) { backward_keys<64>(g); }

#endif
