"""The verdict: what must hold after the storm, how fast everything came back, and the table for docs/reliability.md."""
import bisect
import statistics

CERTIFICATE = "mode, top_class, n_a, n0, n, alpha, slack, p_lower, abstained, predicted, radius, correct, numerics_id"

# Both directions: what the storm has and the calm lacks, and the other way round. Keys leave out what names a run.
DIFFERENT_CHUNKS = """
WITH chunks AS (
  SELECT i.run_id, i.image_index, i.sigma, c.phase, c.chunk, c.samples, c.classes, c.votes
    FROM rrcm.chunk_count c JOIN rrcm.item i USING (item_id)
), calm AS (
  SELECT c.image_index, c.sigma, c.phase, c.chunk, c.samples, c.classes, c.votes
    FROM chunks c JOIN rrcm.run r USING (run_id) WHERE r.name = 'certify-calm'
)
SELECT count(*) FROM rrcm.run r
 CROSS JOIN LATERAL (
   (SELECT image_index, sigma, phase, chunk, samples, classes, votes FROM chunks c WHERE c.run_id = r.run_id
    EXCEPT ALL TABLE calm)
   UNION ALL
   (TABLE calm EXCEPT ALL
    SELECT image_index, sigma, phase, chunk, samples, classes, votes FROM chunks c WHERE c.run_id = r.run_id)
 ) AS different
 WHERE r.kind = 'certify'
"""

DIFFERENT_CERTIFICATES = f"""
WITH certificates AS (
  SELECT i.run_id, i.image_index, i.sigma, i.label, {", ".join(f"c.{name}" for name in CERTIFICATE.split(", "))}
    FROM rrcm.certificate c JOIN rrcm.item i USING (item_id)
), calm AS (
  SELECT image_index, sigma, label, {CERTIFICATE}
    FROM certificates c JOIN (SELECT run_id FROM rrcm.run WHERE name = 'certify-calm') AS r USING (run_id)
)
SELECT count(*) FROM rrcm.run r
 CROSS JOIN LATERAL (
   (SELECT image_index, sigma, label, {CERTIFICATE} FROM certificates c WHERE c.run_id = r.run_id EXCEPT ALL TABLE calm)
   UNION ALL
   (TABLE calm EXCEPT ALL SELECT image_index, sigma, label, {CERTIFICATE} FROM certificates c WHERE c.run_id = r.run_id)
 ) AS different
 WHERE r.kind = 'certify'
"""

DIFFERENT_METRICS = """
WITH calm AS (
  SELECT m.name, m.step, m.value FROM rrcm.metric m JOIN rrcm.run r USING (run_id) WHERE r.name = 'tune-calm'
)
SELECT count(*) FROM rrcm.run r
 CROSS JOIN LATERAL (
   (SELECT m.name, m.step, m.value FROM rrcm.metric m WHERE m.run_id = r.run_id EXCEPT ALL TABLE calm)
   UNION ALL
   (TABLE calm EXCEPT ALL SELECT m.name, m.step, m.value FROM rrcm.metric m WHERE m.run_id = r.run_id)
 ) AS different
 WHERE r.kind = 'finetune'
"""

# What must be zero, and how it is counted.
ZEROES = {
    "runs that did not end as done": "SELECT count(*) FROM rrcm.run WHERE state <> 'done'",
    "items without a certificate": "SELECT count(*) FROM rrcm.item WHERE state <> 'certified'",
    "units without votes (lost)": """
        SELECT coalesce(sum(greatest(0, i.unit_count - (SELECT count(*) FROM rrcm.chunk_count c
                                              WHERE c.item_id = i.item_id))), 0)
          FROM rrcm.item i""",
    "items whose samples are not n0 and n (double-counted or lost)": """
        SELECT count(*) FROM rrcm.item i JOIN rrcm.certification p USING (run_id)
         WHERE (SELECT (coalesce(sum(c.samples) FILTER (WHERE c.phase = 0), 0),
                        coalesce(sum(c.samples) FILTER (WHERE c.phase = 1), 0))
                  FROM rrcm.chunk_count c WHERE c.item_id = i.item_id) <> (p.n0::bigint, p.n::bigint)""",
    "chunks that differ from the serial run's": DIFFERENT_CHUNKS,
    "certificates that differ from the serial run's": DIFFERENT_CERTIFICATES,
    "disagreements": "SELECT count(*) FROM rrcm.disagreement",
    "trainings with another checkpoint than the undisturbed one": """
        SELECT count(*) FROM rrcm.job j JOIN rrcm.run r USING (run_id)
         WHERE r.kind = 'finetune'
           AND j.checkpoint_digest IS DISTINCT FROM (
                 SELECT k.checkpoint_digest FROM rrcm.job k JOIN rrcm.run q USING (run_id) WHERE q.name = 'tune-calm')""",
    "training metrics that differ from the undisturbed ones": DIFFERENT_METRICS,
    "failed attempts of trainings": "SELECT coalesce(sum(attempts), 0) FROM rrcm.job",
    "refusals": "SELECT count(*) FROM rrcm.event WHERE kind = 'run_refused'",
    "leases left": "SELECT count(*) FROM rrcm.lease",
    "returned ranges left": "SELECT count(*) FROM rrcm.gap",
    "terms given twice": """
        SELECT count(*) FROM (SELECT FROM rrcm.event WHERE kind = 'leader_elected' GROUP BY detail HAVING count(*) > 1) t""",
}


