#!/usr/bin/env python3
"""Checks every certificate of a run against its votes, with other tools and other formulas than the program's.

usage: scripts/recheck.py VOTES CERTIFICATES

    rrcm export votes NAME > votes.jsonl
    rrcm export certificates NAME --output json > certificates.json
    python3 -m venv .venv && .venv/bin/pip install scipy mpmath
    .venv/bin/python scripts/recheck.py votes.jsonl certificates.json

Votes are summed here; the bound is scipy's beta quantile, and the tail of every stored bound is summed term by term
with 50 digits (mpmath), so that a bound above the true one shows whatever scipy does. Exit 1 on any disagreement.
"""
import json
import sys
from collections import defaultdict
from functools import lru_cache

from mpmath import acos, erfinv, exp, log, loggamma, mp, mpf, pi, sqrt
from scipy.stats import beta

mp.dps = 50
# Modes that decide at looks before all draws are made.
STOPPING = ("curtailed", "sequential", "epsilon")


def read_votes(path):
    """The protocol; chunks' votes by (sigma, image) and phase; labels; faults found on the way."""
    votes, labels, seen, faults = defaultdict(lambda: {"selection": {}, "estimation": {}}), {}, set(), []
    with open(path) as lines:
        protocol = json.loads(next(lines))
        assert protocol["format"] == "rrcm-votes-1", "not a votes export of a version known here"
        for line in lines:
            row = json.loads(line)
            item = row["sigma"], row["idx"]
            identity = (*item, row["phase"], row["chunk"])
            if identity in seen:
                faults.append(f"{identity} is there twice")
            seen.add(identity)
            if sum(row["votes"]) != row["samples"]:
                faults.append(f"{identity}: {sum(row['votes'])} votes of {row['samples']} samples")
            labels[item] = row["label"]
            votes[item][row["phase"]][row["chunk"]] = dict(zip(row["classes"], row["votes"]))
    return protocol, votes, labels, faults


def added(chunks):
    """Votes by class of several chunks."""
    total = defaultdict(int)
    for counts in chunks:
        for name, count in counts.items():
            total[name] += count
    return total


def tail(n, k, p):
    """P(Bin(n, p) >= k), summed term by term."""
    if k <= 0:
        return mpf(1)
    if p <= 0:
        return mpf(0)
    term = exp(loggamma(n + 1) - loggamma(k + 1) - loggamma(n - k + 1) + k * log(p) + (n - k) * log(1 - p))
    total, odds = term, p / (1 - p)
    for j in range(k, n):
        term *= (n - j) * odds / (j + 1)
        total += term
        if term < total * mpf(10) ** -40 and (n - j) * odds < j + 1:
            break
    return total


def mixture(k, n, p):
    """ln of the one-sided mixture martingale, prior Beta(1/2, 1/2) restricted to q > p, at p after k hits of n."""
    a, b, q = k + mpf(1) / 2, n - k + mpf(1) / 2, 1 - p
    log_beta = loggamma(a) + loggamma(b) - loggamma(n + 1)
    # 1 - I_p(a, b) = I_q(b, a) = q^b p^a / (b B(a, b)) * sum of (a+b)_i / (b+1)_i q^i, all terms positive.
    term, total, i = mpf(1), mpf(1), 0
    while term > total * mpf(10) ** -48 or q * (n + 1 + i) >= b + 1 + i:
        term *= q * (n + 1 + i) / (b + 1 + i)
        total += term
        i += 1
    log_above = b * log(q) + a * log(p) - log(b) - log_beta + log(total)
    return log_beta - log(pi) - k * log(p) - (n - k) * log(q) + log_above - log(2 / pi * acos(sqrt(p)))


def excludes(k, n, p, limit):
    """Whether the martingale after k hits of n reaches its limit at p; where k <= n p it is at most 1."""
    return k > n * p and mixture(k, n, p) >= limit


def scipys_bound(k, n, alpha):
    return 0.0 if k == 0 else float(alpha) ** (1 / n) if k == n else float(beta.ppf(float(alpha), k, n - k + 1))


@lru_cache(maxsize=None)
def faults_of_bound(k, n, alpha, slack, stored):
    """What is wrong with a stored Clopper-Pearson bound, after slack, for k of n."""
    p = mpf(stored) + mpf(slack)
    if stored > 0 and tail(n, k, p) > alpha * (1 + mpf(10) ** -30):
        return f"p_lower {stored} is above the bound that {k} of {n} prove at alpha {mp.nstr(alpha, 6)}"
    if abs(stored + slack - scipys_bound(k, n, alpha)) > 1e-9:
        return f"p_lower {stored} where scipy has {scipys_bound(k, n, alpha)} for {k} of {n}"
    return None


