"""A claims, freezes, is rescued; B claims; A thaws and finishes while B works. What is then recorded? See `zombie`."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time

import peers
from cluster import Cluster, machine, stop
from throughput import ARM, HERE, store_folder

A_SECONDS, B_SECONDS, STALE_SECONDS = 2, 9, 2


class Worker:
    """A worker's process and what it says."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = []
        threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")), daemon=True).start()

    def says(self, word):
        return any(line.startswith(word) for line in self.lines)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)


def until(what, holds, seconds=40, each=None):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds} s: {what}")
        if each:
            each()
        time.sleep(0.1)


class PeerStory:
    """One of the libraries, through its own worker; the job's state as its tables have it."""

    states = {
        "pgqueuer": "SELECT 'queue: ' || status || coalesce(', held by ' || left(queue_manager_id::text, 8), '') FROM pgqueuer"
                    " UNION ALL SELECT 'log: ' || status FROM pgqueuer_log ORDER BY 1",
        "awa": "SELECT 'claim: run_lease ' || c.run_lease || coalesce(' ' || d.outcome, CASE WHEN c.closed_at IS NULL THEN"
               " ' open' ELSE ' closed' END) FROM awa.lease_claims c LEFT JOIN awa.lease_claim_closures d"
               " USING (job_id, run_lease)"
               " UNION ALL SELECT 'job: ' || state || ', attempt ' || attempt || ', run_lease ' || run_lease FROM awa.jobs",
        "procrastinate": "SELECT 'job: ' || status || ', attempts ' || attempts || coalesce(', worker ' || worker_id, '')"
                         " FROM procrastinate_jobs",
    }

    def __init__(self, name, cluster):
        self.name, self.cluster, self.database = name, cluster, f"zombie_{name}"
        cluster.create(self.database)
        self.url = cluster.url(self.database)
        subprocess.run([sys.executable, f"{HERE}/peers.py", name, "seed", self.url, "1"], check=True)

    @property
    def version(self):
        return peers.version(self.name)

    def helpers(self):
        """awa's rescues are made by an elected process. A third one is elected here: with A elected and frozen no rescue
        came within 40 s."""
        return [self.start("keeper", 0, ["--queue", "other"])] if self.name == "awa" else []

    def start(self, name, seconds, more=()):
        return Worker(
            [sys.executable, f"{HERE}/peers.py", self.name, "work", self.url, "--as", name, "--body-seconds",
             str(seconds), "--concurrency", "1", "--batch", "1" if self.name == "pgqueuer" else "0", "--stale-seconds",
             str(STALE_SECONDS), *more])

    def has_started(self, worker, name):
        return worker.says("started")

    def has_finished(self, worker, name):
        return worker.says("finished")

    def rescue(self):
        if self.name == "procrastinate":
            import asyncio

            asyncio.run(peers.procrastinate_rescue(self.url, STALE_SECONDS))

    def state(self):
        rows = self.cluster.rows(self.database, self.states[self.name])
        results = self.cluster.rows(self.database, "SELECT worker FROM result ORDER BY at")
        return {"job": [row[0] for row in rows], "results": [row[0] for row in results]}

    def verdict(self, working, ended):
        if self.name == "pgqueuer":
            over = not any(row.startswith("queue: picked") for row in working["job"])
        elif self.name == "awa":
            over = not any("open" in row for row in working["job"])
        else:
            over = not any("doing" in row for row in working["job"])
        text = (
            "the late A ended B's running job: its record was closed while B worked" if over
            else "the late A's finish was refused: B's job stayed its own")
        return f"{text}; result rows: {', '.join(working['results'])}, then {', '.join(ended['results'])}"


