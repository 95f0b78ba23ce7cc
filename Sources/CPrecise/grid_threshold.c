#include "rrcm_precise.h"

#include <mpfr.h>

int rrcm_grid_threshold(int64_t k, int64_t m, const char *sigma, uint64_t *threshold) {
  int outcome = 1;
  mpfr_t x, s;
  mpfr_inits2(256, x, s, (mpfr_ptr)0);
  if (mpfr_set_str(s, sigma, 10, MPFR_RNDN) != 0 || mpfr_cmp_ui(s, 0) <= 0) {
    outcome = -1;
  } else {
    // Φ(y) = erfc(-y/√2)/2 with y = (2k+1) / (2·255·m·sigma).
    mpfr_mul_si(s, s, 2 * 255 * m, MPFR_RNDN);
    mpfr_set_si(x, -(2 * k + 1), MPFR_RNDN);
    mpfr_div(x, x, s, MPFR_RNDN);
    mpfr_sqrt_ui(s, 2, MPFR_RNDN);
    mpfr_div(x, x, s, MPFR_RNDN);
    mpfr_erfc(x, x, MPFR_RNDN);
    mpfr_mul_2si(x, x, 63, MPFR_RNDN);
    mpfr_rint(x, x, MPFR_RNDN);
    if (mpfr_cmp_ui(x, 1) < 0 || !mpfr_fits_ulong_p(x, MPFR_RNDN)) {
      outcome = 0;
    } else {
      *threshold = (uint64_t)mpfr_get_ui(x, MPFR_RNDN);
    }
  }
  mpfr_clears(x, s, (mpfr_ptr)0);
  mpfr_free_cache();
  return outcome;
}
