#!/usr/bin/env python3
"""Checks every certificate of a run against its votes, with other tools and other formulas than the program's.

usage: scripts/recheck.py VOTES CERTIFICATES

    rrcm export votes NAME > votes.jsonl
    rrcm export certificates NAME --output json > certificates.json
    python3 -m venv .venv && .venv/bin/pip install scipy mpmath
    .venv/bin/python scripts/recheck.py votes.jsonl certificates.json

Votes are summed here; the bound is scipy's beta quantile, and the tail of every stored bound is summed term by term
with 50 digits (mpmath), so that a bound above the true one shows whatever scipy does. Both files must state the same
protocol, and no item that is due may lack its certificate. Exit 1 on any disagreement.

Taken from the votes file as it stands: the slack, which comes from the noise table that is not in it, and that the votes
are those of the checkpoint. Nor is it checked that an item had to stop at the look where it did.
"""
import json
import sys
from collections import defaultdict
from fractions import Fraction
from functools import lru_cache
from math import inf, isfinite, nextafter

from mpmath import acos, erfinv, exp, log, loggamma, mp, mpf, pi, sqrt
from scipy.stats import beta

mp.dps = 50
MODES = ("fixed", "curtailed", "runner-up", "sequential", "epsilon", "predict")
# Modes that decide at looks before all draws are made, and modes that decide about target radii.
STOPPING = ("curtailed", "sequential", "epsilon")
TARGETED = ("curtailed", "sequential")
# What both files say of the run.
FACTS = ("run", "run_id", "mode", "n0", "n", "sampler", "seed", "checkpoint_sha256", "dataset_sha256", "epsilon")
# What a file of another form leads to.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


def finite(text):
    if not isfinite(float(text)):
        raise ValueError(f"{text} is no finite number")
    return float(text)


def parsed(text):
    """The value of a JSON text, which may not hold what JSON does not know (NaN, Infinity) nor what a double cannot."""
    return json.loads(text, parse_float=finite, parse_constant=finite)


def rounded_up(decimal):
    """The smallest double at or above a decimal as text: what the program compares radii with, and prints."""
    nearest = float(decimal)
    return nearest if Fraction(nearest) >= Fraction(decimal) else nextafter(nearest, inf)


