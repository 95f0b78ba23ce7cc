// Numbers that must be right to the last bit, computed with MPFR.
#ifndef RRCM_PRECISE_H
#define RRCM_PRECISE_H

#include <stdint.h>

/// round(2^64·Φ((k + 1/2) / (255·m·sigma))), sigma given as an exact decimal.
///
/// Φ is evaluated with 256 bits, so the result is the nearest integer. Returns 0 and leaves *threshold alone where the
/// value rounds to 0 or to 2^64 (that cell lies beyond the table's end); returns 1 otherwise, and -1 if sigma is not
/// a positive decimal.
int rrcm_grid_threshold(int64_t k, int64_t m, const char *sigma, uint64_t *threshold);

#endif
