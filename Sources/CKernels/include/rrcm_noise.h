// Noise as a pure function of (key, image, phase, sample, element). See docs/mathematics.md, "The noise bits".
#ifndef RRCM_NOISE_H
#define RRCM_NOISE_H

#include <stddef.h>
#include <stdint.h>

/// Philox4x32-10 (Salmon et al. 2011): out = 128 random bits of (counter, key).
void rrcm_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/// Where one image's noise sits in the stream. Element e takes half e%2 of counter (e/2, sample, image, phase).
typedef struct {
  uint32_t key[2];
  uint32_t sample;
  uint32_t image;
  uint32_t phase;
} rrcm_noise_place;

/// The rounded normal: k = lowest + (number of thresholds at or under a 64-bit uniform).
typedef struct {
  const uint64_t *thresholds;  ///< ascending, `count` of them, and one more readable element
  const uint32_t *guide;       ///< guide[i] = number of thresholds at or under i·2^(64-guide_bits)
  uint32_t count;
  uint32_t guide_bits;
  int32_t lowest;
  int32_t m;  ///< grid points per 1/255 of pixel value
  /// The same with a finer step: 2 · (number at or under i·2^(64-packed_bits)), and 1 more where a threshold lies inside the
  /// step, so that elsewhere one look is enough. One more readable element. Null where the counts need more than 15 bits.
  const uint16_t *packed;
  uint32_t packed_bits;
} rrcm_grid_table;

#endif
