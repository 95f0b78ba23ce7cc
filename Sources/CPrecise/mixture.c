#include "rrcm_precise.h"

#include <math.h>
#include <mpfr.h>
#include <stdlib.h>

// The one-sided mixture martingale against p after S hits and F misses, n = S + F, with a = S + 1/2 and b = F + 1/2:
//
//   M = E[(θ/p)^S ((1-θ)/q)^F],   θ from Beta(1/2, 1/2) restricted to θ > p
//     = B(a, b) p^-S q^-F (1 - I_p(a, b)) / (2 arccos √p).
//
// I_p(a, b) = p^a q^(b-1) / (a B(a, b)) · 1/(1 - K0) with the continued fraction of binomial_tail.c at k = a and
// f = b - 1 = F - 1/2. As f is no integer, w_m > 0 for m < F and w_m < 0 from F on. There 1 - K_m is a fraction of positive
// terms only, so w_m <= K_m <= 0; below F, induction downwards gives 0 <= K_m <= w_m < 1 as long as w_0 < 1. Cutting
// at any depth therefore leaves an interval, and every level maps an interval to one, each end rounded outwards.
enum { precision = 120 };

struct rrcm_mixture {
  uint64_t hits, misses;
  mpfr_t log_beta_low, log_beta_high;
  mpfr_t log_alpha_low, log_alpha_high;
};

// ln Γ(twice / 2), rounded to either side.
static void half_log_gamma(mpfr_t low, mpfr_t high, uint64_t twice) {
  mpfr_t x;
  mpfr_init2(x, precision);
  mpfr_set_ui(x, twice, MPFR_RNDN);
  mpfr_div_2ui(x, x, 1, MPFR_RNDN);
  mpfr_lngamma(low, x, MPFR_RNDD);
  mpfr_lngamma(high, x, MPFR_RNDU);
  mpfr_clear(x);
}

rrcm_mixture *rrcm_mixture_create(uint64_t draws, uint64_t hits, const char *alpha) {
  rrcm_mixture *mixture = malloc(sizeof *mixture);
  if (mixture == NULL) abort();
  mixture->hits = hits;
  mixture->misses = draws - hits;
  mpfr_inits2(precision, mixture->log_beta_low, mixture->log_beta_high, mixture->log_alpha_low,
              mixture->log_alpha_high, (mpfr_ptr)0);
  if (mpfr_set_str(mixture->log_alpha_low, alpha, 10, MPFR_RNDD) != 0 ||
      mpfr_set_str(mixture->log_alpha_high, alpha, 10, MPFR_RNDU) != 0 ||
      mpfr_cmp_ui(mixture->log_alpha_low, 0) <= 0 || mpfr_cmp_d(mixture->log_alpha_high, 0.5) > 0) {
    rrcm_mixture_destroy(mixture);
    return NULL;
  }
  mpfr_log(mixture->log_alpha_low, mixture->log_alpha_low, MPFR_RNDD);
  mpfr_log(mixture->log_alpha_high, mixture->log_alpha_high, MPFR_RNDU);
  mpfr_t low, high;
  mpfr_inits2(precision, low, high, (mpfr_ptr)0);
  half_log_gamma(mixture->log_beta_low, mixture->log_beta_high, 2 * mixture->hits + 1);
  half_log_gamma(low, high, 2 * mixture->misses + 1);
  mpfr_add(mixture->log_beta_low, mixture->log_beta_low, low, MPFR_RNDD);
  mpfr_add(mixture->log_beta_high, mixture->log_beta_high, high, MPFR_RNDU);
  half_log_gamma(low, high, 2 * draws + 2);
  mpfr_sub(mixture->log_beta_low, mixture->log_beta_low, high, MPFR_RNDD);
  mpfr_sub(mixture->log_beta_high, mixture->log_beta_high, low, MPFR_RNDU);
  mpfr_clears(low, high, (mpfr_ptr)0);
  return mixture;
}

void rrcm_mixture_destroy(rrcm_mixture *mixture) {
  mpfr_clears(mixture->log_beta_low, mixture->log_beta_high, mixture->log_alpha_low, mixture->log_alpha_high,
              (mpfr_ptr)0);
  free(mixture);
}

double rrcm_mixture_log_beta(const rrcm_mixture *mixture) { return mpfr_get_d(mixture->log_beta_low, MPFR_RNDN); }