def chunk_count(protocol):
    return -(-protocol["n"] // protocol["chunk_samples"])


def fault_of_protocol(protocol):
    if protocol["format"] != "rrcm-votes-1":
        return f"format {protocol['format']} is not known here"
    if protocol["mode"] not in MODES:
        return f"mode {protocol['mode']} is not known here"
    if not all(type(protocol[name]) is int and protocol[name] > 0 for name in ("n0", "n", "chunk_samples")):
        return "n0, n and chunk_samples must be positive integers"
    if not 0 < Fraction(protocol["alpha"]) <= Fraction(1, 2):
        return f"alpha {protocol['alpha']} is not above 0 and at most 1/2"
    sigmas = [float(level["sigma"]) for level in protocol["levels"]]
    if len(set(sigmas)) < len(sigmas) or len(set(protocol["images"])) < len(protocol["images"]):
        return "a noise level or an image is listed twice"
    if not all(0 < sigma < inf for sigma in sigmas) or not all(0 <= level["slack"] < 0.5 for level in protocol["levels"]):
        return "a noise level's sigma or slack is out of range"
    if any((level["slack"] > 0) != (protocol["sampler"] == "grid") for level in protocol["levels"]):
        return "the grid sampler has slack, and no other has"
    if bool(protocol["targets"]) != (protocol["mode"] in TARGETED):
        return f"targets {protocol['targets']} in mode {protocol['mode']}"
    looks = protocol["looks"]
    if protocol["mode"] not in STOPPING:
        return f"looks in mode {protocol['mode']}" if looks else None
    if not looks or looks != sorted(set(looks)) or looks[0] < 1 or looks[-1] != chunk_count(protocol):
        return f"looks must rise from at least 1 to all {chunk_count(protocol)} chunks"
    return None


def planned_samples(phase, chunk, protocol):
    """Draws that the plan gives a chunk, 0 where it has none such."""
    if type(chunk) is not int or chunk < 0:
        return 0
    if phase == "selection":
        return protocol["n0"] if chunk == 0 else 0
    size = protocol["chunk_samples"]
    return max(0, min(size, protocol["n"] - chunk * size)) if phase == "estimation" else 0


def fault_of_row(row, protocol):
    planned = planned_samples(row["phase"], row["chunk"], protocol)
    if planned == 0:
        return "is not in the plan"
    if row["samples"] != planned:
        return f"has {row['samples']} samples where the plan has {planned}"
    if len(row["classes"]) != len(row["votes"]) or row["classes"] != sorted(set(row["classes"])):
        return "has classes that do not ascend, or not as many as votes"
    if not all(type(count) is int and count > 0 for count in row["votes"]) or sum(row["votes"]) != planned:
        return f"has votes {row['votes']} of {planned} samples"
    return None


def read_votes(path):
    """The protocol; chunks' votes by (sigma, image) and phase; labels by image; faults found on the way."""
    votes, labels, seen, faults = defaultdict(lambda: {"selection": {}, "estimation": {}}), {}, set(), []
    with open(path) as lines:
        protocol = parsed(next(lines, ""))
        if fault := fault_of_protocol(protocol):
            raise ValueError(fault)
        items = {(level["sigma"], image) for level in protocol["levels"] for image in protocol["images"]}
        for line in lines:
            row = parsed(line)
            item, place = (row["sigma"], row["idx"]), (row["phase"], row["chunk"])
            fault = fault_of_row(row, protocol) if item in items else "is of no item of the run"
            if (*item, *place) in seen:
                fault = "is there twice"
            if labels.setdefault(row["idx"], row["label"]) != row["label"]:
                fault = f"has label {row['label']}, another {labels[row['idx']]}"
            if fault:
                faults.append(f"image {item[1]} at sigma {item[0]}: chunk {place[1]} of phase {place[0]} {fault}")
                continue
            seen.add((*item, *place))
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
    if p <= 0 or p >= 1:
        return mpf(p > 0)
    term = exp(loggamma(n + 1) - loggamma(k + 1) - loggamma(n - k + 1) + k * log(p) + (n - k) * log(1 - p))
    total, odds = term, p / (1 - p)
    for j in range(k, n):
        term *= (n - j) * odds / (j + 1)
        total += term
        if term < total * mpf(10) ** -40 and (n - j) * odds < j + 1:
            break
    return total


def series(first, second, x):
    """Sum of (first)_i / (second)_i x^i over i from 0, all terms positive."""
    term, total, i = mpf(1), mpf(1), 0
    while term > total * mpf(10) ** -48 or x * (first + i) >= second + i:
        term *= x * (first + i) / (second + i)
        total += term
        i += 1
    return total


def log_above(a, b, p, log_beta, in_p):
    """ln(1 - I_p(a, b)) by a series in p or one in q = 1 - p; the former loses digits where I_p is near 1."""
    q = 1 - p
    if in_p:
        return log(1 - exp(a * log(p) + b * log(q) - log(a) - log_beta + log(series(a + b, a + 1, p))))
    return a * log(p) + b * log(q) - log(b) - log_beta + log(series(a + b, b + 1, q))


def mixture(k, n, p):
    """ln of the one-sided mixture martingale, prior Beta(1/2, 1/2) restricted to q > p, at p < k/n after k hits of n."""
    a, b, q = k + mpf(1) / 2, n - k + mpf(1) / 2, 1 - p
    log_beta = loggamma(a) + loggamma(b) - loggamma(n + 1)
    # Each series' terms shrink by its variable in the end. p is under the mean or near it, so that I_p is not near 1.
    above = log_above(a, b, p, log_beta, in_p=p < mpf(1) / 2)
    return log_beta - log(pi) - k * log(p) - (n - k) * log(q) + above - log(2 / pi * acos(sqrt(p)))


@lru_cache(maxsize=None)
def excludes(k, n, p, limit):
    """Whether the martingale after k hits of n reaches its limit at p; where k <= n p it is at most 1."""
    if k <= n * p:
        return False
    # It is a mean of likelihood ratios, so that it is at most the largest of them.
    largest = k * log(k / (n * p)) + ((n - k) * log((n - k) / (n * (1 - p))) if k < n else 0)
    return largest >= limit and mixture(k, n, p) >= limit


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
    p, limit = mpf(stored) + mpf(slack), log(4 / alpha)
    k, n = prefixes[-1]
    ended = n == planned
    # The bound is the largest p that any look still excludes: there the martingale of some look is at its limit.
    proven = stored == 0 or any(excludes(k, n, p, limit - mpf(10) ** -30) for k, n in prefixes)
    if ended:
        proven = proven or tail(n, k, p) <= 3 * alpha / 4 * (1 + mpf(10) ** -30)
    if not proven:
        return f"p_lower {stored} is above every bound that {len(prefixes)} looks prove"
    # Further than the rounding of the bound and of its complement, which is kept where it is above one half.
    step = mpf(10) ** -9
    higher = max(p * (1 + step), mpf(10) ** -30) if p < mpf(1) / 2 else p + max((1 - p) * step, mpf(10) ** -15)
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
    if (certificate["radius"], certificate["p_lower"]) != (0, 0):
        return f"radius {certificate['radius']} and p_lower {certificate['p_lower']}, which this mode does not have"
    return None


def fault_of_target(certificate, k, true_radius, error, targets):
    """What is wrong with the radius of a curtailed item stopped early: the largest target that its bound reaches."""
    targets = [rounded_up(target) for target in targets] if certificate["p_lower"] > 0.5 else []
    reached = [target for target in targets if target <= true_radius - error]
    within_rounding = [target for target in targets if abs(target - true_radius) <= error]
    largest = max(reached, default=None)
    if (None if certificate["abstain"] else certificate["radius"]) in [largest, *within_rounding]:
        return None
    stated = f"radius {certificate['radius']} with abstain {certificate['abstain']}"
    return f"{stated} where {k} hits reach {'no target' if largest is None else largest}"


def faults_of_fields(certificate, label, protocol):
    """What is wrong with a certificate whatever the votes are."""
    found, mode = [], protocol["mode"]
    certifies, radius = not certificate["abstain"], certificate["radius"]
    if certificate["label"] != label or certificate["correct"] != (certifies and certificate["top_class"] == label):
        found.append(f"label {certificate['label']}, correct {certificate['correct']} where the votes have label {label}")
    if certificate["predict"] != (certificate["top_class"] if certifies else None):
        found.append(f"predict {certificate['predict']} of top class {certificate['top_class']}")
    if (certificate["mode"], certificate["planned_n"]) != (mode, protocol["n"]):
        found.append(f"mode {certificate['mode']} and planned_n {certificate['planned_n']}, not the run's")
    if radius < 0 or not certifies and radius != 0:
        found.append(f"radius {radius} with abstain {certificate['abstain']}")
    reached = [float(target) for target in protocol["targets"] if certifies and radius >= rounded_up(target)]
    if certificate["targets_reached"] != (reached if mode in TARGETED else None):
        found.append(f"targets_reached {certificate['targets_reached']} with radius {radius}")
    owners = {"runner_up_votes": ("runner-up", "predict"), "p_upper": ("runner-up",), "p_value": ("predict",)}
    for name, modes in owners.items():
        if (certificate[name] is None) == (mode in modes):
            found.append(f"{name} {certificate[name]} in mode {mode}")
    return found


def faults_of(certificate, level, votes, label, protocol):
    """Everything wrong with one certificate."""
    if votes is None:
        return ["a certificate without votes"]
    found, mode = faults_of_fields(certificate, label, protocol), protocol["mode"]
    alpha, slack, sigma = mpf(protocol["alpha"]), level["slack"], mpf(level["sigma"])
    selection = added(votes["selection"].values())
    if not selection:
        return found + ["no selection votes"]
    top = min(c for c in selection if selection[c] == max(selection.values()))
    prefixes = []
    for length in protocol["looks"] if mode in STOPPING else [chunk_count(protocol)]:
        if any(chunk not in votes["estimation"] for chunk in range(length)):
            break
        counts = added(votes["estimation"][chunk] for chunk in range(length))
        prefixes.append((counts.get(top, 0), sum(counts.values())))
        if prefixes[-1][1] == certificate["n"]:
            break
    if not prefixes or prefixes[-1][1] != certificate["n"]:
        return found + [f"no look has the {certificate['n']} draws that are stated"]
    k, n = prefixes[-1]
    certifies = not certificate["abstain"]
    if mode == "predict":
        return found + [fault for fault in [faults_of_prediction(counts, n, certificate, alpha, slack)] if fault]
    if (certificate["top_class"], certificate["n_a"]) != (top, k):
        found.append(f"class {certificate['top_class']} with {certificate['n_a']} votes, counted {top} with {k}")
    if not 0 <= certificate["p_lower"] < 1:
        return found + [f"p_lower {certificate['p_lower']} is no lower bound of a probability"]
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
        if fault := fault_of_target(certificate, k, true_radius, error, protocol["targets"]):
            found.append(fault)
    else:
        if certifies != (stored > 0.5):
            found.append(f"p_lower {stored} with abstain {certificate['abstain']}")
        if abs(radius - true_radius) > error:
            found.append(f"radius {radius} where the bound gives {mp.nstr(true_radius, 17)}")
    return found


def faults_of_facts(run, protocol):
    """Where the certificates' file states another protocol than the votes'."""
    truth = {name: protocol[name] for name in FACTS} | {"origin": "fleet", "alpha": float(protocol["alpha"])}
    truth["targets"] = [float(target) for target in protocol["targets"]]
    found = [(name, run.get(name), value) for name, value in truth.items() if run.get(name) != value]
    return [f"the certificates' {name} is {stated}, the votes' {value}" for name, stated, value in found]


def faults_of_level(stated, level, protocol):
    """The same of a noise level; `planned` and `finished` are to be those of the file."""
    truth = {"m": level["m"] or None, "slack": level["slack"], "table_sha256": level["table_sha256"]}
    truth |= {"n": protocol["n"], "alpha": float(protocol["alpha"]), "planned": len(protocol["images"])}
    truth["finished"] = len(stated["certificates"])
    found = [(name, stated[name], value) for name, value in truth.items() if stated[name] != value]
    return [f"sigma {level['sigma']}: {name} is {stated}, not {value}" for name, stated, value in found]


def faults_of_missing(sigma, stated, votes, certified, protocol):
    """Items of a level without a certificate though it is finished, or though all their votes are there."""
    found, chunks = [], chunk_count(protocol)
    for image in protocol["images"]:
        chunked = votes.get((sigma, image))
        complete = chunked and chunked["selection"] and len(chunked["estimation"]) == chunks
        if image not in certified and (complete or stated["finished"] >= stated["planned"]):
            why = "with all its votes" if complete else "though its level is finished"
            found.append(f"image {image} at sigma {sigma}: no certificate, {why}")
    return found


def check(protocol, votes, labels, run):
    """Faults of all certificates, their number, the largest radius."""
    faults, checked, largest = faults_of_facts(run, protocol), 0, 0.0
    stated_levels = {stated["sigma"]: stated for stated in run["levels"]}
    if [stated["sigma"] for stated in run["levels"]] != [float(level["sigma"]) for level in protocol["levels"]]:
        faults.append(f"the certificates' noise levels are {list(stated_levels)}, not those of the votes")
    for level in protocol["levels"]:
        sigma = level["sigma"]
        stated = stated_levels.get(float(sigma))
        if stated is None:
            continue
        faults += faults_of_level(stated, level, protocol)
        certified = set()
        for certificate in stated["certificates"]:
            image = certificate["idx"]
            checked += 1
            try:
                found = faults_of(certificate, level, votes.get((sigma, image)), labels.get(image), protocol)
                largest = max(largest, certificate["radius"])
            except MALFORMED as problem:
                found = [f"a certificate that cannot be checked ({type(problem).__name__}: {problem})"]
            if image in certified:
                found.append("more than one certificate")
            certified.add(image)
            faults += [f"image {image} at sigma {sigma}: {fault}" for fault in found]
        faults += faults_of_missing(sigma, stated, votes, certified, protocol)
    return faults, checked, largest


def main(votes_path, certificates_path):
    path = votes_path
    try:
        protocol, votes, labels, faults = read_votes(path)
        path = certificates_path
        with open(path) as file:
            run = parsed(file.read())
        found, checked, largest = check(protocol, votes, labels, run)
    except (OSError, *MALFORMED) as problem:
        print(f"{path} cannot be checked ({type(problem).__name__}: {problem})", file=sys.stderr)
        return 1
    faults += found
    for fault in faults[:20]:
        print(fault, file=sys.stderr)
    planned = len(protocol["levels"]) * len(protocol["images"])
    if checked < planned:
        print(f"{planned - checked} of {planned} items have no certificate")
    print(f"{checked} certificates checked against {len(votes)} items' votes, {len(faults)} faults; largest radius {largest:.4f}")
    return 1 if faults or checked == 0 else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
