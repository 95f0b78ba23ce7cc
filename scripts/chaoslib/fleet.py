"""The fleet under test: real processes over the stage, its runs, and the questions asked of it."""
import gzip
import os
import random
import subprocess
import threading
import time

from . import plan
from .stage import Asker, Cluster, Hosts, Lines, Obstacle, Part, Unreachable

PRETRAIN = """kind: pretrain
name: encoder
dataset: {{name: digits, split: train}}
model: {{patch: 4, width: 64, depth: 2, heads: 4, projector_hidden: 128, projector_output: 32}}
training: {{steps: {steps}, batch: 128, learning_rate: 3.0e-3, warmup_steps: 2, augmentation: digits}}
seed: 17
"""
FINETUNE = """kind: finetune
name: tune-calm
checkpoint: {encoder}
dataset: {{name: digits, split: train}}
training: {{epochs: {epochs}, batch: 128, learning_rate: 2.0e-3, warmup_epochs: 1, head: trained, noise_aug: 1.0}}
seed: 17
"""
CERTIFY = """kind: certify
name: certify-calm
checkpoint: {network}
dataset: {{name: digits, split: heldout, every: {every}}}
smoothing: {{sigma: [0.25, 1.0], n0: 100, n: {n}, alpha: 0.001}}
chunk_samples: 250
seed: 42
"""


def synthetic_digits(path):
    """1,797 images as UCI's digits are stored: 64 values of 0 to 16 and a label. A blurred template a class, and noise."""
    chance = random.Random(8)
    templates = [[chance.choice([0, 0, 4, 10, 16]) for _ in range(64)] for _ in range(10)]
    with gzip.open(path, "wt", encoding="ascii") as file:
        for index in range(1797):
            template = templates[index % 10]
            values = [min(16, max(0, round(value + chance.gauss(0, 4)))) for value in template]
            file.write(",".join(map(str, [*values, index % 10])) + "\n")


