// The noise, eight Philox counters (sixteen elements) at a time. Included after kernels_body.h by each instruction set's
// file. Integer arithmetic, and IEEE double operations in one written order (nothing is contracted): every set gives the
// bits of noise.c's definition, which are `rrcm-noise-1` and never change.
#define COUNTERS 8

typedef uint64_t u8x64 __attribute__((vector_size(64), aligned(8)));
typedef int64_t s8x64 __attribute__((vector_size(64), aligned(8)));
typedef int32_t s8x32 __attribute__((vector_size(32), aligned(4)));
typedef double d8 __attribute__((vector_size(64), aligned(8)));

INLINE u8x64 FN(splat64)(uint64_t x) { return x - (u8x64){0}; }
INLINE d8 FN(choose_double)(s8x64 mask, d8 yes, d8 no) { return (d8)((mask & (s8x64)yes) | (~mask & (s8x64)no)); }

// Uniforms of elements 2·pair … 2·pair + 15: even[j] and odd[j] belong to counter pair + j. Philox4x32-10, a word per
// 64-bit lane; what lies above a lane's low word is ignored by the multiplication and masked at the end.
INLINE void FN(uniforms)(const rrcm_noise_place *place, uint32_t pair, u8x64 *even, u8x64 *odd) {
  const u8x64 word = FN(splat64)(0xFFFFFFFFu);
  u8x64 c0 = (FN(splat64)(pair) + (u8x64){0, 1, 2, 3, 4, 5, 6, 7}) & word;
  u8x64 c1 = FN(splat64)(place->sample), c2 = FN(splat64)(place->image), c3 = FN(splat64)(place->phase);
  uint32_t k0 = place->key[0], k1 = place->key[1];
  UNROLL
  for (int round = 0; round < 10; round++) {
    const u8x64 p0 = (c0 & word) * 0xD2511F53u, p1 = (c2 & word) * 0xCD9E8D57u;
    c0 = (p1 >> 32) ^ c1 ^ k0;
    c1 = p1;
    c2 = (p0 >> 32) ^ c3 ^ k1;
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  *even = (c1 << 32) | (c0 & word);
  *odd = (c3 << 32) | (c2 & word);
}

INLINE int32_t FN(count_from)(uint32_t below, uint64_t u, const rrcm_grid_table *table) {
  while (below < table->count && table->thresholds[below] <= u) below++;
  return (int32_t)below;
}

// Number of thresholds at or under u. Most steps of the packed guide, which fits the first cache, hold no threshold.
INLINE int32_t FN(count_packed)(uint64_t u, const rrcm_grid_table *table) {
  const uint32_t entry = table->packed[u >> (64 - table->packed_bits)];
  uint32_t below = entry >> 1;
  return __builtin_expect(entry & 1, 0) ? FN(count_from)(below, u, table) : (int32_t)below;
}

// The same by the coarse guide. One comparison decides nearly always.
INLINE int32_t FN(count_guided)(uint64_t u, const rrcm_grid_table *table) {
  uint32_t below = table->guide[u >> (64 - table->guide_bits)];
  below += (uint32_t)((below < table->count) & (table->thresholds[below] <= u));
  while (__builtin_expect(below < table->count && table->thresholds[below] <= u, 0)) below++;
  return (int32_t)below;
}

// Blocks of sixteen elements whose uniforms are drawn before any of them is looked at again.
#define RUN 16

// k of elements 2·pair … 2·pair + 16·blocks - 1; blocks <= RUN.
INLINE void FN(grid_run)(const rrcm_noise_place *place, uint32_t pair, const rrcm_grid_table *table, size_t blocks, i16 *k) {
  uint64_t u[RUN][16];
#ifdef GATHERS
  if (table->packed) {
    // One look for every lane; those whose step holds a threshold wait until the run is drawn, because a branch on a lane
    // just drawn would stop the processor from going ahead.
    uint16_t unsure[RUN];
    for (size_t b = 0; b < blocks; b++) {
      u8x64 even, odd;
      FN(uniforms)(place, pair + 8 * (uint32_t)b, &even, &odd);
      *(u8x64 *)u[b] = even;
      *(u8x64 *)(u[b] + 8) = odd;
      const u8x64 steps = (even >> (64 - table->packed_bits)) | ((odd >> (64 - table->packed_bits)) << 32);
      const i16 entries = (i16)_mm512_i32gather_epi32((__m512i)steps, table->packed, 2) & 0xFFFF;
      k[b] = (entries >> 1) + table->lowest;
      unsure[b] = _mm512_test_epi32_mask((__m512i)entries, _mm512_set1_epi32(1));
    }
    for (size_t b = 0; b < blocks; b++) {
      for (uint32_t left = unsure[b]; left; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        int32_t *found = (int32_t *)&k[b] + lane;
        const uint32_t below = (uint32_t)(*found - table->lowest);
        *found = table->lowest + FN(count_from)(below, u[b][lane / 2 + lane % 2 * 8], table);
      }
    }
    return;
  }
#endif
  for (size_t b = 0; b < blocks; b++) {
    u8x64 even, odd;
    FN(uniforms)(place, pair + 8 * (uint32_t)b, &even, &odd);
    *(u8x64 *)u[b] = even;
    *(u8x64 *)(u[b] + 8) = odd;
    int32_t *found = (int32_t *)&k[b];
    if (table->packed) {
      UNROLL
      for (int j = 0; j < 16; j++) found[j % 8 * 2 + j / 8] = table->lowest + FN(count_packed)(u[b][j], table);
    } else {
      UNROLL
      for (int j = 0; j < 16; j++) found[j % 8 * 2 + j / 8] = table->lowest + FN(count_guided)(u[b][j], table);
    }
  }
}

static void FN(grid_noise)(int32_t *integers, size_t count, const rrcm_noise_place *place, const rrcm_grid_table *table) {
  i16 k[RUN];
  for (size_t e = 0; e < count; e += 16 * RUN) {
    const size_t n = count - e < 16 * RUN ? count - e : 16 * RUN;
    FN(grid_run)(place, (uint32_t)(e / 2), table, (n + 15) / 16, k);
    __builtin_memcpy(integers + e, k, n * sizeof(int32_t));
  }
}

static void FN(grid_pixels)(float *values, const uint8_t *pixels, size_t count, const rrcm_noise_place *place,
                            const rrcm_grid_table *table) {
  typedef uint8_t b16 __attribute__((vector_size(16), aligned(1)));
  const float unit = (float)(255 * table->m);
  i16 k[RUN];
  for (size_t e = 0; e < count; e += 16) {
    if (e % (16 * RUN) == 0) {
      const size_t blocks = (count - e + 15) / 16;
      FN(grid_run)(place, (uint32_t)(e / 2), table, blocks < RUN ? blocks : RUN, k);
    }
    const size_t n = count - e < 16 ? count - e : 16;
    b16 bytes = {0};
    if (n == 16) {
      bytes = *(const b16 *)(pixels + e);
    } else {
      __builtin_memcpy(&bytes, pixels + e, n);
    }
    const i16 sum = table->m * __builtin_convertvector(bytes, i16) + k[e / 16 % RUN];
    FN(store)(values + e, __builtin_convertvector(sum, v16) / unit, (long)n);
  }
}

// ln u for u in (0, 1]: u = 2^k·f with f in [sqrt(1/2), sqrt(2)), ln f = 2·artanh((f-1)/(f+1)).
INLINE d8 FN(natural_log)(d8 u) {
  const s8x64 bits = (s8x64)u;
  s8x64 k = (s8x64)((u8x64)bits >> 52) - 1023;
  d8 f = (d8)((bits & 0x000FFFFFFFFFFFFFll) | 0x3FF0000000000000ll);
  const s8x64 large = f > 1.4142135623730951;
  f = FN(choose_double)(large, f * 0.5, f);
  k -= large;
  const d8 s = (f - 1.0) / (f + 1.0), z = s * s;
  d8 series = (1.0 / 25) - (d8){0};
  UNROLL
  for (int n = 23; n >= 3; n -= 2) series = series * z + 1.0 / n;
  return __builtin_convertvector(k, d8) * 0.69314718055994530942 + 2.0 * s * (1.0 + series * z);
}

// cos and sin of 2πu for u in [0, 1): reduced to |angle| <= π/4, then Taylor series.
INLINE void FN(turn)(d8 u, d8 *cosine, d8 *sine) {
  const s8x64 quarter = __builtin_convertvector(__builtin_convertvector(u * 4.0 + 0.5, s8x32), s8x64);
  const d8 x = (u - __builtin_convertvector(quarter, d8) * 0.25) * 6.28318530717958647692, z = x * x;
  const d8 s =
      x * (1.0 + z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880 + z * (-1.0 / 39916800 +
           z * (1.0 / 6227020800.0 + z * (-1.0 / 1307674368000.0 + z * (1.0 / 355687428096000.0)))))))));
  const d8 c =
      1.0 + z * (-0.5 + z * (1.0 / 24 + z * (-1.0 / 720 + z * (1.0 / 40320 + z * (-1.0 / 3628800 +
           z * (1.0 / 479001600 + z * (-1.0 / 87178291200.0 + z * (1.0 / 20922789888000.0))))))));
  // Quarter turns: (c, s), (-s, c), (-c, -s), (s, -c).
  const s8x64 swapped = (quarter & 1) != 0, first = ((quarter + 1) & 2) << 62, second = (quarter & 2) << 62;
  *cosine = (d8)((s8x64)FN(choose_double)(swapped, s, c) ^ first);
  *sine = (d8)((s8x64)FN(choose_double)(swapped, c, s) ^ second);
}

