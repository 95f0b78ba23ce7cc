#!/usr/bin/env python3
"""Writes Tests/Fixtures/mixture-bounds.csv: bounds of the one-sided mixture martingale to 40 digits and to the last bit.

usage: scripts/mixture-reference.py > Tests/Fixtures/mixture-bounds.csv

An independent evaluation of what docs/mathematics.md states: the incomplete beta function by its series of positive
terms with 60 digits (mpmath), the root by regula falsi, every result rounded once. Up to 1,000 draws the martingale is
also integrated: with theta = sin^2(phi) the Beta(1/2, 1/2) mixture over theta > p is the plain mean of the likelihood
ratio over arcsin(sqrt p) < phi < pi/2.
"""
import math
import sys
from fractions import Fraction
from mpmath import mp, mpf, log, exp, sqrt, asin, sin, cos, pi, quad, erfinv, loggamma, log1p

mp.dps = 60


def log_martingale(n, k, p, q):
    """ln M(p) after k hits of n; q = 1 - p."""
    if k == n and n > 1000:
        return log_integral(n, k, p, q)  # the series would take long near p = 1
    a, b = mpf(k) + mpf(1) / 2, mpf(n - k) + mpf(1) / 2
    log_beta = loggamma(a) + loggamma(b) - loggamma(n + 1)
    # I_p(a, b) = p^a q^b / (a B(a, b)) * sum of (a+b)_i / (a+1)_i p^i
    term, total, i = mpf(1), mpf(1), 0
    while term > total * mpf(10) ** -58:
        term = term * p * (n + 1 + i) / (a + 1 + i)
        total += term
        i += 1
    inside = exp(a * log(p) + b * log(q) - log(a) - log_beta) * total
    angle = asin(sqrt(q)) if q < p else pi / 2 - asin(sqrt(p))
    return log_beta - k * log(p) - (n - k) * log(q) + log1p(-inside) - log(2 * angle)


def log_integral(n, k, p, q):
    """The same by quadrature in psi = pi/2 - phi: cos^2 psi = theta, so that nothing is lost near theta = 1."""
    last = asin(sqrt(q)) if q < p else pi / 2 - asin(sqrt(p))
    peak = min(asin(sqrt(mpf(n - k) / n)), last)

    def log_ratio(psi):
        return k * log(cos(psi) ** 2 / p) + ((n - k) * log(sin(psi) ** 2 / q) if k < n else 0)

    top = log_ratio(peak if peak > 0 else mpf(0))
    width = 2 / sqrt(mpf(n))
    points = sorted({mpf(0), last} | {peak + j * width for j in range(-8, 9) if 0 < peak + j * width < last})
    return top + log(quad(lambda psi: exp(log_ratio(psi) - top) if psi > 0 or k == n else mpf(0), points) / last)


def root(n, k, alpha):
    """(p, 1 - p) with M(p) = 1/alpha, found in u = ln(p/q)."""
    target = -log(alpha)

    def split(u):
        e = exp(-abs(u))
        return (1 / (1 + e), e / (1 + e)) if u > 0 else (e / (1 + e), 1 / (1 + e))

    def miss(u):
        return log_martingale(n, k, *split(u)) - target

    # A bracket around n KL(k/n, p) = ln(1/alpha) + ln(n)/2 in the arcsine scale; M falls in p there.
    step = sqrt((target + log(n + 1) / 2) / (2 * n))
    top = asin(sqrt(mpf(k) / n))

    def at(phi):
        return log(sin(phi) ** 2 / cos(phi) ** 2)

    phi = max(top - step, min(step, top) / 100)
    high = at(phi)
    f_high = miss(high)
    while f_high > 0:
        phi = (phi + top) / 2
        high = at(phi)
        f_high = miss(high)
    low, f_low = high, f_high
    while f_low <= 0:
        phi *= mpf(8) / 10 if step > top / 4 else 1 - step / (4 * top)
        low = at(phi)
        f_low = miss(low)
    # Regula falsi with the Illinois rule.
    u1, kept = high, ""
    for _ in range(80):
        before = u1
        u1 = high - f_high * (high - low) / (f_high - f_low)
        f = miss(u1)
        if abs(u1 - before) <= mpf(10) ** -42 * max(abs(u1), 1) or f == 0:
            break
        if f > 0:
            low, f_low = u1, f
            f_high = f_high / 2 if kept == "high" else f_high
            kept = "high"
        else:
            high, f_high = u1, f
            f_low = f_low / 2 if kept == "low" else f_low
            kept = "low"
    p, q = split(u1)
    if n <= 1000:
        assert abs(log_integral(n, k, p, q) - target) < mpf(10) ** -38, (n, k)
    return p, q


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
    if k == 0:
        p, q = mpf(0), mpf(1)
    else:
        p, q = root(n, k, mpf(alpha_text))
    if p >= mpf(1) / 2:
        complement = up(q)
        value = down(1 - Fraction(complement))
    else:
        value = down(p)
        complement = up(1 - Fraction(value))
    radius = ""
    if complement < 0.5:
        z = sqrt(mpf(2)) * erfinv(1 - 2 * mpf(complement))
        radius = down(Fraction(down(z)) * Fraction(sigma_text)).hex()
    return mp.nstr(p, 40), mp.nstr(q, 40), value.hex(), complement.hex(), radius


CASES = [
    (1, 0, "0.001", "0.25"), (1, 1, "0.5", "0.25"), (1, 1, "0.001", "0.25"), (2, 1, "0.05", "0.5"), (3, 2, "0.5", "1"),
    (10, 9, "0.001", "0.5"), (10, 10, "0.001", "0.1"), (12, 12, "0.00025", "1"), (60, 31, "0.2", "0.12"),
    (100, 1, "0.01", "0.25"), (100, 66, "0.001", "0.25"), (250, 250, "0.00025", "0.25"), (250, 200, "0.00025", "0.25"),
    (500, 499, "0.00025", "0.5"), (1000, 550, "0.001", "0.3"), (1000, 562, "0.001", "0.3"), (1000, 700, "0.5", "1"),
    (1000, 510, "0.4", "1"), (10000, 5156, "0.001", "1"), (10000, 5215, "0.001", "1"), (10000, 9999, "1e-9", "0.7"),
    (100000, 55000, "0.00025", "0.25"), (100000, 90000, "0.00025", "0.25"), (100000, 99000, "0.00025", "0.12"),
    (100000, 100000, "0.00025", "1"), (100000, 3, "0.001", "1"), (1000000, 990000, "0.0001", "0.25"),
    (1000000, 600000, "0.001", "0.25"), (10000000, 8765432, "0.001", "2.5"),
]

if __name__ == "__main__":
    print("draws,hits,alpha,sigma,p,q,value,complement,radius")
    for n, k, alpha, sigma in CASES:
        print(",".join(map(str, (n, k, alpha, sigma, *certificate(n, k, alpha, sigma)))))
        sys.stdout.flush()
