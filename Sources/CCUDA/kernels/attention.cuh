// What attention and its gradient share: where operands lie, and the matrix units' product.
#ifndef RRCM_ATTENTION_CUH
#define RRCM_ATTENTION_CUH

#include "common.cuh"

typedef RRCM_ELEMENT element;

/// Where a product's operands lie: distances between tokens and between samples, in elements.
struct AttentionPlaces {
  const element *q, *k, *v;
  element *out;
  long q_row, q_sample, kv_row, kv_sample, out_row, out_sample;
  int queries, tokens, width;
};

#ifdef RRCM_BF16

/// d += a·b, 16×8 += 16×16 · 16×8, by a warp: the fragments of PTX's mma.m16n8k16 (row, col).
__device__ __forceinline__ void mma(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1) {
#ifdef RRCM_EMULATED
  emulated_mma(d, a, b0, b1);
#else
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

__device__ __forceinline__ float power_of_2(float x) {
#ifdef RRCM_EMULATED
  return exp2f(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

#endif

#endif
