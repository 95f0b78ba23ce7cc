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

/// The question of one Clopper–Pearson bound: where does P(Bin(draws, p) >= hits) reach alpha?
typedef struct rrcm_tail rrcm_tail;

/// 1 <= hits < draws <= 2^31; alpha an exact decimal in (0, 1/2]. NULL if alpha is not such a decimal.
rrcm_tail *rrcm_tail_create(uint64_t draws, uint64_t hits, const char *alpha);
void rrcm_tail_destroy(rrcm_tail *tail);

/// A bound on ln P(Bin(draws, p) >= hits) - ln alpha: never below it when `above` is set, never above it otherwise.
///
/// p is x, or exactly 1 - x when `complement` is set; 0 < x < 1. Where p(draws + 1) >= hits + 1 the probability is at
/// least 1/2 and the bounds are 0 and infinity. `depth` is the number of levels of the continued fraction: more makes
/// the bound closer, never wrong.
double rrcm_tail_excess(const rrcm_tail *tail, double x, int complement, uint64_t depth, int above);

/// ln of the binomial coefficient (draws over hits), nearest double.
double rrcm_tail_log_coefficient(const rrcm_tail *tail);

/// P(Bin(draws, 1/2) >= hits), rounded up (exact at hits = draws where a double holds it); 2·hits > draws, draws <= 2^31.
double rrcm_fair_tail(uint64_t draws, uint64_t hits);

/// alpha^(1/draws), which is the bound when every draw hit: *value rounded down and *complement = 1 - that, rounded up.
/// Returns 0 if alpha is not a decimal in (0, 1).
int rrcm_root_bound(uint64_t draws, const char *alpha, double *value, double *complement);

/// The question of one mixture bound: up to which p does the one-sided Beta(1/2, 1/2) mixture martingale reach 1/alpha?
typedef struct rrcm_mixture rrcm_mixture;

/// 1 <= hits <= draws <= 2^31; alpha an exact decimal in (0, 1/2]. NULL if alpha is not such a decimal.
rrcm_mixture *rrcm_mixture_create(uint64_t draws, uint64_t hits, const char *alpha);
void rrcm_mixture_destroy(rrcm_mixture *mixture);

/// A bound on -ln alpha - ln M(p): never below it when `above` is set, never above it otherwise; arguments as for
/// rrcm_tail_excess. Where p(draws + 1) >= hits + 3/2, M is at most 1 and the bounds are 0 and infinity.
double rrcm_mixture_excess(const rrcm_mixture *mixture, double x, int complement, uint64_t depth, int above);

/// ln B(hits + 1/2, draws - hits + 1/2), nearest double.
double rrcm_mixture_log_beta(const rrcm_mixture *mixture);

/// Where the upper tail 1 - Φ(z) lies against `tail`, both taken exactly: -1 for at most, 1 for at least, 0 when 160 bits
/// do not decide.
int rrcm_normal_tail_compare(double z, double tail);

/// The largest double not above factor·value, factor an exact decimal, value >= 0. NaN if factor is no decimal.
double rrcm_scale_down(const char *factor, double value);

/// How a finite double compares with an exact decimal: -1, 0 or 1; -2 if the text is no decimal.
int rrcm_compare_decimal(double value, const char *decimal);

/// `count` significant decimal digits of x > 0, with
/// direction -1 toward zero, 0 to nearest (ties to even), 1 away from zero; x = 0.d1d2... · 10^exponent.
/// `digits` has room for count + 2 bytes. count is 1 ... 40.
void rrcm_decimal_digits(double x, int count, int direction, char *digits, int64_t *exponent);

#endif