class OurStory:
    """Our worker with a device that sleeps, and the coordinator's rescue."""

    def __init__(self, cluster):
        self.cluster, self.database = cluster, "zombie_ours"
        cluster.create(self.database)
        self.place = ["--database", cluster.url(self.database), "--store", store_folder()]
        subprocess.run([ARM, "prepare", *self.place, "--images", "1", "--sigmas", "0.25", "--n", "1000"], check=True,
                       stdout=subprocess.DEVNULL)

    version = "rrcm"

    def helpers(self):
        return []

    def start(self, name, seconds):
        return Worker(
            [ARM, "work", *self.place, "--workers", "1", "--lease-units", "1", "--name", name, "--chunk-seconds",
             str(seconds), "--beat-seconds", str(STALE_SECONDS / 3.5)] + ["--seconds", "60"])

    def leases(self):
        return self.cluster.rows(
            self.database, "SELECT w.name, l.lo FROM rrcm.lease l JOIN rrcm.worker w USING (worker_id) ORDER BY 1, 2")

    def has_started(self, worker, name):
        return any(holder.startswith(name) and unit == 0 for holder, unit in self.leases())

    def has_finished(self, worker, name):
        if name == "A":
            return bool(self.state()["results"])
        return self.cluster.one(self.database, "SELECT count(*) FROM rrcm.chunk_count") >= 2

    def rescue(self):
        subprocess.run([ARM, "rescue", *self.place, "--dead-seconds", str(STALE_SECONDS)], check=True,
                       stdout=subprocess.DEVNULL)

    def state(self):
        votes = self.cluster.rows(
            self.database,
            "SELECT w.name FROM rrcm.chunk_count c JOIN rrcm.worker w USING (worker_id) WHERE c.phase = 0 AND c.chunk = 0")
        held = [f"lease of unit {unit}: {holder}" for holder, unit in self.leases() if unit == 0]
        alarms = self.cluster.one(self.database, "SELECT count(*) FROM rrcm.disagreement")
        return {"job": held or ["no lease"], "results": [row[0] for row in votes], "disagreements": alarms}

    def verdict(self, working, ended):
        kept = any("B" in row for row in working["job"])
        once = len(ended["results"]) == 1
        lease = "stayed" if kept else "was TAKEN AWAY"
        votes = "once" if once else f"{len(ended['results'])} TIMES"
        return (
            f"B's lease {lease}; the chunk's votes are stored {votes}, credited to {', '.join(ended['results'])}, who"
            f" computed them; B's equal votes changed nothing; {ended['disagreements']} disagreements")


def tell(story):
    workers = story.helpers()
    if workers:
        time.sleep(3)
    a = story.start("A", A_SECONDS)
    workers.append(a)
    try:
        until("A claims", lambda: story.has_started(a, "A"))
        time.sleep(0.3)
        a.freeze()
        time.sleep(STALE_SECONDS + 1)
        story.rescue()
        b = story.start("B", B_SECONDS)
        workers.append(b)
        until("B claims", lambda: story.has_started(b, "B"))
        a.thaw()
        until("A finishes", lambda: story.has_finished(a, "A"))
        time.sleep(1.5)
        working = story.state()
        until("B finishes", lambda: story.has_finished(b, "B"))
        time.sleep(1.5)
        ended = story.state()
        return {"version": story.version, "while_b_works": working, "at_the_end": ended,
                "verdict": story.verdict(working, ended)}
    finally:
        for worker in workers:
            worker.thaw()
        stop([worker.process for worker in workers], patience=3)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", choices=["markdown", "json"], default="markdown")
    parser.add_argument("--only", choices=["ours", *peers.PACKAGES])
    options = parser.parse_args()
    result = {"machine": machine(), "stories": {}}
    with Cluster() as cluster:
        result["server"] = cluster.version
        for name in [options.only] if options.only else ["ours", *peers.PACKAGES]:
            story = OurStory(cluster) if name == "ours" else PeerStory(name, cluster)
            result["stories"][name] = tell(story)
            print(f"{name}: {result['stories'][name]['verdict']}", file=sys.stderr, flush=True)
    if options.output == "json":
        print(json.dumps(result, indent=1))
        return
    print("| queue | while B works, after A's late finish | at the end | outcome |\n| --- | --- | --- | --- |")
    for story in result["stories"].values():
        cells = ["; ".join(story[key]["job"]) or "no row" for key in ("while_b_works", "at_the_end")]
        print(f"| {story['version']} | {cells[0]} | {cells[1]} | {story['verdict']} |")


if __name__ == "__main__":
    main()
