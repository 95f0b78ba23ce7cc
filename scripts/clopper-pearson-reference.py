#!/usr/bin/env python3
"""Writes Tests/Fixtures/certificates.csv: Clopper-Pearson bounds, quantiles and radii to the last bit.

usage: scripts/clopper-pearson-reference.py > Tests/Fixtures/certificates.csv

An independent evaluation of what docs/mathematics.md states: the binomial tail summed term by term with 60 digits
(mpmath), its root by the secant method, every result rounded once to a double on the safe side.
"""
import math
import sys
from fractions import Fraction
from mpmath import mp, mpf, log, exp, loggamma, expm1, sqrt, erfinv

mp.dps = 60


def log_tail(n, k, p, q):
    """ln P(Bin(n, p) >= k), q = 1 - p."""
    first = loggamma(n + 1) - loggamma(k + 1) - loggamma(n - k + 1) + k * log(p) + (n - k) * log(q)
    odds, term, total, j = p / q, mpf(1), mpf(1), k
    while j < n:
        term = term * (n - j) * odds / (j + 1)
        total += term
        j += 1
        if term < total * mpf(10) ** -45 and (n - j) * odds < (j + 1):
            break
    return first + log(total)


def root(n, k, alpha):
    """(p, 1 - p) with P(Bin(n, p) >= k) = alpha, found in u = ln(p/q)."""
    target = log(alpha)

    def miss(u):
        e = exp(-abs(u))
        p, q = (1 / (1 + e), e / (1 + e)) if u > 0 else (e / (1 + e), 1 / (1 + e))
        return log_tail(n, k, p, q) - target

    u0 = log(mpf(k) / (n - k + 1))
    u1 = u0 - 3 / sqrt(mpf(k)) - mpf(1) / 100
    f0, f1 = miss(u0), miss(u1)
    while abs(u1 - u0) > mpf(10) ** -35 * max(abs(u1), 1):
        u0, f0, u1 = u1, f1, u1 - f1 * (u1 - u0) / (f1 - f0)
        f1 = miss(u1)
    e = exp(-abs(u1))
    return (1 / (1 + e), e / (1 + e)) if u1 > 0 else (e / (1 + e), 1 / (1 + e))


def exact(x):
    """A Fraction equal to an mpf."""
    sign, mantissa, exponent, _ = x._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** exponent


def down(x):
    """The largest double not above an mpf or a Fraction."""
    x = x if isinstance(x, Fraction) else exact(x)
    value = x.numerator / x.denominator  # Python divides integers to nearest
    return math.nextafter(value, -math.inf) if Fraction(value) > x else value


def up(x):
    """The smallest double not below an mpf or a Fraction."""
    return -down(-x)


def certificate(n, k, alpha_text, sigma_text):
    alpha = mpf(alpha_text)
    if k == 0:
        value, complement = 0.0, 1.0
    else:
        if k == n:
            p, q = exp(log(alpha) / n), -expm1(log(alpha) / n)
        else:
            p, q = root(n, k, alpha)
        if p >= mpf(1) / 2:
            complement = up(q)
            value = down(1 - Fraction(complement))
        else:
            value = down(p)
            complement = up(1 - Fraction(value))
    radius = ""
    if complement < 0.5:
        tail = mpf(complement)
        z = sqrt(mpf(2)) * erfinv(1 - 2 * tail)
        radius = down(Fraction(down(z)) * Fraction(sigma_text)).hex()
    return value.hex(), complement.hex(), radius


CASES = [
    (1, 0, "0.001", "0.25"), (1, 1, "0.001", "0.25"), (2, 1, "0.05", "0.5"), (10, 9, "0.001", "0.5"),
    (10, 10, "0.001", "0.1"), (11, 11, "0.0005", "1"), (60, 31, "0.2", "0.12"), (100, 1, "0.01", "0.25"),
    (100, 66, "0.001", "0.25"), (100, 65, "0.001", "0.25"), (1000, 550, "0.001", "0.3"), (1000, 549, "0.001", "0.3"),
    (1000, 700, "0.5", "1"), (1000, 510, "0.4", "1"), (10000, 5156, "0.001", "1"), (10000, 5155, "0.001", "1"),
    (10000, 9999, "1e-9", "0.7"), (100000, 50490, "0.001", "0.25"), (100000, 50489, "0.001", "0.25"),
    (100000, 73396, "0.001", "0.12"), (100000, 99981, "0.001", "0.12"), (100000, 99999, "0.01", "0.5"),
    (100000, 100000, "0.001", "1"), (100000, 3, "0.001", "1"), (1000000, 999900, "0.0001", "0.25"),
    (1000000, 600000, "0.001", "0.25"), (100000000, 87654321, "0.001", "2.5"), (2147483648, 2147480000, "0.001", "1"),
]

if __name__ == "__main__":
    print("draws,hits,alpha,sigma,value,complement,radius")
    for n, k, alpha, sigma in CASES:
        print(",".join(map(str, (n, k, alpha, sigma, *certificate(n, k, alpha, sigma)))))
        sys.stdout.flush()
