#include "rrcm_precise.h"

#include <float.h>
#include <math.h>
#include <mpfr.h>
#include <stdlib.h>

// P(Bin(n, p) >= k) = t·S with t = C(n,k) p^k q^(n-k) and, for f = n - k, odds = p/q (Uspensky 1937, chapter III;
// it is Gauss's continued fraction of 2F1(-f, 1; k+1; -odds)):
//
//   S = 1/(1 - K0),   K_m = w_m / (1 + d_(m+1) / (1 - K_(m+1)))
//   w_m = odds (f-m)(k+m) / ((k+2m)(k+2m+1)),   d_m = odds m (n+m) / ((k+2m-1)(k+2m)).
//
// w_m falls with m and w_f = 0. So when w_0 < 1, that is p(n+1) < k+1, induction from m = f downwards gives
// 0 <= K_m <= w_m < 1, and K_m falls as K_(m+1) grows. Cutting at any depth M with K_M = 0 therefore bounds K_0 from
// below when M is even and from above when M is odd; every operation below is rounded to that side.
enum { precision = 120 };  // MPFR's fast two-word arithmetic; logarithms of up to 2^36 keep 84 bits of fraction

struct rrcm_tail {
  uint64_t draws, hits;
  mpfr_t log_coefficient_low, log_coefficient_high;
  mpfr_t log_alpha_low, log_alpha_high;
};

// ln C(n, k) between two neighbours that are a few last places apart.
static void log_coefficient(mpfr_t low, mpfr_t high, uint64_t n, uint64_t k) {
  const uint64_t arguments[3] = {n, k, n - k};
  mpfr_t down, up;
  mpfr_inits2(precision, down, up, (mpfr_ptr)0);
  mpfr_set_zero(low, 1);
  mpfr_set_zero(high, 1);
  for (int i = 0; i < 3; i++) {
    mpfr_set_ui(down, arguments[i], MPFR_RNDN);
    mpfr_add_ui(down, down, 1, MPFR_RNDN);
    if (mpfr_lngamma(up, down, MPFR_RNDU) != 0) {
      mpfr_set(down, up, MPFR_RNDN);
      mpfr_nextbelow(down);
    } else {
      mpfr_set(down, up, MPFR_RNDN);
    }
    if (i == 0) {
      mpfr_add(low, low, down, MPFR_RNDD);
      mpfr_add(high, high, up, MPFR_RNDU);
    } else {
      mpfr_sub(low, low, up, MPFR_RNDD);
      mpfr_sub(high, high, down, MPFR_RNDU);
    }
  }
  mpfr_clears(down, up, (mpfr_ptr)0);
}

rrcm_tail *rrcm_tail_create(uint64_t draws, uint64_t hits, const char *alpha) {
  rrcm_tail *tail = malloc(sizeof *tail);
  if (tail == NULL) abort();
  tail->draws = draws;
  tail->hits = hits;
  mpfr_inits2(precision, tail->log_coefficient_low, tail->log_coefficient_high, tail->log_alpha_low,
              tail->log_alpha_high, (mpfr_ptr)0);
  if (mpfr_set_str(tail->log_alpha_low, alpha, 10, MPFR_RNDD) != 0 ||
      mpfr_set_str(tail->log_alpha_high, alpha, 10, MPFR_RNDU) != 0 || mpfr_cmp_ui(tail->log_alpha_low, 0) <= 0 ||
      mpfr_cmp_d(tail->log_alpha_high, 0.5) > 0) {
    rrcm_tail_destroy(tail);
    return NULL;
  }
  mpfr_log(tail->log_alpha_low, tail->log_alpha_low, MPFR_RNDD);
  mpfr_log(tail->log_alpha_high, tail->log_alpha_high, MPFR_RNDU);
  log_coefficient(tail->log_coefficient_low, tail->log_coefficient_high, draws, hits);
  return tail;
}