// Standard normals of elements 2·pair … 2·pair + 15: Box–Muller on 53-bit uniforms, rounded once to float32.
INLINE v16 FN(normal_block)(const rrcm_noise_place *place, uint32_t pair) {
  typedef float f8 __attribute__((vector_size(32)));
  u8x64 even, odd;
  FN(uniforms)(place, pair, &even, &odd);
  const d8 first = __builtin_convertvector((s8x64)((even >> 11) + 1), d8) * 0x1p-53;
  const d8 second = __builtin_convertvector((s8x64)(odd >> 11), d8) * 0x1p-53;
  const d8 r = __builtin_elementwise_sqrt(-2.0 * FN(natural_log)(first));
  d8 cosine, sine;
  FN(turn)(second, &cosine, &sine);
  const f8 a = __builtin_convertvector(r * cosine, f8), b = __builtin_convertvector(r * sine, f8);
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
}

static void FN(normals)(float *values, size_t count, const rrcm_noise_place *place) {
  for (size_t e = 0; e < count; e += 16) {
    FN(store)(values + e, FN(normal_block)(place, (uint32_t)(e / 2)), (long)(count - e));
  }
}

static void FN(gaussian_pixels)(float *values, const uint8_t *pixels, size_t count, const rrcm_noise_place *place,
                                float sigma) {
  for (size_t e = 0; e < count; e += 16) {
    const long n = count - e < 16 ? (long)(count - e) : 16;
    v16 x = {0};
    for (long j = 0; j < n; j++) x[j] = (float)pixels[e + (size_t)j];
    FN(store)(values + e, x / 255.0f + sigma * FN(normal_block)(place, (uint32_t)(e / 2)), n);
  }
}
