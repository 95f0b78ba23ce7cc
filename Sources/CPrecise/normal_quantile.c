#include "rrcm_precise.h"

#include <mpfr.h>

int rrcm_normal_tail_compare(double z, double tail) {
  // 1 - Φ(z) = erfc(z/√2)/2, and z/√2 = (z/2)·√2 within 2 units of its last place. erfc falls, so that three
  // units more and three units less enclose the true value.
  mpfr_t argument, root, low, high;
  mpfr_inits2(160, argument, root, low, high, (mpfr_ptr)0);
  mpfr_set_d(argument, z, MPFR_RNDN);
  mpfr_div_2ui(argument, argument, 1, MPFR_RNDN);
  mpfr_sqrt_ui(root, 2, MPFR_RNDN);
  mpfr_mul(argument, argument, root, MPFR_RNDN);
  for (int unit = 0; unit < 3; unit++) mpfr_nextabove(argument);
  mpfr_erfc(low, argument, MPFR_RNDD);
  for (int unit = 0; unit < 6; unit++) mpfr_nextbelow(argument);
  mpfr_erfc(high, argument, MPFR_RNDU);
  mpfr_div_2ui(low, low, 1, MPFR_RNDD);
  mpfr_div_2ui(high, high, 1, MPFR_RNDU);
  const int result = mpfr_cmp_d(low, tail) >= 0 ? 1 : mpfr_cmp_d(high, tail) <= 0 ? -1 : 0;
  mpfr_clears(argument, root, low, high, (mpfr_ptr)0);
  return result;
}
