"""pgbench's scripts: a plain row queue, and our own statements as they stand in Sources/Store/SQL."""

import os
import re

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

PLAIN = """
CREATE TABLE job (
  job_id      bigint PRIMARY KEY,
  state       text NOT NULL DEFAULT 'ready',
  holder      int,
  deadline_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX job_ready ON job (job_id) WHERE state = 'ready';
CREATE TABLE result (job bigint NOT NULL, worker text NOT NULL, at timestamptz NOT NULL DEFAULT now());
"""

ROW = r"""
UPDATE job
   SET state = 'claimed', holder = :client_id, deadline_at = now() + interval '60 s'
 WHERE job_id = (SELECT job_id FROM job WHERE state = 'ready' ORDER BY job_id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING job_id \gset
\startpipeline
INSERT INTO result (job, worker) VALUES (:job_id, :client_id);
DELETE FROM job WHERE job_id = :job_id AND holder = :client_id;
\endpipeline
"""

BATCH = r"""
WITH picked AS MATERIALIZED (
  SELECT job_id FROM job WHERE state = 'ready' ORDER BY job_id LIMIT :batch FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE job SET state = 'claimed', holder = :client_id, deadline_at = now() + interval '60 s'
    FROM picked WHERE job.job_id = picked.job_id
  RETURNING job.job_id
)
SELECT array_agg(job_id)::text AS ids FROM claimed \gset
\startpipeline
INSERT INTO result (job, worker) SELECT unnest(:ids::bigint[]), :client_id;
DELETE FROM job WHERE job_id = ANY (:ids::bigint[]) AND holder = :client_id;
\endpipeline
"""


def statement(name, values):
    """One of the product's statements, its parameters replaced by pgbench's variables or SQL expressions."""
    with open(os.path.join(ROOT, "Sources", "Store", "SQL", name + ".sql")) as file:
        text = "\n".join(line for line in file.read().splitlines() if not line.startswith("--"))
    used = {int(number) for number in re.findall(r"\$(\d+)", text)}
    if used - set(range(1, len(values) + 1)):
        raise SystemExit(f"Sources/Store/SQL/{name}.sql has other parameters than this benchmark knows; see scripts.py")
    return re.sub(r"\$(\d+)", lambda match: values[int(match.group(1)) - 1], text).strip()


def per_unit(expression):
    """An array with a value for each unit `u` of the lease in hand."""
    return f"(SELECT array_agg({expression}) FROM generate_series(:lo::int, :hi::int - 1) AS u)"


def ours(run, lease_units, n0, chunk_samples, numerics):
    """The worker's loop: claim; then post, compare and finish in one round trip. Client i is worker i + 1, epoch 1; starts with
    `-D floor=0`."""
    claim = statement(
        "claim_range", [str(run), ":worker", "1", f"'{numerics}'", str(lease_units), "60", ":floor", "NULL"])
    keys = [":item_id", ":worker", per_unit("(u > 0)::int"), per_unit("greatest(u - 1, 0)")]
    votes = [
        per_unit("'{0,1}'::text"),
        per_unit(f"CASE WHEN u = 0 THEN '{{{n0 - 10},10}}' ELSE '{{{chunk_samples - 10},10}}' END"),
    ]
    samples = per_unit(f"CASE WHEN u = 0 THEN {n0} ELSE {chunk_samples} END")
    return f"""
\\set worker :client_id + 1
{claim} \\gset
\\set floor :item_id
\\startpipeline
{statement("post_chunks", keys + [samples] + votes + [per_unit("1.0::real"), f"'{numerics}'"])};
{statement("compare_chunks", keys + votes + [f"'{numerics}'"])};
{statement("finish_lease", [":lease_id", ":worker", "1", ":hi", "'{certify}'", "'{}'"])};
\\endpipeline
"""
