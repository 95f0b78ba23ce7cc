// softmax(Q·Kᵀ/√w)·V of one head of one sample per block (spec 2.3). Two ways: `attention` takes any element and head
// width; `attention_32` and `attention_64` take bfloat16 at those widths through the matrix units.
#include "attention.cuh"

#define QUERY_WARPS 4

/// A warp per query, QUERY_WARPS queries a block; blockIdx.x is the head, .y the sample, .z the group of queries.
RRCM_KERNEL(128) attention(AttentionPlaces a) {
  RRCM_DYNAMIC_SHARED(memory);
  const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  const int query = blockIdx.z * QUERY_WARPS + warp;
  if (query >= a.queries) return;  // no barrier of the whole block below
  float *scores = (float *)memory + warp * (a.tokens + a.width), *q = scores + a.tokens;
  const element *from = a.q + blockIdx.y * a.q_sample + query * a.q_row + blockIdx.x * a.width;
  const float root = 1.0f / sqrtf((float)a.width);
  for (int i = lane; i < a.width; i += WARP) q[i] = to_float(from[i]) * root;
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
  for (int t = lane; t < a.tokens; t += WARP) {
    scores[t] = expf(scores[t] - largest);
    sum += scores[t];
  }
  const float share = 1.0f / warp_sum(sum);
  __syncwarp();
  element *out = a.out + blockIdx.y * a.out_sample + query * a.out_row + blockIdx.x * a.width;
  for (int i = lane; i < a.width; i += WARP) {
    float x = 0;
    for (int t = 0; t < a.tokens; t++) x += scores[t] * to_float(v[t * a.kv_row + i]);
    store(out + i, x * share);
  }
}

#ifdef RRCM_BF16

/// Tokens whose scores are held at once.
#define STEP 64

/// Keys [tokens, W + 8] and values transposed [W, tokens + 8] of the block's head in shared memory, tokens rounded up to
/// 16 and filled with zeros; then 16 queries per warp at a time, with running maximum and sum.
template <int W>
__device__ __forceinline__ void attention_of_width(const AttentionPlaces &a) {
  RRCM_DYNAMIC_SHARED(memory);
  const int padded = (a.tokens + 15) / 16 * 16, k_row = W + 8, v_row = padded + 8;
  uint16_t *keys = (uint16_t *)memory, *values = keys + padded * k_row;
  const element *k = a.k + blockIdx.y * a.kv_sample + blockIdx.x * W;
  const element *v = a.v + blockIdx.y * a.kv_sample + blockIdx.x * W;
  for (int i = threadIdx.x; i < padded * (W / 2); i += blockDim.x) {
    const int t = i / (W / 2), j = i % (W / 2) * 2;
    uint32_t key = 0, value = 0;
    if (t < a.tokens) {
      key = *(const uint32_t *)(k + t * a.kv_row + j);
      value = *(const uint32_t *)(v + t * a.kv_row + j);
    }
    *(uint32_t *)(keys + t * k_row + j) = key;
    values[j * v_row + t] = (uint16_t)value;
    values[(j + 1) * v_row + t] = (uint16_t)(value >> 16);
  }
  __syncthreads();

  const int lane = threadIdx.x % WARP, group = lane / 4, pair = lane % 4 * 2;
  const float scale = 1.4426950408889634f / sqrtf((float)W);
  for (int tile = threadIdx.x / WARP; tile * 16 < a.queries; tile += blockDim.x / WARP) {
    const int row[2] = {tile * 16 + group, tile * 16 + group + 8};
    uint32_t q[W / 16][4];
#pragma unroll
    for (int s = 0; s < W / 16; s++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int r = row[i % 2];
        const element *from =
            a.q + blockIdx.y * a.q_sample + r * a.q_row + blockIdx.x * W + s * 16 + i / 2 * 8 + pair;
        q[s][i] = r < a.queries ? *(const uint32_t *)from : 0;
      }
    }
    float out[W / 8][4] = {}, largest[2], sum[2] = {0, 0};
    largest[0] = largest[1] = -__int_as_float(0x7F800000);
    for (int t0 = 0; t0 < padded; t0 += STEP) {
      float s[STEP / 8][4];
      float highest[2] = {largest[0], largest[1]};
#pragma unroll
      for (int n = 0; n < STEP / 8; n++) {
        s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0;
        const int t = t0 + n * 8;
        if (t < padded) {
#pragma unroll
          for (int w = 0; w < W / 16; w++) {
            const uint16_t *b = keys + (t + group) * k_row + w * 16 + pair;
            mma(s[n], q[w], *(const uint32_t *)b, *(const uint32_t *)(b + 8));
          }
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
          s[n][i] = t + pair + i % 2 < a.tokens ? s[n][i] * scale : -__int_as_float(0x7F800000);
          highest[i / 2] = fmaxf(highest[i / 2], s[n][i]);
        }
      }
#pragma unroll
      for (int h = 0; h < 2; h++) {
        highest[h] = fmaxf(highest[h], __shfl_xor_sync(ALL_LANES, highest[h], 1));
        highest[h] = fmaxf(highest[h], __shfl_xor_sync(ALL_LANES, highest[h], 2));
        const float shrink = power_of_2(largest[h] - highest[h]);
        largest[h] = highest[h];
        sum[h] *= shrink;
#pragma unroll
        for (int j = 0; j < W / 8; j++) {
          out[j][2 * h] *= shrink;
          out[j][2 * h + 1] *= shrink;
        }
      }
#pragma unroll
      for (int n = 0; n < STEP / 8; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
          s[n][i] = power_of_2(s[n][i] - largest[i / 2]);
          sum[i / 2] += s[n][i];
        }
      }
#pragma unroll
      for (int n = 0; n < STEP / 16; n++) {
        const int t = t0 + n * 16;
        if (t < padded) {
          const uint32_t p[4] = {
              bf16_pair(s[2 * n][0], s[2 * n][1]), bf16_pair(s[2 * n][2], s[2 * n][3]),
              bf16_pair(s[2 * n + 1][0], s[2 * n + 1][1]), bf16_pair(s[2 * n + 1][2], s[2 * n + 1][3])};
#pragma unroll
          for (int j = 0; j < W / 8; j++) {
            const uint16_t *b = values + (j * 8 + group) * v_row + t + pair;
            mma(out[j], p, *(const uint32_t *)b, *(const uint32_t *)(b + 8));
          }
        }
      }
    }
#pragma unroll
    for (int h = 0; h < 2; h++) {
      sum[h] += __shfl_xor_sync(ALL_LANES, sum[h], 1);
      sum[h] += __shfl_xor_sync(ALL_LANES, sum[h], 2);
      const float share = 1.0f / sum[h];
      if (row[h] < a.queries) {
        element *to = a.out + blockIdx.y * a.out_sample + row[h] * a.out_row + blockIdx.x * W + pair;
#pragma unroll
        for (int j = 0; j < W / 8; j++) {
          *(uint32_t *)(to + j * 8) = bf16_pair(out[j][2 * h] * share, out[j][2 * h + 1] * share);
        }
      }
    }
  }
}

RRCM_KERNEL(128) attention_32(AttentionPlaces a) { attention_of_width<32>(a); }
RRCM_KERNEL(128) attention_64(AttentionPlaces a) { attention_of_width<64>(a); }

#endif
