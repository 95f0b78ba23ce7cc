"""The plan of faults: a pure function of seed, length and rate. No clock, no process, no database."""
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault. `at` and `hold` are seconds: since the storm began, and until the harness ends the fault."""

    number: int
    at: float
    kind: str
    target: str
    hold: float


@dataclass(frozen=True)
class Timings:
    """The fleet's own timings, which say how long is short and how long is past a rescue."""

    dead: float = 3.0
    term: float = 2.0


WORKERS = ["w1", "w2", "w3"]
TRAINERS = ["t1", "t2"]
COORDINATORS = ["c1", "c2"]
AGGREGATORS = ["a1", "a2"]
DATABASE = ["postgres"]


def kinds(timings):
    """Kind: weight, targets, range of seconds until it ends. `leader` is whoever leads when the fault strikes."""
    dead, term = timings.dead, timings.term
    return {
        "kill a worker": (5, WORKERS, (0.1, 1.0)),
        "freeze a worker, shortly": (3, WORKERS, (0.2, 0.5 * dead)),
        "freeze a worker past its rescue": (3, WORKERS, (1.4 * dead, 2.2 * dead)),
        "cut a worker's network": (3, WORKERS, (0.5, 2.0 * dead)),
        "kill a trainer": (2, TRAINERS, (0.1, 1.0)),
        "freeze a trainer past its rescue": (2, TRAINERS, (1.4 * dead, 2.2 * dead)),
        "kill the leader": (2, ["leader"], (0.1, 1.0)),
        "kill a coordinator": (1, COORDINATORS, (0.1, 1.0)),
        "freeze the leader past its term": (2, ["leader"], (1.3 * term, 2.5 * term)),
        "kill an aggregator": (2, AGGREGATORS, (0.1, 1.0)),
        "freeze an aggregator": (1, AGGREGATORS, (0.5, 3.0)),
        "stall a line to the database": (2, COORDINATORS + AGGREGATORS, (0.5, 3.0)),
        "sever a line to the database": (2, COORDINATORS + AGGREGATORS, (0.2, 2.0)),
        "restart PostgreSQL, fast": (1, DATABASE, (0.0, 0.5)),
        "restart PostgreSQL, immediate": (1, DATABASE, (0.0, 0.5)),
        "crash PostgreSQL's postmaster": (1, DATABASE, (0.0, 0.5)),
        "terminate one backend": (2, ["one"], (0.0, 0.0)),
        "terminate every backend": (1, ["all"], (0.0, 0.0)),
        "hold the horizon": (1, ["horizon"], (4.0, 8.0)),
    }


def make(seed, minutes, per_minute, timings, only=""):
    """Faults in order of time. A target rests for a while after each of its faults, and so does the database.

    With `only`, faults of the kinds whose name contains that text.
    """
    chance = random.Random(seed)
    table = {kind: how for kind, how in kinds(timings).items() if only in kind}
    mean = 60.0 / per_minute
    busy = {}
    faults = []
    at = 0.5
    while at < 60.0 * minutes:
        free = []
        for kind, (weight, targets, hold) in table.items():
            idle = [target for target in targets if busy.get(target, 0.0) <= at]
            if idle:
                free.append((kind, weight, idle, hold))
        if free:
            kind, _, idle, hold = chance.choices(free, weights=[weight for _, weight, _, _ in free])[0]
            target = chance.choice(idle)
            lasts = round(chance.uniform(*hold), 2)
            faults.append(Fault(len(faults) + 1, round(at, 2), kind, target, lasts))
            rest = {"postgres": 6.0, "all": 4.0, "leader": 3.0 + timings.term}.get(target, 2.0)
            busy[target] = at + lasts + rest
            if target == "leader":
                for name in COORDINATORS:
                    busy[name] = busy[target]
        at += mean * chance.uniform(0.4, 1.6)
    return faults
