-- name: record_lease_ends
-- Writes down which items the given leases were at, before they are returned, where the holder died or let the deadline
-- pass. A worker computes its leases one after the other, so of one that held a single lease it is known what was in hand.
WITH ended AS MATERIALIZED (
  SELECT l.lease_id,
         l.item_id,
         i.run_id,
         l.lo,
         l.hi,
         l.worker_id,
         l.epoch,
         w.name,
         w.state = 'gone' OR w.epoch <> l.epoch AS died
    FROM rrcm.lease l
    JOIN rrcm.item i USING (item_id)
    JOIN rrcm.run r USING (run_id)
    JOIN rrcm.worker w USING (worker_id)
   WHERE l.lease_id = ANY ($1::bigint[])
     AND r.state = 'running'
     AND (w.state = 'gone' OR w.epoch <> l.epoch OR l.deadline_at < now())
   ORDER BY l.lease_id
     FOR UPDATE OF l SKIP LOCKED
)
INSERT INTO rrcm.failed_attempt (run_id, item_id, unit, worker_id, epoch, outcome, alone, error)
SELECT e.run_id,
       e.item_id,
       first.unit,
       e.worker_id,
       e.epoch,
       CASE WHEN e.died THEN 'died'::rrcm.attempt_outcome ELSE 'expired' END,
       (SELECT count(*) = 1 FROM ended o WHERE o.worker_id = e.worker_id AND o.epoch = e.epoch),
       format(
         CASE
           WHEN e.died THEN 'worker %s (epoch %s) ended without a goodbye while it held units %s to %s'
           ELSE 'worker %s (epoch %s) did not finish units %s to %s by the deadline'
         END,
         e.name, e.epoch, first.unit, e.hi - 1)
  FROM ended e
 CROSS JOIN LATERAL (
   SELECT min(unit) AS unit
     FROM generate_series(e.lo, e.hi - 1) AS unit
    WHERE NOT EXISTS (
            SELECT
              FROM rrcm.chunk_count c
             WHERE c.item_id = e.item_id
               AND c.phase = (unit > 0)::int
               AND c.chunk = greatest(unit - 1, 0)
          )
 ) AS first
 WHERE first.unit IS NOT NULL
RETURNING item_id, unit, outcome::text AS outcome
