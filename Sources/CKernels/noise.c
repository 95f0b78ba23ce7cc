#include "rrcm_noise.h"

#include <string.h>

void rrcm_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0;
    uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

// Two 64-bit uniforms for elements 2·pair and 2·pair + 1.
static inline void uniforms(const rrcm_noise_place *place, uint32_t pair, uint64_t u[2]) {
  const uint32_t counter[4] = {pair, place->sample, place->image, place->phase};
  uint32_t bits[4];
  rrcm_philox(counter, place->key, bits);
  u[0] = (uint64_t)bits[1] << 32 | bits[0];
  u[1] = (uint64_t)bits[3] << 32 | bits[2];
}

static inline int32_t rounded_normal(uint64_t u, const rrcm_grid_table *table) {
  uint32_t below = table->guide[u >> (64 - table->guide_bits)];
  while (below < table->count && table->thresholds[below] <= u) below++;
  return table->lowest + (int32_t)below;
}

void rrcm_grid_noise(int32_t *integers, size_t count, const rrcm_noise_place *place, const rrcm_grid_table *table) {
  for (size_t e = 0; e < count; e += 2) {
    uint64_t u[2];
    uniforms(place, (uint32_t)(e / 2), u);
    integers[e] = rounded_normal(u[0], table);
    if (e + 1 < count) integers[e + 1] = rounded_normal(u[1], table);
  }
}

void rrcm_grid_pixels(float *values, const uint8_t *pixels, size_t count, const rrcm_noise_place *place,
                      const rrcm_grid_table *table) {
  const int32_t m = table->m;
  const float unit = (float)(255 * m);
  for (size_t e = 0; e < count; e += 2) {
    uint64_t u[2];
    uniforms(place, (uint32_t)(e / 2), u);
    values[e] = (float)(m * (int32_t)pixels[e] + rounded_normal(u[0], table)) / unit;
    if (e + 1 < count) values[e + 1] = (float)(m * (int32_t)pixels[e + 1] + rounded_normal(u[1], table)) / unit;
  }
}

// ln u for u in (0, 1]: u = 2^k·f with f in [sqrt(1/2), sqrt(2)), ln f = 2·artanh((f-1)/(f+1)).
static inline double natural_log(double u) {
  uint64_t bits;
  memcpy(&bits, &u, sizeof bits);
  int64_t k = (int64_t)(bits >> 52) - 1023;
  bits = (bits & 0x000FFFFFFFFFFFFFull) | 0x3FF0000000000000ull;
  double f;
  memcpy(&f, &bits, sizeof f);
  if (f > 1.4142135623730951) {
    f *= 0.5;
    k += 1;
  }
  const double s = (f - 1.0) / (f + 1.0), z = s * s;
  double series = 1.0 / 25;
  for (int n = 23; n >= 3; n -= 2) series = series * z + 1.0 / n;
  return (double)k * 0.69314718055994530942 + 2.0 * s * (1.0 + series * z);
}

// cos and sin of 2πu for u in [0, 1): reduced to |angle| <= π/4, then Taylor series.
static inline void turn(double u, double *cosine, double *sine) {
  const int quarter = (int)(u * 4.0 + 0.5);
  const double x = (u - quarter * 0.25) * 6.28318530717958647692, z = x * x;
  const double s =
      x * (1.0 + z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880 + z * (-1.0 / 39916800 +
           z * (1.0 / 6227020800.0 + z * (-1.0 / 1307674368000.0 + z * (1.0 / 355687428096000.0)))))))));
  const double c =
      1.0 + z * (-0.5 + z * (1.0 / 24 + z * (-1.0 / 720 + z * (1.0 / 40320 + z * (-1.0 / 3628800 +
           z * (1.0 / 479001600 + z * (-1.0 / 87178291200.0 + z * (1.0 / 20922789888000.0))))))));
  switch (quarter & 3) {
    case 0: *cosine = c, *sine = s; break;
    case 1: *cosine = -s, *sine = c; break;
    case 2: *cosine = -c, *sine = -s; break;
    default: *cosine = s, *sine = -c; break;
  }
}

static inline void normal_pair(const rrcm_noise_place *place, uint32_t pair, float z[2]) {
  uint64_t u[2];
  uniforms(place, pair, u);
  const double first = (double)((u[0] >> 11) + 1) * 0x1p-53;
  const double second = (double)(u[1] >> 11) * 0x1p-53;
  const double r = __builtin_sqrt(-2.0 * natural_log(first));
  double cosine, sine;
  turn(second, &cosine, &sine);
  z[0] = (float)(r * cosine);
  z[1] = (float)(r * sine);
}

void rrcm_normals(float *values, size_t count, const rrcm_noise_place *place) {
  for (size_t e = 0; e < count; e += 2) {
    float z[2];
    normal_pair(place, (uint32_t)(e / 2), z);
    values[e] = z[0];
    if (e + 1 < count) values[e + 1] = z[1];
  }
}

void rrcm_gaussian_pixels(float *values, const uint8_t *pixels, size_t count, const rrcm_noise_place *place,
                          float sigma) {
  for (size_t e = 0; e < count; e += 2) {
    float z[2];
    normal_pair(place, (uint32_t)(e / 2), z);
    values[e] = (float)pixels[e] / 255.0f + sigma * z[0];
    if (e + 1 < count) values[e + 1] = (float)pixels[e + 1] / 255.0f + sigma * z[1];
  }
}