def judge(asker):
    """Everything that should be zero, counted. Returns pairs (what, count)."""
    return [(what, int(asker.ask(sql, patience=120)[0][0])) for what, sql in ZEROES.items()]


def summary(asker):
    """How much work came through."""
    runs, trainings, chunks, samples, certificates = asker.ask("""
        SELECT (SELECT count(*) FROM rrcm.run WHERE kind = 'certify' AND name <> 'certify-calm'),
               (SELECT count(*) FROM rrcm.run WHERE kind = 'finetune' AND name <> 'tune-calm'),
               count(*), sum(c.samples),
               (SELECT count(*) FROM rrcm.certificate JOIN rrcm.item USING (item_id) JOIN rrcm.run USING (run_id)
                 WHERE name <> 'certify-calm')
          FROM rrcm.chunk_count c JOIN rrcm.item USING (item_id) JOIN rrcm.run r USING (run_id)
         WHERE r.name <> 'certify-calm'""", patience=60)[0]
    events = asker.ask("SELECT kind, count(*) FROM rrcm.event GROUP BY kind ORDER BY kind")
    return {
        "certifications": int(runs), "trainings": int(trainings), "chunks": int(chunks), "samples": int(samples or 0),
        "certificates": int(certificates), "events": {kind: int(count) for kind, count in events},
    }


class Clockwork:
    """When things happened, out of what the database kept."""

    def __init__(self, asker):
        def times(sql):
            found = {}
            for name, at in asker.ask(sql, patience=120):
                found.setdefault(name, []).append(float(at))
            return found

        self.votes = times("""SELECT w.name, extract(epoch FROM c.posted_at) FROM rrcm.chunk_count c
                                JOIN rrcm.worker w USING (worker_id) ORDER BY c.posted_at""")
        self.all_votes = sorted(at for name, found in self.votes.items() if name != "serial" for at in found)
        self.metrics = sorted(at for found in times(
            "SELECT run_id::text, extract(epoch FROM recorded_at) FROM rrcm.metric").values() for at in found)
        self.elections = sorted(at for found in times(
            "SELECT kind, extract(epoch FROM at) FROM rrcm.event WHERE kind = 'leader_elected'").values() for at in found)

    @staticmethod
    def after(times, at):
        """The first of sorted times that is later than `at`; None when there is none."""
        place = bisect.bisect_right(times, at)
        return times[place] if place < len(times) else None

    def recovered(self, strike):
        """When the struck part did its work again, or the work went on without it."""
        kind = strike.fault.kind
        if "worker" in kind:
            return self.after(self.votes.get(strike.target, []), strike.ended)
        if "trainer" in kind:
            return self.after(self.metrics, strike.began)
        if strike.led and strike.fault.target == "leader":
            return self.after(self.elections, strike.began) or strike.recovered
        if "PostgreSQL" in kind:
            return self.after(self.all_votes, strike.ended)
        if "backend" in kind or "horizon" in kind:
            return self.after(self.all_votes, strike.began)
        return strike.recovered

    def longest_silence(self, began, ended):
        """The longest time in the storm in which no vote arrived."""
        inside = [began, *(at for at in self.all_votes if began < at < ended)]
        return max((after - before for before, after in zip(inside, inside[1:])), default=0.0)


def table(strikes):
    """Recovery times by kind, as Markdown."""
    lines = [
        "| fault | struck | imposed, median s | back after, median s | worst s |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for kind in sorted({strike.fault.kind for strike in strikes}):
        of_kind = [strike for strike in strikes if strike.fault.kind == kind]
        imposed = statistics.median(strike.ended - strike.began for strike in of_kind)
        back = [strike.recovery for strike in of_kind if strike.recovery is not None]
        shown = f"{statistics.median(back):.1f} | {max(back):.1f}" if back else "– | –"
        lines.append(f"| {kind} | {len(of_kind)} | {imposed:.1f} | {shown} |")
    return "\n".join(lines)
