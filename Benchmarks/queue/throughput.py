"""Throughput of our queue beside others; see `run`. Prints Markdown, or JSON with --output json."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import peers
import scripts
from cluster import Cluster, load, machine, stop, tool

HERE = os.path.dirname(os.path.abspath(__file__))
ARM = os.environ.get("QUEUE_ARM", "")
NUMERICS = "idle-none/hash-1/any/b1/any"
CHUNK_SAMPLES = 1000
UNITS = 96  # per item: leases of 8 and 32 leave no remainder
N0 = 100


class Arm:
    """One way to run a queue: how its seed is made, what it is tried with, how its workers are started."""

    rows = "result"
    is_peer = False
    claims = "SKIP LOCKED"

    def __init__(self, name, what, settings):
        self.name, self.what, self.settings = name, what, settings
        self.setting = settings[0]

    def seed(self, cluster, options):
        raise NotImplementedError

    def start(self, cluster, database, setting, seconds):
        raise NotImplementedError


class Pgbench(Arm):
    """A script under pgbench; settings are (clients, protocol)."""

    def __init__(self, name, what, settings, script, variables=()):
        super().__init__(name, what, settings)
        self.script, self.variables = script, variables

    template = "plain"

    def seed(self, cluster, options):
        cluster.run("plain", scripts.PLAIN)
        cluster.run("plain", f"INSERT INTO job (job_id) SELECT generate_series(1, {options.jobs})")
        cluster.run("plain", "VACUUM ANALYZE")

    def start(self, cluster, database, setting, seconds):
        clients, protocol = setting
        file = os.path.join(tempfile.gettempdir(), f"rrcm-{os.getpid()}-{self.name}.sql")
        with open(file, "w") as out:
            out.write(self.script() if callable(self.script) else self.script)
        os.chmod(file, 0o644)
        variables = [part for variable in self.variables for part in ("-D", variable)]
        return [
            subprocess.Popen(
                [tool("pgbench"), "-n", "-h", "127.0.0.1", "-p", str(cluster.port), "-U", "rrcm", "-M", protocol, "-c",
                 str(clients), "-j", "1", "-T", str(int(seconds)), "-f", file] + variables + [database],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        ]


class OurSQL(Pgbench):
    """Our statements, from Sources/Store/SQL, under pgbench."""

    rows, template, claims = "rrcm.chunk_count", "ours", "INSERT INTO rrcm.lease"

    def __init__(self, name, what, settings, units):
        super().__init__(
            name, what, settings, lambda: scripts.ours(1, units, N0, CHUNK_SAMPLES, NUMERICS), ["floor=0"])

    def seed(self, cluster, options):
        seed_ours(cluster, options)


class OurWorkers(Arm):
    """Real workers over a device that computes nothing; settings are (workers in one process,)."""

    rows, template, claims = "rrcm.chunk_count", "ours", "INSERT INTO rrcm.lease"

    def __init__(self, name, what, settings, units):
        super().__init__(name, what, settings)
        self.units = units

    def seed(self, cluster, options):
        seed_ours(cluster, options)

    def start(self, cluster, database, setting, seconds):
        return [
            subprocess.Popen(
                [ARM, "work", "--database", cluster.url(database), "--store", store_folder(), "--workers",
                 str(setting[0]), "--seconds", str(seconds)] + (["--lease-units", str(self.units)] if self.units else []),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        ]


class Peer(Arm):
    """A library from PyPI; settings are (processes, jobs at once, batch)."""

    is_peer = True

    def __init__(self, name, settings, claims):
        super().__init__(name, peers.version(name), settings)
        self.template, self.claims = name, claims

    def seed(self, cluster, options):
        count = options.jobs // 2 if self.name == "pgqueuer" else options.jobs // 4
        subprocess.run([sys.executable, f"{HERE}/peers.py", self.name, "seed", cluster.url(self.name), str(count)], check=True)
        cluster.run(self.name, "VACUUM ANALYZE")

    def start(self, cluster, database, setting, seconds):
        processes, concurrency, batch = setting
        return [
            subprocess.Popen(
                [sys.executable, f"{HERE}/peers.py", self.name, "work", cluster.url(database), "--concurrency",
                 str(concurrency), "--batch", str(batch), "--as", f"worker-{number}"],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for number in range(processes)
        ]


def store_folder():
    folder = os.path.join(scripts.ROOT, ".build", "benchmarks", "queue-store")
    os.makedirs(folder, exist_ok=True)
    return folder


def seed_ours(cluster, options):
    images = max(100, options.jobs * 8 // UNITS // 3)
    subprocess.run(
        [ARM, "prepare", "--database", cluster.url("ours"), "--store", store_folder(), "--images", str(images), "--n",
         str((UNITS - 1) * CHUNK_SAMPLES), "--chunk-samples", str(CHUNK_SAMPLES)], check=True, stdout=subprocess.DEVNULL)
    # pgbench's clients are workers with the epoch 1; they beat once, which is enough for a round.
    cluster.run(
        "ours", "INSERT INTO rrcm.worker (name, host, pid, device, software)"
        " SELECT 'pgbench-' || n, 'benchmark', 1, 'none', 'pgbench' FROM generate_series(1, 128) AS n")
    cluster.run("ours", "VACUUM ANALYZE")


def all_arms():
    extended = [(8, "extended"), (16, "extended"), (32, "extended")]
    prepared = [(8, "prepared"), (16, "prepared"), (32, "prepared")]
    workers = [(8,), (16,), (32,)]
    return [
        Pgbench("row", "pgbench, one row a claim", prepared, scripts.ROW),
        Pgbench("batch", "pgbench, 8 rows a claim", prepared, scripts.BATCH, ["batch=8"]),
        OurSQL("sql-8", "our SQL under pgbench, 8 units a lease", prepared + extended[1:2], 8),
        OurSQL("sql-32", "our SQL under pgbench, 32 units a lease", prepared + extended[1:2], 32),
        OurWorkers("ours-8", "ours end to end, 8 units a lease", workers, 8),
        OurWorkers("ours-32", "ours end to end, 32 units a lease", workers, 32),
        OurWorkers("ours", "ours end to end, leases sized in time", workers, None),
        Peer("pgqueuer", [(1, 200, 50), (2, 200, 50), (2, 400, 200), (1, 64, 10)], "SKIP LOCKED"),
        Peer("awa", [(1, 64, 0), (1, 256, 0), (2, 256, 0), (1, 256, 256)], r"ready_slot,\s+ready_generation,\s+lane_seq"),
        Peer("procrastinate", [(1, 16, 0), (2, 16, 0), (1, 64, 0)], "fetch_job"),
    ]


def measure(cluster, arm, setting, seconds, warm=1.5, window=None, held=False):
    """Durable rows a second, claims a second and commits a second over `seconds`; with `window`, rows a second of each window too."""
    cluster.create("round", arm.template)
    cluster.run("postgres", "SELECT pg_stat_statements_reset()")
    cluster.run("postgres", "CHECKPOINT")
    processes = arm.start(cluster, "round", setting, seconds + warm + 25)
    try:
        with cluster.connect("round") as connection:
            count = lambda: connection.execute(f"SELECT count(*) FROM {arm.rows}").fetchone()[0]
            deadline = time.monotonic() + 20
            while count() == 0:
                if time.monotonic() > deadline or any(process.poll() for process in processes):
                    text = processes[0].stderr.read().decode()[-500:] if processes[0].poll() else "no row after 20 s"
                    raise SystemExit(f"arm {arm.name} does not start: {text}")
                time.sleep(0.1)
            time.sleep(warm)

            def run():
                commits, claims = cluster.counters("round", arm.claims)
                begun, rows = time.monotonic(), count()
                marks = [(begun, rows)]
                while time.monotonic() - begun < seconds:
                    time.sleep(min(window or seconds, max(0.01, seconds - (time.monotonic() - begun))))
                    marks.append((time.monotonic(), count()))
                commits_after, claims_after = cluster.counters("round", arm.claims)
                span = marks[-1][0] - begun
                return {
                    "rows": (marks[-1][1] - rows) / span, "claims": (claims_after - claims) / span,
                    "commits": (commits_after - commits) / span,
                    "windows": [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(marks, marks[1:])],
                }

            if held:
                with cluster.held_horizon("round"):
                    return run()
            return run()
    finally:
        stop(processes)


def latency(cluster, units, seconds):
    """Claim latency of ours at 200 chunks a second: workers that sleep, each on a connection of its own."""
    cluster.create("round", "ours")
    workers = 24  # at most 240 chunks/s, about 200 with the time that calls and the ramp take
    answer = subprocess.run(
        [ARM, "crowd", "--database", cluster.url("round"), "--store", store_folder(), "--workers", str(workers),
         "--lease-units", str(units), "--unit-seconds", "0.1", "--seconds", str(seconds)], check=True,
        capture_output=True, text=True)
    return json.loads(answer.stdout)


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "greatest": max(values)}


def shown(figure, digits=0):
    return f"{figure['median']:,.{digits}f} ({figure['least']:,.{digits}f} to {figure['greatest']:,.{digits}f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", choices=["markdown", "json"], default="markdown")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--only")
    parser.add_argument("--skip-held", action="store_true")
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else 5)
    seconds = options.seconds or (3 if options.quick else 10)
    held_seconds = 10 if options.quick else 60
    # Enough that no arm runs out: a round at the fastest's pace, and the held horizon, which slower arms alone go through.
    options.jobs = max(int(30_000 * (seconds + 5)), 0 if options.skip_held else int(16_000 * (held_seconds + 30)))
    arms = all_arms()
    if options.only:
        names = options.only.split(",")
        unknown = set(names) - {arm.name for arm in arms}
        if unknown:
            parser.error(f"--only names {', '.join(sorted(unknown))}; there are {', '.join(arm.name for arm in arms)}")
        arms = [arm for arm in arms if arm.name in names]
    note = lambda text: print(text, file=sys.stderr, flush=True)
    result = {"machine": machine(), "load_before": load(), "rounds": rounds, "seconds": seconds}
    with Cluster() as cluster:
        result["server"] = cluster.version
        seeded = set()
        for arm in arms:
            if arm.template not in seeded:
                note(f"seed {arm.template}")
                cluster.create(arm.template)
                arm.seed(cluster, options)
                seeded.add(arm.template)
        tried = {}
        if not options.quick:
            for arm in arms:
                tried[arm.name] = {str(s): measure(cluster, arm, s, 4)["rows"] for s in arm.settings}
                arm.setting = max(arm.settings, key=lambda s: tried[arm.name][str(s)])
                note(f"tried {arm.name}: {tried[arm.name]}, kept {arm.setting}")
        figures = {arm.name: [] for arm in arms}
        for number in range(rounds):
            for arm in arms[number % len(arms):] + arms[:number % len(arms)]:
                figures[arm.name].append(measure(cluster, arm, arm.setting, seconds))
                note(f"round {number + 1} {arm.name}: {figures[arm.name][-1]['rows']:.0f} rows/s")
        base = [figure["rows"] for figure in figures.get("row", [])]
        result["arms"] = {
            arm.name: {
                "what": arm.what, "setting": str(arm.setting), "tried": tried.get(arm.name, {}), "peer": arm.is_peer,
                "rows": spread([f["rows"] for f in figures[arm.name]]),
                "claims": spread([f["claims"] for f in figures[arm.name]]),
                "commits": spread([f["commits"] for f in figures[arm.name]]),
                "ratio": spread([f["rows"] / b for f, b in zip(figures[arm.name], base)]) if base else None,
            } for arm in arms
        }
        pairs = lambda a, b: spread([x["rows"] / y["rows"] for x, y in zip(figures[a], figures[b])])
        result["end_to_end_over_sql"] = {
            str(k): pairs(f"ours-{k}", f"sql-{k}") for k in (8, 32) if {f"ours-{k}", f"sql-{k}"} <= figures.keys()}
        rivals = [arm.name for arm in arms if arm.is_peer]
        if rivals:
            best = max(rivals, key=lambda name: result["arms"][name]["rows"]["median"])
            result["best_peer"] = best
            result["end_to_end_over_best_peer"] = {
                name: pairs(name, best) for name in figures if name.startswith("ours")}
        if any(arm.template == "ours" for arm in arms):
            result["latency"] = {str(units): latency(cluster, units, 5 if options.quick else 30) for units in (8, 1)}
            if not options.skip_held:
                result["held"] = {}
                for name in ("row", "sql-8", "ours-8"):
                    arm = next((arm for arm in arms if arm.name == name), None)
                    if arm:
                        free = measure(cluster, arm, arm.setting, held_seconds, window=held_seconds / 6)["windows"]
                        held = measure(cluster, arm, arm.setting, held_seconds, window=held_seconds / 6, held=True)["windows"]
                        result["held"][name] = {"free": free, "held": held, "drop": 1 - held[-1] / free[-1]}
                        note(f"held {name}: {result['held'][name]}")
    result["load_after"] = load()
    print(json.dumps(result, indent=1) if options.output == "json" else markdown(result))


def markdown(result):
    lines = [
        f"{result['machine']}, PostgreSQL {result['server']}, durable commits; {result['rounds']} rounds of"
        f" {result['seconds']:g} s, arms taking turns; load {result['load_before']:.1f} before,"
        f" {result['load_after']:.1f} after. Median (least to greatest).", "",
        "| arm | setting kept | jobs or chunks/s | claims/s | ratio to row |", "| --- | --- | --- | --- | --- |",
    ]
    for arm in result["arms"].values():
        ratio = shown(arm["ratio"], 2) if arm["ratio"] else ""
        lines.append(f"| {arm['what']} | {arm['setting']} | {shown(arm['rows'])} | {shown(arm['claims'])} | {ratio} |")
    lines.append("")
    for units, figure in result["end_to_end_over_sql"].items():
        lines.append(f"- End to end over our SQL, {units} units a lease: {shown(figure, 2)} (required: 0.6).")
    for name, figure in result.get("end_to_end_over_best_peer", {}).items():
        lines.append(f"- {result['arms'][name]['what']} over the best peer, {result['best_peer']}: {shown(figure, 2)} (required: 2).")
    for units, figure in result.get("latency", {}).items():
        claim = figure["claim_ms"]
        lines.append(
            f"- Claim latency at {figure['chunks'] / figure['seconds']:.0f} chunks/s, {units} units a lease:"
            f" median {claim['p50']:.1f} ms, p99 {claim['p99']:.1f} ms, greatest {claim['max']:.1f} ms (required p99: 20).")
    for name, figure in result.get("held", {}).items():
        rates = ", ".join(f"{rate:,.0f}" for rate in figure["held"])
        free = ", ".join(f"{rate:,.0f}" for rate in figure["free"])
        lines.append(
            f"- Horizon held, {result['arms'][name]['what']}: rows/s by sixths {rates}; not held {free};"
            f" drop in the last sixth {figure['drop']:.0%} (required of ours: at most 20 %).")
    tried = [f"{name} {', '.join(f'{s} {r:,.0f}' for s, r in arm['tried'].items())}" for name, arm in result["arms"].items() if arm["tried"]]
    if tried:
        lines += ["", "Settings tried, rows/s over 4 s: " + "; ".join(tried) + "."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