// |w_m|, rounded to the side given.
static void numerator(mpfr_t w, const rrcm_mixture *mixture, uint64_t m, const mpfr_t odds, mpfr_rnd_t round) {
  const uint64_t s = 2 * mixture->hits + 1, f = 2 * mixture->misses;
  mpfr_mul_ui(w, odds, (m < mixture->misses ? f - 1 - 2 * m : 2 * m + 1 - f) * (s + 2 * m), round);
  mpfr_div_ui(w, w, s + 4 * m, round);
  mpfr_div_ui(w, w, s + 2 + 4 * m, round);
}

// d_(m+1), rounded to the side given.
static void denominator(mpfr_t d, const rrcm_mixture *mixture, uint64_t m, const mpfr_t odds, mpfr_rnd_t round) {
  const uint64_t s = 2 * mixture->hits, n = mixture->hits + mixture->misses;
  mpfr_mul_ui(d, odds, 4 * (m + 1) * (n + m + 1), round);
  mpfr_div_ui(d, d, s + 4 * m + 3, round);
  mpfr_div_ui(d, d, s + 4 * m + 5, round);
}

// -ln(1 - K0) between two neighbours. Returns 0 where rounding has spoilt the bounds.
static int log_sum(mpfr_t low, mpfr_t high, const rrcm_mixture *mixture, const mpfr_t odds_low, const mpfr_t odds_high,
                   uint64_t depth) {
  mpfr_t w, t, d, rest_low, rest_high;
  mpfr_inits2(precision, w, t, d, rest_low, rest_high, (mpfr_ptr)0);
  int valid = 1;
  // K_depth lies between 0 and w_depth.
  mpfr_set_ui(low, 0, MPFR_RNDN);
  mpfr_set_ui(high, 0, MPFR_RNDN);
  numerator(depth < mixture->misses ? high : low, mixture, depth, odds_high, MPFR_RNDU);
  if (depth >= mixture->misses) mpfr_neg(low, low, MPFR_RNDN);
  for (uint64_t m = depth; valid && m-- > 0;) {
    mpfr_ui_sub(rest_low, 1, high, MPFR_RNDD);
    mpfr_ui_sub(rest_high, 1, low, MPFR_RNDU);
    if (mpfr_cmp_ui(rest_low, 0) <= 0) {
      valid = 0;
      break;
    }
    const int positive = m < mixture->misses;
    // t = 1 + d / rest at its largest makes |K_m| smallest.
    denominator(d, mixture, m, odds_high, MPFR_RNDU);
    mpfr_div(d, d, rest_low, MPFR_RNDU);
    mpfr_add_ui(t, d, 1, MPFR_RNDU);
    numerator(w, mixture, m, odds_low, MPFR_RNDD);
    mpfr_div(positive ? low : high, w, t, MPFR_RNDD);
    denominator(d, mixture, m, odds_low, MPFR_RNDD);
    mpfr_div(d, d, rest_high, MPFR_RNDD);
    mpfr_add_ui(t, d, 1, MPFR_RNDD);
    numerator(w, mixture, m, odds_high, MPFR_RNDU);
    mpfr_div(positive ? high : low, w, t, MPFR_RNDU);
    if (!positive) {
      mpfr_neg(low, low, MPFR_RNDN);
      mpfr_neg(high, high, MPFR_RNDN);
    }
  }
  valid = valid && mpfr_cmp_ui(high, 1) < 0;
  if (valid) {
    mpfr_neg(low, low, MPFR_RNDN);
    mpfr_log1p(low, low, MPFR_RNDU);
    mpfr_neg(low, low, MPFR_RNDN);
    mpfr_neg(high, high, MPFR_RNDN);
    mpfr_log1p(high, high, MPFR_RNDD);
    mpfr_neg(high, high, MPFR_RNDN);
  }
  mpfr_clears(w, t, d, rest_low, rest_high, (mpfr_ptr)0);
  return valid;
}

