-- name: trim_lease
-- Its holder keeps the units of a lease before $4, and what it has not begun goes back at once. No row back means there
-- was nothing to give: the lease is lost, has nothing after that, or a duplicate covers it.
WITH trimmed AS MATERIALIZED (
  SELECT l.lease_id,
         l.item_id,
         i.run_id,
         i.state,
         greatest($4, l.lo + 1) AS keep,
         l.hi,
         l.duplicate
    FROM rrcm.lease l
    JOIN rrcm.item i USING (item_id)
   WHERE l.lease_id = $1
     AND l.worker_id = $2
     AND l.epoch = $3
     AND l.hi > greatest($4, l.lo + 1)
     AND NOT EXISTS (
           SELECT
             FROM rrcm.lease d
            WHERE d.item_id = l.item_id
              AND d.duplicate
              AND d.lease_id <> l.lease_id
              AND d.lo < l.hi
              AND d.hi > l.lo
         )
     FOR UPDATE OF l
), shortened AS (
  UPDATE rrcm.lease l
     SET hi = trimmed.keep
    FROM trimmed
   WHERE l.lease_id = trimmed.lease_id
), given AS (
  INSERT INTO rrcm.gap (run_id, item_id, lo, hi)
  SELECT run_id, item_id, keep, hi
    FROM trimmed
   WHERE NOT duplicate
     AND state IN ('open', 'claimed')
)
SELECT keep AS hi
  FROM trimmed
