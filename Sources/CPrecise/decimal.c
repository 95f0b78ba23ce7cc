#include "rrcm_precise.h"

#include <math.h>
#include <mpfr.h>
#include <string.h>

double rrcm_scale_down(const char *factor, double value) {
  double result = NAN;
  mpfr_t product, exact;
  mpfr_init2(product, 256);
  mpfr_init2(exact, 53);
  if (mpfr_set_str(product, factor, 10, MPFR_RNDD) == 0) {
    mpfr_set_d(exact, value, MPFR_RNDN);
    mpfr_mul(product, product, exact, MPFR_RNDD);
    result = mpfr_get_d(product, MPFR_RNDD);
  }
  mpfr_clears(product, exact, (mpfr_ptr)0);
  return result;
}

int rrcm_compare_decimal(double value, const char *decimal) {
  int result = -2;
  mpfr_t low, high;
  mpfr_inits2(256, low, high, (mpfr_ptr)0);
  if (mpfr_set_str(low, decimal, 10, MPFR_RNDD) == 0 && mpfr_set_str(high, decimal, 10, MPFR_RNDU) == 0) {
    // low = high when the decimal is a number of 256 bits; otherwise it lies strictly between neighbours of which no
    // double is the inside.
    result = mpfr_cmp_d(low, value) > 0 ? -1 : mpfr_cmp_d(high, value) < 0 ? 1 : mpfr_equal_p(low, high) ? 0
             : mpfr_cmp_d(low, value) == 0 ? -1 : 1;
  }
  mpfr_clears(low, high, (mpfr_ptr)0);
  return result;
}

void rrcm_decimal_digits(double x, int count, int direction, char *digits, int64_t *exponent) {
  mpfr_t exact;
  mpfr_init2(exact, 53);
  mpfr_set_d(exact, x, MPFR_RNDN);
  mpfr_exp_t power;
  mpfr_get_str(digits, &power, 10, (size_t)count, exact, direction < 0 ? MPFR_RNDZ : direction > 0 ? MPFR_RNDA : MPFR_RNDN);
  *exponent = power;
  mpfr_clear(exact);
}