// -ln alpha - ln M on the side that `upper` asks for, given ln S of that side.
static double excess(const rrcm_mixture *mixture, const mpfr_t x, int complement, const mpfr_t sum, int upper) {
  const mpfr_rnd_t round = upper ? MPFR_RNDU : MPFR_RNDD, other = upper ? MPFR_RNDD : MPFR_RNDU;
  const uint64_t hits = mixture->hits, misses = mixture->misses;
  mpfr_t log_p, log_q, log_q_other, total, inside, part;
  mpfr_inits2(precision, log_p, log_q, log_q_other, total, inside, part, (mpfr_ptr)0);
  mpfr_neg(part, x, MPFR_RNDN);
  if (complement) {
    mpfr_log1p(log_p, part, round);
    mpfr_log(log_q, x, round);
    mpfr_log(log_q_other, x, other);
  } else {
    mpfr_log(log_p, x, round);
    mpfr_log1p(log_q, part, round);
    mpfr_log1p(log_q_other, part, other);
  }
  mpfr_ptr const beta = (mpfr_ptr)(upper ? mixture->log_beta_low : mixture->log_beta_high);

  // ln I_p(a, b) = (S + 1/2) ln p + (F - 1/2) ln q - ln B - ln a + ln S.
  mpfr_mul_ui(inside, log_p, 2 * hits + 1, round);
  if (misses > 0) {
    mpfr_mul_ui(part, log_q, 2 * misses - 1, round);
    mpfr_add(inside, inside, part, round);
  } else {
    mpfr_sub(inside, inside, log_q_other, round);
  }
  mpfr_div_2ui(inside, inside, 1, round);
  mpfr_sub(inside, inside, beta, round);
  mpfr_set_ui(part, 2 * hits + 1, MPFR_RNDN);
  mpfr_div_2ui(part, part, 1, MPFR_RNDN);
  mpfr_log(part, part, other);
  mpfr_sub(inside, inside, part, round);
  mpfr_add(inside, inside, sum, round);
  mpfr_exp(inside, inside, round);

  mpfr_mul_ui(total, log_p, hits, round);
  mpfr_mul_ui(part, log_q, misses, round);
  mpfr_add(total, total, part, round);
  mpfr_sub(total, total, beta, round);
  mpfr_sub(total, total, upper ? mixture->log_alpha_low : mixture->log_alpha_high, round);
  if (mpfr_cmp_ui(inside, 1) < 0) {
    mpfr_neg(inside, inside, MPFR_RNDN);
    mpfr_log1p(inside, inside, other);
    mpfr_sub(total, total, inside, round);
    // 2 arccos √p = 2 arcsin √q, each falling or rising with its root.
    mpfr_sqrt(part, x, complement ? round : other);
    if (complement) {
      mpfr_asin(part, part, round);
    } else {
      mpfr_acos(part, part, round);
    }
    mpfr_mul_2ui(part, part, 1, round);
    mpfr_log(part, part, round);
    mpfr_add(total, total, part, round);
  } else {
    mpfr_set_nan(total);
  }
  const double result = mpfr_nan_p(total) ? (upper ? INFINITY : -INFINITY) : mpfr_get_d(total, round);
  mpfr_clears(log_p, log_q, log_q_other, total, inside, part, (mpfr_ptr)0);
  return result;
}

double rrcm_mixture_excess(const rrcm_mixture *mixture, double x, int complement, uint64_t depth, int above) {
  double result = above ? INFINITY : -INFINITY;
  if (depth > 1u << 24) depth = 1u << 24;  // keeps the integers in log_sum under 2^64
  mpfr_t exact, odds_low, odds_high, low, high;
  mpfr_init2(exact, 53);
  mpfr_inits2(precision, odds_low, odds_high, low, high, (mpfr_ptr)0);
  mpfr_set_d(exact, x, MPFR_RNDN);
  mpfr_ui_sub(low, 1, exact, MPFR_RNDD);
  mpfr_ui_sub(high, 1, exact, MPFR_RNDU);
  if (complement) {
    mpfr_div(odds_low, low, exact, MPFR_RNDD);
    mpfr_div(odds_high, high, exact, MPFR_RNDU);
  } else {
    mpfr_div(odds_low, exact, high, MPFR_RNDD);
    mpfr_div(odds_high, exact, low, MPFR_RNDU);
  }
  int inside = 1;
  if (mixture->misses > 0) {
    numerator(high, mixture, 0, odds_high, MPFR_RNDU);
    inside = mpfr_cmp_ui(high, 1) < 0;
  }
  if (!inside) {
    // p(n + 1) >= S + 3/2 up to the last bit: p is above S/n, no θ > p explains the votes better, and M <= 1.
    if (!above) result = 0;
  } else if (log_sum(low, high, mixture, odds_low, odds_high, depth)) {
    result = excess(mixture, exact, complement, above ? high : low, above);
  }
  mpfr_clears(exact, odds_low, odds_high, low, high, (mpfr_ptr)0);
  return result;
}
