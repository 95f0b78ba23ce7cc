// Choice of the instruction set, and what needs no choice.
#include <string.h>

#include "kernels_tables.h"

const rrcm_kernels *rrcm_kernels_at(int i) {
  const rrcm_kernels *found[4];
  int count = 0;
  found[count++] = &rrcm_kernels_portable;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    found[count++] = &rrcm_kernels_avx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw")) {
      found[count++] = &rrcm_kernels_avx512;
      if (__builtin_cpu_supports("avx512bf16")) found[count++] = &rrcm_kernels_avx512bf16;
    }
  }
#endif
  return i >= 0 && i < count ? found[i] : NULL;
}

const rrcm_kernels *rrcm_kernels_best(void) {
  const rrcm_kernels *best = NULL, *next;
  for (int i = 0; (next = rrcm_kernels_at(i)) != NULL; i++) best = next;
  return best;
}

void rrcm_pack_transposed(long columns, long depth, const float *w, float *panels) {
  for (long j0 = 0; j0 < columns; j0 += RRCM_LANES, panels += RRCM_LANES * depth) {
    const long n = columns - j0 < RRCM_LANES ? columns - j0 : RRCM_LANES;
    for (long k = 0; k < depth; k++) {
      for (long j = 0; j < n; j++) panels[k * RRCM_LANES + j] = w[(j0 + j) * depth + k];
      for (long j = n; j < RRCM_LANES; j++) panels[k * RRCM_LANES + j] = 0;
    }
  }
}

void rrcm_pack_bf16(long columns, long depth, const float *w, uint16_t *panels) {
  const long count = (columns + RRCM_LANES - 1) / RRCM_LANES * RRCM_LANES;
  for (long j = 0; j < count; j++) {
    uint16_t *panel = panels + j / RRCM_LANES * RRCM_LANES * depth;
    for (long k = 0; k < depth; k++) {
      uint32_t bits = 0;
      if (j < columns) memcpy(&bits, w + j * depth + k, sizeof bits);
      bits = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
      panel[(k / 2 * RRCM_LANES + j % RRCM_LANES) * 2 + k % 2] = (uint16_t)bits;
    }
  }
}

size_t rrcm_attention_scratch(long queries, long tokens, long head_width) {
  const long stride = (tokens + RRCM_LANES - 1) / RRCM_LANES * RRCM_LANES;
  const long width = (head_width + RRCM_LANES - 1) / RRCM_LANES * RRCM_LANES;
  return (size_t)(stride * (width + 2 * queries));
}
