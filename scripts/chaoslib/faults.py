"""The faults: what each kind does, how it is ended, and the record of how it went."""
import time
from dataclasses import dataclass, field

from .plan import Fault
from .stage import Unreachable


@dataclass
class Strike:
    """A fault that was carried out. Times are seconds since 1970; everything runs on one machine with one clock."""

    fault: Fault
    target: str
    began: float
    leases: int
    ended: float = 0.0
    led: bool = False
    recovered: float | None = None
    pid: int | None = None
    undo: list = field(default_factory=list)

    @property
    def recovery(self):
        """Seconds from the fault until the struck part, or the votes, were back."""
        return None if self.recovered is None else max(0.0, self.recovered - self.began)


class Chaos:
    """Carries faults out on a fleet and ends them."""

    def __init__(self, fleet):
        self.fleet = fleet

    def leases(self):
        """Leases open now; the database is given a moment to come back."""
        for _ in range(100):
            try:
                return int(self.fleet.asker.ask("SELECT count(*) FROM rrcm.lease")[0][0])
            except Unreachable:
                time.sleep(0.1)
        return 0

    def leader(self):
        """Name of the coordinator that leads; c1 when nobody does just now."""
        try:
            rows = self.fleet.asker.ask("SELECT pid FROM rrcm.part_health WHERE leads")
        except Unreachable:
            rows = []
        pids = {int(row[0]) for row in rows}
        return next((name for name, part in self.fleet.parts.items() if part.pid in pids), None)

    def strike(self, fault):
        """Carries a fault out. Returns its record; None when it had nothing to strike."""
        leases = self.leases()
        leader = self.leader()
        target = (leader or "c1") if fault.target == "leader" else fault.target
        part = self.fleet.parts.get(target)
        if part is not None and (not part.runs or part.frozen):
            return None
        strike = Strike(fault, target, time.time(), leases, led=target == leader, pid=part.pid if part else None)
        action = fault.kind
        if action.startswith("kill"):
            part.kill()
            strike.undo = [part.start]
        elif action.startswith("freeze"):
            part.freeze()
            strike.undo = [part.thaw]
        elif action.startswith(("cut", "stall", "sever")):
            strike.undo = [self.fleet.cut(target, action.split()[0])]
        elif action.startswith(("restart", "crash")):
            if action.startswith("crash"):
                self.fleet.cluster.crash()
            else:
                self.fleet.cluster.stop("immediate" if action.endswith("immediate") else "fast")
            # At once: nothing else can be struck, or even asked, before it runs again.
            time.sleep(fault.hold)
            self.fleet.cluster.start()
        elif action.startswith("terminate"):
            self.terminate(all_of_them=target == "all")
        elif action == "hold the horizon":
            strike.undo = [self.fleet.hold_horizon()]
        else:
            raise ValueError(f"no such fault: {action}")
        return strike

    def terminate(self, all_of_them):
        limit = "" if all_of_them else "ORDER BY backend_start LIMIT 1"
        try:
            self.fleet.asker.ask(
                "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity"
                f" WHERE application_name LIKE 'rrcm %' {limit}) AS victims")
        except Unreachable:
            pass

    def end(self, strike):
        for undo in strike.undo:
            undo()
        strike.undo = []
        strike.ended = time.time()
