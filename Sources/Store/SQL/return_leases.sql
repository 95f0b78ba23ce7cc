-- name: return_leases
-- Ends the given leases and puts their units without votes back into the queue, as contiguous gaps.
WITH ended AS MATERIALIZED (
  SELECT l.lease_id,
         l.item_id,
         i.run_id,
         l.lo,
         l.hi
    FROM rrcm.lease l
    JOIN rrcm.item i USING (item_id)
   WHERE l.lease_id = ANY ($1::bigint[])
     FOR UPDATE OF l SKIP LOCKED
), removed AS (
  DELETE FROM rrcm.lease l
   USING ended
   WHERE l.lease_id = ended.lease_id
), missing AS (
  SELECT e.run_id,
         e.item_id,
         unit,
         unit - row_number() OVER (PARTITION BY e.lease_id ORDER BY unit) AS island,
         e.lease_id
    FROM ended e
   CROSS JOIN LATERAL generate_series(e.lo, e.hi - 1) AS unit
   WHERE NOT EXISTS (
           SELECT
             FROM rrcm.chunk_count c
            WHERE c.item_id = e.item_id
              AND c.phase = (unit > 0)::int
              AND c.chunk = greatest(unit - 1, 0)
         )
)
INSERT INTO rrcm.gap (run_id, item_id, lo, hi)
SELECT run_id, item_id, min(unit), max(unit) + 1
  FROM missing
 GROUP BY run_id, item_id, lease_id, island
RETURNING gap_id