void rrcm_tail_destroy(rrcm_tail *tail) {
  mpfr_clears(tail->log_coefficient_low, tail->log_coefficient_high, tail->log_alpha_low, tail->log_alpha_high,
              (mpfr_ptr)0);
  free(tail);
}

double rrcm_tail_log_coefficient(const rrcm_tail *tail) { return mpfr_get_d(tail->log_coefficient_low, MPFR_RNDN); }

// ln S, on the side that `upper` asks for.
static void log_sum(mpfr_t result, uint64_t n, uint64_t k, const mpfr_t odds_low, const mpfr_t odds_high,
                    uint64_t depth, int upper) {
  const uint64_t f = n - k;
  mpfr_t w, d, rest;
  mpfr_inits2(precision, w, d, rest, (mpfr_ptr)0);
  // The side of K_m asked for: K_0's is `upper`, and it alternates. Cut where "K = 0" is a lower bound.
  uint64_t m = depth < f ? depth : f;
  if (m < f && (m % 2 == 1) != (upper != 0)) m += 1;
  // At m = f the cut is exact, so that either side may start there.
  mpfr_set_ui(result, 0, MPFR_RNDN);  // K_m
  while (m-- > 0) {
    const int high = (m % 2 == 0) == (upper != 0);
    const mpfr_rnd_t with = high ? MPFR_RNDU : MPFR_RNDD, against = high ? MPFR_RNDD : MPFR_RNDU;
    // K grows with w and with 1 - K', and falls with d.
    mpfr_mul_ui(w, high ? odds_high : odds_low, (f - m) * (k + m), with);
    mpfr_div_ui(w, w, (k + 2 * m) * (k + 2 * m + 1), with);
    mpfr_mul_ui(d, high ? odds_low : odds_high, (m + 1) * (n + m + 1), against);
    mpfr_div_ui(d, d, (k + 2 * m + 1) * (k + 2 * m + 2), against);
    mpfr_ui_sub(rest, 1, result, with);
    mpfr_div(d, d, rest, against);
    mpfr_add_ui(d, d, 1, against);
    mpfr_div(result, w, d, with);
  }
  // ln S = -ln(1 - K0).
  mpfr_neg(result, result, MPFR_RNDN);
  mpfr_log1p(result, result, upper ? MPFR_RNDD : MPFR_RNDU);
  mpfr_neg(result, result, MPFR_RNDN);
  mpfr_clears(w, d, rest, (mpfr_ptr)0);
}

// p/q, rounded to the side given, for p = x or p = 1 - x.
static void set_odds(mpfr_t odds, const mpfr_t x, int complement, mpfr_rnd_t round) {
  const mpfr_rnd_t other = round == MPFR_RNDU ? MPFR_RNDD : MPFR_RNDU;
  mpfr_ui_sub(odds, 1, x, complement ? round : other);
  if (complement) {
    mpfr_div(odds, odds, x, round);
  } else {
    mpfr_div(odds, x, odds, round);
  }
}

// ln C + k ln p + f ln q + ln S - ln alpha, on the side that `upper` asks for.
static double excess(const rrcm_tail *tail, const mpfr_t x, int complement, const mpfr_t odds_low,
                     const mpfr_t odds_high, uint64_t depth, int upper) {
  const mpfr_rnd_t round = upper ? MPFR_RNDU : MPFR_RNDD;
  const uint64_t f = tail->draws - tail->hits, power_of_x = complement ? f : tail->hits;
  mpfr_t total, part;
  mpfr_inits2(precision, total, part, (mpfr_ptr)0);
  mpfr_sub(total, upper ? tail->log_coefficient_high : tail->log_coefficient_low,
           upper ? tail->log_alpha_low : tail->log_alpha_high, round);
  mpfr_log(part, x, round);
  mpfr_mul_ui(part, part, power_of_x, round);
  mpfr_add(total, total, part, round);
  mpfr_neg(part, x, MPFR_RNDN);
  mpfr_log1p(part, part, round);
  mpfr_mul_ui(part, part, tail->draws - power_of_x, round);
  mpfr_add(total, total, part, round);
  log_sum(part, tail->draws, tail->hits, odds_low, odds_high, depth, upper);
  mpfr_add(total, total, part, round);
  const double result = mpfr_nan_p(total) ? (upper ? INFINITY : -INFINITY) : mpfr_get_d(total, round);
  mpfr_clears(total, part, (mpfr_ptr)0);
  return result;
}