def faults_of_stopped(prefixes, planned, alpha, slack, stored):
    """What is wrong with a bound of a mode that stops early: the best of the mixture bounds at alpha/4 of all looks, and
    of Clopper-Pearson at 3·alpha/4 once all draws are made. prefixes: (k, n) of each look so far."""
    if stored <= 0:
        return None
    p, limit = mpf(stored) + mpf(slack), log(4 / alpha)
    k, n = prefixes[-1]
    ended = n == planned
    # The bound is the largest p that any look still excludes: there the martingale of some look is at its limit.
    proven = any(excludes(k, n, p, limit - mpf(10) ** -30) for k, n in prefixes)
    if ended:
        proven = proven or tail(n, k, p) <= 3 * alpha / 4 * (1 + mpf(10) ** -30)
    if not proven:
        return f"p_lower {stored} is above every bound that {len(prefixes)} looks prove"
    higher = p * (1 + mpf(10) ** -9) if p < mpf(1) / 2 else 1 - (1 - p) * (1 - mpf(10) ** -9)
    more = any(excludes(k, n, higher, limit) for k, n in prefixes)
    if more or ended and tail(n, k, higher) <= 3 * alpha / 4:
        return f"p_lower {stored} is below what the looks prove"
    return None


def rounding(sigma, z):
    """How far a radius may be from that of its bound as printed, one double, whose complement carries more digits near 1."""
    return sigma * mpf(10) ** -15 / exp(-(z**2) / 2)


def faults_of_runner_up(k, others, n, certificate, alpha, sigma, slack):
    """What is wrong with the bounds at alpha/2 on the top class's k and the largest other count, and with their radius."""
    second = max(others, default=0)
    if certificate["runner_up_votes"] != second:
        return f"runner_up_votes {certificate['runner_up_votes']}, counted {second}"
    fault = faults_of_bound(k, n, alpha / 2, slack, certificate["p_lower"])
    # The same bound seen from the other side: the complement's lower bound for the draws that are not the runner-up's.
    upper = certificate["p_upper"]
    misses = n - second
    truth = 1 - scipys_bound(misses, n, alpha / 2)
    below = 1 - (mpf(upper) - mpf(slack))
    if upper < 1 and tail(n, misses, below) > alpha / 2 * (1 + mpf(10) ** -30):
        fault = fault or f"p_upper {upper} is below the bound that {second} of {n} prove at alpha {mp.nstr(alpha / 2, 6)}"
    if abs(upper - slack - truth) > 1e-9:
        fault = fault or f"p_upper {upper} where scipy has {truth} for {second} of {n}"
    if fault:
        return fault
    lower = certificate["p_lower"]
    if certificate["abstain"] != (lower <= upper):
        return f"abstain {certificate['abstain']} with p_lower {lower} and p_upper {upper}"
    if lower > upper:
        quantiles = [sqrt(2) * erfinv(2 * mpf(p) - 1) for p in (lower, upper)]
        radius = sigma / 2 * (quantiles[0] - quantiles[1])
        if abs(certificate["radius"] - radius) > sum(rounding(sigma, z) for z in quantiles):
            return f"radius {certificate['radius']} where the bounds give {mp.nstr(radius, 17)}"
    return None


def faults_of_prediction(counts, n, certificate, alpha, slack):
    """What is wrong with PREDICT's class, counts and p-value: twice the tail of the leader among the leading two."""
    leaders = sorted(counts, key=lambda name: (-counts[name], name))[:2]
    first, second = counts[leaders[0]], counts[leaders[1]] if len(leaders) > 1 else 0
    if (certificate["top_class"], certificate["n_a"], certificate["runner_up_votes"]) != (leaders[0], first, second):
        return f"class {certificate['top_class']}: {certificate['n_a']} to {certificate['runner_up_votes']}, counted {leaders[0]}: {first} to {second}"
    p = min(2 * tail(first + second, first, mpf(1) / 2), mpf(1)) if first > second else mpf(1)
    # Rounded up, so never 0: the least double there is doubled.
    if not p * (1 - mpf(10) ** -30) <= certificate["p_value"] <= p * (1 + mpf(10) ** -12) + mpf(10) ** -323:
        return f"p_value {certificate['p_value']} where {first} to {second} give {mp.nstr(p, 17)}"
    if certificate["abstain"] != (p + n * mpf(slack) > alpha):
        return f"abstain {certificate['abstain']} at p-value {mp.nstr(p, 17)}"
    return None