class Fleet:
    """Three workers, two trainers, two coordinators, two aggregators, and one PostgreSQL."""

    def __init__(self, program, work, timings, size, digits, say):
        self.work = work
        self.program = str(program)
        self.timings = timings
        self.size = size
        self.digits = digits
        self.say = say
        self.parts = {}
        self.exits = []
        self.hosts = None
        self.horizon = None
        self.cluster = None

    def set_up(self):
        obstacle = Hosts.obstacle()
        if obstacle is None:
            self.hosts = Hosts(plan.WORKERS + plan.TRAINERS)
            self.hosts.make()
            self.say("hosts: network namespaces, a link per worker; coordinators and aggregators through lines that can be cut")
        else:
            self.say(f"no hosts of their own ({obstacle}): every part goes through a line that can be cut")
        self.cluster = Cluster(self.work, self.hosts.hub if self.hosts else None)
        self.asker = Asker(self.cluster)
        self.lines = Lines(self.work, self.cluster.data)
        self.direct = self.environment(self.cluster.data)
        self.rrcm("migrate", "up")
        images = self.digits
        if images is None:
            images = self.work / "digits.csv.gz"
            synthetic_digits(images)
        self.rrcm("dataset", "import", "digits", str(images))

    def environment(self, host):
        return {
            **os.environ, "RRCM_DATABASE_URL": self.cluster.url(host), "PGPASSFILE": str(self.cluster.passwords),
            "RRCM_HOME": str(self.work / "home"), "RRCM_STORE": str(self.work / "store"),
        }

    def rrcm(self, *arguments, check=True, patience=120):
        done = subprocess.run([self.program, *arguments], env=self.direct, capture_output=True, text=True, check=False,
                              timeout=patience)
        if check and done.returncode != 0:
            raise RuntimeError(f"rrcm {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def start(self, name, *arguments):
        """Starts a part on its host, or behind its line."""
        if name not in self.parts:
            inside = []
            if self.hosts and name in self.hosts.names:
                inside = ["ip", "netns", "exec", self.hosts.names[name]]
                host = self.hosts.addresses[name]
            else:
                host = self.lines.add(name)
            timings = ["--beat-seconds", str(self.timings.dead / 6), "--dead-seconds", str(self.timings.dead),
                       "--rescue-seconds", "0.5", "--connect-seconds", "60"]
            self.parts[name] = Part(name, [*inside, self.program, *arguments, *timings], self.environment(host),
                                    self.work / f"{name}.log")
        self.parts[name].start()

    def start_coordinator(self, name):
        self.start(name, "coordinator", "start", "--term-seconds", str(self.timings.term))

    def start_aggregator(self, name):
        self.start(name, "aggregator", "start")

    def start_worker(self, name, kinds, *more):
        self.start(name, "worker", "start", "--name", name, "--kinds", kinds, *more)

    def start_everything(self):
        for name in plan.COORDINATORS:
            if name not in self.parts:
                self.start_coordinator(name)
        for name in plan.AGGREGATORS:
            if name not in self.parts:
                self.start_aggregator(name)
        for name in plan.TRAINERS:
            self.start_worker(name, "finetune", "--snapshot-seconds", "0.5")
        for name in plan.WORKERS:
            self.start_worker(name, "certify")

    def supervise(self):
        """Starts what ended by itself again, and remembers that it did: nothing here should end by itself."""
        for part in self.parts.values():
            if part.process is not None and not part.runs:
                self.exits.append((part.name, part.process.returncode))
                self.say(f"{part.name} ended by itself with {part.process.returncode}")
                part.start()

    # Runs

    def write(self, name, text):
        path = self.work / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def calm(self):
        """The undisturbed computation that everything is compared with: one trainer, then one worker, nothing else."""
        encoder = self.write("encoder", PRETRAIN.format(steps=self.size["steps"]))
        self.tune = self.write("tune", FINETUNE.format(encoder="encoder", epochs=self.size["epochs"]))
        self.certify = self.write("certify", CERTIFY.format(network="tune-calm", **self.size["certify"]))
        self.start_coordinator("c1")
        self.start_aggregator("a1")
        self.start_worker("serial", "pretrain,finetune,certify")
        self.rrcm("run", "submit", encoder, self.tune, self.certify)
        self.wait("the undisturbed runs are done", lambda: self.unfinished() == 0)
        code = self.parts.pop("serial").drain()
        if code != 0:
            raise RuntimeError(f"the undisturbed worker ended with {code}")
        # Later runs use the very same weights: by digest, since what a storm makes has the same content and other names.
        rows = self.asker.ask("SELECT job.checkpoint_digest FROM rrcm.job JOIN rrcm.run USING (run_id) WHERE name = 'tune-calm'")
        self.network = rows[0][0]
        self.certify = self.write("certify", CERTIFY.format(network=self.network, **self.size["certify"]))

    def unfinished(self):
        """Runs that have not ended; None while the database does not say."""
        try:
            return int(self.asker.ask("SELECT count(*) FROM rrcm.run WHERE finished_at IS NULL")[0][0])
        except Unreachable:
            return None

    def keep_busy(self):
        """Begins to submit runs so that work never ends before the storm does. Returns what stops it."""
        over = threading.Event()

        def submit():
            asker = Asker(self.cluster)
            number = 0
            while not over.wait(0.3):
                for kind, file, ahead in (("certify", self.certify, self.size["ahead"]), ("finetune", self.tune, 1)):
                    try:
                        count = int(asker.ask(
                            f"SELECT count(*) FROM rrcm.run WHERE finished_at IS NULL AND kind = '{kind}'")[0][0])
                    except Unreachable:
                        continue
                    while count < ahead:
                        number += 1
                        # One that fails, because the database was just struck, is made again with the next look.
                        self.rrcm("run", "submit", file, "--set", f"name={kind}-storm-{number}", check=False)
                        count += 1
            asker.close()

        thread = threading.Thread(target=submit)
        thread.start()

        def stop():
            over.set()
            thread.join()

        return stop

    def at_work_since(self, at):
        """Whether every worker has posted votes, and a trainer metrics, since a time in seconds since 1970."""
        try:
            votes, metrics = self.asker.ask(f"""
                SELECT (SELECT count(DISTINCT worker_id) FROM rrcm.chunk_count WHERE posted_at > to_timestamp({at})),
                       (SELECT count(*) FROM rrcm.metric WHERE recorded_at > to_timestamp({at}))""")[0]
        except Unreachable:
            return False
        return int(votes) >= len(plan.WORKERS) and int(metrics) > 0

    def wait(self, claim, holds, patience=300):
        deadline = time.monotonic() + patience
        while not holds():
            if time.monotonic() > deadline:
                raise RuntimeError(f"not within {patience} s: {claim}")
            self.supervise()
            time.sleep(0.1)

    # What faults need

    def cut(self, name, how):
        """Cuts a part's line or link. Returns what mends it."""
        if self.hosts and name in self.hosts.names:
            self.hosts.cut(name)
            return lambda: self.hosts.restore(name)
        (self.lines.sever if how == "sever" else self.lines.stall)(name)
        return lambda: self.lines.restore(name)

    def hold_horizon(self):
        """A session that looked at the data and forgot its transaction. Returns what ends it."""
        session = Asker(self.cluster)
        try:
            session.ask("BEGIN ISOLATION LEVEL REPEATABLE READ")
            session.ask("SELECT count(*) FROM rrcm.run")
        except Unreachable:
            pass
        return session.close

    def stop(self):
        """Drains every part; returns those that did not end well."""
        wrong = []
        for name in sorted(self.parts, reverse=True):
            code = self.parts[name].drain()
            if code != 0:
                wrong.append(f"{name} ended with {code} when it was asked to drain")
        return wrong

    def tear_down(self):
        for part in self.parts.values():
            part.thaw()
            part.kill()
        if self.cluster:
            self.asker.close()
            try:
                self.cluster.stop("fast")
            except Obstacle:
                pass
        if self.hosts:
            self.hosts.remove()