double rrcm_tail_excess(const rrcm_tail *tail, double x, int complement, uint64_t depth, int above) {
  double result;
  if (depth > 1u << 24) depth = 1u << 24;  // keeps the integers in log_sum under 2^64
  mpfr_t exact, odds_low, odds_high, first;
  mpfr_init2(exact, 53);
  mpfr_inits2(precision, odds_low, odds_high, first, (mpfr_ptr)0);
  mpfr_set_d(exact, x, MPFR_RNDN);
  set_odds(odds_low, exact, complement, MPFR_RNDD);
  set_odds(odds_high, exact, complement, MPFR_RNDU);
  mpfr_mul_ui(first, odds_high, tail->draws - tail->hits, MPFR_RNDU);
  mpfr_div_ui(first, first, tail->hits + 1, MPFR_RNDU);
  if (mpfr_cmp_ui(first, 1) < 0) {
    result = excess(tail, exact, complement, odds_low, odds_high, depth, above);
  } else {
    // p(n+1) >= k+1 up to the last bit: k is at most the median, and the probability at least 1/2.
    result = above ? INFINITY : 0;
  }
  mpfr_clears(exact, odds_low, odds_high, first, (mpfr_ptr)0);
  return result;
}

double rrcm_fair_tail(uint64_t draws, uint64_t hits) {
  if (hits == draws) return draws < 1075 ? ldexp(1, -(int)draws) : DBL_TRUE_MIN;
  mpfr_t odds, log_term, coefficient;
  mpfr_inits2(precision, odds, log_term, coefficient, (mpfr_ptr)0);
  mpfr_set_ui(odds, 1, MPFR_RNDN);
  log_sum(log_term, draws, hits, odds, odds, 4096, 1);
  log_coefficient(odds, coefficient, draws, hits);
  mpfr_add(log_term, log_term, coefficient, MPFR_RNDN);
  mpfr_exp(log_term, log_term, MPFR_RNDN);
  mpfr_div_2ui(log_term, log_term, draws, MPFR_RNDN);
  // The roundings so far are far below 2^(48 - precision) of the value: the logarithms are below 2^36.
  mpfr_set_ui_2exp(odds, 1, 48 - precision, MPFR_RNDN);
  mpfr_mul(odds, odds, log_term, MPFR_RNDU);
  mpfr_add(log_term, log_term, odds, MPFR_RNDU);
  const double result = mpfr_get_d(log_term, MPFR_RNDU);
  mpfr_clears(odds, log_term, coefficient, (mpfr_ptr)0);
  return result;
}

int rrcm_root_bound(uint64_t draws, const char *alpha, double *value, double *complement) {
  mpfr_t root;
  mpfr_init2(root, precision);
  const int valid = mpfr_set_str(root, alpha, 10, MPFR_RNDD) == 0 && mpfr_cmp_ui(root, 0) > 0 &&
                    mpfr_cmp_ui(root, 1) < 0;
  if (valid) {
    mpfr_log(root, root, MPFR_RNDD);
    mpfr_div_ui(root, root, draws, MPFR_RNDD);
    mpfr_expm1(root, root, MPFR_RNDD);  // alpha^(1/n) - 1, not above the true one
    mpfr_neg(root, root, MPFR_RNDN);
    *complement = mpfr_get_d(root, MPFR_RNDU);
    mpfr_ui_sub(root, 1, root, MPFR_RNDD);
    *value = mpfr_get_d(root, MPFR_RNDD);
  }
  mpfr_clear(root);
  return valid;
}
