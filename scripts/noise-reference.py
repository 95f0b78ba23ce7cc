#!/usr/bin/env python3
"""Writes Tests/Fixtures/noise.json: the bits of rrcm-noise-1, from nothing but integers, SHA-256 and mpmath.

usage: scripts/noise-reference.py > Tests/Fixtures/noise.json

An independent reading of docs/mathematics.md, "The noise bits". The fixture never changes while the scheme is called
rrcm-noise-1; a difference is a bug in whichever side moved.
"""
import hashlib
import json
import math
import struct
from mpmath import mp, mpf, erfc, sqrt, log, cos, sin, pi, nint

mp.dps = 70


def philox(counter, key):
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k1, p0 & 0xFFFFFFFF]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c


def key_of(text):
    return struct.unpack("<II", hashlib.sha256(text.encode()).digest()[:8])


def uniform(key, place, element):
    """The 64-bit uniform of one element; place = (sample, image, phase)."""
    words = philox((element // 2, *place), key)
    low, high = words[:2] if element % 2 == 0 else words[2:]
    return high << 32 | low


def table(sigma, m):
    """(lowest k, thresholds): round(2^64 Φ((k + 1/2) / (255 m sigma))) wherever that is neither 0 nor 2^64."""
    deviation = 255 * m * mpf(sigma)
    below, k = [], -1
    while True:
        value = int(nint(mpf(2) ** 63 * erfc(-(k + mpf(1) / 2) / deviation / sqrt(mpf(2)))))
        if value < 1:
            break
        below.append(value)
        k -= 1
    below.reverse()
    return k + 1, below + [2**64 - value for value in reversed(below)]


def grid(key, place, count, lowest, thresholds):
    return [lowest + sum(t <= uniform(key, place, e) for t in thresholds) for e in range(count)]


def float32(x):
    """Bits of the float32 nearest to an mpf or float (ties do not occur here)."""
    return struct.unpack("<I", struct.pack("<f", float(x)))[0]


def normal(key, place, element):
    """Bits of Box-Muller on 53-bit uniforms: cosine for even elements, sine for odd ones."""
    words = philox((element // 2, *place), key)
    u = [words[1] << 32 | words[0], words[3] << 32 | words[2]]
    first, second = mpf((u[0] >> 11) + 1) / 2**53, mpf(u[1] >> 11) / 2**53
    radius = sqrt(-2 * log(first))
    return float32(radius * (cos if element % 2 == 0 else sin)(2 * pi * second))


STREAMS = [(17, "0.25", 1), (17, "0.12", 2), (-3, "0.5", 1), (9223372036854775807, "1", 4)]
PLACES = [(0, 0, 0), (0, 0, 1), (1, 0, 1), (0, 7, 1), (99999, 4999, 1)]

if __name__ == "__main__":
    streams = []
    for seed, sigma, m in STREAMS:
        key = key_of(f"rrcm-noise-1|certify|{seed}|{sigma}|grid|{m}")
        lowest, thresholds = table(sigma, m)
        text = f"rrcm-grid-table-1|{sigma}|{m}|{lowest}|" + ",".join(map(str, thresholds))
        gaussian = key_of(f"rrcm-noise-1|certify|{seed}|{sigma}|gaussian|0")
        streams.append({
            "seed": seed, "sigma": sigma, "m": m, "key": key, "lowest": lowest, "thresholds": len(thresholds),
            "table_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "draws": [{"sample": s, "image": i, "phase": p, "k": grid(key, (s, i, p), 9, lowest, thresholds),
                       "z_bits": [normal(gaussian, (s, i, p), e) for e in range(9)]} for s, i, p in PLACES],
        })
    key = key_of("rrcm-noise-1|weights|17")
    other = {"purpose": "weights", "seed": 17, "key": key, "place": [1, 2, 3],
             "words": [uniform(key, (1, 2, 3), e) for e in range(6)],
             "z_bits": [normal(key, (1, 2, 3), e) for e in range(5)]}
    print(json.dumps({"streams": streams, "other": other}, indent=1))
