-- name: fail_lease
-- Writes down that computing a lease raised an error, at its first unit without votes. Nothing once the lease is lost.
INSERT INTO rrcm.failed_attempt (run_id, item_id, unit, worker_id, epoch, outcome, error)
SELECT i.run_id, l.item_id, first.unit, l.worker_id, l.epoch, 'failed', $4
  FROM rrcm.lease l
  JOIN rrcm.item i USING (item_id)
 CROSS JOIN LATERAL (
   SELECT min(unit) AS unit
     FROM generate_series(l.lo, l.hi - 1) AS unit
    WHERE NOT EXISTS (
            SELECT
              FROM rrcm.chunk_count c
             WHERE c.item_id = l.item_id
               AND c.phase = (unit > 0)::int
               AND c.chunk = greatest(unit - 1, 0)
          )
 ) AS first
 WHERE l.lease_id = $1
   AND l.worker_id = $2
   AND l.epoch = $3
   AND first.unit IS NOT NULL
RETURNING item_id, unit
