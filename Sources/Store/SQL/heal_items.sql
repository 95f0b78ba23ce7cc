-- name: heal_items
-- Puts units back into the queue that nobody holds, that nothing waits for and that have no votes: whatever lost them, an
-- item must not wait for ever. Returns the number of gaps.
WITH stuck AS MATERIALIZED (
  SELECT i.item_id,
         i.run_id,
         coalesce(i.target_units, i.unit_count) AS unit_count
    FROM rrcm.item i
   WHERE i.item_id = ANY ($1::bigint[])
     AND i.state = 'claimed'
     AND NOT EXISTS (SELECT FROM rrcm.lease l WHERE l.item_id = i.item_id AND NOT l.duplicate)
     AND NOT EXISTS (SELECT FROM rrcm.gap g WHERE g.item_id = i.item_id)
     FOR NO KEY UPDATE SKIP LOCKED
), missing AS (
  SELECT s.run_id,
         s.item_id,
         unit,
         unit - row_number() OVER (PARTITION BY s.item_id ORDER BY unit) AS island
    FROM stuck s
   CROSS JOIN LATERAL generate_series(0, s.unit_count - 1) AS unit
   WHERE NOT EXISTS (
           SELECT
             FROM rrcm.chunk_count c
            WHERE c.item_id = s.item_id
              AND c.phase = (unit > 0)::int
              AND c.chunk = greatest(unit - 1, 0)
         )
), gaps AS (
  INSERT INTO rrcm.gap (run_id, item_id, lo, hi)
  SELECT run_id, item_id, min(unit), max(unit) + 1
    FROM missing
   GROUP BY run_id, item_id, island
  RETURNING gap_id, run_id
), noted AS (
  INSERT INTO rrcm.event (kind, run_id, detail)
  SELECT 'items_healed', run_id, format('%s ranges that nobody held were put back', count(*))
    FROM gaps
   GROUP BY run_id
)
SELECT count(*) AS gaps
  FROM gaps