def faults_of(certificate, level, votes, label, protocol):
    """Everything wrong with one certificate."""
    found, mode = [], protocol["mode"]
    alpha, slack, sigma = mpf(protocol["alpha"]), level["slack"], mpf(level["sigma"])
    selection = added(votes["selection"].values())
    if sum(selection.values()) != protocol["n0"]:
        found.append(f"{sum(selection.values())} selection draws where {protocol['n0']} were planned")
    top = min(c for c in selection if selection[c] == max(selection.values()))
    prefixes, chunks = [], -(-protocol["n"] // protocol["chunk_samples"])
    for length in protocol["looks"] if mode in STOPPING else [chunks]:
        if any(chunk not in votes["estimation"] for chunk in range(length)):
            break
        counts = added(votes["estimation"][chunk] for chunk in range(length))
        prefixes.append((counts.get(top, 0), sum(counts.values())))
        if prefixes[-1][1] == certificate["n"]:
            break
    if not prefixes or prefixes[-1][1] != certificate["n"]:
        return found + [f"no look has the {certificate['n']} draws that are stated"]
    k, n = prefixes[-1]
    if mode not in STOPPING and n != protocol["n"]:
        found.append(f"{n} draws where {protocol['n']} were planned")
    certifies = not certificate["abstain"]
    if certificate["correct"] != (certifies and certificate["top_class"] == label) or certificate["label"] != label:
        found.append(f"label {certificate['label']}, correct {certificate['correct']}")
    if certificate["predict"] != (certificate["top_class"] if certifies else None):
        found.append(f"predict {certificate['predict']} of top class {certificate['top_class']}")
    if mode == "predict":
        return found + [fault for fault in [faults_of_prediction(counts, n, certificate, alpha, slack)] if fault]
    if (certificate["top_class"], certificate["n_a"]) != (top, k):
        found.append(f"class {certificate['top_class']} with {certificate['n_a']} votes, counted {top} with {k}")
    if mode == "runner-up":
        others = [count for name, count in counts.items() if name != top]
        fault = faults_of_runner_up(k, others, n, certificate, alpha, sigma, slack)
        return found + [fault for fault in [fault] if fault]
    stored, radius = certificate["p_lower"], certificate["radius"]
    if mode in ("sequential", "epsilon"):
        fault = faults_of_stopped(prefixes, protocol["n"], alpha, slack, stored)
    else:
        # A curtailed item counts every draw not made as a miss.
        fault = faults_of_bound(k, protocol["n"], alpha, slack, stored)
    if fault:
        found.append(fault)
    true_radius = sigma * sqrt(2) * erfinv(2 * mpf(stored) - 1) if stored > 0.5 else mpf(0)
    error = rounding(sigma, true_radius / sigma)
    if mode == "curtailed" and n < protocol["n"]:
        # Stopped early it states the largest target reached, which the bound supports.
        if certifies and (radius > true_radius + error or not any(float(t) == radius for t in protocol["targets"])):
            found.append(f"radius {radius} is no target that {k} hits reach")
    else:
        if certifies != (stored > 0.5):
            found.append(f"p_lower {stored} with abstain {certificate['abstain']}")
        if abs(radius - true_radius) > error:
            found.append(f"radius {radius} where the bound gives {mp.nstr(true_radius, 17)}")
    return found


def main(votes_path, certificates_path):
    protocol, votes, labels, faults = read_votes(votes_path)
    with open(certificates_path) as file:
        run = json.load(file)
    levels = {str(level["sigma"]): level for level in protocol["levels"]}
    checked, largest = 0, 0.0
    for stored in run["levels"]:
        sigma = next(s for s in levels if float(s) == stored["sigma"])
        for certificate in stored["certificates"]:
            item = sigma, certificate["idx"]
            checked += 1
            largest = max(largest, certificate["radius"])
            for fault in faults_of(certificate, levels[sigma], votes[item], labels.get(item), protocol):
                faults.append(f"image {item[1]} at sigma {sigma}: {fault}")
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    print(f"{checked} certificates checked against {len(votes)} items' votes, {len(faults)} faults; largest radius {largest:.4f}")
    return 1 if faults or checked == 0 else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
