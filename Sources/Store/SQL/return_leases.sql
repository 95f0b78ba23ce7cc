-- name: return_leases
-- Ends the given leases and puts their units without votes back into the queue, as contiguous gaps. A duplicate of one of
-- them takes its place instead; ending a duplicate makes no gap. Returns the number of leases and of gaps.
WITH ended AS MATERIALIZED (
  SELECT l.lease_id,
         l.item_id,
         i.run_id,
         i.state,
         l.lo,
         l.hi,
         l.duplicate
    FROM rrcm.lease l
    JOIN rrcm.item i USING (item_id)
   WHERE l.lease_id = ANY ($1::bigint[])
     FOR UPDATE OF l SKIP LOCKED
), removed AS (
  DELETE FROM rrcm.lease l
   USING ended
   WHERE l.lease_id = ended.lease_id
), first_duplicate AS (
  SELECT DISTINCT ON (e.lease_id)
         d.lease_id
    FROM ended e
    JOIN rrcm.lease d USING (item_id)
   WHERE d.duplicate
     AND NOT e.duplicate
     AND d.lo < e.hi
     AND d.hi > e.lo
     AND d.lease_id <> ALL ($1::bigint[])
   ORDER BY e.lease_id, d.lease_id
), heir AS (
  UPDATE rrcm.lease d
     SET duplicate = false
    FROM first_duplicate f
   WHERE d.lease_id = f.lease_id
     AND d.duplicate
  RETURNING d.item_id, d.lo, d.hi
), missing AS (
  SELECT e.run_id,
         e.item_id,
         unit,
         unit - row_number() OVER (PARTITION BY e.lease_id ORDER BY unit) AS island,
         e.lease_id
    FROM ended e
   CROSS JOIN LATERAL generate_series(e.lo, e.hi - 1) AS unit
   WHERE NOT e.duplicate
     AND e.state IN ('open', 'claimed')
     AND NOT EXISTS (SELECT FROM heir h WHERE h.item_id = e.item_id AND unit >= h.lo AND unit < h.hi)
     AND NOT EXISTS (
           SELECT
             FROM rrcm.chunk_count c
            WHERE c.item_id = e.item_id
              AND c.phase = (unit > 0)::int
              AND c.chunk = greatest(unit - 1, 0)
         )
), gaps AS (
  INSERT INTO rrcm.gap (run_id, item_id, lo, hi)
  SELECT run_id, item_id, min(unit), max(unit) + 1
    FROM missing
   GROUP BY run_id, item_id, lease_id, island
  RETURNING gap_id
)
SELECT (SELECT count(*) FROM ended) AS leases,
       (SELECT count(*) FROM gaps) AS gaps
