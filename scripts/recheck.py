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

from mpmath import erfinv, exp, log, loggamma, mp, mpf, sqrt
from scipy.stats import beta

mp.dps = 50


def read_votes(path):
    """The protocol; votes by (sigma, image) and phase; labels; faults found on the way."""
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
            counts = votes[item][row["phase"]]
            for name, count in zip(row["classes"], row["votes"]):
                counts[name] = counts.get(name, 0) + count
    return protocol, votes, labels, faults


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


@lru_cache(maxsize=None)
def faults_of_bound(k, n, alpha, slack, stored):
    """What is wrong with a stored lower bound, after slack, for k of n."""
    p, alpha_exact = mpf(stored) + mpf(slack), mpf(alpha)
    if stored > 0 and tail(n, k, p) > alpha_exact * (1 + mpf(10) ** -30):
        return f"p_lower {stored} is above the bound that {k} of {n} prove at alpha {alpha}"
    scipys = 0.0 if k == 0 else float(alpha) ** (1 / n) if k == n else beta.ppf(float(alpha), k, n - k + 1)
    if abs(stored + slack - scipys) > 1e-9:
        return f"p_lower {stored} where scipy has {scipys} for {k} of {n}"
    return None


def faults_of(certificate, level, alpha, votes, label, protocol):
    """Everything wrong with one certificate."""
    found = []
    selection, estimation = votes["selection"], votes["estimation"]
    drawn = sum(selection.values()), sum(estimation.values())
    if drawn != (protocol["n0"], protocol["n"]) or certificate["n"] != drawn[1]:
        found.append(f"drawn {drawn}, planned {protocol['n0']} and {protocol['n']}, stated n {certificate['n']}")
    top = min(c for c in selection if selection[c] == max(selection.values()))
    k, n = estimation.get(top, 0), drawn[1]
    if (certificate["top_class"], certificate["n_a"]) != (top, k):
        found.append(f"class {certificate['top_class']} with {certificate['n_a']} votes, counted {top} with {k}")
    fault = faults_of_bound(k, n, alpha, level["slack"], certificate["p_lower"])
    if fault:
        found.append(fault)
    certifies = certificate["p_lower"] > 0.5
    if certificate["abstain"] == certifies or certificate["predict"] != (top if certifies else None):
        found.append(f"p_lower {certificate['p_lower']} with predict {certificate['predict']}")
    if certificate["label"] != label or certificate["correct"] != (certifies and top == label):
        found.append(f"label {certificate['label']}, correct {certificate['correct']}")
    true_radius = mpf(level["sigma"]) * sqrt(2) * erfinv(2 * mpf(certificate["p_lower"]) - 1) if certifies else mpf(0)
    # The bound is stored to one double; near 1 its complement carries more digits than p_lower shows.
    density = exp(-((true_radius / mpf(level["sigma"])) ** 2) / 2)
    if abs(certificate["radius"] - true_radius) > mpf(level["sigma"]) * mpf(10) ** -15 / density:
        found.append(f"radius {certificate['radius']} where the bound gives {mp.nstr(true_radius, 17)}")
    return found


def main(votes_path, certificates_path):
    protocol, votes, labels, faults = read_votes(votes_path)
    with open(certificates_path) as file:
        run = json.load(file)
    if protocol["mode"] != "fixed":
        sys.exit(f"mode {protocol['mode']} is not known to this script")
    levels = {str(level["sigma"]): level for level in protocol["levels"]}
    checked, largest = 0, 0.0
    for stored in run["levels"]:
        sigma = next(s for s in levels if float(s) == stored["sigma"])
        for certificate in stored["certificates"]:
            item = sigma, certificate["idx"]
            checked += 1
            largest = max(largest, certificate["radius"])
            for fault in faults_of(
                certificate, levels[sigma], protocol["alpha"], votes[item], labels.get(item), protocol
            ):
                faults.append(f"image {item[1]} at sigma {sigma}: {fault}")
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    print(f"{checked} certificates checked against {len(votes)} items' votes, {len(faults)} faults; largest radius {largest:.4f}")
    return 1 if faults or checked == 0 else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
